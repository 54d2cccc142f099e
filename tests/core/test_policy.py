"""What the documentation says of the policy is what the code does."""

from pathlib import Path

import pytest

from streams.core.policy import Policy

PAGE = (Path(__file__).parents[2] / "docs" / "policy.md").read_text(encoding="utf-8")
ROWS = {cells[1].strip(" `"): cells[2:4] for line in PAGE.splitlines() if len(cells := line.split("|")) == 5}


@pytest.mark.parametrize("name", Policy.model_fields)
def test_every_number_of_the_policy_is_documented_as_it_is(name: str) -> None:
    default, meaning = (cell.strip() for cell in ROWS[name])
    value = getattr(Policy(), name)
    told = {part.strip(" `") for part in default.split(",")}
    assert told == as_documented(value)
    assert meaning == Policy.model_fields[name].description


def as_documented(value: object) -> set[str]:
    if isinstance(value, frozenset):
        return {str(part) for part in value}
    return {f"{value:g}"} if isinstance(value, float | int) else {"none"}

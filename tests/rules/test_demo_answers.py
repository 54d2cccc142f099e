"""The demo's answers end where they say they end."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import streams
from schemas.vocabulary import Status
from streams.core.decide import decide
from streams.core.policy import Policy
from streams.core.record import LogRecord
from streams.core.rules import RuleSet

ANSWERS = Path(next(iter(streams.__path__))) / "demo" / "answers.jsonl"
START = datetime(2026, 11, 24, 7, tzinfo=UTC)


def keys() -> Iterator[list[dict[str, object]]]:
    """The lines of each key, in the order of time."""
    lines = [json.loads(line) for line in ANSWERS.read_text(encoding="utf-8").splitlines()]
    by_key: dict[str, list[dict[str, object]]] = {}
    for line in sorted(lines, key=lambda line: line["after_s"]):
        by_key.setdefault(line["result"]["key_id"], []).append(line)
    yield from by_key.values()


def record(offset: int, line: dict[str, object]) -> LogRecord:
    """A line as the demo publishes it; an end date counts from the check's own time."""
    result = dict(line["result"])
    checked_at = START + timedelta(seconds=line["after_s"])
    if line["expires_in_days"] is not None:
        result["expires_at"] = (checked_at + timedelta(days=line["expires_in_days"])).isoformat()
    result |= {"event_id": f"demo-{offset}", "checked_at": checked_at.isoformat()}
    value = json.dumps(result).encode()
    timestamp = int(checked_at.timestamp() * 1_000)
    return LogRecord("apikey.check-results", 0, offset, timestamp, str(result["key_id"]).encode(), value)


@pytest.mark.parametrize("lines", [pytest.param(lines, id=lines[0]["result"]["key_id"]) for lines in keys()])
def test_a_key_ends_with_the_status_that_is_expected(lines: list[dict[str, object]], rules: RuleSet) -> None:
    """Every line of the key, one after the other; none is a dead letter, late or from the future."""
    state = None
    for offset, line in enumerate(lines):
        decision = decide(record(offset, line), state, rules, Policy())
        assert decision.dead_letter is None
        assert decision.verdict is not None
        state = decision.state if decision.touched else state
    status = None if state is None else state.status
    assert {line["expect"] for line in lines} == {status}


def test_the_answers_cover_what_the_demo_shows() -> None:
    """All eight statuses, at least nine exchanges and ninety answers, none later than 15 minutes."""
    lines = [line for lines in keys() for line in lines]
    exchanges = Counter(line["result"]["exchange"] for line in lines)
    assert len(lines) >= 90
    assert len(exchanges) >= 9
    assert {line["expect"] for line in lines} == {None, *Status}
    assert all(0 <= line["after_s"] <= 900 for line in lines)

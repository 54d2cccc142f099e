"""What the tables of the catalogue tell is counted from the rules."""

from datetime import date
from itertools import groupby
from typing import Any, NamedTuple

import pytest

from schemas.vocabulary import ErrorType
from streams import markdown
from streams.catalogue_tables import TYPES, Coverage, as_markdown, as_object, coverage, tell_expiry
from streams.core.rule_files import RuleFile, compile_rules
from streams.core.rules import Expiry, ExpiryKind, RuleSet

PAGE = "https://example.com/errors"


class Asked(NamedTuple):
    endpoint: str
    source: str


KEY_INFO = {
    "first": Asked("GET /key", "https://example.com/key"),
    "unheard": Asked("GET /me", "https://example.com/me"),
}


def rule_file(exchange: str, *rules: dict[str, Any], **head: Any) -> RuleFile:
    tables = [{"id": f"{exchange}.{n}", "meaning": "m", **table} for n, table in enumerate(rules)]
    data = {"exchange": exchange, "source": PAGE, "checked": date(2026, 11, 24), **head, "rule": tables}
    return RuleFile(f"{exchange}.toml", data, tuple(range(1, len(tables) + 1)))


def rule_set() -> RuleSet:
    first = rule_file(
        "first",
        {"code": "1", "error_type": "key_not_found"},
        {"code": "2", "error_type": "key_not_found", "source": "https://example.com/other"},
        {"code": "3", "error_type": "timeout", "checked": date(2026, 10, 1)},
        aliases=["also_first"],
        expiry={"kind": "key_expiry", "days": 90, "source": "https://example.com/policy"},
        left_out=[{"answer": "4 | five", "reason": "nobody knows"}],
    )
    second = rule_file("second", {"code": "1", "error_type": "ip_not_allowed"})
    defaults = rule_file(
        "defaults",
        {"http": 504, "error_type": "timeout"},
        {"http": 400, "ccxt_class": "ExchangeNotAvailable", "error_type": "unclassified"},
    )
    rules, problems = compile_rules([first, second, defaults])
    assert not problems
    return rules


def rows() -> dict[str, Coverage]:
    return {row.exchange: row for row in coverage(rule_set(), KEY_INFO)}


def test_a_row_for_each_exchange_and_the_defaults_last() -> None:
    """An alias has none of its own; an exchange that can only be asked about a key has one."""
    assert list(rows()) == ["first", "second", "unheard", "defaults"]


def test_types_are_counted() -> None:
    row = rows()["first"]
    assert (row.rules, row.types) == (3, 2)
    assert row.by_type == {ErrorType.KEY_NOT_FOUND: 2, ErrorType.TIMEOUT: 1}


def test_what_is_missing_is_told_apart_from_what_only_the_defaults_know() -> None:
    second = rows()["second"]
    assert second.by_default == (ErrorType.TIMEOUT,)
    assert second.missing[:2] == (ErrorType.KEY_NOT_FOUND, ErrorType.KEY_MALFORMED)
    assert not set(second.missing) & {ErrorType.TIMEOUT, ErrorType.IP_NOT_ALLOWED}
    assert {*second.missing, *second.by_default, *second.by_type} == set(TYPES)
    assert ErrorType.UNCLASSIFIED not in {*second.missing, *rows()["defaults"].by_type}
    assert len(TYPES) == 24


def test_sources_and_dates() -> None:
    """Each page once, the policy's too; the oldest date is what counts."""
    row = rows()["first"]
    assert row.sources == (PAGE, "https://example.com/other", "https://example.com/policy")
    assert row.checked == date(2026, 10, 1)
    assert rows()["unheard"].checked is None


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (ExpiryKind.KEY_EXPIRY, "ends after 14 days"),
        (ExpiryKind.INACTIVITY_DELETION, "deleted after 14 days without use"),
        (ExpiryKind.PERMISSION_EXPIRY, "trading permission ends after 14 days"),
    ],
)
def test_a_policy_in_words(kind: ExpiryKind, words: str) -> None:
    assert tell_expiry(Expiry(kind=kind, days=14, source=PAGE)) == words


def test_the_page_has_everything() -> None:
    """A cell's own bars do not split it."""
    page = "\n".join(as_markdown(tuple(rows().values())))
    assert "4 rules for 2 exchanges, and 2 that hold at every exchange" in page
    assert "| **first** (also_first) | 3 | 2 | `GET /key` [example.com](https://example.com/key) |" in page
    assert "ends after 90 days [example.com](https://example.com/policy)" in page
    assert "| **first** | 4 \\| five | nobody knows |" in page
    for name in TYPES:
        assert name.replace("_", " ") in page


def test_every_line_of_a_table_has_the_same_cells() -> None:
    lines = as_markdown(tuple(rows().values()))
    tables = [list(group) for is_table, group in groupby(lines, key=lambda line: line.startswith("|")) if is_table]
    assert len(tables) == 5
    for table in tables:
        assert len({line.replace("\\|", "").count("|") for line in table}) == 1


def test_a_row_as_an_object() -> None:
    told = as_object(rows()["first"])
    assert told["error_types"] == {"key_not_found": 2, "timeout": 1}
    assert told["key_info"] == {"endpoint": "GET /key", "source": "https://example.com/key"}
    assert told["left_out"] == [{"answer": "4 | five", "reason": "nobody knows"}]


@pytest.mark.parametrize(
    ("words", "cell"),
    [
        ("a_b and __c__", r"a_b and \_\_c\_\_"),
        ("*x* <b> [y] `z` a|b", r"\*x\* \<b\> \[y\] \`z\` a\|b"),
        (" two\n lines ", "two lines"),
    ],
)
def test_words_in_a_cell(words: str, cell: str) -> None:
    assert markdown.text(words) == cell


def test_literals_and_links_in_a_cell() -> None:
    assert markdown.code("a|b") == "`a\\|b`"
    assert markdown.code("a`b") == "`` a`b ``"
    assert markdown.link("https://www.example.com/a(b)") == "[example.com](https://www.example.com/a(b%29)"
    address = "https://github.com/some/repo/blob/HEAD/docs/errors.md"
    assert markdown.link(address) == f"[some/repo errors.md]({address})"

"""What ccxt's class alone would have said, from tables like ccxt's, and from its own."""

from datetime import date
from typing import Any

import pytest

from schemas.vocabulary import Status
from streams.catalogue import PACKAGED_RULES, load_rules, read_rule_file
from streams.ccxt_comparison import (
    MEANINGS,
    CcxtTables,
    Compared,
    Difference,
    as_markdown,
    classes_of,
    compare,
    count,
    load_ccxt,
    shorten,
)
from streams.core.rule_files import RuleFile, compile_rules
from streams.core.rules import Rule, RuleSet

TABLES = CcxtTables(
    exact={"1": "AuthenticationError", "2": "InvalidOrder", "Key is gone": "AuthenticationError", "9": "ExchangeError"},
    broad={"IP address": "PermissionDenied", "is busy": "ExchangeNotAvailable"},
    http={"403": "RateLimitExceeded"},
    markets={"spot": {"7": "AuthenticationError"}, "linear": {"7": "InvalidOrder"}},
)


def rule(**fields: Any) -> Rule:
    common = {"id": "some.a", "error_type": "key_not_found", "meaning": "m", "source": "https://example.com"}
    return Rule.model_validate({**common, "checked": date(2026, 11, 24), **fields})


@pytest.mark.parametrize(
    ("fields", "classes"),
    [
        pytest.param({"code": ["1", "2"]}, ["AuthenticationError", "InvalidOrder"], id="codes"),
        pytest.param({"code": "3"}, ["ExchangeError"], id="a code that ccxt does not know"),
        pytest.param({"code": "7"}, ["AuthenticationError"], id="a code of the spot market"),
        pytest.param({"code": "7", "endpoint": "/fapi/"}, ["InvalidOrder"], id="a code of another market"),
        pytest.param({"code": "1", "endpoint": "/fapi/"}, ["AuthenticationError"], id="a general code of a market"),
        pytest.param({"code": "1", "message": "is busy"}, ["AuthenticationError"], id="code before message"),
        pytest.param({"code": "3", "message": "is busy"}, ["ExchangeNotAvailable"], id="message of an unknown code"),
        pytest.param({"code": ["1", "Key was deleted."]}, ["AuthenticationError"], id="a text that stands for a code"),
        pytest.param({"code": "EAPI: system is busy"}, ["ExchangeNotAvailable"], id="a sentence as a code"),
        pytest.param({"message": "key is GONE"}, ["AuthenticationError"], id="a whole text"),
        pytest.param({"message": "the IP address is not ours"}, ["PermissionDenied"], id="a text with a known part"),
        pytest.param({"message": "address"}, ["PermissionDenied"], id="a part of a known part"),
        pytest.param({"message": "never heard"}, ["ExchangeError"], id="an unknown text"),
        pytest.param({"http": [403, 418]}, ["RateLimitExceeded", "ExchangeError"], id="HTTP status"),
    ],
)
def test_the_class_of_each_answer(fields: dict[str, Any], classes: list[str]) -> None:
    assert [name for _, name in classes_of(rule(**fields), TABLES)] == classes


def compared(*tables: dict[str, Any]) -> tuple[Compared, ...]:
    """Rules of an exchange `some`, with the packaged defaults, against TABLES."""
    data = {"exchange": "some", "source": "https://example.com", "checked": date(2026, 11, 24)}
    rules = [{"id": f"some.{n}", "meaning": "m", **table} for n, table in enumerate(tables)]
    files = [RuleFile("some.toml", {**data, "rule": rules}, ()), read_rule_file(PACKAGED_RULES / "defaults.toml")]
    made, problems = compile_rules(files)
    assert not problems
    return compare(made, {"some": TABLES, "other": CcxtTables()})


@pytest.mark.parametrize(
    ("fields", "difference"),
    [
        pytest.param({"code": "1", "error_type": "key_not_found"}, Difference.SAME, id="both invalid"),
        pytest.param({"code": "2", "error_type": "request_rejected"}, Difference.SAME, id="both say nothing"),
        pytest.param({"code": "9", "error_type": "request_rejected"}, Difference.SAME, id="nothing and bare"),
        pytest.param({"code": "9", "error_type": "key_not_found"}, Difference.UNKNOWN, id="bare by its table"),
        pytest.param({"code": "3", "error_type": "timeout"}, Difference.UNKNOWN, id="unknown"),
        pytest.param({"code": "2", "error_type": "key_not_found"}, Difference.MISSED, id="missed"),
        pytest.param({"code": "1", "error_type": "clock_skew"}, Difference.FALSE_INVALID, id="false invalid"),
        pytest.param({"http": 403, "error_type": "ip_not_allowed"}, Difference.FALSE_TEMPORARY, id="false temporary"),
        pytest.param(
            {"message": "bad IP address", "error_type": "key_not_found"},
            Difference.FALSE_PERMISSION,
            id="false permission",
        ),
    ],
)
def test_where_it_leads(fields: dict[str, Any], difference: Difference) -> None:
    (row,) = compared(fields)
    assert row.difference is difference


def test_a_rule_has_a_row_for_each_class() -> None:
    rows = compared({"code": ["1", "2", "3", "4"], "error_type": "key_expired"})
    assert [(row.answers, row.ccxt_class, row.ccxt_status, row.status) for row in rows] == [
        (("1",), "AuthenticationError", Status.INVALID, Status.EXPIRED),
        (("2",), "InvalidOrder", None, Status.EXPIRED),
        (("3", "4"), "ExchangeError", None, Status.EXPIRED),
    ]
    assert count(rows, Difference.UNKNOWN) == (1, 2)


def test_a_rule_in_words_and_its_code_share_what_ccxt_knows() -> None:
    """An answer has both; ccxt needs to know only one."""
    rows = compared(
        {"id": "some.gone", "code": "1", "error_type": "key_not_found"},
        {"id": "some.gone_in_words", "message": "was deleted", "error_type": "key_not_found"},
        {"id": "some.ip", "code": "33", "error_type": "ip_not_allowed"},
        {"id": "some.ip_in_words", "message": "wrong IP address", "error_type": "ip_not_allowed"},
    )
    assert [row.ccxt_class for row in rows] == ["AuthenticationError"] * 2 + ["PermissionDenied"] * 2


def test_the_page_lists_every_rule_with_its_reason() -> None:
    rows = compared(
        {"code": "1", "error_type": "clock_skew", "meaning": "clock is late"},
        {"code": ["2", "21", "22", "23", "24", "25"], "error_type": "key_expired"},
        {"code": "33", "error_type": "request_rejected"},
    )
    page = "\n".join(as_markdown("1.2.3", rows, ["lost", "found"]))
    assert "3 rules of 1 exchanges; 2 of them give" in page
    assert "ccxt 1.2.3 does not have lost, found" in page
    assert "| `some.0` | `1` | AuthenticationError | invalid | temporary_issue (clock_skew) | clock is late |" in page
    assert "`21`, `22`, `23`, `24`, and 1 more | ExchangeError" in page
    assert "| some | 2 |" in page


def test_every_difference_is_explained() -> None:
    assert set(MEANINGS) == set(Difference)


def test_long_lists_are_shortened() -> None:
    assert shorten(tuple("abcd")) == tuple("abcd")
    assert shorten(tuple("abcdef")) == (*"abcd", "and 2 more")


def test_ccxt_s_own_tables() -> None:
    """The pinned ccxt, with facts that its files have: what is known of its mistakes is found by itself."""
    version, tables = load_ccxt()
    assert version == "4.5.90"
    rows = {(row.rule.id, row.ccxt_class): row for row in compare(load_rules(), tables)}
    assert rows["gate.ip_not_allowed", "AuthenticationError"].difference is Difference.FALSE_INVALID
    assert rows["gate.clock", "AuthenticationError"].difference is Difference.FALSE_INVALID
    assert rows["binance.clock", "InvalidNonce"].difference is Difference.SAME
    assert tables["binance"].markets["linear"]["-1109"] == "PermissionDenied"
    assert tables["bybit"].http["403"] == "RateLimitExceeded"
    assert tables["deribit"].exact["13002"] == "PermissionDenied"


def test_every_rule_of_an_exchange_that_ccxt_has_is_compared() -> None:
    rules: RuleSet = load_rules()
    _, tables = load_ccxt()
    told = {row.rule.id for row in compare(rules, tables)}
    assert told == {rule.id for rule in rules.rules() if rule.id.partition(".")[0] in tables}

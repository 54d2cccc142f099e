"""What a rule is worth: its tier, its certainty, and how a rule set finds it."""

from datetime import date
from types import MappingProxyType

import pytest
from pydantic import ValidationError

from schemas.vocabulary import Certainty, ErrorType
from streams.core.rule_files import RuleFile, compile_rules, lint
from streams.core.rules import CERTAINTY_OF, ExpiryKind, Rule, RuleSet, Tier, fold

HEAD = MappingProxyType({"exchange": "made_up", "source": "https://example.com", "checked": date(2026, 11, 24)})


def rule(**fields: object) -> Rule:
    """A rule with these fields and harmless others."""
    common = {"id": "made_up.a", "error_type": "key_not_found", "meaning": "m"}
    return Rule.model_validate({**common, "source": "https://example.com", "checked": date(2026, 11, 24), **fields})


def rule_file(*tables: dict[str, object], **head: object) -> RuleFile:
    """A file as the catalogue reads it, its rules on lines 10, 20, 30 ..."""
    common = {"error_type": "key_not_found", "meaning": "m"}
    rules = [{"id": f"made_up.{n}", **common, **table} for n, table in enumerate(tables)]
    lines = tuple(10 * n for n in range(1, len(tables) + 1))
    return RuleFile("made_up.toml", {**HEAD, **head, "rule": rules}, lines)


@pytest.mark.parametrize(
    ("conditions", "tier"),
    [
        pytest.param({"code": "1", "message": "m"}, Tier.CODE_MESSAGE, id="code and message"),
        pytest.param({"code": "1", "message": "m", "http": 401}, Tier.CODE_MESSAGE, id="more conditions only narrow"),
        pytest.param({"code": "1", "http": 401}, Tier.CODE_HTTP, id="code and HTTP status"),
        pytest.param({"code": "1", "endpoint": "/fapi/"}, Tier.CODE_ENDPOINT, id="code and endpoint"),
        pytest.param({"code": "1"}, Tier.CODE, id="code"),
        pytest.param({"message": "m"}, Tier.MESSAGE, id="message"),
        pytest.param({"http": 401, "ccxt_class": "PermissionDenied"}, Tier.HTTP_CLASS, id="HTTP status and ccxt class"),
        pytest.param({"http": 401}, Tier.HTTP, id="HTTP status"),
        pytest.param({"ccxt_class": "PermissionDenied"}, Tier.CLASS, id="ccxt class"),
        pytest.param({"endpoint": "/fapi/"}, Tier.UNCLASSIFIED, id="an endpoint alone places nothing"),
    ],
)
def test_the_conditions_give_the_tier(conditions: dict[str, object], tier: Tier) -> None:
    """The more a rule asks for, the earlier it is asked."""
    assert tier is rule(**conditions).tier


def test_every_error_type_has_a_certainty() -> None:
    """The table is complete."""
    assert set(ErrorType) == set(CERTAINTY_OF)


@pytest.mark.parametrize(
    ("fields", "certainty"),
    [
        pytest.param({"error_type": "key_not_found"}, Certainty.DEFINITE, id="the type's own"),
        pytest.param({"error_type": "key_not_found", "ambiguous": True}, Certainty.AMBIGUOUS, id="less than its type"),
        pytest.param(
            {"error_type": "region_restricted", "ambiguous": False}, Certainty.DEFINITE, id="more than its type"
        ),
        pytest.param({"error_type": "maintenance"}, Certainty.INCONCLUSIVE, id="about the exchange"),
        pytest.param({"error_type": "request_rejected"}, Certainty.IRRELEVANT, id="about something else"),
    ],
)
def test_a_rule_may_differ_from_its_type(fields: dict[str, object], certainty: Certainty) -> None:
    """`ambiguous` says how much one answer proves, where the type alone does not."""
    assert certainty is rule(code="1", **fields).certainty


def test_rules_are_frozen() -> None:
    """What was linted stays what it was."""
    with pytest.raises(ValidationError):
        rule(code="1").code = ("2",)  # type: ignore[misc]


def test_texts_are_compared_folded() -> None:
    """White space and case do not tell two answers apart."""
    assert fold("  Invalid \n API\tkey ") == fold("invalid api KEY") == "invalid api key"


def test_a_rule_takes_source_and_date_from_its_file() -> None:
    """Unless it names its own."""
    rules, problems = compile_rules([rule_file({"code": "1"}, {"code": "2", "source": "https://example.com/other"})])
    assert not problems
    assert [found.source for found in rules.rules()] == ["https://example.com", "https://example.com/other"]


def test_an_alias_has_the_rules_and_the_policy_of_its_exchange() -> None:
    """And its rules are told only once."""
    policy = {"kind": "key_expiry", "days": 90, "source": "https://example.com"}
    rules, problems = compile_rules([rule_file({"code": "1"}, aliases=["made_up_too"], expiry=policy)])
    assert not problems
    assert rules.of("made_up") is rules.of("made_up_too")
    assert len(list(rules.rules())) == 1
    expiry = rules.expiry("made_up_too")
    assert expiry is not None
    assert (expiry.kind, expiry.days) == (ExpiryKind.KEY_EXPIRY, 90)


def test_an_unknown_exchange_has_neither() -> None:
    """Only the defaults hold for it."""
    assert RuleSet().of("never_heard").rules == ()
    assert RuleSet().expiry("never_heard") is None


def test_a_rule_without_a_known_line_is_still_linted() -> None:
    """Rules written as an inline list have no header line."""
    file = rule_file({"code": "1"}, {"code": "1"})
    problems = lint([RuleFile(file.name, file.data, ())])
    assert [str(problem) for problem in problems] == ['made_up.toml:1: duplicate code "1" (also line 1)']


def test_rules_of_different_tiers_do_not_overlap() -> None:
    """A code and the same code with a message are a rule and its exception."""
    assert lint([rule_file({"code": "1"}, {"code": "1", "message": "has expired"}, {"message": "has expired"})]) == ()


def test_rules_kept_apart_by_one_condition_do_not_overlap() -> None:
    """The same text under two statuses can never be one answer."""
    assert lint([rule_file({"message": "key refused", "http": 401}, {"message": "key refused", "http": 503})]) == ()

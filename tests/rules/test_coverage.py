"""The cases cover the rules: a hit and a near miss for each, and the bodies that no exchange documents."""

from collections.abc import Iterator, Mapping

from schemas.check_result import CheckResult
from streams.core.classify import classify
from streams.core.rules import DEFAULTS, Rule, RuleSet

BODIES_THAT_SAY_NOTHING = frozenset(
    {
        "garbage body",
        "broken JSON",
        "empty body",
        "no field at all",
        "empty body with HTTP 502",
        "HTML page with HTTP 403",
        "HTML page with HTTP 503",
    }
)

#: An exchange id without a file of its own.
WITHOUT_RULES = "made_up"


def test_every_rule_is_hit(rules: RuleSet, hits: frozenset[str]) -> None:
    """No rule without an answer that needs it, no case for a rule that is gone."""
    assert {rule.id for rule in rules.rules()} == hits


def test_every_rule_is_nearly_missed(rules: RuleSet, near_misses: frozenset[tuple[str, str]]) -> None:
    """Each rule has a neighbour that it must leave alone."""
    assert {rule.id for rule in rules.rules()} == {near for near, _ in near_misses}
    assert not [near for near, instead in near_misses if near == instead]


def test_every_exchange_has_the_bodies_that_say_nothing(
    rules: RuleSet, case_names: Mapping[str, frozenset[str]]
) -> None:
    """Garbage, an empty body and an HTML page, at each exchange."""
    assert {rule.id.partition(".")[0] for rule in rules.rules()} == set(case_names)
    for names in case_names.values():
        assert names >= BODIES_THAT_SAY_NOTHING


def test_every_alternative_reaches_its_rule(rules: RuleSet) -> None:
    """A rule's own conditions, taken as an answer, give that rule: nothing shadows a code of a long list."""
    for rule in rules.rules():
        for error in _answers(rule):
            assert rule.id == classify(_result(rule, error), rules).rule, error


def _answers(rule: Rule) -> Iterator[dict[str, str | int]]:
    """The rule's conditions as answers: the first alternative of each, varied in one place at a time."""
    conditions = {
        "code": rule.code,
        "http_status": rule.http,
        "message": rule.message,
        "endpoint": rule.endpoint,
        "ccxt_class": rule.ccxt_class,
    }
    first = {name: alternatives[0] for name, alternatives in conditions.items() if alternatives}
    for name, alternatives in conditions.items():
        for alternative in alternatives:
            yield {**first, name: alternative}


def _result(rule: Rule, error: dict[str, str | int]) -> CheckResult:
    exchange = rule.id.partition(".")[0]
    fields = {"event_id": "1", "key_id": "k", "checked_at": "2026-11-24T07:00:00Z", "outcome": "error", "error": error}
    return CheckResult.model_validate(
        {**fields, "exchange": WITHOUT_RULES if exchange == DEFAULTS else exchange}, strict=False
    )

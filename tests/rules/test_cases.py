"""Every recorded answer gets its rule."""

from schemas.check_result import CheckResult
from schemas.vocabulary import Certainty, ErrorType
from streams.core.classify import classify
from streams.core.rules import RuleSet


def test_case(result: CheckResult, expected: tuple[str | None, ErrorType, Certainty], rules: RuleSet) -> None:
    """One answer: its rule, its error type, and how much it proves."""
    verdict = classify(result, rules)
    assert expected == (verdict.rule, verdict.error_type, verdict.certainty)

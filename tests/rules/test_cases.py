"""Every recorded answer gets its rule, its error type, and the status and reason that follow."""

from schemas.check_result import CheckResult
from schemas.vocabulary import Certainty, ErrorType, Reason, Status
from streams.core.classify import classify
from streams.core.decide import assess_alone
from streams.core.decode import Unreadable
from streams.core.policy import Policy
from streams.core.record import LogRecord
from streams.core.rules import RuleSet


def test_case(
    result: CheckResult,
    expected: tuple[str | None, ErrorType, Certainty],
    status: tuple[Status, Reason] | None,
    rules: RuleSet,
) -> None:
    """One answer: its rule, its error type, how much it proves, and what it says of a key that is new to us."""
    verdict = classify(result, rules)
    assert expected == (verdict.rule, verdict.error_type, verdict.certainty)
    record = LogRecord("apikey.check-results", 0, 0, -1, result.key_id.encode(), result.model_dump_json().encode())
    alone = assess_alone(record, rules, Policy())
    assert not isinstance(alone, Unreadable)
    assert status == (None if alone.finding is None else (alone.finding.status, alone.finding.reason))

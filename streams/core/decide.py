"""The one function that the shell calls: a record and a state in, a Decision out."""

from collections.abc import Container
from typing import Final, NamedTuple

from schemas.check_result import CheckResult
from schemas.deadline import Deadline
from schemas.key_state import KeyState
from schemas.vocabulary import DeadLetterReason, Status
from streams.core.classify import Verdict, classify
from streams.core.decision import DeadLetter, Decision
from streams.core.decision_table import Facts, Finding, assess, blame_exchange
from streams.core.decode import Removal, Unreadable, decode
from streams.core.disposition import Disposition
from streams.core.incidents import Incidents
from streams.core.ordering import out_of_order, recall
from streams.core.policy import Policy
from streams.core.record import Record
from streams.core.redaction import BLANK, blank_secrets, is_secret_name
from streams.core.rules import RuleSet
from streams.core.transition import Transition, fall_due, remove, transition

#: Names a fault for tools that show Kafka Streams' header, which holds a class name there.
_EXCEPTION: Final = "keystatus.{reason}"


class Alone(NamedTuple):
    """What one check result says by itself. ``finding`` is None when it says nothing."""

    result: CheckResult
    verdict: Verdict
    finding: Finding | None


def decide(
    record: Record,
    state: KeyState | None,
    rules: RuleSet,
    policy: Policy,
    incidents: Container[str] = frozenset(),
) -> Decision:
    """Decide one record against the state of its key. Total: any bytes give a Decision.

    Deterministic: equal arguments give equal Decisions, whenever and wherever. ``incidents``
    are the exchanges that are in trouble at large (`streams.core.incidents` watches that).
    """
    try:
        return _decide(record, state, rules, policy, incidents)
    except Exception as error:  # noqa: BLE001 - our own bug: keep the record, decide the next one
        unreadable = Unreadable(DeadLetterReason.INTERNAL_ERROR, type(error).__name__)
        return _bury(record, unreadable)


def decide_next(
    record: Record, state: KeyState | None, incidents: Incidents, rules: RuleSet, policy: Policy
) -> Decision:
    """Decide the next record of a partition, and count what it says of its exchange at large."""
    decision = decide(record, state, rules, policy, incidents)
    return incidents.follow(record, state, decision, policy)


def assess_alone(record: Record, rules: RuleSet, policy: Policy) -> Alone | Unreadable:
    """What one check result says by itself, as if its key had never been seen."""
    result = decode(record)
    if isinstance(result, Unreadable):
        return result
    if not isinstance(result, CheckResult):
        return Unreadable(
            DeadLetterReason.INVALID, "not a check result: a deadline or a removal says nothing by itself"
        )
    verdict = classify(result, rules)
    facts = Facts(result, verdict, recall(None, result), rules.expiry(result.exchange), policy.of(result.exchange))
    return Alone(result, verdict, assess(facts).finding)


def _decide(
    record: Record, state: KeyState | None, rules: RuleSet, policy: Policy, incidents: Container[str]
) -> Decision:
    payload = decode(record)
    if isinstance(payload, CheckResult):
        return _decide_result(record, payload, state, rules, policy, incidents)
    if isinstance(payload, Deadline):
        exchange = "" if state is None else state.exchange
        made = fall_due(record, state, payload, policy.of(exchange), in_incident=exchange in incidents)
        return _as_decision(made)
    if isinstance(payload, Removal):
        return _as_decision(remove(record, state))
    return _bury(record, payload)


def _decide_result(
    record: Record,
    result: CheckResult,
    state: KeyState | None,
    rules: RuleSet,
    policy: Policy,
    incidents: Container[str],
) -> Decision:
    policy = policy.of(result.exchange)
    refusal = out_of_order(record, result, state, policy)
    if refusal is not None:
        return Decision(refusal, result=result)
    verdict = classify(result, rules)
    facts = Facts(result, verdict, recall(state, result), rules.expiry(result.exchange), policy)
    in_incident = result.exchange in incidents
    assessment = blame_exchange(assess(facts)) if in_incident else assess(facts)
    made = transition(record, state, facts, assessment, in_incident=in_incident)
    is_connected = made.state is not None and made.state.status is Status.CONNECTED
    return Decision(
        made.disposition,
        made.state,
        made.change,
        made.touched,
        made.notices,
        result=result,
        verdict=verdict,
        row=assessment.row,
        outlived=is_connected and facts.succeeded and facts.has_passed,
    )


def _as_decision(made: Transition) -> Decision:
    return Decision(made.disposition, made.state, made.change, made.touched, made.notices)


def _bury(record: Record, unreadable: Unreadable) -> Decision:
    """A dead letter that carries the record as it came, but for its secrets."""
    value = record.value
    blanked = None if value is None else blank_secrets(value)
    letter = DeadLetter(
        reason=unreadable.reason,
        exception=_EXCEPTION.format(reason=unreadable.reason),
        message=unreadable.message,
        key=record.key,
        value=value if blanked is None else blanked,
        headers=tuple((name, BLANK.encode() if is_secret_name(name) else content) for name, content in record.headers),
    )
    return Decision(Disposition.DEAD_LETTER, dead_letter=letter)

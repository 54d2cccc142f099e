"""How a change and the state after it are written down."""

from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from schemas.key_state import KeyState, Progress
from schemas.status_change import Evidence, Issue, KeyStatusChanged
from schemas.vocabulary import ChangeTrigger, Reason, Status
from streams.core.advice import SEVERITY, remedy_for
from streams.core.deadlines import days_left
from streams.core.decision_table import Assessment, Facts, Finding
from streams.core.record import Record

#: Any fixed UUID would do: ids must be equal for equal inputs, everywhere and for ever.
_CHANGE_IDS: Final = UUID("6f6b1f0e-3c55-5d0c-9a35-1f1f6f6c9b57")


def change_id(key_id: str, record: Record) -> str:
    """The same id for the same record, whoever decides it and however often."""
    return str(uuid5(_CHANGE_IDS, f"{key_id}/{record.topic}/{record.partition}/{record.offset}"))


def change_by_check(
    record: Record, state: KeyState | None, facts: Facts, assessment: Assessment, finding: Finding
) -> KeyStatusChanged:
    """The change that a check result makes."""
    result, error = facts.result, facts.result.error
    evidence = Evidence(
        event_id=result.event_id,
        error_type=facts.verdict.error_type,
        code=None if error is None else error.code,
        rule=facts.verdict.rule,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
    )
    return KeyStatusChanged(
        change_id=change_id(result.key_id, record),
        key_id=result.key_id,
        account_id=result.account_id,
        exchange=result.exchange,
        environment=result.environment,
        sequence=1 if state is None else state.sequence + 1,
        previous_status=None if state is None else state.status,
        status=finding.status,
        reason=finding.reason,
        issues=assessment.issues,
        expires_at=facts.expires_at,
        days_left=days_left(facts.expires_at, facts.at),
        severity=SEVERITY[finding.status],
        remedy=remedy_for(finding.reason, ip_restricted=facts.ip_restricted),
        changed_at=facts.at,
        trigger=ChangeTrigger.CHECK,
        evidence=evidence,
    )


def change_without_result(
    record: Record,
    state: KeyState,
    status: Status | None,
    reason: Reason,
    at: datetime,
    trigger: ChangeTrigger,
) -> KeyStatusChanged:
    """The change that a deadline or a removal makes; who the key is stands in its state."""
    progress = state.progress
    return KeyStatusChanged(
        change_id=change_id(state.key_id, record),
        key_id=state.key_id,
        account_id=state.account_id,
        exchange=state.exchange,
        environment=state.environment,
        sequence=state.sequence + 1,
        previous_status=state.status,
        status=status,
        reason=reason,
        issues=() if status is None else (Issue(status=status, reason=reason),),
        expires_at=progress.expires_at,
        days_left=days_left(progress.expires_at, at),
        severity=SEVERITY[status],
        remedy=remedy_for(reason, ip_restricted=progress.ip_restricted),
        changed_at=at,
        trigger=trigger,
        evidence=Evidence(
            event_id=None,
            error_type=None,
            code=None,
            rule=None,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
        ),
    )


def state_after(change: KeyStatusChanged, observed_at: datetime, progress: Progress) -> KeyState:
    return KeyState(**change.__dict__, observed_at=observed_at, since=change.changed_at, progress=progress)


def state_before_any(facts: Facts, progress: Progress) -> KeyState:
    """The state of a key whose answers have not settled on a first status yet."""
    result = facts.result
    return KeyState(
        change_id=None,
        key_id=result.key_id,
        account_id=result.account_id,
        exchange=result.exchange,
        environment=result.environment,
        sequence=0,
        previous_status=None,
        status=None,
        reason=None,
        issues=(),
        expires_at=progress.expires_at,
        days_left=days_left(progress.expires_at, facts.at),
        severity=None,
        remedy=None,
        changed_at=None,
        trigger=None,
        evidence=None,
        observed_at=facts.at,
        since=None,
        progress=progress,
    )

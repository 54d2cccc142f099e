"""How a change, the state after it, and a notice are written down."""

from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from schemas.check_result import CheckResult
from schemas.key_state import KeyState, Progress
from schemas.notice import Notice
from schemas.status_change import Evidence, Issue, KeyStatusChanged
from schemas.vocabulary import ChangeTrigger, NoticeKind, Reason, Status
from streams.core.advice import SEVERITY, remedy_for
from streams.core.classify import Verdict
from streams.core.deadlines import days_left
from streams.core.decision_table import Assessment, Facts, Finding
from streams.core.record import Record

#: Any fixed UUIDs would do: ids must be equal for equal inputs, everywhere and for ever.
_NOTICE_IDS: Final = UUID("0f0c8f5e-6c0d-5e0a-8e57-2a64f3f5b0d1")
_CHANGE_IDS: Final = UUID("6f6b1f0e-3c55-5d0c-9a35-1f1f6f6c9b57")


def change_id(key_id: str, record: Record) -> str:
    """The same id for the same record, whoever decides it and however often."""
    return str(uuid5(_CHANGE_IDS, f"{key_id}/{record.topic}/{record.partition}/{record.offset}"))


def evidence_of(record: Record, result: CheckResult | None = None, verdict: Verdict | None = None) -> Evidence:
    """The record that decided; with result and verdict where it was a check result."""
    error = None if result is None else result.error
    return Evidence(
        event_id=None if result is None else result.event_id,
        error_type=None if verdict is None else verdict.error_type,
        code=None if error is None else error.code,
        rule=None if verdict is None else verdict.rule,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
    )


def change_by_check(
    record: Record, state: KeyState | None, facts: Facts, assessment: Assessment, finding: Finding, memory: Progress
) -> KeyStatusChanged:
    """The change that a check result makes; ``memory`` is what is known after it."""
    result = facts.result
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
        expires_at=memory.expires_at,
        days_left=days_left(memory.expires_at, facts.at),
        expires_at_computed=memory.expires_at_computed,
        severity=SEVERITY[finding.status],
        remedy=remedy_for(finding.reason, ip_restricted=facts.ip_restricted),
        changed_at=facts.at,
        trigger=ChangeTrigger.CHECK,
        evidence=evidence_of(record, result, facts.verdict),
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
        expires_at_computed=progress.expires_at_computed,
        severity=SEVERITY[status],
        remedy=remedy_for(reason, ip_restricted=progress.ip_restricted),
        changed_at=at,
        trigger=trigger,
        evidence=evidence_of(record),
    )


def notice_about(state: KeyState, kind: NoticeKind, at: datetime, evidence: Evidence) -> Notice:
    """What is worth telling of a key while its status stays as it is."""
    return Notice(
        notice_id=notice_id(state.key_id, kind, evidence),
        key_id=state.key_id,
        account_id=state.account_id,
        exchange=state.exchange,
        kind=kind,
        status=state.status,
        expires_at=state.progress.expires_at,
        days_left=days_left(state.progress.expires_at, at),
        expires_at_computed=state.progress.expires_at_computed,
        noticed_at=at,
        evidence=evidence,
    )


def notice_id(about: str, kind: NoticeKind, evidence: Evidence) -> str:
    """The same id for the same kind and record, whoever decides it and however often."""
    place = f"{evidence.topic}/{evidence.partition}/{evidence.offset}"
    return str(uuid5(_NOTICE_IDS, f"{about}/{kind}/{place}"))


def state_after(change: KeyStatusChanged, observed_at: datetime, progress: Progress, *, stale: bool) -> KeyState:
    """The state that a change leaves."""
    return KeyState(**change.__dict__, observed_at=observed_at, since=change.changed_at, stale=stale, progress=progress)


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
        expires_at_computed=progress.expires_at_computed,
        severity=None,
        remedy=None,
        changed_at=None,
        trigger=None,
        evidence=None,
        observed_at=facts.at,
        since=None,
        progress=progress,
    )

"""From one assessed record and the key's state to the next state, perhaps a change, perhaps a notice.

Every function here returns new values and looks at no clock: "now" is the record's own
time. A record that changes nothing says why.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from schemas.check_result import CheckResult
from schemas.contract import evolve
from schemas.deadline import Deadline
from schemas.key_state import KeyState, NextDeadline, Progress
from schemas.notice import Notice
from schemas.status_change import KeyStatusChanged
from schemas.vocabulary import (
    Certainty,
    ChangeTrigger,
    DeadlineKind,
    ErrorType,
    NoticeKind,
    Outcome,
    Permission,
    Reason,
    Status,
)
from streams.core.changes import (
    change_by_check,
    change_without_result,
    evidence_of,
    notice_about,
    state_after,
    state_before_any,
)
from streams.core.confirmation import CONFIRMATION, Confirm, extend, is_lasting, is_repeated, is_silent, recent
from streams.core.deadlines import committed_by, days_left, due_reminder, next_deadline
from streams.core.decision_table import Assessment, Facts, Finding
from streams.core.disposition import Disposition
from streams.core.ordering import horizon, is_early
from streams.core.policy import Policy
from streams.core.record import Record, moment_of


class Transition(NamedTuple):
    """``state`` is the state to keep when ``touched``; None then removes the key."""

    disposition: Disposition
    state: KeyState | None = None
    change: KeyStatusChanged | None = None
    touched: bool = False
    notices: tuple[Notice, ...] = ()


#: Results of one key at one moment that are remembered by their id: two connectors and their
#: repeats are a handful; a connector whose clock stands still must not fill the state.
_EVENTS_A_MOMENT: Final = 32

#: Refusals that are normal for a key which the exchange has not spread to all its servers yet.
_NOT_YET_THERE: Final = frozenset({ErrorType.KEY_NOT_FOUND, ErrorType.KEY_NOT_ACTIVATED})


def transition(
    record: Record, state: KeyState | None, facts: Facts, assessment: Assessment, *, in_incident: bool = False
) -> Transition:
    """Commit what was found, or hold it back until it is confirmed."""
    finding = assessment.finding
    if finding is None:
        unclassified = facts.verdict.error_type is ErrorType.UNCLASSIFIED
        return Transition(Disposition.UNCLASSIFIED if unclassified else Disposition.SAYS_NOTHING)
    memory = _remember(record, state, facts, finding)
    disposition = _confirm(state, finding, memory, facts)
    change = None
    if disposition is Disposition.CHANGED:
        memory = _renewed(state, memory, facts)
        change = change_by_check(record, state, facts, assessment, finding, memory)
        settled = evolve(memory, {"ambiguous": None, "inconclusive": None})
        observed_at = facts.at if state is None else max(state.observed_at, facts.at)
        change, kept = _commit(change, state, observed_at, settled, facts.policy, in_incident=in_incident)
    else:
        kept = _kept(state, facts, memory)
    was_stale = state is not None and state.stale
    kept, notices = _notice(record, kept, facts.at, facts.policy, facts, was_stale=was_stale)
    return Transition(disposition, kept, change, touched=True, notices=notices)


def _confirm(state: KeyState | None, finding: Finding, memory: Progress, facts: Facts) -> Disposition:
    """Whether the finding is believed now, by the confirmation table."""
    held = None if state is None else state.status
    if finding.status is held or is_silent(state, finding, facts):
        return Disposition.UNCHANGED
    if _is_in_grace(finding, memory, facts):
        return Disposition.PENDING
    needed = CONFIRMATION[held][finding.certainty]
    if needed is Confirm.NEVER:
        return Disposition.INCONCLUSIVE
    if needed is Confirm.AT_ONCE:
        return Disposition.CHANGED
    if needed is Confirm.WHEN_REPEATED:
        believed = is_repeated(memory.ambiguous, facts.at, facts.policy)
    else:
        believed = is_lasting(memory, facts.at, facts.policy)
    return Disposition.CHANGED if believed else Disposition.PENDING


def _is_in_grace(finding: Finding, memory: Progress, facts: Facts) -> bool:
    """Whether a refusal may come from a key that was replaced a moment ago."""
    replaced_at = memory.credential_at
    if replaced_at is None or finding.status is not Status.INVALID:
        return False
    doubtful = finding.certainty is Certainty.AMBIGUOUS or facts.verdict.error_type in _NOT_YET_THERE
    return doubtful and facts.at - replaced_at < timedelta(seconds=facts.policy.replaced_key_grace_s)


def _remember(record: Record, state: KeyState | None, facts: Facts, finding: Finding) -> Progress:
    """The progress with this result added: what it showed, and what it leaves in doubt."""
    result, memory, at, end = facts.result, facts.memory, facts.at, facts.end
    same_moment = state is not None and state.observed_at == at
    update: dict[str, object] = {
        "offset": record.offset,
        "event_ids": (*memory.event_ids[1 - _EVENTS_A_MOMENT :], result.event_id)
        if same_moment
        else (result.event_id,),
        "expires_at": end.at,
        "expires_at_computed": end.is_computed,
        "check_interval_s": result.check_interval_s or memory.check_interval_s,
        "ip_restricted": facts.ip_restricted,
        "granted": _granted(memory.granted, result) if facts.key_was_read else memory.granted,
    }
    update |= _doubts(state, facts, finding)
    if result.outcome is Outcome.OK:
        update |= _after_success(state, facts)
    if memory.changed and at - memory.changed[-1] > timedelta(seconds=facts.policy.flapping_within_s):
        update["changed"] = ()
    return evolve(memory, update)


def _after_success(state: KeyState | None, facts: Facts) -> dict[str, object]:
    """What a success adds, above all from when an exchange's policy counts, and whether it was wrong."""
    told: dict[str, object] = {"last_success_at": facts.at}
    if facts.ip_restricted:
        return told | {"known_since": None, "outlived_at": None}
    if facts.memory.known_since is None:
        told["known_since"] = facts.at
    had_ended = state is not None and state.status is Status.EXPIRED
    if facts.refutes_end and not had_ended:
        told |= {"outlived_at": facts.end.at, "expires_at": None, "expires_at_computed": False}
    return told


def _renewed(state: KeyState | None, memory: Progress, facts: Facts) -> Progress:
    """The memory of a key that works again after it had ended: from now on the exchange's policy counts anew."""
    if state is None or state.status is not Status.EXPIRED or not facts.succeeded or facts.ip_restricted:
        return memory
    memory = evolve(memory, {"known_since": facts.at, "outlived_at": None})
    end = facts._replace(memory=memory).end
    return evolve(memory, {"expires_at": end.at, "expires_at_computed": end.is_computed})


def _doubts(state: KeyState | None, facts: Facts, finding: Finding) -> dict[str, object]:
    """How the streaks of doubtful answers go on. A definite answer ends them all."""
    memory, at = facts.memory, facts.at
    if finding.certainty is Certainty.DEFINITE:
        return {
            "ambiguous": None,
            "inconclusive": None,
            "unconfirmed_since": None,
            "last_authoritative_at": at,
        }
    if finding.reason is Reason.EXCHANGE_INCIDENT:
        # What was doubted just before belongs to the incident too, and must not count after it.
        memory = evolve(memory, {"ambiguous": None})
    if state is not None and finding.status is state.status:
        # Two answers that contradict each other in turn would otherwise change the status for ever.
        return {"ambiguous": None if finding.certainty is Certainty.AMBIGUOUS else memory.ambiguous}
    if finding.certainty is Certainty.AMBIGUOUS:
        streak = recent(memory.ambiguous, at, facts.policy)
        return {"ambiguous": extend(streak, finding, at), "inconclusive": None}
    return {
        "ambiguous": memory.ambiguous,
        "inconclusive": extend(memory.inconclusive, finding, at),
        "unconfirmed_since": memory.unconfirmed_since or at,
    }


def _granted(before: tuple[Permission, ...], result: CheckResult) -> tuple[Permission, ...]:
    """Every permission that was ever reported as on, in the order of the vocabulary."""
    new = [name for name, is_on in result.permissions.__dict__.items() if is_on and name not in before]
    return tuple(name for name in Permission if name in before or name in new) if new else before


def _kept(state: KeyState | None, facts: Facts, memory: Progress) -> KeyState:
    """The state after a record that changed no status."""
    if state is None:
        return state_before_any(facts, memory)
    result = facts.result
    return evolve(
        state,
        {
            "account_id": result.account_id,
            "exchange": result.exchange,
            "environment": result.environment,
            "expires_at": memory.expires_at,
            "days_left": days_left(memory.expires_at, facts.at),
            "expires_at_computed": memory.expires_at_computed,
            "observed_at": max(state.observed_at, facts.at),
            "stale": False,
            "progress": memory,
        },
    )


def _commit(
    change: KeyStatusChanged,
    before: KeyState | None,
    observed_at: datetime,
    memory: Progress,
    policy: Policy,
    *,
    in_incident: bool,
    stale: bool = False,
) -> tuple[KeyStatusChanged, KeyState]:
    """The change as it is told, and the state after it: here it shows whether the key is flapping."""
    window = timedelta(seconds=policy.flapping_within_s)
    lately = (*(at for at in memory.changed if change.changed_at - at <= window), change.changed_at)
    flapping = (before is not None and before.flapping) or len(lately) > policy.flapping_changes
    if flapping or in_incident:
        change = evolve(change, {"flapping": flapping, "incident": in_incident})
    progress = evolve(memory, {"changed": lately[-policy.flapping_changes :]})
    return change, state_after(change, observed_at, progress, stale=stale)


def _notice(
    record: Record,
    state: KeyState,
    at: datetime,
    policy: Policy,
    facts: Facts | None = None,
    *,
    was_stale: bool = False,
    first: tuple[NoticeKind, ...] = (),
) -> tuple[KeyState, tuple[Notice, ...]]:
    """What is worth telling besides the status, and the state that waits for its next deadline.

    A flapping key is not written about: what it crosses meanwhile counts as told by the notice that it has settled.
    """
    kinds = [*first, NoticeKind.FRESH] if was_stale else [*first]
    reminded = due_reminder(state, at, policy)
    if reminded is not None:
        state = evolve(state, {"progress": evolve(state.progress, {"reminded": reminded})})
        kinds.append(NoticeKind.EXPIRY_REMINDER)
    state = _awaiting(state, at, policy)
    if state.flapping or not kinds:
        return state, ()
    evidence = evidence_of(record) if facts is None else evidence_of(record, facts.result, facts.verdict)
    return state, tuple(notice_about(state, kind, at, evidence) for kind in kinds)


def _awaiting(state: KeyState, at: datetime, policy: Policy) -> KeyState:
    """The state with the deadline that comes next."""
    awaited = next_deadline(state, at, policy)
    if awaited == state.progress.next_deadline:
        return state
    return evolve(state, {"progress": evolve(state.progress, {"next_deadline": awaited})})


def fall_due(
    record: Record, state: KeyState | None, deadline: Deadline, policy: Policy, *, in_incident: bool = False
) -> Transition:
    """A moment has come that the key's state was waiting for: time alone changes it, or is worth a notice."""
    if state is None or state.progress.next_deadline != NextDeadline(kind=deadline.kind, due_at=deadline.due_at):
        return Transition(Disposition.OBSOLETE)
    at = deadline.due_at
    if is_early(record, at):
        return Transition(Disposition.FUTURE)
    committed = committed_by(deadline.kind, state)
    if committed is None:
        return _notice_only(record, state, deadline.kind, at, policy)
    change = change_without_result(record, state, *committed, at, ChangeTrigger.DEADLINE)
    settled = evolve(state.progress, {"ambiguous": None, "inconclusive": None})
    change, kept = _commit(
        change, state, state.observed_at, settled, policy, in_incident=in_incident, stale=state.stale
    )
    kept, notices = _notice(record, kept, at, policy)
    return Transition(Disposition.CHANGED, kept, change, touched=True, notices=notices)


def _notice_only(record: Record, state: KeyState, kind: DeadlineKind, at: datetime, policy: Policy) -> Transition:
    """A deadline that changes no status: a reminder, silence, or a key that has settled."""
    told: tuple[NoticeKind, ...] = ()
    if kind is DeadlineKind.STALE:
        state = evolve(state, {"stale": True})
        told = (NoticeKind.STALE,)
    elif kind is DeadlineKind.SETTLED:
        state = _settled(state, at, policy)
        told = (NoticeKind.STALE if state.stale else NoticeKind.SETTLED,)
    state, notices = _notice(record, state, at, policy, first=told)
    return Transition(Disposition.NOTICED, state, None, touched=True, notices=notices)


def _settled(state: KeyState, at: datetime, policy: Policy) -> KeyState:
    """The state of a key that flaps no more. The one notice of that tells the end date: no reminder besides."""
    progress = state.progress
    reminded = due_reminder(state, at, policy) or progress.reminded
    return evolve(state, {"flapping": False, "progress": evolve(progress, {"changed": (), "reminded": reminded})})


def remove(record: Record, state: KeyState | None) -> Transition:
    """A null value: the last change of this key, and no state any more."""
    if state is None:
        return Transition(Disposition.UNKNOWN_KEY)
    at = moment_of(record.timestamp) or horizon(state)
    change = change_without_result(record, state, None, Reason.REMOVED, at, ChangeTrigger.REMOVAL)
    return Transition(Disposition.CHANGED, None, change, touched=True)

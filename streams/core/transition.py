"""From one assessed record and the key's state to the next state and, perhaps, a change.

Every function here returns new values and looks at no clock: "now" is the record's own
time. A record that changes nothing says why.
"""

from datetime import timedelta
from typing import Final, NamedTuple

from schemas.check_result import CheckResult
from schemas.contract import evolve
from schemas.deadline import Deadline
from schemas.key_state import KeyState, NextDeadline, Progress
from schemas.status_change import KeyStatusChanged
from schemas.vocabulary import Certainty, ChangeTrigger, ErrorType, Outcome, Permission, Reason, Status
from streams.core.changes import change_by_check, change_without_result, state_after, state_before_any
from streams.core.confirmation import CONFIRMATION, Confirm, extend, is_lasting, is_repeated, is_silent, recent
from streams.core.deadlines import DUE, days_left, next_deadline
from streams.core.decision_table import Assessment, Facts, Finding
from streams.core.disposition import Disposition
from streams.core.ordering import horizon, is_from_the_future
from streams.core.policy import Policy
from streams.core.record import Record, moment_of


class Transition(NamedTuple):
    """``state`` is the state to keep when ``touched``; None then removes the key."""

    disposition: Disposition
    state: KeyState | None = None
    change: KeyStatusChanged | None = None
    touched: bool = False


#: Results of one key at one moment that are remembered by their id: two connectors and their
#: repeats are a handful; a connector whose clock stands still must not fill the state.
_EVENTS_A_MOMENT: Final = 32

#: Refusals that are normal for a key which the exchange has not spread to all its servers yet.
_NOT_YET_THERE: Final = frozenset({ErrorType.KEY_NOT_FOUND, ErrorType.KEY_NOT_ACTIVATED})


def transition(record: Record, state: KeyState | None, facts: Facts, assessment: Assessment) -> Transition:
    """Commit what was found, or hold it back until it is confirmed."""
    finding = assessment.finding
    if finding is None:
        unclassified = facts.verdict.error_type is ErrorType.UNCLASSIFIED
        return Transition(Disposition.UNCLASSIFIED if unclassified else Disposition.SAYS_NOTHING)
    memory = _remember(record, state, facts, finding)
    disposition = _confirm(state, finding, memory, facts)
    if disposition is not Disposition.CHANGED:
        return Transition(disposition, _kept(state, facts, memory), None, touched=True)
    change = change_by_check(record, state, facts, assessment, finding)
    settled = evolve(memory, {"ambiguous": None, "inconclusive": None})
    observed_at = facts.at if state is None else max(state.observed_at, facts.at)
    kept = state_after(change, observed_at, _with_deadline(finding.status, settled, facts))
    return Transition(disposition, kept, change, touched=True)


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
    result, memory, at = facts.result, facts.memory, facts.at
    same_moment = state is not None and state.observed_at == at
    update: dict[str, object] = {
        "offset": record.offset,
        "event_ids": (*memory.event_ids[1 - _EVENTS_A_MOMENT :], result.event_id)
        if same_moment
        else (result.event_id,),
        "expires_at": facts.expires_at,
        "ip_restricted": facts.ip_restricted,
        "granted": _granted(memory.granted, result) if facts.key_was_read else memory.granted,
    }
    update |= _doubts(state, facts, finding)
    if result.outcome is Outcome.OK:
        update["last_success_at"] = at
    return evolve(memory, update)


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
    if state is not None and finding.status is state.status:
        # Two answers that contradict each other in turn would otherwise change the status for ever.
        return {"ambiguous": None} if finding.certainty is Certainty.AMBIGUOUS else {}
    if finding.certainty is Certainty.AMBIGUOUS:
        streak = recent(memory.ambiguous, at, facts.policy)
        return {"ambiguous": extend(streak, finding, at), "inconclusive": None}
    return {
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
        return state_before_any(facts, _with_deadline(None, memory, facts))
    result = facts.result
    return evolve(
        state,
        {
            "account_id": result.account_id,
            "exchange": result.exchange,
            "environment": result.environment,
            "expires_at": memory.expires_at,
            "days_left": days_left(memory.expires_at, facts.at),
            "observed_at": max(state.observed_at, facts.at),
            "progress": _with_deadline(state.status, memory, facts),
        },
    )


def _with_deadline(status: Status | None, memory: Progress, facts: Facts) -> Progress:
    deadline = next_deadline(status, memory.expires_at, facts.at, facts.policy)
    return evolve(memory, {"next_deadline": deadline})


def fall_due(record: Record, state: KeyState | None, deadline: Deadline, policy: Policy) -> Transition:
    """Row 8 without a result: a moment has come that the key's state was waiting for."""
    if state is None or state.progress.next_deadline != NextDeadline(kind=deadline.kind, due_at=deadline.due_at):
        return Transition(Disposition.OBSOLETE)
    if is_from_the_future(record, deadline.due_at, policy):
        return Transition(Disposition.FUTURE)
    status, reason = DUE[deadline.kind]
    change = change_without_result(record, state, status, reason, deadline.due_at, ChangeTrigger.DEADLINE)
    expires_at = state.progress.expires_at
    progress = evolve(state.progress, {"next_deadline": next_deadline(status, expires_at, deadline.due_at, policy)})
    return Transition(Disposition.CHANGED, state_after(change, state.observed_at, progress), change, touched=True)


def remove(record: Record, state: KeyState | None) -> Transition:
    """A null value: the last change of this key, and no state any more."""
    if state is None:
        return Transition(Disposition.UNKNOWN_KEY)
    at = moment_of(record.timestamp) or horizon(state)
    change = change_without_result(record, state, None, Reason.REMOVED, at, ChangeTrigger.REMOVAL)
    return Transition(Disposition.CHANGED, None, change, touched=True)

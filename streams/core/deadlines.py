"""Moments at which a key changes by time alone, without a new result.

A state waits for the first of them; the worker that owns the key writes a deadline record
when it has come, and the record is decided here like any other.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from schemas.key_state import KeyState, NextDeadline, Reminded
from schemas.vocabulary import Certainty, DeadlineKind, Reason, Status
from streams.core.confirmation import CONFIRMATION, Confirm
from streams.core.policy import Policy

_DAY: Final = timedelta(days=1)

#: Statuses that the end of the key replaces. The others already say more.
ENDED_BY_EXPIRY: Final = frozenset(
    {
        None,
        Status.CONNECTED,
        Status.EXPIRING,
        Status.TEMPORARY_ISSUE,
        Status.INCORRECT_PERMISSIONS,
        Status.INACTIVE_FUTURES,
    }
)

#: Statuses in which the key works, or will again by itself. Whoever has to act anyway needs no reminder.
_REMINDED: Final = frozenset({Status.CONNECTED, Status.EXPIRING, Status.TEMPORARY_ISSUE, Status.INACTIVE_FUTURES})

#: An end date that moves by less is the same one: HTX tells whole days, so that it moves with every check.
_SAME_END: Final = _DAY

#: ``days_left`` is down to a number of days as soon as a second of the day before is gone.
_JUST_BELOW: Final = timedelta(seconds=1)


def days_left(expires_at: datetime | None, at: datetime) -> int | None:
    """Whole days, rounded down as Bybit does; 0 on the last day, negative afterwards."""
    return None if expires_at is None else (expires_at - at) // _DAY


class Committed(NamedTuple):
    """A status that a deadline commits."""

    status: Status
    reason: Reason


def next_deadline(state: KeyState, at: datetime, policy: Policy) -> NextDeadline | None:
    """The first moment at which this state changes by time alone, never before ``at``; None when it does not."""
    first: tuple[datetime, DeadlineKind] | None = None
    for kind, ask in _WAITS:
        due_at = ask(state, at, policy)
        if due_at is not None and (first is None or due_at < first[0]):
            first = (due_at, kind)
    return None if first is None else NextDeadline(kind=first[1], due_at=max(at, first[0]))


def _expiring(state: KeyState, at: datetime, policy: Policy) -> datetime | None:
    end = state.progress.expires_at
    if state.status is not Status.CONNECTED or end is None or end <= at:
        return None
    return end - timedelta(days=policy.expiring_window_days)


def _expiry(state: KeyState, at: datetime, policy: Policy) -> datetime | None:
    """The end; a computed one only after a time in which a check may have refuted it."""
    progress = state.progress
    if state.status not in ENDED_BY_EXPIRY or progress.expires_at is None:
        return None
    late = policy.computed_expiry_grace_s if progress.expires_at_computed else 0
    due_at = progress.expires_at + timedelta(seconds=late)
    return due_at if due_at > at else None


def _reminder(state: KeyState, at: datetime, policy: Policy) -> datetime | None:
    """When the days left come down to the next threshold. A flapping key is told when it has settled."""
    end = state.progress.expires_at
    if state.status not in _REMINDED or state.flapping or end is None or end <= at:
        return None
    left = (end - at) // _DAY
    ahead = [days for days in policy.reminder_days if days < left]
    return end - timedelta(days=max(ahead) + 1) + _JUST_BELOW if ahead else None


def _lasting(state: KeyState, _at: datetime, policy: Policy) -> datetime | None:
    """When trouble that was seen often enough has also lasted long enough."""
    progress = state.progress
    streak = progress.inconclusive
    if streak is None or streak.count < policy.inconclusive_results:
        return None
    since = progress.last_authoritative_at or progress.credential_at
    if since is None or CONFIRMATION[state.status][Certainty.INCONCLUSIVE] is not Confirm.WHEN_LASTING:
        return None
    return since + timedelta(seconds=policy.inconclusive_after_s)


def _stale(state: KeyState, _at: datetime, policy: Policy) -> datetime | None:
    interval_s = state.progress.check_interval_s or policy.check_interval_s
    if state.stale or not interval_s:
        return None
    return state.observed_at + timedelta(seconds=policy.stale_intervals * interval_s)


def _settled(state: KeyState, _at: datetime, policy: Policy) -> datetime | None:
    if not state.flapping or state.changed_at is None:
        return None
    return state.changed_at + timedelta(seconds=policy.flapping_settle_s)


#: What a state may wait for. At one moment the first of the list comes first.
_WAITS: Final[tuple[tuple[DeadlineKind, Callable[[KeyState, datetime, Policy], datetime | None]], ...]] = (
    (DeadlineKind.REMINDER, _reminder),
    (DeadlineKind.EXPIRING, _expiring),
    (DeadlineKind.EXPIRY, _expiry),
    (DeadlineKind.LASTING, _lasting),
    (DeadlineKind.STALE, _stale),
    (DeadlineKind.SETTLED, _settled),
)


def committed_by(kind: DeadlineKind, state: KeyState) -> Committed | None:
    """The status that a deadline of this state commits; None for one that only notices something."""
    if kind is DeadlineKind.EXPIRING:
        return Committed(Status.EXPIRING, Reason.EXPIRES_SOON)
    if kind is DeadlineKind.EXPIRY:
        return Committed(Status.EXPIRED, Reason.EXPIRY_PASSED)
    streak = state.progress.inconclusive
    if kind is DeadlineKind.LASTING and streak is not None:
        return Committed(streak.status, streak.reason)
    return None


def due_reminder(state: KeyState, at: datetime, policy: Policy) -> Reminded | None:
    """The reminder that is due now, if any: only of the lowest threshold that was newly crossed.

    A threshold is crossed when ``days_left`` is down to it. It is told once for each end date; a date that moves by
    less than a day is the same, one that moves further away may cross its thresholds again.
    """
    end = state.progress.expires_at
    if state.status not in _REMINDED or end is None or end <= at:
        return None
    left = (end - at) // _DAY
    crossed = [days for days in policy.reminder_days if days >= left]
    if not crossed:
        return None
    lowest, told = min(crossed), state.progress.reminded
    if told is not None and lowest >= told.days and end - told.expires_at < _SAME_END:
        return None
    return Reminded(days=lowest, expires_at=end)

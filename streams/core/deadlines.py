"""Moments at which a key changes by time alone, without a new result."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from schemas.key_state import NextDeadline
from schemas.vocabulary import DeadlineKind, Reason, Status
from streams.core.policy import Policy

_SECONDS_A_DAY: Final = 86_400

#: Statuses that the end date changes, and by which deadline. The others already say more.
_FALLS_DUE: Final[Mapping[Status | None, DeadlineKind]] = {
    None: DeadlineKind.EXPIRY,
    Status.CONNECTED: DeadlineKind.EXPIRING,
    Status.EXPIRING: DeadlineKind.EXPIRY,
    Status.TEMPORARY_ISSUE: DeadlineKind.EXPIRY,
    Status.INCORRECT_PERMISSIONS: DeadlineKind.EXPIRY,
    Status.INACTIVE_FUTURES: DeadlineKind.EXPIRY,
}


def next_deadline(
    status: Status | None, expires_at: datetime | None, at: datetime, policy: Policy
) -> NextDeadline | None:
    """When a key in this status changes by time alone, never before ``at``; None when it does not."""
    kind = _FALLS_DUE.get(status)
    if kind is None or expires_at is None or expires_at <= at:
        return None
    early = policy.expiring_window_days if kind is DeadlineKind.EXPIRING else 0
    return NextDeadline(kind=kind, due_at=max(at, expires_at - timedelta(days=early)))


#: What falls due, and what the key is then.
DUE: Final[Mapping[DeadlineKind, tuple[Status, Reason]]] = {
    DeadlineKind.EXPIRING: (Status.EXPIRING, Reason.EXPIRES_SOON),
    DeadlineKind.EXPIRY: (Status.EXPIRED, Reason.EXPIRY_PASSED),
}


def days_left(expires_at: datetime | None, at: datetime) -> int | None:
    """Whole days, rounded down as Bybit does; 0 on the last day, negative afterwards."""
    if expires_at is None:
        return None
    return int((expires_at - at).total_seconds() // _SECONDS_A_DAY)

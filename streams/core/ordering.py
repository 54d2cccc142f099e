"""Order and identity: which results count, whatever order they arrive in."""

from datetime import datetime, timedelta
from typing import Final

from schemas.check_result import CheckResult
from schemas.key_state import KeyState, Progress
from streams.core.disposition import Disposition
from streams.core.policy import Policy
from streams.core.record import Record, moment_of

_FRESH: Final = Progress()


def out_of_order(record: Record, result: CheckResult, state: KeyState | None, policy: Policy) -> Disposition | None:
    """Why this result comes too late or too early to count; None when it is in order."""
    if is_from_the_future(record, result.checked_at, policy):
        return Disposition.FUTURE
    if state is None:
        return None
    progress = state.progress
    if result.credential_version != progress.credential_version:
        older = result.credential_version < progress.credential_version
        return Disposition.SUPERSEDED if older else None
    if result.checked_at < horizon(state):
        return Disposition.REPLAY if record.offset <= progress.offset else Disposition.LATE
    if result.checked_at == state.observed_at:
        if result.event_id in progress.event_ids:
            return Disposition.DUPLICATE
        if record.offset <= progress.offset:
            return Disposition.REPLAY
    return None


def horizon(state: KeyState) -> datetime:
    """The moment up to which this key's story is told: its last result or deadline."""
    changed_at = state.changed_at
    return state.observed_at if changed_at is None else max(state.observed_at, changed_at)


def recall(state: KeyState | None, result: CheckResult) -> Progress:
    """What is remembered of the key that was checked; a replaced key starts afresh."""
    if state is None:
        return _FRESH.model_copy(update={"credential_version": result.credential_version})
    if result.credential_version > state.progress.credential_version:
        return Progress(credential_version=result.credential_version, credential_at=result.checked_at)
    return state.progress


#: A deadline is written by the worker's clock and arrives by the log's: so far may they differ.
_EARLY: Final = timedelta(seconds=1)


def is_early(record: Record, due_at: datetime) -> bool:
    """Whether a deadline record arrived in the log before its moment: a worker's clock is ahead."""
    arrived = moment_of(record.timestamp)
    return arrived is not None and due_at - arrived > _EARLY


def is_from_the_future(record: Record, moment: datetime, policy: Policy) -> bool:
    """Whether a record tells of a moment later than its own arrival in the log."""
    arrived = moment_of(record.timestamp)
    return arrived is not None and moment - arrived > timedelta(seconds=policy.future_tolerance_s)

"""What time it is in the log: the broker stamps every record, and its clock is the one that counts.

A worker's wall clock may be wrong, and may jump. So time runs here by the monotonic clock,
and is set by what the broker says.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic, time


class LogClock:
    """The log's time. Until the broker has said something it is a guess: the wall clock's at the start."""

    def __init__(self, wall: Callable[[], float] = time, steady: Callable[[], float] = monotonic) -> None:
        self._steady = steady
        self._ahead_s = wall() - steady()

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._steady() + self._ahead_s, UTC)

    def has_read(self, timestamp_ms: int) -> None:
        """A record with this stamp was read: it is at least that late."""
        self._ahead_s = max(self._ahead_s, timestamp_ms / 1_000 - self._steady())

    def has_written(self, timestamp_ms: int) -> None:
        """A record got this stamp just now."""
        self._ahead_s = timestamp_ms / 1_000 - self._steady()

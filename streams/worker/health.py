"""Is the worker alive, is it ready, and the thread that ends it when it is stuck."""

import threading
from time import monotonic
from typing import Final, NamedTuple

from streams.errors import Exit
from streams.worker.fatal import fatal
from streams.worker.ownership import Ownership

#: Seconds without a turn of the event loop. The longest honest turn, a recovery batch, takes
#: under a second; a frozen loop serves nobody.
LOOP_LIMIT_S: Final = 30.0

#: Seconds in which a batch that is decided must be committed: well above the transaction
#: timeout (20 s by default), after which the broker has given the transaction up.
COMMIT_LIMIT_S: Final = 60.0

#: Seconds from an assignment to ready: a million keys take a few.
READY_LIMIT_S: Final = 300.0

#: Seconds in which a partition with a lag must be read on.
MOVE_LIMIT_S: Final = 30.0

_LOOK_EVERY_S: Final = 1.0


class _Standing(NamedTuple):
    """Where a partition with a lag stands, and since when."""

    offset: int
    since: float


class Health:
    """Watches the event loop from outside of it, and the owned partitions."""

    def __init__(self, ownership: Ownership) -> None:
        self._ownership = ownership
        self._turned_at = monotonic()
        self._unready_since: float | None = monotonic()
        self._standing: dict[int, _Standing] = {}
        self._ended = threading.Event()

    def turn(self) -> None:
        """The event loop says that it turns."""
        self._turned_at = monotonic()

    def start(self) -> None:
        """Watch from a thread of its own: a frozen loop cannot watch itself."""
        threading.Thread(target=self._watch, name="keystatus-watchdog", daemon=True).start()

    def stop(self) -> None:
        """Stop watching: the worker is going down in order."""
        self._ended.set()

    def liveness(self) -> list[str]:
        """What keeps the loop or a partition from making progress."""
        return [message for _, message in self._stuck()]

    def readiness(self) -> list[str]:
        """What keeps this worker from answering for its keys."""
        if not self._ownership.is_ready:
            return ["the group is not joined or the table not recovered yet"]
        if not self._ownership.is_confirmed:
            return ["the group has not confirmed this worker within the session timeout"]
        return []

    def _stuck(self) -> list[tuple[Exit, str]]:
        now = monotonic()
        found = []
        if now - self._turned_at > LOOP_LIMIT_S:
            found.append((Exit.STUCK, f"the event loop has not turned for {now - self._turned_at:.0f} s"))
        for partition in self._ownership.partitions:
            since = partition.busy_since
            if since is not None and now - since > COMMIT_LIMIT_S:
                found.append((Exit.STUCK, f"partition {partition.tp.partition}: no commit for {now - since:.0f} s"))
        found += self._not_moving(now)
        self._unready_since = None if self._ownership.is_ready else (self._unready_since or now)
        if self._unready_since is not None and now - self._unready_since > READY_LIMIT_S:
            waited = now - self._unready_since
            found.append((Exit.RECOVERY_FAILED, f"not joined and recovered after {waited:.0f} s"))
        return found

    def _not_moving(self, now: float) -> list[tuple[Exit, str]]:
        """Partitions that have records to read and read none: Faust can lose a poll without a trace."""
        before, self._standing = self._standing, {}
        found = []
        for partition in self._ownership.countable():
            number, offset = partition.tp.partition, partition.continuity.next_offset
            if not partition.lag or offset is None:
                continue
            stood = before.get(number)
            since = stood.since if stood is not None and stood.offset == offset else now
            self._standing[number] = _Standing(offset, since)
            if now - since > MOVE_LIMIT_S:
                found.append((Exit.STUCK, f"partition {number}: at offset {offset} for {now - since:.0f} s with a lag"))
        return found

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_EVERY_S):
            for code, message in self._stuck():
                fatal(code, message)

"""Is the worker alive, is it ready, and the thread that ends it when it is stuck."""

import threading
from time import monotonic
from typing import Final, NamedTuple

from streams.errors import Exit
from streams.worker.fatal import fatal
from streams.worker.ownership import Ownership

#: Seconds without a turn of the event loop: far above any honest turn (95,000 keys recover
#: in 2.2 s, in many turns); a frozen loop serves nobody.
LOOP_LIMIT_S: Final = 30.0

#: Seconds in which a batch that is decided must be committed: well above the transaction
#: timeout (20 s by default), after which the broker has given the transaction up.
COMMIT_LIMIT_S: Final = 60.0

#: Seconds without being a member of the group that is ready and confirmed. A million keys
#: take some seconds to recover; a broker may be away for minutes, and a restart helps nobody then.
MEMBER_LIMIT_S: Final = 300.0

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
        self._unconfirmed_since: float | None = None
        self._found: list[str] = []
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
        """What keeps the loop or a partition from making progress, as the watchdog saw it last."""
        return self._found

    def readiness(self) -> list[str]:
        """What keeps this worker from answering for its keys."""
        if not self._ownership.is_ready:
            return ["the group is not joined or the table not recovered yet"]
        if not self._ownership.is_confirmed:
            return ["the group has not confirmed this worker within the session timeout"]
        return []

    def look(self) -> list[tuple[Exit, str]]:
        """What is stuck by now. For the watchdog alone: it remembers since when."""
        now = monotonic()
        found = [*self._not_committing(now), *self._not_moving(now), *self._not_a_member(now)]
        if now - self._turned_at > LOOP_LIMIT_S:
            found.append((Exit.STUCK, f"the event loop has not turned for {now - self._turned_at:.0f} s"))
        self._found = [message for _, message in found]
        return found

    def _not_committing(self, now: float) -> list[tuple[Exit, str]]:
        return [
            (Exit.STUCK, f"partition {partition.tp.partition}: no commit for {now - since:.0f} s")
            for partition in self._ownership.partitions
            if (since := partition.busy_since) is not None and now - since > COMMIT_LIMIT_S
        ]

    def _not_a_member(self, now: float) -> list[tuple[Exit, str]]:
        """Not joined and recovered, or not confirmed by the group, for too long."""
        ready, confirmed = self._ownership.is_ready, self._ownership.is_confirmed
        self._unready_since = None if ready else (self._unready_since or now)
        self._unconfirmed_since = None if confirmed or not ready else (self._unconfirmed_since or now)
        since = self._unready_since or self._unconfirmed_since
        if since is None or now - since <= MEMBER_LIMIT_S:
            return []
        what = "not joined and recovered" if self._unready_since else "not confirmed by the group"
        return [(Exit.RECOVERY_FAILED, f"{what} for {now - since:.0f} s")]

    def _not_moving(self, now: float) -> list[tuple[Exit, str]]:
        """Partitions that have records to read and read none: Faust can lose a poll without a trace."""
        before, self._standing = self._standing, {}
        found = []
        for partition in self._ownership.countable():
            number, offset = partition.tp.partition, partition.continuity.next_offset
            if partition.busy_since is not None or offset is None or not partition.lag:
                continue  # held back by a commit, which has a limit of its own; or all is read
            stood = before.get(number)
            since = stood.since if stood is not None and stood.offset == offset else now
            self._standing[number] = _Standing(offset, since)
            if now - since > MOVE_LIMIT_S:
                found.append((Exit.STUCK, f"partition {number}: at offset {offset} for {now - since:.0f} s with a lag"))
        return found

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_EVERY_S):
            try:
                found = self.look()
            except Exception as error:  # noqa: BLE001 - a watchdog that died must not look like one that sees nothing
                fatal(Exit.STUCK, f"the watchdog failed: {type(error).__name__}: {error}")
            for code, message in found:
                fatal(code, message)

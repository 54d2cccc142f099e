"""The next deadline of every key of a partition, soonest first."""

from collections.abc import Iterator
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

from schemas.key_state import NextDeadline
from schemas.vocabulary import DeadlineKind

#: Entries of the heap that outnumber the waiting keys so far are mostly outdated: an exchange
#: that extends a key with every use moves its deadline each time.
_OUTDATED_FACTOR: Final = 2
_OUTDATED_FEW: Final = 1_024


class Waiting(NamedTuple):
    """What a key waits for, and when to look at it; None: it was looked at, and is under way."""

    look_at: datetime | None
    kind: DeadlineKind
    due_at: datetime


class Due(NamedTuple):
    """A deadline that has come."""

    key: bytes
    kind: DeadlineKind
    due_at: datetime


class DeadlineHeap:
    """At most one deadline for each key. A look at a heap where nothing is due costs a comparison.

    A deadline that moves away, as silence does with every result, stays where it is in the
    heap and moves only when it is looked at.
    """

    def __init__(self) -> None:
        self._waiting: dict[bytes, Waiting] = {}
        self._heap: list[tuple[datetime, bytes]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def wait(self, key: bytes, deadline: NextDeadline | None) -> None:
        """The key waits for this from now on. A deadline that it waits for already stays as it is."""
        if deadline is None:
            self._waiting.pop(key, None)
            return
        kind, due_at = deadline.kind, deadline.due_at
        known = self._waiting.get(key)
        if known is None or known.look_at is None or due_at < known.look_at:
            if known is None or (known.kind, known.due_at) != (kind, due_at):
                self._look(key, Waiting(due_at, kind, due_at))
        else:
            self._waiting[key] = Waiting(known.look_at, kind, due_at)

    def fall_due(self, now: datetime) -> Iterator[Due]:
        """Take the deadlines that have come, in their order; each is told once."""
        while self._heap and self._heap[0][0] <= now:
            look_at, key = heappop(self._heap)
            known = self._waiting.get(key)
            if known is None or known.look_at != look_at:
                continue
            if known.due_at > look_at:
                self._look(key, known._replace(look_at=known.due_at))
                continue
            self._waiting[key] = known._replace(look_at=None)
            yield Due(key, known.kind, known.due_at)

    def look_again(self, due: Due, at: datetime) -> None:
        """Look at a deadline once more, in case the record that tells it gets lost."""
        known = self._waiting.get(due.key)
        if known is not None and (known.kind, known.due_at) == (due.kind, due.due_at):
            self._look(due.key, known._replace(look_at=at))

    def _look(self, key: bytes, waiting: Waiting) -> None:
        self._waiting[key] = waiting
        if waiting.look_at is not None:
            heappush(self._heap, (waiting.look_at, key))
        if len(self._heap) > _OUTDATED_FACTOR * len(self._waiting) + _OUTDATED_FEW:
            self._heap = [(known.look_at, key) for key, known in self._waiting.items() if known.look_at is not None]
            heapify(self._heap)

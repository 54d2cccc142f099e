"""The states of one partition's keys, and how many keys have which status."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from heapq import heappop, heappush
from typing import NamedTuple

from schemas.deadline import Deadline
from schemas.key_state import KeyState
from streams.worker.batch import RecordBatch


class Due(NamedTuple):
    """A deadline in the heap: when to look at it, the key, and the moment that it is about."""

    look_at: datetime
    key: bytes
    due_at: datetime


class PartitionStates:
    """What the table holds of one partition.

    ``position`` is the changelog offset after the last record that is in here: where the
    next recovery goes on. ``counts`` is kept along with the states, so that the
    distribution costs nothing to read.
    """

    def __init__(self) -> None:
        self.position: int | None = None
        self.counts: Counter[tuple[str, str]] = Counter()
        self._states: dict[bytes, KeyState] = {}
        self._due: list[Due] = []

    def __len__(self) -> int:
        return len(self._states)

    def get(self, key: bytes | None) -> KeyState | None:
        """The state of a key; None when it has none."""
        return None if key is None else self._states.get(key)

    def put(self, key: bytes, state: KeyState | None) -> None:
        """Keep a state; None removes the key."""
        before = self._states.get(key)
        if before is not None:
            self._count(before, -1)
        if state is None:
            self._states.pop(key, None)
            return
        self._states[key] = state
        self._count(state, +1)
        deadline = state.progress.next_deadline
        if deadline is not None and (before is None or before.progress.next_deadline != deadline):
            heappush(self._due, Due(deadline.due_at, key, deadline.due_at))

    def recover(self, batch: RecordBatch) -> bool:
        """Take over a batch of the changelog; False when one before it is missing."""
        if self.position is not None and batch.start > self.position:
            return False
        for record in batch.records:
            if record.key is not None:
                state = None if record.value is None else KeyState.model_validate_json(record.value)
                self.put(record.key, state)
        self.position = max(batch.end, self.position or 0)
        return True

    def fall_due(self, now: datetime) -> Iterator[Deadline]:
        """Take the deadlines that have come. Those that no state waits for any more are dropped."""
        while self._due and self._due[0].look_at <= now:
            due = heappop(self._due)
            state = self._states.get(due.key)
            deadline = None if state is None else state.progress.next_deadline
            if state is not None and deadline is not None and deadline.due_at == due.due_at:
                yield Deadline(key_id=state.key_id, kind=deadline.kind, due_at=deadline.due_at)

    def look_again(self, deadline: Deadline, at: datetime) -> None:
        """Look at a deadline once more later, in case the record that tells it got lost."""
        heappush(self._due, Due(at, deadline.key_id.encode(), deadline.due_at))

    def _count(self, state: KeyState, by: int) -> None:
        self.counts[state.exchange, state.status or PENDING] += by


#: The status label of a key that has not got a status yet, so that the sum is the number of keys.
PENDING = "pending"

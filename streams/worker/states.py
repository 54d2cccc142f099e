"""The states of one partition's keys, and how many keys have which status.

A state is kept as the bytes that stand in the changelog: a twentieth of the memory of the
objects that they describe, nothing for the garbage collector to walk, and a recovery that
decodes nothing. What was decided and is not committed yet is kept as objects beside them.
"""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

from schemas.deadline import Deadline
from schemas.key_state import KeyState, NextDeadline
from streams.worker.batch import RecordBatch

#: The status label of a key that has not got a status yet, so that the sum is the number of keys.
PENDING: Final = "pending"

#: Where a state as we write it tells exchange and status. No text in it can look the same:
#: inside of a string the quotes are escaped.
_HEADLINE: Final = re.compile(rb'"exchange":"([^"]+)".*?"status":(?:"([a-z_]+)"|null),')

#: Deadlines that outnumber the keys so far are mostly outdated: then it pays to look through them.
_OUTDATED_FACTOR: Final = 2
_OUTDATED_FEW: Final = 1_024

#: How a state ends that waits for no deadline.
_NO_DEADLINE: Final = b'"next_deadline":null}}'


class Headline(NamedTuple):
    """What is counted and watched of a state, without the rest."""

    exchange: str
    status: str
    deadline: NextDeadline | None


class Due(NamedTuple):
    """A deadline in the heap: when to look at it, the key, and the moment that it is about."""

    look_at: datetime
    key: bytes
    due_at: datetime


class PartitionStates:
    """What the table holds of one partition.

    ``position`` is the changelog offset after the last record that is in here: where the
    next recovery goes on. ``counts`` is kept along with the states, so that the
    distribution costs nothing to read; after a recovery it is taken anew.
    """

    def __init__(self) -> None:
        self.position: int | None = None
        self.counts: Counter[tuple[str, str]] = Counter()
        self._encoded: dict[bytes, bytes] = {}
        self._open: dict[bytes, KeyState | None] = {}
        self._due: list[Due] = []
        self._is_counted = True

    def __len__(self) -> int:
        return self.counts.total()

    def get(self, key: bytes | None) -> KeyState | None:
        """The state of a key; None when it has none."""
        if key is None:
            return None
        if key in self._open:
            return self._open[key]
        encoded = self._encoded.get(key)
        return None if encoded is None else KeyState.model_validate_json(encoded)

    def put(self, key: bytes, before: KeyState | None, state: KeyState | None) -> None:
        """Keep what was decided of a key whose state was ``before``; None removes it."""
        self._open[key] = state
        if before is not None:
            self.counts[before.exchange, before.status or PENDING] -= 1
        if state is None:
            return
        self.counts[state.exchange, state.status or PENDING] += 1
        deadline = state.progress.next_deadline
        if deadline is not None and (before is None or before.progress.next_deadline != deadline):
            heappush(self._due, Due(deadline.due_at, key, deadline.due_at))
            if len(self._due) > _OUTDATED_FACTOR * len(self) + _OUTDATED_FEW:
                self._drop_outdated()

    def settle(self, key: bytes, state: KeyState | None, encoded: bytes | None) -> None:
        """A state is committed as these bytes; what was decided after it stays open."""
        if self._open.get(key) is state:
            self._open.pop(key, None)
        self._keep(key, encoded)

    def recover(self, batch: RecordBatch) -> bool:
        """Take over a batch of the changelog; False when one before it is missing."""
        if self.position is not None and batch.start > self.position:
            return False
        self._is_counted = False
        for record in batch.records:
            if record.key is not None:
                self._keep(record.key, record.value)
        self.position = max(batch.end, self.position or 0)
        return True

    def recovered(self) -> None:
        """The changelog is read to its end: count the keys and line up their deadlines."""
        if self._is_counted:
            return
        self.counts, self._due = Counter(), []
        for key, encoded in self._encoded.items():
            told = headline(encoded)
            self.counts[told.exchange, told.status] += 1
            if told.deadline is not None:
                heappush(self._due, Due(told.deadline.due_at, key, told.deadline.due_at))
        self._is_counted = True

    def fall_due(self, now: datetime) -> Iterator[Deadline]:
        """Take the deadlines that have come. Those that no state waits for any more are dropped."""
        while self._due and self._due[0].look_at <= now:
            due = heappop(self._due)
            waiting = self._waiting(due)
            if waiting is not None:
                yield Deadline(key_id=due.key.decode(), kind=waiting.kind, due_at=waiting.due_at)

    def look_again(self, deadline: Deadline, at: datetime) -> None:
        """Look at a deadline once more later, in case the record that tells it got lost."""
        heappush(self._due, Due(at, deadline.key_id.encode(), deadline.due_at))

    def _waiting(self, due: Due) -> NextDeadline | None:
        """The deadline that the key waits for, if it is this one."""
        state = self.get(due.key)
        deadline = None if state is None else state.progress.next_deadline
        return deadline if deadline is not None and deadline.due_at == due.due_at else None

    def _drop_outdated(self) -> None:
        """Forget deadlines that moved: an exchange that extends a key with every use moves it each time."""
        self._due = [due for due in self._due if self._waiting(due) is not None]
        heapify(self._due)

    def _keep(self, key: bytes, encoded: bytes | None) -> None:
        if encoded is None:
            self._encoded.pop(key, None)
        else:
            self._encoded[key] = encoded


def headline(encoded: bytes) -> Headline:
    """Exchange, status and deadline of an encoded state; decodes it only when it must."""
    found = _HEADLINE.search(encoded)
    if found is not None and encoded.endswith(_NO_DEADLINE):
        return Headline(found[1].decode(), PENDING if found[2] is None else found[2].decode(), None)
    state = KeyState.model_validate_json(encoded)
    return Headline(state.exchange, state.status or PENDING, state.progress.next_deadline)

"""The states of one partition's keys, and how many keys have which status.

A state is kept as the bytes that stand in the changelog. Measured with 95,000 keys: the
worker takes 230 MB instead of 750 with objects, and recovers in 2.2 s instead of 7.7. What
was decided and is not committed yet is kept as objects beside them.
"""

import re
from collections import Counter
from datetime import datetime
from typing import Final, NamedTuple

from pydantic import ValidationError

from schemas.key_state import Incident, KeyState, NextDeadline
from schemas.vocabulary import DeadlineKind
from streams.core.incidents import Incidents, Sighting, sighting_of
from streams.core.redaction import blank_secrets
from streams.deadline_heap import DeadlineHeap
from streams.worker.batch import RecordBatch

#: The status label of a key that has not got a status yet, so that the sum is the number of keys.
PENDING: Final = "pending"

#: Where a state as we write it tells what is counted and watched. No text in it can look the
#: same: inside of a string the quotes are escaped. Each is looked for in one place only, so that
#: no bytes, whoever wrote them, take longer than their length (measured: 3 us, decoding takes 10).
_EXCHANGE: Final = re.compile(rb'"exchange":"([^"]+)"')
_STATUS: Final = re.compile(rb'"status":(?:"([a-z_]+)"|null),')
_OBSERVED: Final = re.compile(
    rb'"observed_at":"([^"]+)","since":(?:"[^"]+"|null),"stale":(?:true|false),'
    rb'"progress":\{"credential_version":\d+,"credential_at":(?:"[^"]+"|null),"offset":(\d+),'
)
_ENDING: Final = re.compile(
    rb'"in_trouble":(true|false),"incident":(null|\{[^}]*\}),'
    rb'"next_deadline":(?:null|\{"kind":"([a-z]+)","due_at":"([^"]+)"\})\}\}$'
)


class Headline(NamedTuple):
    """What is counted and watched of a state, without the rest."""

    status: str
    deadline: NextDeadline | None
    sighting: Sighting


class UnreadableStateError(Exception):
    """A state in the changelog is none: written by a newer worker, or by somebody else."""

    def __init__(self, encoded: bytes, error: ValidationError) -> None:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"]))
        begins = (blank_secrets(encoded) or encoded)[:120]
        super().__init__(
            f"a state in the changelog cannot be read ({where}: {fault['msg']}), it begins {begins!r}: "
            "run a worker at least as new as the one that wrote it, or remove the key by a null value there"
        )


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
        self.deadlines = DeadlineHeap()
        self.incidents = Incidents()
        self._is_counted = True

    def __len__(self) -> int:
        return self.counts.total()

    def get(self, key: bytes | None) -> KeyState | None:
        """The state of a key; None when it has none. Raises UnreadableStateError."""
        if key is None:
            return None
        if key in self._open:
            return self._open[key]
        encoded = self._encoded.get(key)
        return None if encoded is None else _decode(encoded)

    def put(self, key: bytes, before: KeyState | None, state: KeyState | None) -> None:
        """Keep what was decided of a key whose state was ``before``; None removes it."""
        self._open[key] = state
        if before is not None:
            self.counts[before.exchange, before.status or PENDING] -= 1
        if state is None:
            self.deadlines.wait(key, None)
            return
        self.counts[state.exchange, state.status or PENDING] += 1
        self.deadlines.wait(key, state.progress.next_deadline)

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
        """The changelog is read to its end: count the keys and line up their deadlines.

        Raises UnreadableStateError.
        """
        if self._is_counted:
            return
        self.counts, self.deadlines, self.incidents = Counter(), DeadlineHeap(), Incidents()
        self.incidents.recall(map(self._line_up, self._encoded, self._encoded.values()))
        self._is_counted = True

    def _line_up(self, key: bytes, encoded: bytes) -> Sighting:
        """Count a recovered key, and let it wait for its deadline."""
        status, deadline, sighting = headline(encoded)
        self.counts[sighting.exchange, status] += 1
        self.deadlines.wait(key, deadline)
        return sighting

    def _keep(self, key: bytes, encoded: bytes | None) -> None:
        if encoded is None:
            self._encoded.pop(key, None)
        else:
            self._encoded[key] = encoded


def headline(encoded: bytes) -> Headline:
    """What is counted and watched of an encoded state; decodes it whole only when it must."""
    try:
        told = _headline(encoded)
    except ValueError:
        told = None
    if told is not None:
        return told
    state = _decode(encoded)
    return Headline(state.status or PENDING, state.progress.next_deadline, sighting_of(state))


def _headline(encoded: bytes) -> Headline | None:
    """The headline of a state that is laid out as we write it."""
    exchange = _EXCHANGE.search(encoded)
    status = _STATUS.search(encoded, exchange.end()) if exchange else None
    observed = _OBSERVED.match(encoded, max(0, encoded.rfind(b'"observed_at":')))
    ending = _ENDING.match(encoded, max(0, encoded.rfind(b'"in_trouble":')))
    if exchange is None or status is None or observed is None or ending is None:
        return None
    in_trouble, incident, kind, due_at = ending.groups()
    return Headline(
        PENDING if status[1] is None else status[1].decode(),
        None if kind is None else NextDeadline(kind=DeadlineKind(kind.decode()), due_at=_moment(due_at)),
        Sighting(
            exchange[1].decode(),
            _moment(observed[1]),
            in_trouble == b"true",
            None if incident == b"null" else Incident.model_validate_json(incident),
            int(observed[2]),
        ),
    )


def _moment(text: bytes) -> datetime:
    return datetime.fromisoformat(text.decode())


def _decode(encoded: bytes) -> KeyState:
    try:
        return KeyState.model_validate_json(encoded)
    except ValidationError as error:
        raise UnreadableStateError(encoded, error) from None

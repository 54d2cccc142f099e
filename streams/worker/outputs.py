"""What follows from a run of decisions of one partition, ready to be sent together.

Bytes are made here, once; the order in which outputs are written stands here and
nowhere else. Everything is a function of the record: keys, values, headers, timestamps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple

from schemas.key_state import KeyState
from schemas.notice import Notice
from schemas.status_change import KeyStatusChanged
from streams.core.decision import DeadLetter, Decision
from streams.core.record import Record
from streams.topics import Topics
from streams.worker.tally import Tally

#: A list, because aiokafka's record builder takes nothing else.
Headers = list[tuple[str, bytes]]

_CHANGE_TYPE: Final = "keystatus.status.changed"
_NOTICE_TYPE: Final = "keystatus.notice"
_STATE_TYPE: Final = "keystatus.state"


class Written(NamedTuple):
    """A state and the record that it becomes; ``state`` None is a tombstone."""

    key: bytes
    state: KeyState | None
    output: "Output"


class Output(NamedTuple):
    """One record to write; ``timestamp`` in ms is that of the source record."""

    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Headers


@dataclass(slots=True)
class Outputs:
    """The outputs of one transaction of one partition.

    States are kept as objects until they are sent: of several for one key only the last
    is encoded and written. ``end`` is the source offset to commit with them.
    """

    end: int = 0
    changes: list[Output] = field(default_factory=list)
    notices: list[Output] = field(default_factory=list)
    dead_letters: list[Output] = field(default_factory=list)
    sealed: list[Written] = field(default_factory=list)
    states: dict[bytes, tuple[KeyState | None, Record]] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    records: int = 0

    def add(self, record: Record, decision: Decision) -> None:
        """Take over what one decision asks for."""
        self.records += 1
        self.tally.add(decision)
        if decision.change is not None:
            self.changes.append(_change(record, decision.change))
        self.notices += [_notice(record, notice) for notice in decision.notices]
        if decision.touched and record.key is not None:
            self.states[record.key] = (decision.state, record)
        if decision.dead_letter is not None:
            self.dead_letters.append(_dead_letter(record, decision.dead_letter))

    def seal(self) -> None:
        """Encode the states: nothing is added any more."""
        self.sealed = [Written(key, state, _state(key, state, record)) for key, (state, record) in self.states.items()]

    def by_topic(self, topics: Topics) -> Iterator[tuple[str, list[Output]]]:
        """The outputs of each topic that gets any, once sealed: what is told first, then the states."""
        if self.changes:
            yield topics.status_changes, self.changes
        if self.notices:
            yield topics.notices, self.notices
        if self.dead_letters:
            yield topics.dead_letters, self.dead_letters
        if self.sealed:
            yield topics.status, [written.output for written in self.sealed]


def cloud_event(kind: str, identity: str, source: str, subject: str, moment: datetime) -> Headers:
    """The headers of a CloudEvents 1.0 event in Kafka's binary mode."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", identity.encode()),
        ("ce_source", source.encode()),
        ("ce_type", kind.encode()),
        ("ce_subject", subject.encode()),
        ("ce_time", moment.isoformat().encode()),
        ("content-type", b"application/json"),
    ]


def _change(record: Record, change: KeyStatusChanged) -> Output:
    headers = cloud_event(_CHANGE_TYPE, change.change_id, _source(record), change.key_id, change.changed_at)
    return Output(change.key_id.encode(), encode(change), record.timestamp, headers)


def _notice(record: Record, notice: Notice) -> Output:
    about = notice.key_id or notice.exchange
    headers = cloud_event(_NOTICE_TYPE, notice.notice_id, _source(record), about, notice.noticed_at)
    return Output(about.encode(), encode(notice), record.timestamp, headers)


def _state(key: bytes, state: KeyState | None, record: Record) -> Output:
    """A state, named after the place of its deciding record: equal for equal logs."""
    if state is None:
        return Output(key, None, record.timestamp, [])
    identity = f"{record.partition}-{record.offset}"
    headers = cloud_event(_STATE_TYPE, identity, _source(record), state.key_id, state.observed_at)
    return Output(key, encode(state), record.timestamp, headers)


#: Kafka's default for the largest record. Only compressed can a longer one have come, and
#: what we write is not compressed: it would be refused, for ever.
_LETTER_BYTES: Final = 1_048_588

#: Of these a key, and headers in all, are left whole in a letter that is cut.
_SMALL_PARTS: Final = 65_536


def _dead_letter(record: Record, letter: DeadLetter) -> Output:
    key, value, headers = letter.key or b"", letter.value or b"", dead_letter_headers(record, letter)
    if len(key) + len(value) + _size(headers) <= _LETTER_BYTES:
        return Output(letter.key, letter.value, record.timestamp, headers)
    kept = [*(letter.headers if _size(letter.headers) <= _SMALL_PARTS else ()), *headers[len(letter.headers) :]]
    kept += [
        ("keystatus.original.length", str(len(value)).encode()),
        ("keystatus.original.sha256", sha256(value).hexdigest().encode()),
    ]
    return Output(key[:_SMALL_PARTS], value[: _LETTER_BYTES - 2 * _SMALL_PARTS], record.timestamp, kept)


def _size(headers: Sequence[tuple[str, bytes]]) -> int:
    return sum(len(name) + len(content) for name, content in headers)


def dead_letter_headers(record: Record, letter: DeadLetter) -> Headers:
    """The headers as they came, and what is known of the fault (KIP-1034's names)."""
    return [
        *letter.headers,
        ("__streams.errors.exception", letter.exception.encode()),
        ("__streams.errors.message", letter.message.encode()),
        ("__streams.errors.topic", record.topic.encode()),
        ("__streams.errors.partition", str(record.partition).encode()),
        ("__streams.errors.offset", str(record.offset).encode()),
        ("keystatus.reason", letter.reason.encode()),
    ]


def encode(payload: KeyStatusChanged | KeyState | Notice) -> bytes:
    """The payload as JSON in UTF-8; equal payloads give equal bytes."""
    return payload.__pydantic_serializer__.to_json(payload)


def _source(record: Record) -> str:
    return f"/keystatus/{record.topic}"

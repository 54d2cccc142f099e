"""A record of the source log, as the core sees it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol

#: The start of the last year that ``datetime`` knows. Producers choose a record's timestamp freely.
_YEAR_9999_MS: Final = 253_370_764_800_000


class Record(Protocol):
    """What the core reads of a Kafka record.

    aiokafka's ``ConsumerRecord`` has this shape, so none is copied on the way in.
    ``timestamp`` is in milliseconds since 1970, or -1 when there is none.
    """

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class LogRecord(NamedTuple):
    """A record that does not come from Kafka: a line of a file, or a test."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


def moment_of(timestamp: int) -> datetime | None:
    """The time of a record's ``timestamp`` in milliseconds; None when it has none, or one beyond every calendar."""
    return datetime.fromtimestamp(timestamp / 1_000, UTC) if 0 <= timestamp < _YEAR_9999_MS else None

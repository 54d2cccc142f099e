"""A record batch: one poll of one partition, handed over as one message."""

from collections.abc import Sequence
from typing import NamedTuple

from aiokafka import ConsumerRecord


class RecordBatch(NamedTuple):
    """All records of ``[start, end)`` of one partition's log.

    ``start`` and ``end`` are fetch positions, not record offsets: what lies between them
    without a record is a transaction marker or was compacted away. ``epoch`` tells how
    often the partition's position had been set by us when the batch was fetched.
    """

    topic: str
    partition: int
    start: int
    end: int
    epoch: int
    records: Sequence[ConsumerRecord[bytes | None, bytes | None]]

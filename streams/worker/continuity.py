"""Offset continuity: every offset of a partition is processed once, in order, or told as lost.

Faust can drop what it fetched around a rebalance and go on with later offsets. This is
the cure: the next offset to process is remembered here, and a batch that starts later
is a skipped range. Pure; the caller seeks.
"""

from collections.abc import Sequence
from typing import NamedTuple

from aiokafka import ConsumerRecord

from streams.worker.batch import RecordBatch


class Admitted(NamedTuple):
    """What of a batch comes next: its records, and the offset after it.

    ``lost`` are the offsets before it that the log itself no longer has (retention);
    ``healed`` says that it fills a gap which was fetched again.
    """

    records: Sequence[ConsumerRecord[bytes | None, bytes | None]]
    end: int
    lost: int = 0
    healed: bool = False


class Gap(NamedTuple):
    """A range that was skipped: fetch again from ``start``."""

    start: int
    end: int


class Continuity:
    """The story of one assigned partition.

    ``next_offset`` is the next offset to process; None until the committed offset is known.
    """

    def __init__(self) -> None:
        self.next_offset: int | None = None
        self._epoch = 0
        self._gap_tried: Gap | None = None

    def begin(self, offset: int) -> None:
        """Start at the committed offset. Later calls change nothing: what was processed stays so."""
        if self.next_offset is None:
            self.next_offset = offset

    def rewound(self, epoch: int) -> None:
        """The partition was set back: only batches of this epoch or later count."""
        self._epoch = epoch

    def admit(self, batch: RecordBatch) -> Admitted | Gap | None:
        """What to do with the next batch; None: nothing, it is done or out of date."""
        expected = self.next_offset
        if expected is None or batch.epoch < self._epoch or batch.end <= expected:
            return None
        lost = max(0, batch.start - expected)
        if lost and not self._is_real(Gap(expected, batch.start)):
            return Gap(expected, batch.start)
        healed = self._gap_tried is not None and not lost
        self.next_offset, self._gap_tried = batch.end, None
        if batch.start >= expected:
            return Admitted(batch.records, batch.end, lost, healed)
        rest = [record for record in batch.records if record.offset >= expected]
        return Admitted(rest, batch.end, healed=healed)

    def _is_real(self, gap: Gap) -> bool:
        """Whether the gap came back after fetching again: then the log no longer has it."""
        came_back = self._gap_tried == gap
        self._gap_tried = gap
        return came_back

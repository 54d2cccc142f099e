"""Let time enter through the log: append a deadline record when a key's moment has come.

The record is produced outside of any transaction, to the key's own partition of the
source topic, and processed like any other. One too many is ignored by its content.
"""

import asyncio
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from schemas.deadline import Deadline
from streams.core.record import moment_of
from streams.deadline_heap import Due
from streams.errors import Exit
from streams.kafka import connection
from streams.settings import Settings
from streams.worker.fatal import fatal
from streams.worker.log_clock import LogClock
from streams.worker.ownership import Ownership
from streams.worker.partition import Partition

#: Seconds between two looks at the heaps. A look at a quiet heap costs a comparison.
LOOK_EVERY_S: Final = 0.2

#: A deadline that did not come back through the log by then is written again.
_WRITE_AGAIN_AFTER: Final = timedelta(seconds=30)

#: A partition whose undecided records are older than this is catching up: what its keys seem to
#: wait for has mostly been answered by a result that is still to be decided.
_CATCHING_UP: Final = timedelta(seconds=10)

#: Deadlines written in one go. After an outage all keys may be stale at once.
_AT_ONCE: Final = 1_000

#: ``RecordMetadata.timestamp_type`` of a topic whose records are stamped by the broker.
_LOG_APPEND_TIME: Final = 1


class DeadlineClock:
    """Watches the deadlines of the owned partitions."""

    def __init__(self, settings: Settings, ownership: Ownership, clock: LogClock | None = None) -> None:
        self._ownership = ownership
        self._clock = clock or LogClock()
        self._producer = AIOKafkaProducer(
            **connection(settings), client_id=f"{settings.group_id}-deadlines", enable_idempotence=True, acks="all"
        )

    async def run(self) -> None:
        """Watch until cancelled. A deadline that cannot be written ends the process."""
        try:
            await self._producer.start()
            while True:
                for partition in list(self._ownership.countable()):
                    await self._write_due(partition)
                await asyncio.sleep(LOOK_EVERY_S)
        except KafkaError as error:
            fatal(Exit.TRANSACTION_FAILED, f"deadlines cannot be written: {type(error).__name__}: {error}")
        finally:
            await self._producer.stop()

    async def _write_due(self, partition: Partition) -> None:
        """Write what is due, and wait until Kafka has it: a producer that is stuck must not go unnoticed."""
        self._clock.has_read(partition.decided_at_ms)
        horizon = self._horizon(partition)
        if horizon is None:
            return
        deadlines, written = partition.states.deadlines, list[tuple[Due, Awaitable[RecordMetadata]]]()
        for due in deadlines.fall_due(horizon):
            deadlines.look_again(due, self._clock.now() + _WRITE_AGAIN_AFTER)
            written.append((due, await self._write(partition, due)))
            if len(written) == _AT_ONCE:
                break
        for due, writing in written:
            self._learn(partition, due, await writing)

    def _horizon(self, partition: Partition) -> datetime | None:
        """Up to when the partition's story is told: now, or the last decided record; None while it catches up."""
        now = self._clock.now()
        if not partition.lag:
            return now
        decided_at = moment_of(partition.decided_at_ms)
        return decided_at if decided_at is not None and now - decided_at < _CATCHING_UP else None

    def _learn(self, partition: Partition, due: Due, written: RecordMetadata) -> None:
        """Set the clock by the broker's stamp. A deadline that came too early is ignored: it comes again in time."""
        stamp = written.timestamp
        if stamp is None or written.timestamp_type != _LOG_APPEND_TIME:
            return
        self._clock.has_written(stamp)
        stamped_at = moment_of(stamp)
        if stamped_at is not None and stamped_at < due.due_at:
            partition.states.deadlines.look_again(due, due.due_at)

    async def _write(self, partition: Partition, due: Due) -> Awaitable[RecordMetadata]:
        deadline = Deadline(key_id=due.key.decode(), kind=due.kind, due_at=due.due_at)
        future: Awaitable[RecordMetadata] = await self._producer.send(
            partition.tp.topic,
            deadline.model_dump_json().encode(),
            key=due.key,
            partition=partition.tp.partition,
        )
        return future

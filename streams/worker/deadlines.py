"""Let time enter through the log: append a deadline record when a key's moment has come.

The record is produced outside of any transaction, to the key's own partition of the
source topic, and processed like any other. One too many is ignored by its content.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.deadline import Deadline
from streams.deadline_heap import Due
from streams.errors import Exit
from streams.kafka import connection
from streams.settings import Settings
from streams.worker.fatal import fatal
from streams.worker.ownership import Ownership
from streams.worker.partition import Partition

#: Seconds between two looks at the heaps. A look at a quiet heap costs a comparison.
_LOOK_EVERY_S: Final = 0.2

#: A deadline that did not come back through the log by then is written again.
_WRITE_AGAIN_AFTER: Final = timedelta(seconds=30)


class DeadlineClock:
    """Watches the deadlines of the owned partitions."""

    def __init__(self, settings: Settings, ownership: Ownership) -> None:
        self._ownership = ownership
        self._producer = AIOKafkaProducer(
            **connection(settings), client_id=f"{settings.group_id}-deadlines", enable_idempotence=True, acks="all"
        )

    async def run(self) -> None:
        """Watch until cancelled. A deadline that cannot be written ends the process."""
        try:
            await self._producer.start()
            while True:
                await self._write_due(datetime.now(UTC))
                await asyncio.sleep(_LOOK_EVERY_S)
        except KafkaError as error:
            fatal(Exit.TRANSACTION_FAILED, f"deadlines cannot be written: {type(error).__name__}: {error}")
        finally:
            await self._producer.stop()

    async def _write_due(self, now: datetime) -> None:
        """Write what is due, and wait until Kafka has it: a producer that is stuck must not go unnoticed."""
        writing = []
        for partition in self._ownership.countable():
            for due in partition.states.deadlines.fall_due(now):
                partition.states.deadlines.look_again(due, now + _WRITE_AGAIN_AFTER)
                writing.append(await self._write(partition, due))
        await asyncio.gather(*writing)

    async def _write(self, partition: Partition, due: Due) -> asyncio.Future[object]:
        deadline = Deadline(key_id=due.key.decode(), kind=due.kind, due_at=due.due_at)
        future: asyncio.Future[object] = await self._producer.send(
            partition.tp.topic,
            deadline.model_dump_json().encode(),
            key=due.key,
            partition=partition.tp.partition,
        )
        return future

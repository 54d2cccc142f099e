"""One transaction per batch and partition: outputs, states and the source offset, or nothing.

Every source partition has a transactional producer of its own. Starting it fences an
earlier owner of the partition, also one that was stopped and wakes up later, and ends
the transaction that it left open.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import OffsetAndMetadata, RecordMetadata

from streams.kafka import connection
from streams.settings import Settings
from streams.topics import Topics
from streams.worker.outputs import Output, Outputs

#: Bytes of one produce batch: below the broker's default limit for a message set (1 MiB).
_BATCH_BYTES: Final = 900_000

#: Room for a dead letter with its headers.
_REQUEST_BYTES: Final = 2_000_000

#: Milliseconds between tries, also after each commit while the broker writes its markers;
#: aiokafka's 100 would be the latency of every second transaction.
_RETRY_BACKOFF_MS: Final = 2

#: A transaction outlives a dead owner by this many session timeouts at most.
_TIMEOUT_IN_SESSIONS: Final = 2


class PartitionProducer:
    """The transactional producer of one source partition."""

    def __init__(self, settings: Settings, topics: Topics, partition: int) -> None:
        self._topics = topics
        self._group_id = settings.group_id
        self._source = TopicPartition(topics.check_results, partition)
        self._producer = AIOKafkaProducer(
            **connection(settings),
            client_id=f"{settings.group_id}-{partition}",
            transactional_id=f"{settings.group_id}-{partition}",
            transaction_timeout_ms=int(settings.kafka_session_timeout_s * 1_000 * _TIMEOUT_IN_SESSIONS),
            acks="all",
            max_batch_size=_BATCH_BYTES,
            max_request_size=_REQUEST_BYTES,
            retry_backoff_ms=_RETRY_BACKOFF_MS,
        )

    async def start(self) -> None:
        """Fence earlier owners and end what they left open."""
        await self._producer.start()

    async def stop(self) -> None:
        """Let go of the connections."""
        await self._producer.stop()

    async def commit(self, outputs: Outputs) -> int | None:
        """Write everything in one transaction; returns the changelog offset after it.

        None when the changelog got nothing. Raises KafkaError, ``ProducerFenced`` if the
        partition has a new owner; the transaction then does not happen.
        """
        producer, partition = self._producer, self._source.partition
        await producer.begin_transaction()
        sent: list[asyncio.Future[RecordMetadata]] = []
        states = None
        for topic, records in outputs.by_topic(self._topics):
            for batch in self._batches(records):
                sent.append(await producer.send_batch(batch, topic, partition=partition))
                if topic == self._topics.status:
                    states = (sent[-1], batch.record_count())
        offsets = {self._source: OffsetAndMetadata(outputs.end, "")}
        await asyncio.gather(*sent, producer.send_offsets_to_transaction(offsets, self._group_id))
        await producer.commit_transaction()
        # Behind the last state stands the marker of this transaction, one offset long.
        return None if states is None else states[0].result().offset + states[1] + 1

    def _batches(self, records: Sequence[Output]) -> Iterable[BatchBuilder]:
        """Pack records into as few produce batches as they fit."""
        batch = self._producer.create_batch()
        for record in records:
            if not _append(batch, record):
                yield batch
                batch = self._producer.create_batch()
                if not _append(batch, record):
                    raise KafkaError(f"a record of {len(record.value or b'')} bytes does not fit into a batch")
        yield batch


def _append(batch: BatchBuilder, record: Output) -> bool:
    appended = batch.append(timestamp=record.timestamp, key=record.key, value=record.value, headers=record.headers)
    return appended is not None

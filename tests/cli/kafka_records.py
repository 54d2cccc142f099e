"""Write to the topics as the worker does, and read them, without any code of the commands."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.kafka import partition_of
from streams.settings import Settings
from streams.topics import Role, Topics

Written = tuple[str, bytes | None]


def topic(settings: Settings, role: Role) -> str:
    return Topics.named(settings.topic_prefix).by_role()[role]


async def write(
    settings: Settings, role: Role, records: Sequence[Written], *, commit: bool = True, shift: int = 0
) -> None:
    """Write in a transaction, as the worker does; ``shift`` puts records into another partition."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers, transactional_id=f"test-{uuid4().hex}"
    )
    await producer.start()
    try:
        await producer.begin_transaction()
        for key, value in records:
            partition = (partition_of(key.encode(), settings.partitions) + shift) % settings.partitions
            await producer.send(topic(settings, role), value, key=key.encode(), partition=partition)
        await producer.flush()
        await (producer.commit_transaction() if commit else producer.abort_transaction())
    finally:
        await producer.stop()


async def read(settings: Settings, role: Role, count: int) -> list[tuple[int, bytes | None, bytes | None]]:
    """So many records of a topic, with their partitions; waits for them."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic(settings, role), number) for number in range(settings.partitions)])
        found: list[tuple[int, bytes | None, bytes | None]] = []
        async with asyncio.timeout(30):
            while len(found) < count:
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    found += [(record.partition, record.key, record.value) for record in batch]
        return found
    finally:
        await consumer.stop()

"""Write to and read from the topics of a test, as a connector and a subscriber would."""

import asyncio
from collections.abc import Iterable, Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.kafka import partition_of
from streams.settings import Settings
from streams.topics import Topics

Line = tuple[bytes | None, bytes | None]


async def publish(
    settings: Settings, lines: Iterable[Line], per_second: float | None = None, partition: int | None = None
) -> None:
    """Send records to the source topic in order, all at once or at a steady rate, perhaps to one partition."""
    topic = Topics.named(settings.topic_prefix).check_results
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers, enable_idempotence=True, linger_ms=2, max_request_size=2**21
    )
    await producer.start()
    loop = asyncio.get_running_loop()
    began, sent = loop.time(), []
    for count, (key, value) in enumerate(lines):
        if per_second is not None and (early := began + count / per_second - loop.time()) > 0:
            await asyncio.sleep(early)
        # A record without a key goes anywhere; here to where the simulation puts it.
        place = partition_of(key, settings.partitions) if partition is None else partition
        sent.append(await producer.send(topic, value, key=key, partition=place))
    await asyncio.gather(*sent)
    await producer.stop()


async def read_all(settings: Settings, topic: str, isolation: str = "read_committed") -> list[ConsumerRecord]:
    """Every record of a topic up to its end, by partition and offset."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        isolation_level=isolation,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=2**22,
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(settings.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(partitions)
        records: list[ConsumerRecord] = []
        while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
            for polled in (await consumer.getmany(timeout_ms=100)).values():
                records += polled
        return sorted(records, key=lambda record: (record.partition, record.offset))
    finally:
        await consumer.stop()


async def wait_until_done(settings: Settings, limit_s: float = 60) -> None:
    """Wait until the group has committed the end of every source partition."""
    topic = Topics.named(settings.topic_prefix).check_results
    partitions = [TopicPartition(topic, number) for number in range(settings.partitions)]
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    await consumer.start()
    try:
        async with asyncio.timeout(limit_s):
            while True:
                ends = {tp: end for tp, end in (await consumer.end_offsets(partitions)).items() if end}
                committed = await admin.list_consumer_group_offsets(settings.group_id)
                if all(tp in committed and committed[tp].offset >= end for tp, end in ends.items()):
                    return
                await asyncio.sleep(0.1)
    finally:
        await consumer.stop()
        await admin.close()


def by_key(records: Sequence[ConsumerRecord]) -> dict[bytes | None, list[bytes | None]]:
    """The values of each key, in order."""
    found: dict[bytes | None, list[bytes | None]] = {}
    for record in records:
        found.setdefault(record.key, []).append(record.value)
    return found

"""What `tail` and `show` read with, against a real Kafka."""

import asyncio
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from streams.kafka import partition_of
from streams.settings import Settings
from streams.subscriber import follow, last_value
from streams.topics import Role
from tests.cli.kafka_records import topic, write

pytestmark = pytest.mark.kafka


async def test_what_is_not_committed_is_not_there(settings: Settings) -> None:
    """Nor does an open transaction, or one that ended in nothing, keep the reader waiting."""
    await write(settings, Role.STATUS, [("k", b"first")])
    await write(settings, Role.STATUS, [("k", b"aborted")], commit=False)
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers, transactional_id=f"test-{uuid4().hex}"
    )
    await producer.start()
    await producer.begin_transaction()
    await producer.send_and_wait(
        topic(settings, Role.STATUS), b"open", key=b"k", partition=partition_of(b"k", settings.partitions)
    )
    async with asyncio.timeout(10):
        assert await last_value(settings, Role.STATUS, b"k") == b"first"
    await producer.abort_transaction()
    await producer.stop()


async def test_follow_says_when_it_is_ready(settings: Settings) -> None:
    ready = asyncio.Event()
    records = follow(settings, [Role.NOTICES], from_beginning=False, when_ready=ready.set)
    first = asyncio.ensure_future(anext(records))
    async with asyncio.timeout(30):
        await ready.wait()
        await write(settings, Role.NOTICES, [("k", b"value")])
        assert (await first).value == b"value"
    await records.aclose()

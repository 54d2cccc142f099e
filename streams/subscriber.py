"""Read what the worker writes, as any subscriber would: committed records only, in no group."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.core.record import Record
from streams.kafka import REQUEST_LIMIT_MS, connected, connection, partition_of, unreachable
from streams.provision import partitions_of
from streams.settings import Settings
from streams.topics import Role, Topics

_POLL_MS: Final = 500

#: A read that gets no further for so long has lost its broker.
_STALL_LIMIT_S: Final = 15.0


async def follow(
    settings: Settings, roles: Sequence[Role], *, from_beginning: bool, when_ready: Callable[[], None]
) -> AsyncGenerator[Record, None]:
    """The records of these topics from now on (or from the first one), for as long as the caller takes them.

    ``when_ready`` is called once every record that is written from then on will be seen.

    Raises:
        BrokerUnreachableError: no broker answers.
        TopicsError: a topic does not exist.
    """
    partitions = [partition for role in roles for partition in await _partitions(settings, role)]
    async with _reader(settings) as consumer:
        consumer.assign(partitions)
        seek = consumer.seek_to_beginning if from_beginning else consumer.seek_to_end
        await _sought(seek(*partitions), settings)
        when_ready()
        async for record in consumer:
            yield record


async def last_value(settings: Settings, role: Role, key: bytes) -> bytes | None:
    """The last value of a key in a topic; None when there is none, or when that is a null.

    Looks where clients put the key by default, and only if it is not there, elsewhere:
    a connector may have its own way to choose partitions.
    """
    partitions = await _partitions(settings, role)
    likely = partition_of(key, len(partitions))
    others = partitions[:likely] + partitions[likely + 1 :]
    async with _reader(settings) as consumer:
        for group in ([partitions[likely]], others):
            found = await _last_in(consumer, group, key, settings)
            if found is not None:
                return found.value
    return None


async def stored(settings: Settings, role: Role, since: datetime | None, take: Callable[[Record], None]) -> None:
    """Hand over every record that a topic holds now, or those that have come since a moment; per partition in order.

    Raises:
        BrokerUnreachableError: no broker answers.
        TopicsError: the topic does not exist.
    """
    partitions = await _partitions(settings, role)
    async with _reader(settings) as consumer:
        consumer.assign(partitions)
        if since is None:
            await _sought(consumer.seek_to_beginning(*partitions), settings)
        else:
            await _seek_to_moment(consumer, partitions, since, settings)
        await _drain(consumer, partitions, settings, take)


async def _seek_to_moment(
    consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition], moment: datetime, settings: Settings
) -> None:
    """The first record of each partition that came at this moment or later; the end where none did."""
    milliseconds = int(moment.timestamp() * 1_000)
    found = await consumer.offsets_for_times(dict.fromkeys(partitions, milliseconds))
    for partition in partitions:
        place = found.get(partition)
        if place is None:
            await _sought(consumer.seek_to_end(partition), settings)
        else:
            consumer.seek(partition, place.offset)


async def _last_in(
    consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition], key: bytes, settings: Settings
) -> Record | None:
    """The last record of a key in these partitions, read from the first to what is the last one now."""
    if not partitions:
        return None
    consumer.assign(partitions)
    await _sought(consumer.seek_to_beginning(*partitions), settings)
    last: dict[bytes, Record] = {}

    def keep(record: Record) -> None:
        if record.key == key:
            last[key] = record

    await _drain(consumer, partitions, settings, keep)
    return last.get(key)


async def _drain(
    consumer: AIOKafkaConsumer,
    partitions: Sequence[TopicPartition],
    settings: Settings,
    take: Callable[[Record], None],
) -> None:
    """Hand over the records from where the consumer stands to what is the last one of each partition now."""
    ends = await consumer.end_offsets(partitions)
    places: dict[TopicPartition, int] = {}
    try:
        async with asyncio.timeout(_STALL_LIMIT_S) as stall:
            while unread := await _unread(consumer, ends):
                if unread != places:
                    places = unread
                    stall.reschedule(asyncio.get_running_loop().time() + _STALL_LIMIT_S)
                for batch in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
                    for record in batch:
                        take(record)
    except TimeoutError as error:
        raise unreachable(settings, error) from None


async def _unread(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    """The next offset of each partition that is not read to its end."""
    places = {partition: await consumer.position(partition) for partition in ends}
    return {partition: place for partition, place in places.items() if place < ends[partition]}


async def _sought(seek: Awaitable[bool], settings: Settings) -> None:
    """Await a seek. aiokafka tells a timeout by False."""
    if not await seek:
        raise unreachable(settings, TimeoutError())


async def _partitions(settings: Settings, role: Role) -> list[TopicPartition]:
    topic = Topics.named(settings.topic_prefix).by_role()[role]
    return [TopicPartition(topic, number) for number in range(await partitions_of(settings, role))]


def _reader(settings: Settings) -> AbstractAsyncContextManager[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        **connection(settings),
        isolation_level="read_committed",
        enable_auto_commit=False,
        request_timeout_ms=REQUEST_LIMIT_MS,
    )
    return connected(consumer, settings)

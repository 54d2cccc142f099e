"""Lines of text as records of the source topic, and how they get there."""

import asyncio
import re
from collections.abc import Sequence
from types import TracebackType
from typing import Final, NamedTuple, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder
from pydantic_core import from_json, to_json

from streams.errors import KeystatusError
from streams.kafka import REQUEST_LIMIT_MS, connection, partition_of, start_within_limit
from streams.provision import partitions_of
from streams.settings import Settings
from streams.topics import Role, Topics


class RecordLine(NamedTuple):
    """The record that a line stands for. ``timestamp``: milliseconds since 1970, or -1 for none."""

    key: bytes | None
    value: bytes | None
    timestamp: int = -1


_RECORD_FIELDS: Final = frozenset({"key", "value"})
_ALL_FIELDS: Final = _RECORD_FIELDS | {"timestamp"}

#: The end of the last year that a payload may name (``schemas.contract.LAST_YEAR``).
_LAST_TIMESTAMP: Final = 7_258_118_400_000

#: The key in a line that is not JSON as a whole.
_KEY_ID: Final = re.compile(rb'"key_id"\s{0,16}:\s{0,16}"([A-Za-z0-9._:-]{1,128})"')


def read_line(line: bytes) -> RecordLine:
    r"""The record of one line. Total over any bytes.

    A line is the value itself, a check result, under the key that stands in its ``key_id``;
    or ``{"key": K, "value": V}``, perhaps with ``"timestamp"``, which can say what a check
    result cannot: V null is a removal, a string is the value's text as it is (broken ones
    too), anything else is the value as JSON.
    """
    try:
        tree = from_json(line)
    except ValueError:
        named = _KEY_ID.search(line)
        return RecordLine(None if named is None else named[1], line)
    if not isinstance(tree, dict):
        return RecordLine(None, line)
    if _RECORD_FIELDS <= tree.keys() <= _ALL_FIELDS and _is_record(tree["key"], tree.get("timestamp", -1)):
        key = tree["key"]
        return RecordLine(None if key is None else key.encode(), _bytes_of(tree["value"]), tree.get("timestamp", -1))
    key_id = tree.get("key_id")
    return RecordLine(key_id.encode() if isinstance(key_id, str) else None, line)


def _is_record(key: object, timestamp: object) -> bool:
    is_time = isinstance(timestamp, int) and not isinstance(timestamp, bool) and -1 <= timestamp < _LAST_TIMESTAMP
    return is_time and (key is None or isinstance(key, str))


def _bytes_of(value: object) -> bytes | None:
    if value is None:
        return None
    return value.encode() if isinstance(value, str) else to_json(value)


class Publisher:
    """Sends records to the source topic: per key in order, none twice (idempotent, ``acks=all``).

    Records wait in one batch for each partition until it is full or ``flush`` is called;
    ``sent`` counts those that Kafka has acknowledged.
    """

    #: Larger batches gain nothing; smaller ones cost a request more often.
    _BATCH_BYTES: Final = 262_144

    def __init__(self, settings: Settings) -> None:
        self.sent = 0
        self._settings = settings
        self._topic = Topics.named(settings.topic_prefix).check_results
        self._partitions = 0
        self._producer: AIOKafkaProducer | None = None
        self._filling: dict[int, BatchBuilder] = {}
        self._underway: list[tuple[asyncio.Future[object], int]] = []

    async def __aenter__(self) -> Self:
        self._partitions = await partitions_of(self._settings, Role.CHECK_RESULTS)
        self._producer = AIOKafkaProducer(
            **connection(self._settings),
            enable_idempotence=True,
            acks="all",
            max_batch_size=self._BATCH_BYTES,
            request_timeout_ms=REQUEST_LIMIT_MS,
        )
        try:
            await start_within_limit(self._producer.start(), self._settings)
        except BaseException:
            await self._producer.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._producer is not None:
            await self._producer.stop()

    async def send(self, key: bytes | None, value: bytes | None) -> None:
        """Put one record into its partition's batch; a full batch is sent."""
        partition = partition_of(key, self._partitions)
        batch = self._filling.get(partition)
        if batch is not None and batch.append(timestamp=None, key=key, value=value) is not None:
            return
        if batch is not None:
            await self._submit({partition: batch})
        batch = self._filling[partition] = self._started.create_batch()
        batch.append(timestamp=None, key=key, value=value)

    async def flush(self) -> None:
        """Send what waits, and wait until Kafka has acknowledged it.

        Raises:
            KeystatusError: Kafka did not take every record.
        """
        filling, self._filling = self._filling, {}
        await self._submit(filling)
        underway, self._underway = self._underway, []
        answers = await asyncio.gather(*(future for future, _ in underway), return_exceptions=True)
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        taken = sum(count for (_, count), answer in zip(underway, answers, strict=True) if answer not in failures)
        self.sent += taken
        if failures:
            raise self._failure(failures)

    @property
    def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise RuntimeError("use `async with` first")
        return self._producer

    async def _submit(self, batches: dict[int, BatchBuilder]) -> None:
        for partition, batch in batches.items():
            batch.close()
            try:
                future = await self._started.send_batch(batch, self._topic, partition=partition)
            except KafkaError as error:
                raise self._failure([error]) from None
            self._underway.append((future, batch.record_count()))

    def _failure(self, failures: Sequence[BaseException]) -> KeystatusError:
        first = failures[0]
        return KeystatusError(
            f"Kafka acknowledged {self.sent} records and then no more ({type(first).__name__}: {first}): "
            "see to the broker, then send the rest"
        )

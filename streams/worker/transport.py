"""Faust's transport, handing over each poll of a partition as one message.

Stock Faust makes several tasks and a queue hop for each record, and after a rebalance it
can lose what it fetched. Faust lets a transport be replaced, so both are cured here and
everything else of it stays: app, agent, table, recovery, assignor. All of this rests on
private methods of pinned versions; ``streams.worker.versions`` refuses any other.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from time import monotonic
from typing import Any, Protocol, cast

import aiokafka
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from streams.errors import Exit
from streams.worker.batch import RecordBatch
from streams.worker.fatal import fatal

#: How long the broker holds an empty fetch, in ms. Faust fixes 1,500: a partition that has
#: just become empty then waits for the fetch in flight, which is what a new result feels.
FETCH_MAX_WAIT_MS = 10

#: How often a closed gate is looked at again, in seconds: what a recovery adds to its end.
_GATE_LOOK_S = 0.01

#: How long one poll waits for records while a table recovers, in seconds. Short, because the
#: end of a changelog may be a transaction marker, which wakes nobody.
RECOVERY_POLL_S = 0.05


class Owner(Protocol):
    """Who is told which partitions come and go (``streams.worker.ownership``)."""

    @property
    def generation(self) -> int | None: ...
    @property
    def is_ready(self) -> bool: ...
    async def begin(self, assigned: set[TP], generation: int) -> None: ...
    def suspend(self) -> None: ...
    async def end(self) -> None: ...
    def start_at(self, offsets: Mapping[TP, int], generation: int | None) -> None: ...
    def changelog_begins_at(self, earliest: Mapping[TP, int]) -> None: ...


class OwningApp(Protocol):
    """An app that owns partitions (``streams.worker.app``)."""

    ownership: Owner


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that fetches. It alone touches the aiokafka consumer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._epochs: defaultdict[TP, int] = defaultdict(int)
        #: When the group coordinator last confirmed that we are a member, by the monotonic clock.
        self.confirmed_at = 0.0

    async def on_start(self) -> None:
        """Start the consumer, and listen to its heartbeats and to what the group refuses."""
        await super().on_start()
        coordinator = self._ensure_consumer()._coordinator
        heartbeat = coordinator._do_heartbeat

        async def confirmed_heartbeat() -> bool:
            # The session runs from when the group was asked, not from when we read its answer.
            asked_at = monotonic()
            alive = bool(await heartbeat())
            if alive:
                self.confirmed_at = asked_at
            return alive

        coordinator._do_heartbeat = confirmed_heartbeat
        # aiokafka keeps these for whoever polls; before the first assignment nobody does.
        coordinator._push_error_to_user = _end_as_refused
        coordinator._coordination_task.add_done_callback(_end_unless_stopped)

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Faust offers no setting for these two; aiokafka reads them when it starts.
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = FETCH_MAX_WAIT_MS
        return consumer

    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is Faust's
        max_records: int | None = None,
    ) -> dict[TP, list[RecordBatch]]:
        """One poll: a batch for each partition whose position moved, with or without records."""
        fetcher = consumer._fetcher
        patience = RECOVERY_POLL_S if self.app.in_recovery else (timeout or 0)
        deadline = monotonic() + patience
        while self.consumer.flow_active:
            if consumer._closed or fetcher._closed:
                raise driver.ConsumerStoppedError
            if consumer._subscription.reassignment_in_progress:
                await consumer._subscription.wait_for_assignment()
            # No await may come between these three lines and the drain: nobody may seek there.
            before = self._positions(consumer, active_partitions)
            drained = await fetcher.fetched_records(active_partitions, timeout=0, max_records=max_records)
            batches = self._batches(consumer, before, drained)
            left = deadline - monotonic()
            if batches or left <= 0:
                return batches
            waiter = fetcher._create_fetch_waiter()
            await asyncio.wait([waiter], timeout=left)
            # Asked for its result it raises what aiokafka has against us; left alone it would stay.
            waiter.result() if waiter.done() else waiter.cancel()
        return {}

    def _positions(self, consumer: aiokafka.AIOKafkaConsumer, partitions: set[TP]) -> dict[TP, int]:
        states = _assigned(consumer, partitions)
        return {tp: state.position for tp, state in states.items() if state.has_valid_position}

    def _batches(
        self, consumer: aiokafka.AIOKafkaConsumer, before: Mapping[TP, int], drained: Mapping[TP, list[Any]]
    ) -> dict[TP, list[RecordBatch]]:
        after = self._positions(consumer, set(before))
        return {
            tp: [RecordBatch(tp.topic, tp.partition, start, after[tp], self._epochs[tp], drained.get(tp, ()))]
            for tp, start in before.items()
            if after.get(tp, start) > start
        }

    def seen_end(self, tp: TP) -> int | None:
        """The end of what may be read of a partition, as its last fetch told it.

        That is before the first transaction which a connector has not ended yet. None when
        the partition is not ours or not fetched yet.
        """
        state = _assigned(self._ensure_consumer(), {tp}).get(tp)
        if state is None:
            return None
        return cast("int | None", state.highwater if state.lso is None or state.lso < 0 else state.lso)

    async def rewind(self, tp: TP, offset: int) -> int:
        """Fetch a partition again from an offset; returns the epoch of the batches to come."""
        return cast(int, await self.call_thread(self._rewind, tp, offset))

    async def _rewind(self, tp: TP, offset: int) -> int:
        self._ensure_consumer().seek(tp, offset)
        self._epochs[tp] += 1
        return self._epochs[tp]


async def _end_as_refused(error: KafkaError) -> None:
    """The group does not take us, and would not the next time."""
    fatal(
        Exit.BROKER_UNREACHABLE,
        f"the group refuses this worker ({type(error).__name__}: {error}): "
        "see to KEYSTATUS_KAFKA_SESSION_TIMEOUT_S and to the rights of its user",
    )


def _end_unless_stopped(task: asyncio.Task[None]) -> None:
    """Without this task the worker would never hear of its group again, and look alive."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        fatal(Exit.STUCK, f"the group coordination ended: {type(error).__name__}: {error}")


def _assigned(consumer: aiokafka.AIOKafkaConsumer, partitions: set[TP]) -> dict[TP, Any]:
    """What aiokafka knows of those of the partitions that are assigned at this moment."""
    subscription = consumer._subscription.subscription
    assignment = None if subscription is None else subscription.assignment
    if assignment is None:
        return {}
    return {tp: assignment.state_value(tp) for tp in partitions if tp in assignment.tps}


class Consumer(driver.Consumer):
    """Faust's consumer: leaves committing to our transactions, tells the app who owns what."""

    _thread: ConsumerThread

    @property
    def _owner(self) -> Owner:
        return cast(OwningApp, self.app).ownership

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def confirmed_at(self) -> float:
        """When this worker was last known to be a member of its group, by the monotonic clock."""
        return self._thread.confirmed_at

    def seen_end(self, tp: TP) -> int | None:
        """The end of what may be read of a partition; None when it is not ours or not fetched yet."""
        return self._thread.seen_end(tp)

    async def rewind(self, tp: TP, offset: int) -> int:
        """Fetch a partition again from an offset; returns the epoch of the batches to come."""
        epoch = await self._thread.rewind(tp, offset)
        # Faust drops messages before the last that it has read; `None` is "nothing read yet".
        self._read_offset[tp] = offset or None
        return epoch

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Mapping[TP, list[Any]]:  # noqa: ASYNC109 - Faust's signature
        """Poll; the source only once the table is recovered and the flow goes on.

        Faust resumes the source partitions before it seeks and clears its queues: what is
        polled in between would be dropped, and if nothing came later, never be missed.
        """
        # A copy: the thread reads it while this loop pauses and resumes partitions.
        fetching = set(active_partitions or ())
        if not self._owner.is_ready:
            fetching = {tp for tp in fetching if self._is_changelog_tp(tp)}
        if not fetching:  # an empty set would mean "all" to aiokafka
            await self.sleep(_GATE_LOOK_S)
            return {}
        return await self._thread.getmany(fetching, timeout)

    def _to_message(self, tp: TP, record: RecordBatch) -> ConsumerMessage:
        last = record.records[-1] if record.records else None
        return ConsumerMessage(
            record.topic,
            record.partition,
            record.end - 1,
            last.timestamp / 1000 if last is not None else 0.0,
            0,
            None,
            None,
            cast(bytes, record),  # the message's value is the batch: that is the whole idea
            None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    def _new_offset(self, tp: TP) -> int | None:
        """Never commit: the transaction of a batch carries the source offset."""
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        self._gap.pop(tp, None)
        return None

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Fence earlier owners first; only then may the table's recovery read."""
        self._thread.confirmed_at = monotonic()
        await self._owner.begin(assigned, generation_id)
        await super().on_partitions_assigned(assigned, generation_id)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish and commit what is in flight, then let go."""
        self._owner.suspend()
        await super().on_partitions_revoked(revoked)
        self._buffered_partitions.difference_update(revoked)
        await self._owner.end()

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek, and tell the partitions where their story goes on."""
        generation = self._owner.generation
        committed = await super().seek_to_committed()
        fresh = {tp for tp, offset in committed.items() if not offset}
        earliest = await self.earliest_offsets(*fresh) if fresh else {}
        self._owner.start_at({tp: offset or earliest[tp] for tp, offset in committed.items()}, generation)
        return committed

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """As Faust asks for them at the start of a recovery; the table checks its reading against them."""
        earliest = await super().earliest_offsets(*partitions)
        self._owner.changelog_begins_at(earliest)
        return earliest


class Transport(driver.Transport):
    """Connects Faust with our consumer."""

    Consumer = Consumer

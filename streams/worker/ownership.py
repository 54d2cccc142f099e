"""Which partitions this worker owns, from the assignment to the revocation.

Also the answer to "whose keys may I count": only those of partitions that are assigned
to us, recovered, and held by a lease that the group has confirmed lately. A worker that
was stopped and wakes up counts nothing before it has heard from the group again.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from time import monotonic

from aiokafka.errors import KafkaError
from faust.types import TP

from streams.errors import Exit
from streams.settings import Settings
from streams.topics import Topics
from streams.worker.fatal import fatal
from streams.worker.metrics import Metrics
from streams.worker.partition import Decide, Partition
from streams.worker.states import UnreadableStateError
from streams.worker.table import StateStore
from streams.worker.transactions import PartitionProducer
from streams.worker.transport import Consumer

logger = logging.getLogger("keystatus.worker")


class Ownership:
    """The owned partitions and their life."""

    def __init__(
        self,
        settings: Settings,
        topics: Topics,
        decide: Decide,
        metrics: Metrics,
        consumer: Callable[[], Consumer],
        store: Callable[[], StateStore],
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._decide = decide
        self._metrics = metrics
        self._consumer = consumer
        self._store = store
        self._partitions: dict[int, Partition] = {}
        self._generation: int | None = None
        self._counted = False
        self._began_at = monotonic()

    def __getitem__(self, number: int) -> Partition | None:
        return self._partitions.get(number)

    @property
    def partitions(self) -> list[Partition]:
        """The owned partitions."""
        return list(self._partitions.values())

    @property
    def generation(self) -> int | None:
        """The group generation whose partitions are ours and fenced; None during a rebalance."""
        return self._generation

    @property
    def keys(self) -> int:
        """How many keys the owned partitions hold."""
        return sum(len(partition.states) for partition in self._partitions.values())

    @property
    def is_ready(self) -> bool:
        """Whether the group was joined and every owned partition is recovered."""
        return self._counted

    @property
    def is_confirmed(self) -> bool:
        """Whether the group has confirmed our membership within a session timeout."""
        return monotonic() - self._consumer().confirmed_at < self._settings.kafka_session_timeout_s

    def countable(self) -> Iterator[Partition]:
        """The partitions whose keys are ours to count at this moment."""
        if self._counted and self.is_confirmed:
            yield from self._partitions.values()

    async def begin(self, assigned: set[TP], generation: int) -> None:
        """Own these partitions; earlier owners are fenced when this returns."""
        self._began_at = monotonic()
        self._metrics.rebalances.inc()
        consumer, store = self._consumer(), self._store()
        for tp in assigned:
            if tp.topic == self._topics.check_results:
                producer = PartitionProducer(self._settings, self._topics, tp.partition)
                states = store.partition(tp.partition)
                self._partitions[tp.partition] = Partition(tp, states, producer, consumer, self._decide, self._metrics)
        try:
            await asyncio.gather(*(partition.start() for partition in self._partitions.values()))
        except KafkaError as error:  # aiokafka would log it and wait for ever
            fatal(
                Exit.TRANSACTION_FAILED,
                f"no transactional producer ({type(error).__name__}: {error}): "
                f"the worker's user needs the transactional ids {self._settings.group_id}-*",
            )
        self._generation = generation

    def suspend(self) -> None:
        """A rebalance has started: our keys may be somebody else's soon."""
        self._generation = None
        self._counted = False

    async def end(self) -> None:
        """Let go of every partition; the protocol assigns all of them anew."""
        stopping, self._partitions = self._partitions, {}
        await asyncio.gather(*(partition.stop() for partition in stopping.values()))
        for number, partition in stopping.items():
            if partition.busy_since is not None:  # ahead of the log: read it anew
                self._store().partitions.pop(number, None)

    def recovered(self, generation: int) -> None:
        """Every partition of this generation is complete. A recovery that was overtaken is no news."""
        if generation != self._generation:
            return
        for number, partition in self._partitions.items():
            if partition.continuity.next_offset is None:
                fatal(Exit.RECOVERY_FAILED, f"partition {number} is recovered, but has no offset to start at")
            try:
                partition.states.recovered()
            except UnreadableStateError as error:
                fatal(Exit.RECOVERY_FAILED, f"partition {number}: {error}")
        self._counted = True
        self._metrics.recovery_seconds.set(monotonic() - self._began_at)
        logger.info("ready: %d partitions, %d keys", len(self._partitions), self.keys)

    def start_at(self, offsets: Mapping[TP, int], generation: int | None) -> None:
        """The committed offsets of the source partitions, where their story goes on.

        ``generation`` is that of when they were asked for. An answer to a question from
        before earlier owners were fenced, or from before our own last transactions were
        done, may be out of date: Faust also asks while a rebalance is under way.
        """
        if generation is None or generation != self._generation:
            return
        for tp, offset in offsets.items():
            partition = self._partitions.get(tp.partition)
            if partition is not None and tp == partition.tp:
                partition.continuity.begin(offset)

    def changelog_begins_at(self, earliest: Mapping[TP, int]) -> None:
        """Where the changelog starts: a recovery that begins later has missed something."""
        store = self._store()
        for tp, offset in earliest.items():
            if tp.topic == self._topics.status:
                states = store.partition(tp.partition)
                if states.position is None:
                    states.position = offset

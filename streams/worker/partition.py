"""One owned partition at work: decide what is polled, commit what was decided.

Two things overlap here. While a transaction is under way, the next polls are decided and
collected; when it is done, all that has come together is the next one. So a quiet
partition answers at once, and a busy one needs few transactions.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from time import monotonic

from aiokafka.errors import InvalidProducerEpoch, KafkaError, ProducerFenced
from faust.types import TP, EventT

from schemas.key_state import KeyState
from streams.core.decision import Decision
from streams.core.incidents import Incidents
from streams.core.record import Record
from streams.errors import Exit
from streams.worker.batch import RecordBatch
from streams.worker.continuity import Continuity, Gap
from streams.worker.fatal import fatal, watch_over
from streams.worker.metrics import Metrics
from streams.worker.outputs import Outputs
from streams.worker.states import PartitionStates
from streams.worker.transactions import PartitionProducer
from streams.worker.transport import Consumer

logger = logging.getLogger("keystatus.worker")

Decide = Callable[[Record, KeyState | None, Incidents], Decision]

#: Records that may be decided and not yet committed before fetching pauses: well under a
#: second's work, and at some 8 kB of objects each a few dozen MB.
MAX_UNCOMMITTED = 4_000

#: Records decided between two looks at the event loop, so that heartbeats, scrapes and the
#: other partitions' transactions wait a few ms at most.
RECORDS_A_TURN = 200


class Partition:
    """An owned source partition, from its assignment to its revocation.

    ``busy_since`` is the monotonic time of the last commit, or of the first record after
    it; None while there is nothing to commit. ``decided_at_ms`` is the stamp of the last
    decided record, -1 before the first.
    """

    def __init__(
        self,
        tp: TP,
        states: PartitionStates,
        producer: PartitionProducer,
        consumer: Consumer,
        decide: Decide,
        metrics: Metrics,
    ) -> None:
        self.tp = tp
        self.states = states
        self.continuity = Continuity()
        self.busy_since: float | None = None
        self.decided_at_ms = -1
        self._producer = producer
        self._consumer = consumer
        self._decide = decide
        self._metrics = metrics
        self._next = Outputs()
        self._to_ack: list[EventT] = []
        self._something = asyncio.Event()
        self._committer: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Fence earlier owners of the partition."""
        await self._producer.start()
        self._committer = asyncio.create_task(self._commit_for_ever(), name=f"commit-{self.tp.partition}")
        watch_over(self._committer)

    async def stop(self) -> None:
        """Let go. What was decided and not committed is decided again by the next owner."""
        if self._committer is not None:
            self._committer.cancel()
            await asyncio.wait([self._committer])
        await self._producer.stop()

    @property
    def lag(self) -> int:
        """Records of the log that are not decided yet, as far as the last fetch has seen it."""
        end, done = self._consumer.seen_end(self.tp), self.continuity.next_offset
        return 0 if done is None else max(0, (end or 0) - done)

    async def take(self, batch: RecordBatch, event: EventT) -> None:
        """Decide a poll. A skipped range is fetched again, what was done before is dropped."""
        admitted = self.continuity.admit(batch)
        if isinstance(admitted, Gap):
            await self._rewind(admitted)
        if admitted is None or isinstance(admitted, Gap):
            event.ack()
            return
        self._metrics.gaps_healed.inc(admitted.healed)
        if admitted.lost:
            self._tell_loss(batch.start, admitted.lost)
        records = admitted.records
        for first in range(0, len(records), RECORDS_A_TURN):
            if first:  # what was decided so far may be committed while the rest is decided
                self._something.set()
                await asyncio.sleep(0)
            self._decide_turn(records[first : first + RECORDS_A_TURN])
        self._until(admitted.end)
        self._to_ack.append(event)
        self._something.set()
        if self._next.records > MAX_UNCOMMITTED:
            self._consumer.on_buffer_full(self.tp)

    def _decide_turn(self, records: Sequence[Record]) -> None:
        """Decide a few records. The committer may take what is there after any turn, so the
        source offset always goes along with the outputs."""
        for record in records:
            before = self.states.get(record.key)
            decision = self._decide(record, before, self.states.incidents)
            if decision.touched and record.key is not None:
                self.states.put(record.key, before, decision.state)
            self._next.add(record, decision)
        self.decided_at_ms = records[-1].timestamp
        self._until(records[-1].offset + 1)

    def _until(self, end: int) -> None:
        """Everything before this source offset is decided, and is to be committed."""
        self._next.end = end
        if self.busy_since is None:
            self.busy_since = monotonic()

    async def _rewind(self, gap: Gap) -> None:
        logger.warning(
            "partition %d: offsets %d to %d were skipped; fetching them again",
            self.tp.partition,
            gap.start,
            gap.end - 1,
        )
        self.continuity.rewound(await self._consumer.rewind(self.tp, gap.start))

    def _tell_loss(self, start: int, lost: int) -> None:
        logger.error(
            "partition %d: %d offsets before %d are gone from the log (retention): their results are lost",
            self.tp.partition,
            lost,
            start,
        )
        self._metrics.lost.inc(lost)

    async def _commit_for_ever(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            outputs, self._next = self._next, Outputs()
            committed, self._to_ack = self._to_ack, []
            await self._commit(outputs)
            self.busy_since = monotonic() if self._next.end else None
            for event in committed:
                event.ack()
            if self._next.records <= MAX_UNCOMMITTED:
                self._consumer.on_buffer_drop(self.tp)

    async def _commit(self, outputs: Outputs) -> None:
        """One transaction. If it fails, memory is ahead of the log: only a restart is right."""
        outputs.seal()
        try:
            position = await self._producer.commit(outputs)
        except (ProducerFenced, InvalidProducerEpoch):
            fatal(Exit.FENCED, f"partition {self.tp.partition} has a new owner")
        except KafkaError as error:
            fatal(Exit.TRANSACTION_FAILED, f"partition {self.tp.partition}: {type(error).__name__}: {error}")
        if position is not None:
            self.states.position = position
        for written in outputs.sealed:
            self.states.settle(written.key, written.state, written.output.value)
        self._metrics.observe(outputs.tally)

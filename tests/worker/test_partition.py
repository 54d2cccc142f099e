"""A partition at work: what is decided is committed, and what hangs is noticed."""

import asyncio
from types import SimpleNamespace

from faust.types import TP
from prometheus_client import CollectorRegistry

from schemas.key_state import KeyState
from streams.core.decide import decide_next
from streams.core.decision import Decision
from streams.core.incidents import Incidents
from streams.core.policy import Policy
from streams.core.record import Record
from streams.worker.batch import RecordBatch
from streams.worker.metrics import Metrics
from streams.worker.outputs import Outputs
from streams.worker.partition import MAX_UNCOMMITTED, RECORDS_A_TURN, Partition
from streams.worker.states import PartitionStates
from tests.factories import NAMED_RULES, ok, record

TP_0 = TP("apikey.check-results", 0)


class Producer:
    """Commits when it is let: takes down what it was given."""

    def __init__(self) -> None:
        self.committed: list[Outputs] = []
        self.may_commit = asyncio.Semaphore(0)

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def commit(self, outputs: Outputs) -> int | None:
        await self.may_commit.acquire()
        self.committed.append(outputs)
        return None


class Consumer:
    """Takes down when fetching is held back."""

    def __init__(self) -> None:
        self.held_back = False

    def on_buffer_full(self, _tp: TP) -> None:
        self.held_back = True

    def on_buffer_drop(self, _tp: TP) -> None:
        self.held_back = False


def _decide(entry: Record, state: KeyState | None, incidents: Incidents) -> Decision:
    return decide_next(entry, state, incidents, NAMED_RULES, Policy())


async def started(producer: Producer, consumer: Consumer) -> Partition:
    metrics = Metrics(CollectorRegistry(), ("binance",))
    partition = Partition(TP_0, PartitionStates(), producer, consumer, _decide, metrics)
    await partition.start()
    partition.continuity.begin(0)
    return partition


def poll(start: int, count: int) -> tuple[RecordBatch, SimpleNamespace]:
    """A poll of results of as many keys, and its event."""
    records = [record(ok(key_id=f"key-{n}"), offset=n, key=f"key-{n}".encode()) for n in range(start, start + count)]
    event = SimpleNamespace(acked=False)
    event.ack = lambda: setattr(event, "acked", True)
    return RecordBatch(*TP_0, start, start + count, 0, records), event


async def until(condition: object) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def test_a_poll_is_acknowledged_when_it_is_committed_and_not_before() -> None:
    producer = Producer()
    partition = await started(producer, Consumer())
    batch, event = poll(0, 3)
    await partition.take(batch, event)
    assert not event.acked
    producer.may_commit.release()
    await until(lambda: event.acked)
    assert [outputs.end for outputs in producer.committed] == [3]
    await partition.stop()


async def test_what_comes_during_a_transaction_is_the_next_one_together() -> None:
    producer = Producer()
    partition = await started(producer, Consumer())
    await partition.take(*poll(0, 1))
    await asyncio.sleep(0)
    for start in range(1, 6):
        await partition.take(*poll(start, 1))
    for _ in range(2):
        producer.may_commit.release()
    await until(lambda: len(producer.committed) == 2)
    assert [(outputs.records, outputs.end) for outputs in producer.committed] == [(1, 1), (5, 6)]
    await partition.stop()


async def test_a_commit_in_the_middle_of_a_poll_carries_the_offset_of_what_it_holds() -> None:
    producer = Producer()
    partition = await started(producer, Consumer())
    for _ in range(9):
        producer.may_commit.release()
    batch, event = poll(0, 3 * RECORDS_A_TURN)
    await partition.take(batch, event)
    await until(lambda: event.acked)
    done = 0
    for outputs in producer.committed:
        done += outputs.records
        assert outputs.end == done
    assert (done, len(producer.committed) > 1) == (3 * RECORDS_A_TURN, True)
    await partition.stop()


async def test_a_commit_that_hangs_after_the_first_turn_of_a_poll_does_not_go_unnoticed() -> None:
    producer = Producer()
    partition = await started(producer, Consumer())
    producer.may_commit.release()
    await partition.take(*poll(0, 2 * RECORDS_A_TURN))
    await until(lambda: len(producer.committed) == 1)
    assert partition.busy_since is not None
    await partition.stop()


async def test_a_partition_that_has_committed_everything_is_not_busy() -> None:
    producer = Producer()
    partition = await started(producer, Consumer())
    for _ in range(9):
        producer.may_commit.release()
    batch, event = poll(0, 2 * RECORDS_A_TURN)
    await partition.take(batch, event)
    await until(lambda: event.acked)
    assert partition.busy_since is None
    await partition.stop()


async def test_fetching_is_held_back_while_too_much_is_uncommitted_and_goes_on_after() -> None:
    producer, consumer = Producer(), Consumer()
    partition = await started(producer, consumer)
    await partition.take(*poll(0, 1))
    await asyncio.sleep(0)  # its transaction is under way
    await partition.take(*poll(1, MAX_UNCOMMITTED + RECORDS_A_TURN))
    assert consumer.held_back
    for _ in range(9):
        producer.may_commit.release()
    await until(lambda: not consumer.held_back)
    await partition.stop()

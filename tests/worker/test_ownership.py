"""Who owns what: the answers that come too late must not count."""

from time import monotonic
from types import SimpleNamespace

import pytest
from faust.types import TP
from prometheus_client import CollectorRegistry

from streams.settings import Settings
from streams.topics import Topics
from streams.worker import ownership as module
from streams.worker.metrics import Metrics
from streams.worker.ownership import Ownership
from streams.worker.states import PartitionStates

TOPICS = Topics.named("apikey")
SOURCE = TP(TOPICS.check_results, 0)
CHANGELOG = TP(TOPICS.status, 0)


class NoProducer:
    """A producer without Kafka: this file is about what is remembered, not about what is sent."""

    def __init__(self, *_: object) -> None: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


@pytest.fixture
def store() -> SimpleNamespace:
    held: dict[int, PartitionStates] = {}
    return SimpleNamespace(partition=lambda number: held.setdefault(number, PartitionStates()), partitions=held)


@pytest.fixture
def consumer() -> SimpleNamespace:
    return SimpleNamespace(confirmed_at=monotonic())


@pytest.fixture
def ownership(monkeypatch: pytest.MonkeyPatch, store: SimpleNamespace, consumer: SimpleNamespace) -> Ownership:
    monkeypatch.setattr(module, "PartitionProducer", NoProducer)
    metrics = Metrics(CollectorRegistry(), ())
    return Ownership(Settings(), TOPICS, None, metrics, consumer=lambda: consumer, store=lambda: store)


async def test_a_committed_offset_starts_the_partition(ownership: Ownership) -> None:
    await ownership.begin({SOURCE, CHANGELOG}, generation=1)
    ownership.start_at({SOURCE: 42}, generation=1)
    assert ownership[0].continuity.next_offset == 42
    await ownership.end()


async def test_a_committed_offset_that_was_asked_for_in_an_earlier_generation_is_out_of_date(
    ownership: Ownership,
) -> None:
    """Faust asks also while a rebalance is under way; its answer may be older than our last commit."""
    await ownership.begin({SOURCE, CHANGELOG}, generation=2)
    ownership.start_at({SOURCE: 42}, generation=1)
    ownership.start_at({SOURCE: 41}, generation=None)
    assert ownership[0].continuity.next_offset is None
    await ownership.end()


async def test_there_is_no_generation_while_a_rebalance_is_under_way(ownership: Ownership) -> None:
    await ownership.begin({SOURCE, CHANGELOG}, generation=1)
    ownership.suspend()
    assert ownership.generation is None
    await ownership.end()


async def test_keys_are_counted_from_the_recovery_to_the_next_rebalance(ownership: Ownership) -> None:
    await ownership.begin({SOURCE, CHANGELOG}, generation=1)
    assert list(ownership.countable()) == []
    ownership.start_at({SOURCE: 0}, generation=1)
    ownership.recovered(generation=1)
    assert list(ownership.countable()) == [ownership[0]]
    ownership.suspend()
    assert list(ownership.countable()) == []
    await ownership.end()


async def test_a_recovery_that_was_overtaken_by_a_rebalance_is_no_news(ownership: Ownership) -> None:
    await ownership.begin({SOURCE, CHANGELOG}, generation=2)
    ownership.recovered(generation=1)
    assert not ownership.is_ready
    await ownership.end()


async def test_a_worker_that_was_stopped_past_its_session_counts_nothing(
    ownership: Ownership, consumer: SimpleNamespace
) -> None:
    await ownership.begin({SOURCE, CHANGELOG}, generation=1)
    ownership.start_at({SOURCE: 0}, generation=1)
    ownership.recovered(generation=1)
    consumer.confirmed_at = monotonic() - 11
    assert list(ownership.countable()) == []
    await ownership.end()


async def test_the_changelog_must_be_read_from_where_it_begins(ownership: Ownership, store: SimpleNamespace) -> None:
    ownership.changelog_begins_at({CHANGELOG: 7, SOURCE: 3})
    assert store.partition(0).position == 7


async def test_a_changelog_that_was_read_further_goes_on_from_there(
    ownership: Ownership, store: SimpleNamespace
) -> None:
    store.partition(0).position = 20
    ownership.changelog_begins_at({CHANGELOG: 7})
    assert store.partition(0).position == 20

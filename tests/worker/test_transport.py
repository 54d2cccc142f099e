"""The transport: what Faust loses is missed and fetched again."""

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from faust.types import TP

from streams.settings import Settings
from streams.worker.transport import Consumer
from tests.worker.expected import first_difference, told_by_the_simulation, told_by_the_topics
from tests.worker.load import results
from tests.worker.log import publish, wait_until_done
from tests.worker.processes import WorkerProcess

SOURCE, CHANGELOG = TP("apikey.check-results", 0), TP("apikey.status", 0)


class FakeThread:
    """Takes down what it is asked to fetch."""

    def __init__(self) -> None:
        self.asked: list[set[TP]] = []

    async def getmany(self, partitions: set[TP], _timeout: float) -> dict[TP, list[object]]:
        self.asked.append(partitions)
        return {}

    async def rewind(self, _tp: TP, _offset: int) -> int:
        return 7


def consumer(*, ready: bool) -> SimpleNamespace:
    """As much of a consumer as a poll needs."""
    return SimpleNamespace(
        _owner=SimpleNamespace(is_ready=ready),
        sleep=asyncio.sleep,
        _is_changelog_tp=lambda tp: tp == CHANGELOG,
        _thread=FakeThread(),
        _read_offset={SOURCE: 900},
    )


async def test_the_source_is_not_polled_before_the_table_is_recovered() -> None:
    """Faust clears its queues after it has resumed the source: what is polled in between is lost."""
    recovering = consumer(ready=False)
    await Consumer._getmany(recovering, {SOURCE, CHANGELOG}, 1.0)
    assert recovering._thread.asked == [{CHANGELOG}]


async def test_with_nothing_to_poll_nothing_is_polled() -> None:
    """To aiokafka an empty set means every partition."""
    recovering = consumer(ready=False)
    assert await Consumer._getmany(recovering, {SOURCE}, 1.0) == {}
    assert recovering._thread.asked == []


async def test_pausing_a_partition_does_not_reach_into_a_poll_that_is_under_way() -> None:
    """The thread reads the set twice; a partition that came in between would be drained and forgotten."""
    ready, active = consumer(ready=True), {SOURCE}
    await Consumer._getmany(ready, active, 1.0)
    active.add(CHANGELOG)
    assert ready._thread.asked == [{SOURCE}]


async def test_what_is_fetched_again_is_not_dropped_as_read() -> None:
    ready = consumer(ready=True)
    assert await Consumer.rewind(ready, SOURCE, 30) == 7
    assert ready._read_offset[SOURCE] == 30


@pytest.mark.kafka
async def test_polls_that_get_lost_are_fetched_again_and_counted(settings: Settings, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.worker.losing_worker"]
    with WorkerProcess(settings, tmp_path, "worker", command) as worker:
        worker.wait_until_ready()
        await publish(settings, results(6_000, 200, seed=3), per_second=2_000)
        await wait_until_done(settings)
        expected, found = await told_by_the_simulation(settings), await told_by_the_topics(settings)
        assert first_difference(expected, found) == ""
        assert (worker.metrics() or {})["keystatus_gaps_healed_total", frozenset()] > 0

"""Nothing lost, nothing wrong, nothing twice: two workers, a real Kafka, kill -9 and a zombie."""

import asyncio
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest

from streams.settings import Settings
from streams.topics import Topics
from tests.worker.expected import (
    Told,
    first_difference,
    keys_by_status,
    sizes,
    told_by_the_simulation,
    told_by_the_topics,
)
from tests.worker.load import first_results, results
from tests.worker.log import publish, wait_until_done
from tests.worker.processes import WorkerProcess, wait_until

pytestmark = pytest.mark.kafka

KEYS = 400
RESULTS = 20_000
#: Slow enough that the faults happen in the middle of it.
RESULTS_PER_SECOND = 700
SESSION_S = 3.0


@pytest.fixture
def quick_session(settings: Settings) -> Settings:
    """A session of a few seconds, so that a dead worker is missed soon."""
    return settings.model_copy(update={"kafka_session_timeout_s": SESSION_S})


class KeyCount:
    """Samples how many keys the workers count together, in a thread of its own.

    Two scrapes are never at one moment. A sum counts only when the first worker says the
    same before and after the second was asked: then both held at once.
    """

    def __init__(self, first: WorkerProcess, second: WorkerProcess) -> None:
        self._workers = (first, second)
        self.sums: list[float] = []
        self._ended = threading.Event()

    @contextmanager
    def running(self) -> Iterator["KeyCount"]:
        thread = threading.Thread(target=self._sample)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join()

    def _sample(self) -> None:
        first, second = self._workers
        while not self._ended.wait(0.05):
            before, between, after = total(first), total(second), total(first)
            if before == after:
                self.sums.append(before + between)


def total(worker: WorkerProcess) -> float:
    """The keys that a worker counts; a worker that does not answer counts none."""
    return sum((worker.keys() or {}).values())


async def test_two_workers_tell_what_the_simulation_tells_through_a_kill_and_a_zombie(
    quick_session: Settings, tmp_path: Path
) -> None:
    settings = quick_session
    await publish(settings, first_results(KEYS))
    with WorkerProcess(settings, tmp_path, "a") as a, WorkerProcess(settings, tmp_path, "b") as b:
        a.wait_until_ready()
        b.wait_until_ready()
        await asyncio.to_thread(wait_until, lambda: total(a) + total(b) == KEYS, 30, "every key is counted before")
        with KeyCount(a, b).running() as count:
            publishing = asyncio.create_task(publish(settings, results(RESULTS, KEYS, seed=7), RESULTS_PER_SECOND))
            await asyncio.to_thread(_kill_and_pause, a, b)
            assert not publishing.done(), "the faults came too late to be in the middle"
            await publishing
            await wait_until_done(settings)
        expected, found = await told_by_the_simulation(settings), await told_by_the_topics(settings)
        assert sizes(found) == sizes(expected)
        assert first_difference(expected, found) == ""
        assert max(count.sums) <= KEYS
        distribution = await keys_by_status(settings)
        assert sum(distribution.values()) == KEYS
        await asyncio.to_thread(wait_until, lambda: _counted(a, b) == distribution, 30, "the metrics equal the table")


def _kill_and_pause(a: WorkerProcess, b: WorkerProcess) -> None:
    """kill -9 one and start it again; then stop the other past its session and wake it."""
    a.kill()
    wait_until(lambda: total(b) == KEYS, 20, "b has taken over")
    a.start().wait_until_ready()
    wait_until(lambda: 0 < total(b) < KEYS, 20, "the work is shared again")
    b.pause()
    wait_until(lambda: total(a) == KEYS, 20, "a has taken over")
    b.resume()
    wait_until(lambda: not b.is_running or b.is_ready, 20, "b has noticed")
    if not b.is_running:  # it had a transaction open, and was fenced: a supervisor starts it anew
        b.start()
    b.wait_until_ready()


def _counted(*workers: WorkerProcess) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    for worker in workers:
        for place, value in (worker.keys() or {}).items():
            found[place] = found.get(place, 0) + value
    return {place: value for place, value in found.items() if value}


async def test_a_reader_that_does_not_wait_for_commits_sees_repeats_but_nothing_else(
    quick_session: Settings, tmp_path: Path
) -> None:
    settings = quick_session
    with WorkerProcess(settings, tmp_path, "a") as a:
        a.wait_until_ready()
        publishing = asyncio.create_task(publish(settings, islice(results(6_000, KEYS, seed=11), 6_000), 1_500))
        for _ in range(3):
            await _until_changes_are_committed(a)
            a.kill()
            a.start().wait_until_ready()
        await publishing
        await wait_until_done(settings)
        expected = await told_by_the_simulation(settings)
        found = await told_by_the_topics(settings, isolation="read_uncommitted")
        assert _first_told(found) == _first_told(expected)


def _first_told(told: Told) -> dict[tuple[str, str | None], list[str]]:
    """What each key was told, in order of the first time: repeats must equal it to the byte."""
    return {place: list(dict.fromkeys(map(str, outputs))) for place, outputs in told.items()}


async def _until_changes_are_committed(worker: WorkerProcess) -> None:
    """Wait until the worker has committed changes since it started."""

    def has_changed() -> bool:
        samples = worker.metrics() or {}
        return any(name == "keystatus_status_changes_total" and value for (name, _), value in samples.items())

    await asyncio.to_thread(wait_until, has_changed, 20, "changes are committed")


async def test_a_kill_that_stock_faust_does_not_survive_unseen_is_seen(quick_session: Settings, tmp_path: Path) -> None:
    """The negative control: if this found no difference, the tests above would prove nothing.

    Deaths at random leave traces on stock Faust often, but not always. So this one dies by
    itself at a moment that our worker does not have: a change is told, its state is not.
    """
    settings = quick_session
    command = [sys.executable, "-m", "tests.worker.stock_worker"]
    stock = {"STOCK_DATADIR": str(tmp_path / "data"), "STOCK_PARTITIONS": str(settings.partitions)}
    with WorkerProcess(settings, tmp_path, "dies", command, STOCK_DIES_AFTER="200", **stock) as worker:
        await publish(settings, results(2_000, KEYS, seed=13))
        assert await asyncio.to_thread(worker.wait, 40) == -signal.SIGKILL
    with WorkerProcess(settings, tmp_path, "goes-on", command, **stock) as worker:
        worker.wait_until_ready()
        assert await _fault(settings) != ""


async def _fault(settings: Settings) -> str:
    """What the checks of the tests above find in the changes; "" if nothing is wrong.

    A partition that stands still for ever is such a fault: stock Faust skips a range in
    about one of three restarts, and then waits for records that it has dropped.
    """
    try:
        await wait_until_done(settings, limit_s=30)
    except TimeoutError:
        return "results are not decided, and never will be"
    changes = Topics.named(settings.topic_prefix).status_changes
    expected = _only(changes, await told_by_the_simulation(settings))
    return first_difference(expected, _only(changes, await told_by_the_topics(settings)))


def _only(topic: str, told: Told) -> Told:
    return {place: outputs for place, outputs in told.items() if place[0] == topic}

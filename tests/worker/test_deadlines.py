"""Time through the log, on a real Kafka: on time, by the owner only, through deaths and wrong clocks."""

import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from streams.settings import Settings
from streams.topics import Topics
from tests.worker.expected import first_difference, told_by_the_simulation, told_by_the_topics
from tests.worker.log import publish, read_all, wait_until_done
from tests.worker.processes import WorkerProcess, wait_until

pytestmark = pytest.mark.kafka

KEYS = 40
#: From its moment to its record in the log.
ON_TIME = timedelta(seconds=2)


def ending(ends: datetime, names: Iterable[str]) -> list[tuple[bytes, bytes]]:
    """A good result for each key, which ends then."""
    checked_at = datetime.now(UTC)
    return [
        (
            name.encode(),
            json.dumps(
                {
                    "event_id": f"{name}-1",
                    "key_id": name,
                    "exchange": "bybit",
                    "checked_at": checked_at.isoformat(),
                    "outcome": "ok",
                    "permissions": {"read": True, "spot_trade": True},
                    "expires_at": ends.isoformat(),
                }
            ).encode(),
        )
        for name in names
    ]


async def deadlines(settings: Settings) -> list[tuple[dict[str, Any], datetime]]:
    """The deadline records of the source topic, with the broker's stamps."""
    records = await read_all(settings, Topics.named(settings.topic_prefix).check_results)
    payloads = [(json.loads(record.value), record.timestamp) for record in records]
    return [(told, datetime.fromtimestamp(at / 1_000, UTC)) for told, at in payloads if told.get("type") == "deadline"]


async def expired(settings: Settings) -> Counter[str]:
    """How often each key was told to have expired."""
    records = await read_all(settings, Topics.named(settings.topic_prefix).status_changes)
    changes = [json.loads(record.value) for record in records]
    return Counter(change["key_id"] for change in changes if change["status"] == "expired")


async def until_expired(settings: Settings, *workers: WorkerProcess) -> None:
    """Wait until the workers count every key as expired, and have committed that."""

    def count() -> float:
        return sum((worker.keys() or {}).get(("bybit", "expired"), 0) for worker in workers)

    await asyncio.to_thread(wait_until, lambda: count() == KEYS, 40, "every key has expired")
    await wait_until_done(settings)


async def test_each_of_two_workers_writes_the_deadlines_of_its_own_partitions_once_and_on_time(
    settings: Settings, tmp_path: Path
) -> None:
    names = [f"key-{number}" for number in range(KEYS)]
    with WorkerProcess(settings, tmp_path, "a") as a, WorkerProcess(settings, tmp_path, "b") as b:
        a.wait_until_ready()
        b.wait_until_ready()
        ends = datetime.now(UTC) + timedelta(seconds=4)
        await publish(settings, ending(ends, names))
        await until_expired(settings, a, b)
        assert 0 < (a.keys() or {})["bybit", "expired"] < KEYS
    written = await deadlines(settings)
    assert Counter((told["key_id"], told["kind"]) for told, _ in written) == Counter((n, "expiry") for n in names)
    assert all(ends <= at + timedelta(seconds=1) and at - ends < ON_TIME for _, at in written)
    assert await expired(settings) == Counter(names)


async def test_a_worker_that_dies_between_writing_a_deadline_and_deciding_it_loses_none_and_repeats_none(
    settings: Settings, tmp_path: Path
) -> None:
    names = [f"key-{number}" for number in range(KEYS)]
    dying = [sys.executable, "-m", "tests.worker.dying_clock"]
    with WorkerProcess(settings, tmp_path, "dies", dying) as worker:
        worker.wait_until_ready()
        await publish(settings, ending(datetime.now(UTC) + timedelta(seconds=2), names))
        assert await asyncio.to_thread(worker.wait, 30) == -signal.SIGKILL
        worker.start()
        assert await asyncio.to_thread(worker.wait, 30) == -signal.SIGKILL
    assert await deadlines(settings), "a deadline was written before the death"
    with WorkerProcess(settings, tmp_path, "goes-on") as worker:
        worker.wait_until_ready()
        await until_expired(settings, worker)
        assert await expired(settings) == Counter(names)
        expected, found = await told_by_the_simulation(settings), await told_by_the_topics(settings)
        assert first_difference(expected, found) == ""


@pytest.mark.parametrize("off_s", [3_600, -3_600], ids=["an hour ahead", "an hour behind"])
async def test_a_wall_clock_that_is_wrong_and_jumps_changes_nothing(
    settings: Settings, tmp_path: Path, off_s: int
) -> None:
    names = [f"key-{number}" for number in range(KEYS)]
    jumping = [sys.executable, "-m", "tests.worker.jumping_worker"]
    with WorkerProcess(settings, tmp_path, "jumps", jumping, CLOCK_STARTS_AT_S=str(off_s)) as worker:
        worker.wait_until_ready()
        ends = datetime.now(UTC) + timedelta(seconds=5)
        await publish(settings, ending(ends, names))
        await until_expired(settings, worker)
    decisive = [at for _, at in await deadlines(settings) if at >= ends - timedelta(seconds=1)]
    assert len(decisive) == KEYS
    assert all(at - ends < ON_TIME for at in decisive)
    assert await expired(settings) == Counter(names)
    records = await read_all(settings, Topics.named(settings.topic_prefix).status_changes)
    moments = {
        change["changed_at"] for record in records if (change := json.loads(record.value))["status"] == "expired"
    }
    assert {datetime.fromisoformat(moment) for moment in moments} == {ends}

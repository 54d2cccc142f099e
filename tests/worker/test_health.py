"""The watchdog sees what is stuck, and nothing else."""

from types import SimpleNamespace

import pytest

from streams.errors import Exit
from streams.worker import health as module
from streams.worker.health import Health


class Clock:
    """The monotonic clock, in our hands."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "monotonic", clock)
    return clock


def partition(*, busy_since: float | None = None, offset: int = 5, lag: int = 0) -> SimpleNamespace:
    return SimpleNamespace(
        tp=SimpleNamespace(partition=3),
        busy_since=busy_since,
        lag=lag,
        continuity=SimpleNamespace(next_offset=offset),
    )


def owning(*partitions: SimpleNamespace, ready: bool = True, confirmed: bool = True) -> SimpleNamespace:
    counted = partitions if ready and confirmed else ()
    return SimpleNamespace(
        partitions=list(partitions), countable=lambda: iter(counted), is_ready=ready, is_confirmed=confirmed
    )


def found_after(clock: Clock, health: Health, seconds: int, *, turning: bool = True) -> list[tuple[Exit, str]]:
    """What the watchdog finds, looking every second for so long."""
    found: list[tuple[Exit, str]] = []
    for _ in range(seconds):
        clock.now += 1
        if turning:
            health.turn()
        found = health.look()
    return found


def test_a_worker_with_nothing_to_do_is_not_stuck(clock: Clock) -> None:
    health = Health(owning(partition()))
    assert found_after(clock, health, 3_600) == []
    assert (health.liveness(), health.readiness()) == ([], [])


def test_a_frozen_loop_is_seen(clock: Clock) -> None:
    health = Health(owning())
    assert found_after(clock, health, 30, turning=False) == []
    assert [code for code, _ in found_after(clock, health, 1, turning=False)] == [Exit.STUCK]


def test_a_commit_that_hangs_is_seen(clock: Clock) -> None:
    health = Health(owning(partition(busy_since=clock.now)))
    assert found_after(clock, health, 60) == []
    ((code, message),) = found_after(clock, health, 1)
    assert (code, message) == (Exit.STUCK, "partition 3: no commit for 61 s")
    assert health.liveness() == [message]


def test_a_partition_that_has_records_and_reads_none_is_seen(clock: Clock) -> None:
    """Faust can lose the last poll of a partition without a trace."""
    standing = partition(offset=5, lag=10)
    health = Health(owning(standing))
    assert found_after(clock, health, 31) == []
    assert [code for code, _ in found_after(clock, health, 1)] == [Exit.STUCK]


def test_a_partition_that_reads_on_is_not_stuck_however_long_its_lag(clock: Clock) -> None:
    moving = partition(lag=1_000_000)
    health = Health(owning(moving))
    for offset in range(100):
        moving.continuity.next_offset = offset
        assert found_after(clock, health, 20) == []


def test_a_lag_that_came_after_a_quiet_hour_counts_from_when_it_came(clock: Clock) -> None:
    quiet = partition()
    health = Health(owning(quiet))
    found_after(clock, health, 3_600)
    quiet.lag = 10
    assert found_after(clock, health, 30) == []


def test_a_partition_that_is_held_back_by_its_commit_is_not_said_to_stand(clock: Clock) -> None:
    held = partition(lag=10, busy_since=clock.now + 20)
    assert found_after(clock, Health(owning(held)), 60) == []


@pytest.mark.parametrize(
    ("ready", "confirmed", "told"),
    [(False, False, "not joined and recovered"), (True, False, "not confirmed by the group")],
)
def test_a_worker_that_is_no_member_for_minutes_is_seen(
    clock: Clock, *, ready: bool, confirmed: bool, told: str
) -> None:
    health = Health(owning(partition(), ready=ready, confirmed=confirmed))
    assert found_after(clock, health, 300) == []
    assert health.readiness() != []
    ((code, message),) = found_after(clock, health, 2)
    assert code == Exit.RECOVERY_FAILED
    assert message.startswith(told)


def test_a_broker_that_was_away_for_a_while_is_forgiven(clock: Clock) -> None:
    ownership = owning(partition(), confirmed=False)
    health = Health(ownership)
    found_after(clock, health, 290)
    ownership.is_confirmed = True
    found_after(clock, health, 1)
    ownership.is_confirmed = False
    assert found_after(clock, health, 290) == []

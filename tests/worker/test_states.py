"""The states of a partition, their counts and their deadlines."""

from collections import Counter
from datetime import timedelta

from schemas.key_state import KeyState
from streams.core.record import LogRecord
from streams.worker.batch import RecordBatch
from streams.worker.outputs import encode
from streams.worker.states import PartitionStates
from tests.factories import KEY, START, after, fold, ok, record

EXPIRES = START + timedelta(days=100)


def state_of(*results: dict[str, object]) -> KeyState:
    """The state of the one key after these results."""
    records = [record(result, offset=offset) for offset, result in enumerate(results)]
    states, _ = fold(records)
    return states[KEY.encode()]


def changelog(start: int, *states: object) -> RecordBatch:
    values = [None if state is None else encode(state) for state in states]
    records = [LogRecord("s", 0, start + n, -1, KEY.encode(), value) for n, value in enumerate(values)]
    return RecordBatch("s", 0, start, start + len(records), 0, records)


def test_counts_follow_every_change() -> None:
    states = PartitionStates()
    states.put(b"a", state_of(ok()))
    states.put(b"b", state_of(ok()))
    states.put(b"a", state_of(ok(permissions={"read": True, "spot_trade": True, "withdraw": True})))
    assert +states.counts == Counter({("binance", "connected"): 1, ("binance", "withdrawal_enabled"): 1})


def test_a_removed_key_is_counted_no_more() -> None:
    states = PartitionStates()
    states.put(b"a", state_of(ok()))
    states.put(b"a", None)
    states.put(b"never-there", None)
    assert (+states.counts, len(states)) == (Counter(), 0)


def test_a_changelog_gives_the_states_back() -> None:
    state, states = state_of(ok()), PartitionStates()
    states.position = 0
    assert states.recover(changelog(0, state))
    assert (states.get(KEY.encode()), states.position) == (state, 1)
    assert +states.counts == Counter({("binance", "connected"): 1})


def test_a_tombstone_in_the_changelog_removes_the_key() -> None:
    states = PartitionStates()
    states.recover(changelog(0, state_of(ok()), None))
    assert len(states) == 0


def test_a_changelog_with_a_gap_is_refused() -> None:
    states = PartitionStates()
    states.position = 5
    assert not states.recover(changelog(7, state_of(ok())))
    assert len(states) == 0


def test_reading_a_part_of_the_changelog_again_changes_nothing() -> None:
    states, last = PartitionStates(), state_of(ok(), ok(after(hours=1)))
    states.recover(changelog(0, state_of(ok()), last))
    states.recover(changelog(0, state_of(ok()), last))
    assert (states.get(KEY.encode()), states.counts.total()) == (last, 1)


def test_a_deadline_falls_due_at_its_moment_and_once() -> None:
    states = PartitionStates()
    states.put(KEY.encode(), state_of(ok(expires_at=EXPIRES)))
    due = EXPIRES - timedelta(days=30)
    assert list(states.fall_due(due - timedelta(seconds=1))) == []
    assert [(deadline.key_id, deadline.due_at) for deadline in states.fall_due(due)] == [(KEY, due)]
    assert list(states.fall_due(due)) == []


def test_a_deadline_that_the_state_no_longer_waits_for_is_dropped() -> None:
    states = PartitionStates()
    states.put(KEY.encode(), state_of(ok(expires_at=EXPIRES)))
    states.put(KEY.encode(), state_of(ok(), ok(after(hours=1))))
    assert list(states.fall_due(EXPIRES)) == []


def test_a_deadline_whose_record_got_lost_is_looked_at_again() -> None:
    states = PartitionStates()
    states.put(KEY.encode(), state_of(ok(expires_at=EXPIRES)))
    (deadline,) = states.fall_due(EXPIRES)
    states.look_again(deadline, EXPIRES + timedelta(seconds=30))
    assert list(states.fall_due(EXPIRES + timedelta(seconds=29))) == []
    assert list(states.fall_due(EXPIRES + timedelta(seconds=30))) == [deadline]

"""The states of a partition, their counts and their deadlines."""

from collections import Counter
from datetime import timedelta

import pytest

from schemas.key_state import KeyState
from streams.core.record import LogRecord
from streams.worker.batch import RecordBatch
from streams.worker.outputs import encode
from streams.worker.states import PENDING, Headline, PartitionStates, UnreadableStateError, headline
from tests.factories import KEY, START, after, failure, fold, ok, record

EXPIRES = START + timedelta(days=100)


def put(states: PartitionStates, key: bytes, state: KeyState | None) -> None:
    """Keep a state as the worker does: with the one before at hand."""
    states.put(key, states.get(key), state)


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
    put(states, b"a", state_of(ok()))
    put(states, b"b", state_of(ok()))
    put(states, b"a", state_of(ok(permissions={"read": True, "spot_trade": True, "withdraw": True})))
    assert +states.counts == Counter({("binance", "connected"): 1, ("binance", "withdrawal_enabled"): 1})


def test_a_removed_key_is_counted_no_more() -> None:
    states = PartitionStates()
    put(states, b"a", state_of(ok()))
    put(states, b"a", None)
    put(states, b"never-there", None)
    assert (+states.counts, len(states)) == (Counter(), 0)


def test_a_changelog_gives_the_states_back() -> None:
    state, states = state_of(ok()), PartitionStates()
    states.position = 0
    assert states.recover(changelog(0, state))
    states.recovered()
    assert (states.get(KEY.encode()), states.position) == (state, 1)
    assert +states.counts == Counter({("binance", "connected"): 1})


def test_a_tombstone_in_the_changelog_removes_the_key() -> None:
    states = PartitionStates()
    states.recover(changelog(0, state_of(ok()), None))
    states.recovered()
    assert (len(states), states.get(KEY.encode())) == (0, None)


def test_a_changelog_with_a_gap_is_refused() -> None:
    states = PartitionStates()
    states.position = 5
    assert not states.recover(changelog(7, state_of(ok())))
    assert len(states) == 0


def test_reading_a_part_of_the_changelog_again_changes_nothing() -> None:
    states, last = PartitionStates(), state_of(ok(), ok(after(hours=1)))
    states.recover(changelog(0, state_of(ok()), last))
    states.recover(changelog(0, state_of(ok()), last))
    states.recovered()
    assert (states.get(KEY.encode()), states.counts.total()) == (last, 1)


def test_a_recovered_key_falls_due_as_well() -> None:
    states = PartitionStates()
    states.recover(changelog(0, state_of(ok(expires_at=EXPIRES))))
    states.recovered()
    assert [due.key for due in states.deadlines.fall_due(EXPIRES)] == [KEY.encode()]


def test_a_committed_state_is_the_same_as_before() -> None:
    state, states = state_of(ok(expires_at=EXPIRES)), PartitionStates()
    put(states, KEY.encode(), state)
    states.settle(KEY.encode(), state, encode(state))
    assert states.get(KEY.encode()) == state


def test_what_was_decided_after_a_commit_stays() -> None:
    first, second, states = state_of(ok()), state_of(ok(), ok(after(hours=1))), PartitionStates()
    put(states, KEY.encode(), first)
    put(states, KEY.encode(), second)
    states.settle(KEY.encode(), first, encode(first))
    assert states.get(KEY.encode()) is second


def test_a_removal_that_is_committed_leaves_nothing() -> None:
    state, states = state_of(ok()), PartitionStates()
    put(states, KEY.encode(), state)
    states.settle(KEY.encode(), state, encode(state))
    put(states, KEY.encode(), None)
    assert states.get(KEY.encode()) is None
    states.settle(KEY.encode(), None, None)
    assert states.get(KEY.encode()) is None


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(ok(), id="connected"),
        pytest.param(failure("auth_failed_unspecified"), id="no status yet"),
        pytest.param(ok(expires_at=EXPIRES), id="with a deadline"),
        pytest.param(ok(account_id='"exchange":"kraken","status":"invalid",'), id="a text that looks like a state"),
    ],
)
def test_the_headline_is_that_of_the_whole_state(result: dict[str, object]) -> None:
    state = state_of(result)
    expected = Headline(state.exchange, state.status or PENDING, state.progress.next_deadline)
    assert headline(encode(state)) == expected


def test_a_removed_key_waits_for_nothing() -> None:
    states = PartitionStates()
    put(states, KEY.encode(), state_of(ok(expires_at=EXPIRES)))
    put(states, KEY.encode(), None)
    assert list(states.deadlines.fall_due(EXPIRES)) == []


@pytest.mark.parametrize("rubbish", [b"{}", b"not JSON", b'{"exchange":"binance","status":"connected",}'])
def test_a_state_that_cannot_be_read_is_told_in_one_line(rubbish: bytes) -> None:
    states = PartitionStates()
    states.recover(RecordBatch("s", 0, 0, 1, 0, [LogRecord("s", 0, 0, -1, KEY.encode(), rubbish)]))
    with pytest.raises(UnreadableStateError) as raised:
        states.get(KEY.encode())
    assert len(str(raised.value).splitlines()) == 1

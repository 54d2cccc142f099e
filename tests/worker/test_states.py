"""The states of a partition, their counts and their deadlines."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.contract import evolve
from schemas.key_state import Incident, KeyState
from streams.core.decide import decide_next
from streams.core.incidents import Sighting
from streams.core.record import LogRecord
from streams.worker.batch import RecordBatch
from streams.worker.outputs import encode
from streams.worker.states import PENDING, Headline, PartitionStates, UnreadableStateError, headline
from tests.core.made_up_logs import BOTH_SCENES, LOGS, Scene, examples, written
from tests.factories import KEY, NAMED_RULES, POLICY, START, after, failure, fold, ok, record

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


def whole(state: KeyState) -> Headline:
    """What the headline must say, read off the whole state."""
    progress = state.progress
    sighting = Sighting(state.exchange, state.observed_at, progress.in_trouble, progress.incident, progress.offset)
    return Headline(state.status or PENDING, progress.next_deadline, sighting)


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(ok(), id="connected"),
        pytest.param(failure("auth_failed_unspecified"), id="no status yet"),
        pytest.param(ok(expires_at=EXPIRES), id="with a deadline"),
        pytest.param(ok(START + timedelta(microseconds=1), check_interval_s=60), id="a moment with a fraction"),
        pytest.param(ok(account_id='"exchange":"kraken","status":"invalid",'), id="a text that looks like a state"),
        pytest.param(ok(event_id='"incident":null,"next_deadline":null}}'), id="an id that looks like the end of one"),
    ],
)
def test_the_headline_is_that_of_the_whole_state(result: dict[str, object]) -> None:
    state = state_of(result)
    assert headline(encode(state)) == whole(state)


def in_an_incident() -> list[KeyState]:
    """States of five keys that fail at once, and of one of them when the trouble calms down."""
    names = [f"key-{number}" for number in (1, 2, 3, 4, 5, 1)]
    at = [START] * 5 + [after(minutes=10)]
    results = [failure("timeout", moment, key_id=name) for name, moment in zip(names, at, strict=True)]
    results[5] = ok(at[5], key_id="key-1")
    records = [record(result, offset=n, key=names[n].encode()) for n, result in enumerate(results)]
    return [decision.state for decision in fold(records)[1] if decision.state is not None]


def test_the_headline_tells_of_an_incident() -> None:
    told = [headline(encode(state)).sighting.incident for state in in_an_incident()]
    opened = Incident(opened_at=START, calm_since=None)
    assert told == [None] * 4 + [opened, Incident(opened_at=START, calm_since=after(minutes=10))]


@pytest.mark.parametrize("state", in_an_incident(), ids=lambda state: f"{state.key_id} at {state.observed_at}")
def test_the_headline_of_a_state_in_an_incident_is_that_of_the_whole_state(state: KeyState) -> None:
    assert headline(encode(state)) == whole(state)


@BOTH_SCENES
@examples(150)
@given(operations=LOGS)
def test_the_headline_of_any_state_is_that_of_the_whole_state(scene: Scene, operations: list[dict[str, Any]]) -> None:
    for decision in written(operations, scene).decisions:
        if decision.state is not None:
            encoded = encode(decision.state)
            assert headline(encoded) == whole(KeyState.model_validate_json(encoded)) == whole(decision.state)


@examples(200)
@given(account_id=st.text(min_size=1, max_size=128), event_id=st.text(min_size=1, max_size=128))
def test_no_text_in_a_state_changes_its_headline(account_id: str, event_id: str) -> None:
    state = state_of(ok(expires_at=EXPIRES))
    progress = evolve(state.progress, {"event_ids": (event_id, event_id)})
    state = evolve(state, {"account_id": account_id, "progress": progress})
    assert headline(encode(state)) == whole(state)


def test_the_headline_is_found_without_decoding_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what makes a recovery fast: a field that moved would cost that, and break nothing else."""
    encoded = [encode(state) for state in (*in_an_incident(), state_of(ok(expires_at=EXPIRES)))]
    monkeypatch.setattr(KeyState, "model_validate_json", None)
    for state in encoded:
        headline(state)


def test_a_state_of_an_older_worker_is_read_whole() -> None:
    """It has not got the later fields; the key counts as well, and begins to wait with its next result."""
    state = json.loads(encode(state_of(ok(expires_at=EXPIRES))))
    for name in ("expires_at_computed", "flapping", "incident"):
        del state[name]
    for name in ("expires_at_computed", "known_since", "outlived_at", "reminded", "changed", "in_trouble", "incident"):
        del state["progress"][name]
    found = headline(json.dumps(state, separators=(",", ":")).encode())
    assert (found.status, found.sighting.in_trouble, found.sighting.incident) == ("connected", False, None)
    assert found.deadline is not None
    assert found.deadline.due_at == EXPIRES - timedelta(days=30)


def test_a_recovered_partition_knows_of_the_incident_and_of_the_keys_in_trouble() -> None:
    states = PartitionStates()
    records = [
        LogRecord("s", 0, at, -1, state.key_id.encode(), encode(state)) for at, state in enumerate(in_an_incident())
    ]
    states.recover(RecordBatch("s", 0, 0, len(records), 0, records[:5]))
    states.recovered()
    assert states.incidents.open == ["binance"]
    states = PartitionStates()
    states.recover(RecordBatch("s", 0, 0, len(records), 0, records[:4]))
    states.recovered()
    assert states.incidents.open == []
    fifth = failure("timeout", START, key_id="key-5")
    decision = decide_next(record(fifth, offset=4, key=b"key-5"), None, states.incidents, NAMED_RULES, POLICY)
    assert [notice.kind.value for notice in decision.notices] == ["incident_opened"]


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

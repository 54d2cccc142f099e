"""The engine of ``keystatus simulate`` by itself: total, and small in memory."""

import json
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from streams.catalogue import load_rules
from streams.core.policy import Policy
from streams.publisher import RecordLine, read_line
from streams.simulate import Simulation
from streams.topics import Topics
from tests.cli.command import check_result

RULES = load_rules()
START = datetime(2026, 11, 24, 12, tzinfo=UTC)


def simulation(partitions: int = 8) -> Simulation:
    return Simulation(RULES, Policy(), Topics.named("apikey"), partitions)


def line(**fields: object) -> bytes:
    return json.dumps(check_result(**fields)).encode()


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_give_lines_of_json(lines: list[bytes]) -> None:
    engine = simulation()
    for given_line in lines:
        for output in engine.feed(given_line):
            told = json.loads(output.as_line())
            assert told["headers"]["keystatus.reason"]
            assert "\n" not in output.as_line()


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists)


@given(JSON, JSON, JSON)
def test_any_record_line_gives_lines_of_json(key: object, value: object, timestamp: object) -> None:
    engine = simulation()
    given_line = json.dumps({"key": key, "value": value, "timestamp": timestamp}).encode()
    for output in engine.feed(given_line):
        json.loads(output.as_line(), parse_constant=_refuse)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def test_a_line_as_a_record() -> None:
    """The forms of a line, and what stands in the log for each."""
    assert read_line(b'{"key_id": "a"}') == RecordLine(b"a", b'{"key_id": "a"}')
    assert read_line(b'{"key": "a", "value": null}') == RecordLine(b"a", None)
    assert read_line(b'{"key": null, "value": "text"}') == RecordLine(None, b"text")
    assert read_line(b'{"key": "a", "value": {"b": 1}, "timestamp": 5}') == RecordLine(b"a", b'{"b":1}', 5)
    assert read_line(b'{"key_id": "a", "cut') == RecordLine(b"a", b'{"key_id": "a", "cut')
    assert read_line(b"\xff") == RecordLine(None, b"\xff")


def test_no_record_lines() -> None:
    """With another field, or a key or time of the wrong type, a line is a value as it is."""
    for text in (
        b'{"key": "a", "value": null, "other": 1}',
        b'{"key": 1, "value": null}',
        b'{"key": "a", "value": null, "timestamp": true}',
        b'{"key": "a", "value": null, "timestamp": 1e300}',
        b'{"key": "a"}',
    ):
        assert read_line(text) == RecordLine(None, text)


def test_blank_lines_take_no_offset() -> None:
    engine = simulation(partitions=1)
    assert engine.feed(b"  \r\n") == []
    (output,) = engine.feed(line())
    assert json.loads(output.value)["evidence"]["offset"] == 0


def test_deadlines_take_an_offset() -> None:
    """As in the real log, where the worker has appended them."""
    engine = simulation(partitions=1)
    engine.feed(line(expires_at="2027-01-10T00:00:00Z"))
    assert len(engine.let_pass(datetime(2028, 1, 1, tzinfo=UTC))) == 7
    (output,) = engine.feed(line(key_id="other", checked_at="2028-01-01T00:00:00Z"))
    assert json.loads(output.value)["evidence"]["offset"] == 8


def test_deadlines_of_many_keys_come_in_their_order() -> None:
    engine = simulation()
    for days in (40, 35, 50, 45):
        ends = START + timedelta(days=days)
        engine.feed(line(key_id=f"key-{days}", expires_at=ends.isoformat()))
    told = [json.loads(output.value) for output in engine.let_pass(START + timedelta(days=60))]
    moments = [datetime.fromisoformat(value.get("changed_at") or value["noticed_at"]) for value in told]
    assert moments == sorted(moments)
    assert len(told) == 4 * 7


def test_deadlines_of_one_moment_come_in_the_order_of_the_keys() -> None:
    """Whatever the order in which the keys came to wait: a restart makes another one."""
    ends = (START + timedelta(days=40)).isoformat()
    for keys in (("a", "b", "c"), ("c", "a", "b")):
        engine = simulation()
        for key in keys:
            engine.feed(line(key_id=key, expires_at=ends))
        told = [output.key for output in engine.let_pass(START + timedelta(days=10))]
        assert told == ["a", "b", "c"]


def test_a_log_that_holds_its_deadlines_already_gets_no_further_ones() -> None:
    engine, again = simulation(partitions=1), simulation(partitions=1)
    given_lines = [line(check_interval_s=3_600), line(event_id="e-2", checked_at="2026-11-25T12:00:00Z")]
    told = [output for given_line in given_lines for output in engine.feed(given_line)]
    assert [json.loads(output.value).get("kind") for output in told] == [None, "stale", "fresh"]
    due = json.dumps({"type": "deadline", "key_id": "binance-001", "kind": "stale", "due_at": "2026-11-24T15:00:00Z"})
    log = [given_lines[0], due.encode(), given_lines[1]]
    assert [output for given_line in log for output in again.replay(given_line)] == told


def test_an_end_date_that_moves_leaves_nothing_behind() -> None:
    """An exchange that prolongs a key with every use moves its deadline with every result."""
    engine = simulation()
    for number in range(5_000):
        at = START + timedelta(minutes=number)
        ends = at + timedelta(days=90)
        engine.feed(line(event_id=f"e-{number}", checked_at=at.isoformat(), expires_at=ends.isoformat()))
    assert len(engine._deadlines) < 2_000
    told = [json.loads(output.value) for output in engine.let_pass(START + timedelta(days=365))]
    assert [value["status"] for value in told if "change_id" in value] == ["expiring", "expired"]
    assert len(told) == 7


def test_a_time_before_all_our_time_stops_nothing() -> None:
    """East of Greenwich 1970 begins in 1969: such a check is refused, before any deadline is made of it."""
    engine = simulation()
    (letter,) = engine.feed(line(checked_at="1970-01-01T00:00:00+14:00", check_interval_s=60))
    assert dict(letter.headers)["keystatus.reason"] == "invalid"
    assert engine.let_pass(START) == []

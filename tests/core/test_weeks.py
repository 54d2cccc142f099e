"""Weeks in the life of many keys through ``simulate``'s engine: by time alone, and with a restart at every record."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

import pytest

from schemas.vocabulary import DeadlineKind, NoticeKind
from streams.catalogue import load_rules
from streams.core.policy import Policy
from streams.core.record import LogRecord
from streams.deadline_heap import DeadlineHeap
from streams.kafka import partition_of
from streams.simulate import Output, Simulation
from streams.topics import Topics
from streams.worker.batch import RecordBatch
from streams.worker.outputs import encode
from streams.worker.states import PartitionStates, headline

RULES = load_rules()
START = datetime(2026, 11, 2, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REFUSED = {"code": "-2015", "message": "Invalid API-key, IP, or permissions for action."}
DOWN = {"ccxt_class": "RequestTimeout"}


def simulation(partitions: int = 2) -> Simulation:
    return Simulation(RULES, Policy(), Topics.named("apikey"), partitions)


class Restarting(Simulation):
    """A worker that dies after every record: what the next one knows is what its recovery reads in the states."""

    def __init__(self, partitions: int = 2) -> None:
        super().__init__(RULES, Policy(), Topics.named("apikey"), partitions)
        self.restarts = 0
        self.kinds: set[DeadlineKind] = set()

    def _append(self, key: bytes | None, value: bytes | None, timestamp: int) -> list[Output]:
        outputs = super()._append(key, value, timestamp)
        changelog = {key: encode(state) for key, state in self._states.items()}
        self._states, self._deadlines = {}, DeadlineHeap()
        for partition in range(len(self._ends)):
            self._recover(partition, changelog)
        self.restarts += 1
        return outputs

    def _recover(self, partition: int, changelog: dict[bytes, bytes]) -> None:
        own = [key for key in changelog if partition_of(key, len(self._ends)) == partition]
        records = [LogRecord("apikey.status", partition, at, -1, key, changelog[key]) for at, key in enumerate(own)]
        states = PartitionStates()
        assert states.recover(RecordBatch("apikey.status", partition, 0, len(records), 0, records))
        states.recovered()
        self._incidents[partition] = states.incidents
        for key in own:
            deadline = headline(changelog[key]).deadline
            self._deadlines.wait(key, deadline)
            self.kinds |= set() if deadline is None else {deadline.kind}
            state = states.get(key)
            assert state is not None
            self._states[key] = state


# --- one key, by time alone


BYBIT = {
    "event_id": "e-1",
    "key_id": "bybit-1",
    "exchange": "bybit",
    "checked_at": START.isoformat(),
    "outcome": "ok",
    "permissions": {"read": True, "spot_trade": True},
    "ip_restricted": False,
}


def told(outputs: list[Output]) -> list[tuple[str, str, int | None]]:
    """Status or kind of every output, its moment, and the days left."""
    values = [json.loads(output.value) for output in outputs]
    return [
        (value.get("kind") or value["status"], value.get("noticed_at") or value["changed_at"], value["days_left"])
        for value in values
    ]


@pytest.mark.parametrize("make", [simulation, Restarting], ids=["one worker", "a restart at every record"])
@pytest.mark.parametrize(
    ("ends", "expired"),
    [((START + 90 * DAY).isoformat(), "2027-01-31T00:00:00Z"), (None, "2027-02-01T00:00:00Z")],
    ids=["the exchange tells the end", "the policy does"],
)
def test_a_bybit_key_with_ninety_days_and_no_result_in_between(make: Any, ends: str | None, expired: str) -> None:
    engine = make()
    outputs = engine.feed(json.dumps(BYBIT | {"expires_at": ends}).encode())
    outputs += engine.let_pass(START + 400 * DAY)
    assert told(outputs) == [
        ("connected", "2026-11-02T00:00:00Z", 90),
        ("expiring", "2027-01-01T00:00:00Z", 30),
        ("expiry_reminder", "2027-01-16T00:00:01Z", 14),
        ("expiry_reminder", "2027-01-23T00:00:01Z", 7),
        ("expiry_reminder", "2027-01-27T00:00:01Z", 3),
        ("expiry_reminder", "2027-01-29T00:00:01Z", 1),
        ("expiry_reminder", "2027-01-30T00:00:01Z", 0),
        ("expired", expired, 0 if ends else -1),
    ]
    offsets = [json.loads(output.value)["evidence"]["offset"] for output in outputs]
    assert offsets == list(range(8))


def test_the_restarts_are_real() -> None:
    engine = Restarting()
    engine.feed(json.dumps(BYBIT).encode())
    engine.let_pass(START + 400 * DAY)
    assert engine.restarts == 8


# --- a fortnight of many keys


class Check(NamedTuple):
    at: datetime
    key: str
    fields: dict[str, Any]

    def as_line(self, number: int) -> bytes:
        if not self.fields:
            moment = int(self.at.timestamp() * 1_000)
            return json.dumps({"key": self.key, "value": None, "timestamp": moment}).encode()
        exchange = self.key.split("-")[0]
        payload = {**BYBIT, "key_id": self.key, "exchange": exchange, "event_id": f"e-{number}"}
        return json.dumps(
            payload | {"checked_at": self.at.isoformat(), "check_interval_s": 7_200} | self.fields
        ).encode()


def works(at: datetime, key: str, **fields: Any) -> Check:
    return Check(at, key, {"ip_restricted": None, **fields})


def fails(at: datetime, key: str, error: dict[str, Any], **fields: Any) -> Check:
    return Check(at, key, {"outcome": "error", "permissions": {}, "error": error, **fields})


BINANCE = [f"binance-{number}" for number in range(14)]
EVERY_TWO_HOURS = [START + 2 * number * HOUR for number in range(14 * 12)]


def ordinary(at: datetime, key: str, dice: Random) -> Check:
    """A key that is checked every two hours; now and then a check fails."""
    at += timedelta(seconds=dice.randint(0, 200))
    if 10 * DAY <= at - START < 10 * DAY + 5 * HOUR:
        return fails(at, key, dice.choice([REFUSED, DOWN]))
    if dice.random() < 0.05:
        return fails(at, key, dice.choice([REFUSED, DOWN, DOWN]))
    return works(at, key, expires_at=(START + 9 * DAY).isoformat() if key == "binance-0" else None)


def during_the_incident(key: str, dice: Random) -> Iterator[Check]:
    """While the exchange is in trouble its keys are checked every five minutes, and a while after."""
    for minutes in range(15, 300, 5):
        at = START + 10 * DAY + timedelta(minutes=minutes, seconds=dice.randint(0, 59))
        yield fails(at, key, dice.choice([REFUSED, DOWN])) if minutes < 120 else works(at, key)


def flapper(dice: Random) -> Iterator[Check]:
    for number in range(20):
        at = START + 3 * DAY + timedelta(minutes=4 * number, seconds=dice.randint(0, 59))
        yield works(at, "kraken-flaps") if number % 2 else fails(at, "kraken-flaps", {"code": "EAPI:Invalid key"})


def hurried() -> Iterator[Check]:
    """Three failed checks in the minutes after a success, and then none for an hour."""
    at = START + 2 * DAY
    yield works(at, "kraken-hurried")
    for minute in (1, 2, 3):
        yield fails(at + timedelta(minutes=minute), "kraken-hurried", DOWN)
    yield works(at + HOUR, "kraken-hurried")


def silent() -> Iterator[Check]:
    for at in EVERY_TWO_HOURS:
        if not 5 * DAY < at - START < 9 * DAY:
            yield works(at + timedelta(minutes=7), "okx-silent")


def removed() -> Iterator[Check]:
    for at in EVERY_TWO_HOURS:
        if not 6 * DAY < at - START < 8 * DAY:
            yield works(at + timedelta(minutes=9), "okx-removed")
    yield Check(START + 6 * DAY + HOUR, "okx-removed", {})
    for number, key in enumerate(BINANCE[-3:]):  # in the middle of the incident, right after their results
        yield Check(START + 10 * DAY + HOUR + timedelta(seconds=20 * number), key, {})


def jittering() -> Iterator[Check]:
    """HTX tells whole days."""
    for at in EVERY_TWO_HOURS:
        left = (START + timedelta(days=13.3) - at) // DAY
        yield works(at + timedelta(minutes=11), "htx-jitters", expires_at=(at + left * DAY).isoformat())


def replaced() -> Iterator[Check]:
    for at in EVERY_TWO_HOURS:
        version = 1 if at - START < 7 * DAY else 2
        ends = START + (10 if version == 1 else 20) * DAY
        yield works(
            at + timedelta(minutes=13), "bybit-replaced", credential_version=version, expires_at=ends.isoformat()
        )


def extended() -> Iterator[Check]:
    for at in EVERY_TWO_HOURS:
        ends = START + (8 if at - START < 6 * DAY else 15) * DAY
        yield works(at + timedelta(minutes=17), "bybit-extended", expires_at=ends.isoformat())


def fortnight() -> list[bytes]:
    """The lines of all of them in the order of their moments, and some rubbish."""
    dice = Random(5)
    checks = [
        *(ordinary(at, key, dice) for at in EVERY_TWO_HOURS for key in BINANCE),
        *(check for key in BINANCE for check in during_the_incident(key, dice)),
        *flapper(dice),
        *hurried(),
        *silent(),
        *removed(),
        *jittering(),
        *replaced(),
        *extended(),
        works(START, "bybit-alone", ip_restricted=False, check_interval_s=None),
    ]
    checks.sort(key=lambda check: (check.at, check.key))
    lines = [check.as_line(number) for number, check in enumerate(checks)]
    return [*lines[:500], b"rubbish", *lines[490:]]


def lived_through(engine: Simulation) -> list[str]:
    outputs = [output for line in fortnight() for output in engine.feed(line)]
    outputs += engine.let_pass(START + 120 * DAY)
    return [output.as_line() for output in outputs]


def test_a_fortnight_with_a_restart_at_every_record_gives_the_same_bytes() -> None:
    restarting = Restarting()
    expected = lived_through(simulation())
    assert lived_through(restarting) == expected
    assert restarting.restarts > 3_000
    assert restarting.kinds == set(DeadlineKind)
    values = [json.loads(line)["value"] for line in expected]
    kinds = Counter(value["kind"] for value in values if isinstance(value, dict) and "kind" in value)
    assert set(kinds) == set(NoticeKind)
    marks = {
        (value["flapping"], value["incident"]) for value in values if isinstance(value, dict) and "flapping" in value
    }
    assert marks >= {(False, False), (True, False), (False, True)}


def test_no_key_is_told_the_same_twice_in_a_fortnight() -> None:
    """Reminders once for each threshold and end date; stale and fresh, changes, and incidents in turn."""
    lines = [json.loads(line) for line in lived_through(simulation())]
    reminded = Counter(
        (line["key"], value["days_left"], value["expires_at"])
        for line in lines
        if isinstance(value := line["value"], dict) and value.get("kind") == "expiry_reminder"
    )
    assert reminded
    assert max(reminded.values()) == 1
    for names in (("stale", "fresh"), ("incident_opened", "incident_closed")):
        assert_in_turn(lines, names)


def assert_in_turn(lines: list[dict[str, Any]], names: tuple[str, str]) -> None:
    told: dict[tuple[str, int], list[str]] = {}
    for line in lines:
        value = line["value"]
        if isinstance(value, dict) and value.get("kind") in names:
            told.setdefault((line["key"], value["evidence"]["partition"]), []).append(value["kind"])
    assert told
    for kinds in told.values():
        assert kinds == [names[number % 2] for number in range(len(kinds))]

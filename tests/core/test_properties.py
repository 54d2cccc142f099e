"""What holds for every log: totality, determinism, replay, lateness, and agreement with a naive model.

The examples are the same in every run (``derandomize``): a failure is a failure of the change that made it.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.key_state import KeyState
from schemas.status_change import KeyStatusChanged
from schemas.vocabulary import DeadLetterReason, ErrorType, Permission, ReportedState
from streams.core.decide import decide
from streams.core.decision import Decision
from streams.core.disposition import IGNORED, Disposition
from streams.core.record import LogRecord
from streams.core.rules import CERTAINTY_OF
from tests.core import naive_model
from tests.factories import NAMED_RULES, POLICY, START, TOPIC, deadline, fold, ok, record


def examples(count: int) -> settings:
    return settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=count,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


# --- any input


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
HEADERS = st.lists(st.tuples(st.text(max_size=12), st.binary(max_size=12)), max_size=3).map(tuple)
TIMESTAMPS = st.integers(-(2**63), 2**63 - 1) | st.just(int(START.timestamp() * 1_000))
FULL = ok() | {
    "type": "check_result",
    "schema_version": 1,
    "environment": "main",
    "account_id": "customer-1",
    "credential_version": 1,
    "trigger": "scheduled",
    "error": {"code": "timeout", "message": "m", "http_status": 500, "endpoint": "/x", "ccxt_class": "E"},
    "required_permissions": ["read"],
    "ip_restricted": False,
    "expires_at": "2026-04-01T00:00:00Z",
    "reported_state": "normal",
    "account": {"suspended": False},
    "check_interval_s": 300,
}


@st.composite
def almost_payloads(draw: st.DrawFn) -> bytes:
    """A valid payload in which some fields were replaced, removed, added or cut off."""
    payload = dict(draw(st.sampled_from([FULL, deadline("expiry", START)])))
    for name in draw(st.lists(st.sampled_from(sorted(payload)), max_size=4, unique=True)):
        if draw(st.booleans()):
            payload[name] = draw(JSON | st.sampled_from(["error", "", "2026-04-01T00:00:00+14:00", -1, 2**63]))
        else:
            del payload[name]
    if draw(st.booleans()):
        payload[draw(st.sampled_from(["secret", "x", "type", "schema_version"]))] = draw(JSON)
    value = json.dumps(payload).encode("utf-8")
    return value[: draw(st.none() | st.integers(0, len(value)))]


def assert_total(entry: LogRecord, state: KeyState | None) -> None:
    """A Decision, of a fault that is not our own, that keeps the record's bytes unless it blanks a secret."""
    decision = decide(entry, state, NAMED_RULES, POLICY)
    letter = decision.dead_letter
    assert isinstance(decision, Decision)
    assert (letter is not None) == (decision.disposition is Disposition.DEAD_LETTER)
    assert decision.touched == (decision.disposition not in IGNORED | {Disposition.DEAD_LETTER})
    assert decision == decide(entry, state, NAMED_RULES, POLICY)
    if letter is not None:
        assert letter.reason is not DeadLetterReason.INTERNAL_ERROR
        assert letter.key == entry.key
        assert letter.value == entry.value or b"***" in (letter.value or b"")


@pytest.mark.parametrize("known", ["unknown", "known"])
@examples(150)
@given(
    value=st.none() | st.binary(max_size=200),
    key=st.none() | st.binary(max_size=8),
    timestamp=TIMESTAMPS,
    headers=HEADERS,
)
def test_any_bytes_give_a_decision(
    known: str, value: bytes | None, key: bytes | None, timestamp: int, headers: tuple[tuple[str, bytes], ...]
) -> None:
    state = fold([record(ok())])[1][0].state if known == "known" else None
    assert_total(LogRecord(TOPIC, 0, 1, timestamp, key, value, headers), state)


@pytest.mark.parametrize("known", ["unknown", "known"])
@examples(200)
@given(value=almost_payloads(), timestamp=TIMESTAMPS, headers=HEADERS)
def test_anything_like_a_payload_gives_a_decision(
    known: str, value: bytes, timestamp: int, headers: tuple[tuple[str, bytes], ...]
) -> None:
    state = fold([record(ok())])[1][0].state if known == "known" else None
    assert_total(LogRecord(TOPIC, 0, 1, timestamp, b"key-1", value, headers), state)


@examples(150)
@given(value=JSON)
def test_any_json_gives_a_decision(value: object) -> None:
    assert_total(record(json.dumps(value).encode()), None)


SECRET = "hunter2hunter2"  # noqa: S105 - made up


@st.composite
def payloads_with_a_secret(draw: st.DrawFn) -> bytes:
    """A secret somewhere in a tree, perhaps in a list or an object of its own, perhaps cut off."""
    name = draw(st.sampled_from(["api_secret", "apiKey", "Password", "X-TOKEN-PASSPHRASE", "credentials", "jwt"]))
    inner: Any = draw(st.sampled_from([SECRET, [SECRET], {"x": SECRET}, {"x": [{"y": SECRET}]}]))
    tree: Any = {**draw(st.dictionaries(st.text(max_size=5), JSON, max_size=2)), name: inner}
    for _ in range(draw(st.integers(0, 3))):
        tree = {draw(st.text(max_size=5)): tree} if draw(st.booleans()) else [draw(JSON), tree]
    value = json.dumps(ok() | {"extra": tree}, ensure_ascii=draw(st.booleans())).encode("utf-8", "replace")
    return value[: draw(st.none() | st.integers(1, len(value)))]


@examples(300)
@given(value=payloads_with_a_secret())
def test_a_secret_never_reaches_a_dead_letter(value: bytes) -> None:
    letter = decide(record(value), None, NAMED_RULES, POLICY).dead_letter
    assert letter is not None
    assert SECRET[:7].encode() not in (letter.value or b"")
    assert SECRET not in letter.message


# --- logs


CODES = [*CERTAINTY_OF, *(f"maybe_{error}" for error in naive_model.DEFINITE), "no rule knows this"]
OFTEN = ["timeout", "signature_mismatch", "key_not_found", "maybe_ip_not_allowed", "permission_denied"]
STEPS = [0, 0, 1, 30, 59, 60, 61, 240, 299, 300, 600, 3_600, 86_400, 15 * 86_400, 31 * 86_400]
ENDS = [None, None, None, -1, 0, 1, 86_400, 30 * 86_400, 30 * 86_400 + 1, 45 * 86_400]
EXCHANGE_OF = {"key-1": "binance", "key-2": "okx", "key-3": "kraken"}
TRISTATE = [None, True, False]
REQUIRED = [["read", "spot_trade"], ["read"], ["read", "spot_trade", "futures_trade"], ["margin_trade", "withdraw"], []]


def a_check(dice: Random) -> dict[str, Any]:
    """What one check found; its time and its place are given by the log."""
    works = dice.random() < 0.5
    names = dice.sample([name.value for name in Permission], dice.randint(0, 4))
    return {
        "outcome": "ok" if works else "error",
        "error": None if works else {"code": str(dice.choice(OFTEN * 4 + CODES))},
        "permissions": dice.choice(
            [{"read": True, "spot_trade": True}, {name: dice.choice(TRISTATE) for name in names}]
        ),
        "required_permissions": dice.choice(REQUIRED),
        "ip_restricted": dice.choice(TRISTATE),
        "reported_state": dice.choice([None] * 16 + [state.value for state in ReportedState]),
        "account": dice.choice(
            [{}] * 9
            + [{"suspended": True}, {"kyc_required": True}, {"futures_enabled": False}, {"futures_enabled": True}]
        ),
        "ends_in": dice.choice(ENDS),
        "newer": dice.choice([0] * 10 + [1, -1]),
        "repeats": dice.random() < 0.1,
    }


def an_operation(seed: int, kinds: Sequence[str]) -> dict[str, Any]:
    """One record to come: of which kind, of which key, and how the time goes on before it."""
    dice = Random(seed)
    return {
        "kind": dice.choice(kinds),
        "key": dice.choice(["key-1"] * 4 + ["key-2", "key-2", "key-3"]),
        "step": dice.choice(STEPS),
        "back": dice.choice([0] * 8 + [1, 61, 3_600]),
        "ahead": dice.choice([0] * 10 + [300, 301]),
        "check": a_check(dice),
        "which": dice.randint(0, 39),
        "forged": dice.choice([None, None, None, "kind", "moment"]),
    }


WITHOUT_REMOVALS = ("check",) * 10 + ("deadline",) * 3 + ("garbage", "again")
ALL_KINDS = (*WITHOUT_REMOVALS, "removal")
WITH_REPLAYS = (*ALL_KINDS, "replay")


class Scribe:
    """Writes a log record by record, deciding each at once, as the worker does: deadlines depend on the states."""

    def __init__(self) -> None:
        self.now = START
        self.log: list[LogRecord] = []
        self.states: dict[bytes | None, KeyState] = {}
        self.decisions: list[Decision] = []
        self.versions = dict.fromkeys(EXCHANGE_OF, 1)

    def write(self, operation: dict[str, Any]) -> LogRecord | None:
        """The record of this operation, decided; None when there is nothing to write."""
        self.now += timedelta(seconds=operation["step"])
        entry = self._entry(operation)
        if entry is None:
            return None
        self.log.append(entry)
        self.states, made = fold([entry], states=self.states)
        self.decisions += made
        return entry

    def _entry(self, operation: dict[str, Any]) -> LogRecord | None:
        name = operation["key"]
        match operation["kind"]:
            case "check":
                return self._record(name, self._payload(operation), self.now)
            case "deadline":
                return self._deadline(operation)
            case "removal":
                return self._record(name, None, self.now)
            case "garbage":
                return self._record(name, b'{"outcome": "ok"', self.now)
            case "again":
                return self.log[-1]._replace(offset=len(self.log)) if self.log else None
            case _:
                return self.log[operation["which"] % len(self.log)] if self.log else None

    def _record(self, name: str, payload: dict[str, Any] | bytes | None, at: datetime) -> LogRecord:
        return record(payload, offset=len(self.log), at=at, key=name.encode())

    def _payload(self, operation: dict[str, Any]) -> dict[str, Any]:
        check = dict(operation["check"])
        name = operation["key"]
        at = self.now - timedelta(seconds=operation["back"]) + timedelta(seconds=operation["ahead"])
        newer, ends_in, repeats = check.pop("newer"), check.pop("ends_in"), check.pop("repeats")
        version = max(1, self.versions[name] + newer)
        self.versions[name] = max(self.versions[name], version)
        end = None if ends_in is None else at + timedelta(seconds=ends_in)
        fields = {"key_id": name, "exchange": EXCHANGE_OF[name], "credential_version": version, "expires_at": end}
        event_id = "the same" if repeats else f"event-{len(self.log)}"
        return ok(at, **fields, **check, event_id=event_id)

    def _deadline(self, operation: dict[str, Any]) -> LogRecord | None:
        state = self.states.get(operation["key"].encode())
        waits = None if state is None else state.progress.next_deadline
        if waits is None:
            payload = deadline("expiry", self.now, key_id=operation["key"])
            return self._record(operation["key"], payload, self.now)
        kind, due_at = waits.kind.value, waits.due_at
        if operation["forged"] == "kind":
            kind = "expiry" if kind == "expiring" else "expiring"
        elif operation["forged"] == "moment":
            due_at += timedelta(seconds=1)
        elif not operation["back"]:
            self.now = max(self.now, due_at)
        return self._record(operation["key"], deadline(kind, due_at, key_id=operation["key"]), self.now)


def written(operations: list[dict[str, Any]]) -> Scribe:
    scribe = Scribe()
    for operation in operations:
        scribe.write(operation)
    return scribe


def logs(kinds: Sequence[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Operations for a log: one number each, so that a failing log can be made shorter quickly."""
    seeds = st.integers(1, 50).flatmap(lambda count: st.lists(st.integers(0, 2**32), min_size=count, max_size=count))
    return seeds.map(lambda numbers: [an_operation(number, kinds) for number in numbers])


LOGS = logs(ALL_KINDS)
LOGS_WITHOUT_REMOVALS = logs(WITHOUT_REMOVALS)
LOGS_WITH_REPLAYS = logs(WITH_REPLAYS)


# --- the naive model


def as_model_payload(entry: LogRecord) -> dict[str, Any]:
    payload = dict(json.loads(entry.value or b""))
    for name in ("checked_at", "due_at", "expires_at"):
        if payload.get(name):
            payload[name] = datetime.fromisoformat(payload[name])
    return payload


def model_says(keys: dict[str, dict[str, Any]], entry: LogRecord) -> str:
    name = (entry.key or b"").decode()
    arrived = datetime.fromtimestamp(entry.timestamp / 1_000, START.tzinfo)
    if entry.value is None:
        return naive_model.remove(keys, name)
    if entry.value.endswith(b'"ok"'):
        return "dead_letter"
    payload = as_model_payload(entry)
    if payload.get("type") == "deadline":
        return naive_model.fall_due(keys, payload, arrived)
    return naive_model.check(keys, payload, arrived, entry.offset)


def as_model_key(state: KeyState) -> dict[str, Any]:
    """A state in the words of the model."""
    progress = state.progress
    waits = progress.next_deadline
    return {
        "status": state.status and state.status.value,
        "reason": state.reason and state.reason.value,
        "sequence": state.sequence,
        "seen_at": state.observed_at,
        "changed_at": state.changed_at,
        "version": progress.credential_version,
        "replaced_at": progress.credential_at,
        "offset": progress.offset,
        "events": list(progress.event_ids),
        "end": progress.expires_at,
        "bound": progress.ip_restricted,
        "granted": {name.value for name in progress.granted},
        "worked_at": progress.last_success_at,
        "clear_at": progress.last_authoritative_at,
        "unconfirmed": progress.unconfirmed_since,
        "due": waits and (waits.kind.value, waits.due_at),
    }


@examples(400)
@given(operations=LOGS_WITH_REPLAYS)
def test_the_core_agrees_with_a_naive_model_after_every_record(operations: list[dict[str, Any]]) -> None:
    scribe, keys = Scribe(), dict[str, dict[str, Any]]()
    for operation in operations:
        entry = scribe.write(operation)
        if entry is None:
            continue
        said = model_says(keys, entry)
        assert scribe.decisions[-1].disposition.value == said
        assert {name.encode() for name in keys} == set(scribe.states)
        for name, key in keys.items():
            ours = as_model_key(scribe.states[name.encode()])
            assert {field: key[field] for field in ours} == ours


# --- determinism


@examples(40)
@given(operations=LOGS)
def test_deciding_a_log_twice_gives_equal_decisions_and_equal_bytes(operations: list[dict[str, Any]]) -> None:
    scribe = written(operations)
    states, decisions = fold(scribe.log)
    assert decisions == scribe.decisions
    assert states == scribe.states
    assert as_bytes(decisions) == as_bytes(scribe.decisions)


def as_bytes(decisions: list[Decision]) -> list[str | None]:
    """Everything that a decision writes, as it is written."""
    outputs = [output for decision in decisions for output in (decision.change, decision.state, decision.notice)]
    return [None if output is None else output.model_dump_json() for output in outputs]


@examples(40)
@given(operations=LOGS)
def test_a_state_that_was_read_back_decides_the_same_to_the_byte(operations: list[dict[str, Any]]) -> None:
    """After a crash states come from the changelog: as JSON."""
    scribe = written(operations)
    states: dict[bytes | None, KeyState] = {}
    for entry, expected in zip(scribe.log, scribe.decisions, strict=True):
        states, (decision,) = fold([entry], states=states)
        assert as_bytes([decision]) == as_bytes([expected])
        states = {key: KeyState.model_validate_json(state.model_dump_json()) for key, state in states.items()}


@examples(60)
@given(operations=LOGS)
def test_what_one_key_becomes_depends_on_its_own_records_only(operations: list[dict[str, Any]]) -> None:
    scribe = written(operations)
    for name in EXCHANGE_OF:
        own = [entry for entry in scribe.log if entry.key == name.encode()]
        assert fold(own)[0].get(name.encode()) == scribe.states.get(name.encode())


# --- replay and lateness


@examples(100)
@given(operations=LOGS_WITHOUT_REMOVALS, share=st.floats(0, 1))
def test_a_replay_of_any_prefix_changes_nothing(operations: list[dict[str, Any]], share: float) -> None:
    """Logs without removals: a removed key leaves no state, so nothing knows that an older result of it is old."""
    scribe = written(operations)
    prefix = scribe.log[: round(share * len(scribe.log))]
    states, decisions = fold(prefix, states=scribe.states)
    assert [decision.change for decision in decisions] == [None] * len(prefix)
    assert not any(decision.touched for decision in decisions)
    assert states == scribe.states


@examples(100)
@given(operations=LOGS_WITHOUT_REMOVALS, seed=st.integers(0, 2**32), earlier=st.integers(1, 10**12))
def test_a_late_result_changes_nothing(operations: list[dict[str, Any]], seed: int, earlier: int) -> None:
    scribe = written(operations)
    for state in scribe.states.values():
        check = a_check(Random(seed))
        assert_late(scribe, state, check, earlier)


def assert_late(scribe: Scribe, state: KeyState, check: dict[str, Any], earlier: int) -> None:
    for name in ("newer", "ends_in", "repeats"):
        check.pop(name)
    told_up_to = max(state.observed_at, state.changed_at or state.observed_at)
    at = told_up_to - timedelta(microseconds=earlier)
    fields = {
        "key_id": state.key_id,
        "exchange": state.exchange,
        "credential_version": state.progress.credential_version,
    }
    late = record(ok(at, **fields, **check), offset=len(scribe.log), at=scribe.now, key=state.key_id.encode())
    decision = decide(late, state, NAMED_RULES, POLICY)
    assert decision.disposition is Disposition.LATE
    assert (decision.touched, decision.change) == (False, None)


# --- what every output looks like


@examples(60)
@given(operations=LOGS)
def test_changes_of_a_key_are_numbered_and_linked(operations: list[dict[str, Any]]) -> None:
    scribe = written(operations)
    last: dict[str, KeyStatusChanged] = {}
    seen: set[str] = set()
    for decision in scribe.decisions:
        change = decision.change
        if change is None:
            continue
        before = last.get(change.key_id)
        assert change.sequence == (1 if before is None else before.sequence + 1)
        assert change.previous_status == (None if before is None else before.status)
        assert change.status != change.previous_status
        assert change.change_id not in seen
        seen.add(change.change_id)
        if change.status is None:
            last.pop(change.key_id)
        else:
            last[change.key_id] = change


@examples(60)
@given(operations=LOGS)
def test_the_first_issue_of_a_change_is_its_status(operations: list[dict[str, Any]]) -> None:
    for decision in written(operations).decisions:
        change = decision.change
        if change is None or change.status is None:
            continue
        if change.status == "connected":
            assert change.issues == ()
        else:
            assert (change.issues[0].status, change.issues[0].reason) == (change.status, change.reason)


@examples(60)
@given(operations=LOGS)
def test_a_state_tells_the_last_change_of_its_key(operations: list[dict[str, Any]]) -> None:
    scribe = written(operations)
    for state in scribe.states.values():
        changes = [made.change for made in scribe.decisions if made.change and made.change.key_id == state.key_id]
        last = changes[-1] if changes and state.sequence else None
        if last is None:
            assert (state.status, state.sequence, state.change_id) == (None, 0, None)
        else:
            follow_the_latest_result = {"account_id", "exchange", "environment", "expires_at", "days_left"}
            told = state.model_dump(include=set(KeyStatusChanged.model_fields) - follow_the_latest_result)
            assert told == last.model_dump(include=set(told))


@examples(60)
@given(operations=LOGS)
def test_every_output_can_be_read_back(operations: list[dict[str, Any]]) -> None:
    for decision in written(operations).decisions:
        for output in (decision.change, decision.state):
            if output is not None:
                assert type(output).model_validate_json(output.model_dump_json()) == output


def test_the_generator_reaches_every_disposition_and_status() -> None:
    """Properties prove little about what their examples never reach."""
    dispositions: set[Disposition] = set()
    statuses: set[str | None] = set()

    @examples(150)
    @given(operations=LOGS_WITH_REPLAYS)
    def collect(operations: list[dict[str, Any]]) -> None:
        for decision in written(operations).decisions:
            dispositions.add(decision.disposition)
            if decision.change is not None:
                statuses.add(decision.change.status)

    collect()
    assert dispositions == set(Disposition)
    assert len(statuses) == 9


def test_the_model_knows_every_error_type() -> None:
    known = [*naive_model.DEFINITE, *naive_model.DOUBTFUL, *naive_model.TROUBLE, "request_rejected", "unclassified"]
    assert sorted(known) == sorted(ErrorType)

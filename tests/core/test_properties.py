"""What holds for every log: totality, determinism, replay, lateness, and agreement with a naive model.

The logs come from ``tests.core.made_up_logs``.
"""

import json
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.key_state import KeyState
from schemas.status_change import KeyStatusChanged
from schemas.vocabulary import (
    ChangeTrigger,
    DeadLetterReason,
    DeadlineKind,
    ErrorType,
    NoticeKind,
)
from streams.core.decide import decide
from streams.core.decision import Decision
from streams.core.disposition import IGNORED, Disposition
from streams.core.record import LogRecord
from tests.core import naive_model, naive_rows
from tests.core.made_up_logs import (
    ALONE,
    BOTH_SCENES,
    LOGS,
    LOGS_WITH_REPLAYS,
    LOGS_WITHOUT_REMOVALS,
    TOGETHER,
    Scene,
    Scribe,
    a_check,
    examples,
    written,
)
from tests.factories import NAMED_RULES, POLICY, START, TOPIC, deadline, fold, ok, record

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


# --- the naive model


def as_model_payload(entry: LogRecord) -> dict[str, Any]:
    payload = dict(json.loads(entry.value or b""))
    for name in ("checked_at", "due_at", "expires_at"):
        if payload.get(name):
            payload[name] = datetime.fromisoformat(payload[name])
    return payload


def model_says(world: naive_model.World, entry: LogRecord) -> str:
    name = (entry.key or b"").decode()
    arrived = datetime.fromtimestamp(entry.timestamp / 1_000, START.tzinfo)
    if entry.value is None:
        return naive_model.remove(world, name, arrived)
    if entry.value.endswith(b'"ok"'):
        return "dead_letter"
    payload = as_model_payload(entry)
    if payload.get("type") == "deadline":
        return naive_model.fall_due(world, payload, arrived)
    return naive_model.check(world, payload, arrived, entry.offset)


def as_model_key(state: KeyState) -> dict[str, Any]:
    """A state in the words of the model."""
    progress = state.progress
    waits, reminded, incident = progress.next_deadline, progress.reminded, progress.incident
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
        "computed": progress.expires_at_computed,
        "works_since": progress.known_since,
        "refuted": progress.outlived_at,
        "interval": progress.check_interval_s,
        "reminded": reminded and (reminded.days, reminded.expires_at),
        "stale": state.stale,
        "flapping": state.flapping,
        "in_trouble": progress.in_trouble,
        "incident": incident and {"opened": incident.opened_at, "calm": incident.calm_since},
        "bound": progress.ip_restricted,
        "granted": {name.value for name in progress.granted},
        "worked_at": progress.last_success_at,
        "clear_at": progress.last_authoritative_at,
        "unconfirmed": progress.unconfirmed_since,
        "due": waits and (waits.kind.value, waits.due_at),
    }


def as_model_notices(decision: Decision) -> list[tuple[Any, ...]]:
    """The notices of a decision in the words of the model."""
    return [
        (
            notice.kind.value,
            notice.key_id or notice.exchange,
            notice.status and notice.status.value,
            notice.expires_at,
            notice.noticed_at,
        )
        for notice in decision.notices
    ]


@BOTH_SCENES
@examples(400)
@given(operations=LOGS_WITH_REPLAYS)
def test_the_core_agrees_with_a_naive_model_after_every_record(scene: Scene, operations: list[dict[str, Any]]) -> None:
    scribe, world = Scribe(scene), naive_model.new_world(**scene.numbers)
    for operation in operations:
        entry = scribe.write(operation)
        if entry is None:
            continue
        world["told"] = []
        said = model_says(world, entry)
        decision = scribe.decisions[-1]
        assert decision.disposition.value == said
        assert as_model_notices(decision) == world["told"]
        assert {name.encode() for name in world["keys"]} == set(scribe.states)
        for name, key in world["keys"].items():
            ours = as_model_key(scribe.states[name.encode()])
            assert {field: key[field] for field in ours} == ours


# --- determinism


@BOTH_SCENES
@examples(100)
@given(operations=LOGS)
def test_a_restart_at_every_record_gives_equal_decisions_and_equal_bytes(
    scene: Scene, operations: list[dict[str, Any]]
) -> None:
    """The scribe recovers after every record; here the whole log is decided in one go."""
    scribe = written(operations, scene)
    states, decisions = fold(scribe.log, policy=scene.policy)
    assert decisions == scribe.decisions
    assert states == scribe.states
    assert as_bytes(decisions) == as_bytes(scribe.decisions)


def as_bytes(decisions: list[Decision]) -> list[str | None]:
    """Everything that a decision writes, as it is written."""
    outputs = [output for decision in decisions for output in (decision.change, decision.state, *decision.notices)]
    return [None if output is None else output.model_dump_json() for output in outputs]


@BOTH_SCENES
@examples(40)
@given(operations=LOGS)
def test_a_state_that_was_read_back_decides_the_same_to_the_byte(
    scene: Scene, operations: list[dict[str, Any]]
) -> None:
    """After a crash states come from the changelog: as JSON."""
    scribe = written(operations, scene)
    states: dict[bytes | None, KeyState] = {}
    for entry, expected in zip(scribe.log, scribe.decisions, strict=True):
        states, (decision,) = fold([entry], policy=scene.policy, states=states)
        assert as_bytes([decision]) == as_bytes([expected])
        states = {key: KeyState.model_validate_json(state.model_dump_json()) for key, state in states.items()}


@examples(60)
@given(operations=LOGS)
def test_what_one_key_becomes_depends_on_its_own_records_only(operations: list[dict[str, Any]]) -> None:
    scribe = written(operations)
    for name in ALONE.exchange_of:
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
    assert not any(decision.change or decision.notices for decision in decisions)
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
    assert (decision.touched, decision.change, decision.notices) == (False, None, ())


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
        assert change.status != change.previous_status or change.trigger is ChangeTrigger.REMOVAL
        assert change.change_id not in seen
        seen.add(change.change_id)
        if change.status is None:
            last.pop(change.key_id, None)  # a key without a status yet may be removed too
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
            goes_on = follow_the_latest_result | {"expires_at_computed", "flapping"}
            told = state.model_dump(include=set(KeyStatusChanged.model_fields) - goes_on)
            assert told == last.model_dump(include=set(told))


@examples(60)
@given(operations=LOGS)
def test_no_two_notices_have_the_same_id(operations: list[dict[str, Any]]) -> None:
    notices = [notice for decision in written(operations, TOGETHER).decisions for notice in decision.notices]
    assert len({notice.notice_id for notice in notices}) == len(notices)


@examples(60)
@given(operations=LOGS)
def test_incidents_of_an_exchange_open_and_close_in_turn(operations: list[dict[str, Any]]) -> None:
    told: dict[str, list[NoticeKind]] = {}
    for decision in written(operations, TOGETHER).decisions:
        for notice in decision.notices:
            if notice.key_id is None:
                told.setdefault(notice.exchange, []).append(notice.kind)
    for kinds in told.values():
        assert kinds[::2] == [NoticeKind.INCIDENT_OPENED] * len(kinds[::2])
        assert kinds[1::2] == [NoticeKind.INCIDENT_CLOSED] * len(kinds[1::2])


@examples(60)
@given(operations=LOGS)
def test_a_key_that_flaps_is_not_written_about(operations: list[dict[str, Any]]) -> None:
    for decision in written(operations, TOGETHER).decisions:
        if decision.state is not None and decision.state.flapping:
            assert all(notice.key_id is None for notice in decision.notices)


@examples(60)
@given(operations=LOGS)
def test_every_output_can_be_read_back(operations: list[dict[str, Any]]) -> None:
    for decision in written(operations, TOGETHER).decisions:
        for output in (decision.change, decision.state, *decision.notices):
            if output is not None:
                assert type(output).model_validate_json(output.model_dump_json()) == output


@BOTH_SCENES
def test_the_generator_reaches_all_there_is(scene: Scene) -> None:
    """Properties prove little about what their examples never reach."""
    reached: dict[type, set[Any]] = {
        Disposition: set(),
        DeadlineKind: set(),
        NoticeKind: set(),
        KeyStatusChanged: set(),
    }
    marks: set[tuple[bool, bool]] = set()

    @examples(300)
    @given(operations=LOGS_WITH_REPLAYS)
    def collect(operations: list[dict[str, Any]]) -> None:
        for decision in written(operations, scene).decisions:
            reached[Disposition].add(decision.disposition)
            reached[NoticeKind] |= {notice.kind for notice in decision.notices}
            if decision.change is not None:
                reached[KeyStatusChanged].add(decision.change.status)
                marks.add((decision.change.flapping, decision.change.incident))
            if decision.state is not None and decision.state.progress.next_deadline is not None:
                reached[DeadlineKind].add(decision.state.progress.next_deadline.kind)

    collect()
    assert reached[Disposition] == set(Disposition)
    assert len(reached[KeyStatusChanged]) == 9
    if scene is TOGETHER:
        assert reached[DeadlineKind] == set(DeadlineKind)
        assert reached[NoticeKind] == set(NoticeKind)
        assert len(marks) == 4


def test_the_model_knows_every_error_type() -> None:
    known = [*naive_rows.DEFINITE, *naive_rows.DOUBTFUL, *naive_rows.TROUBLE, "request_rejected", "unclassified"]
    assert sorted(known) == sorted(ErrorType)

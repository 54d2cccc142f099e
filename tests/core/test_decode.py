"""Every kind of bad input: the reason, the bytes as they came, and no payload value in the message."""

import json
from typing import Any

import pytest

from schemas.check_result import CheckResult
from schemas.deadline import Deadline
from schemas.vocabulary import DeadLetterReason
from streams.core.decide import assess_alone, decide
from streams.core.decision import DeadLetter
from streams.core.decode import MAX_RECORD_BYTES, Removal, Unreadable, decode
from streams.core.disposition import Disposition
from streams.core.record import LogRecord
from tests.factories import KEY, NAMED_RULES, POLICY, START, Story, deadline, failure, ok, record

MALFORMED = DeadLetterReason.MALFORMED_JSON
INVALID = DeadLetterReason.INVALID
MISMATCH = DeadLetterReason.KEY_MISMATCH
VERSION = DeadLetterReason.UNSUPPORTED_VERSION

#: Stands for any value of a payload: it must never turn up in a message.
MARK = "Zq7-marker"


def buried(entry: LogRecord) -> DeadLetter:
    """The dead letter of this record, which changed nothing."""
    decision = decide(entry, None, NAMED_RULES, POLICY)
    assert decision.disposition is Disposition.DEAD_LETTER
    assert (decision.touched, decision.state, decision.change, decision.notices) == (False, None, None, ())
    assert decision.dead_letter is not None
    return decision.dead_letter


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in ok().items() if name not in names}


# --- not JSON, or not an object


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(b"", MALFORMED, id="no bytes at all"),
        pytest.param(b" ", MALFORMED, id="only white space"),
        pytest.param(b"not json", MALFORMED, id="a word"),
        pytest.param(b"{'key_id': 'key-1'}", MALFORMED, id="the text of a Python dict"),
        pytest.param(json.dumps(ok()).encode() + b"}", MALFORMED, id="a brace too many"),
        pytest.param(json.dumps(ok()).encode() * 2, MALFORMED, id="two payloads in one record"),
        pytest.param(json.dumps(ok()).encode("utf-16"), MALFORMED, id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf" + json.dumps(ok()).encode(), MALFORMED, id="a byte order mark"),
        pytest.param(b"\x00\x00\x00\x00\x07" + json.dumps(ok()).encode(), MALFORMED, id="a schema registry's prefix"),
        pytest.param(json.dumps(ok()).encode().replace(b"binance", b"bin\xffance"), MALFORMED, id="a byte of no text"),
        pytest.param(json.dumps(ok(account_id="\ud800")).encode(), MALFORMED, id="half of a surrogate pair"),
        pytest.param(json.dumps(ok()).encode().replace(b"ok", b"\x00"), MALFORMED, id="a control character"),
        pytest.param(b"[" * 60_000, MALFORMED, id="60 kB of nested lists"),
        pytest.param(b'{"a":' * 10_000 + b"1" + b"}" * 10_000, MALFORMED, id="60 kB of nested objects"),
        pytest.param(b'{"credential_version":' + b"9" * 5_000 + b"}", MALFORMED, id="a number of 5,000 digits"),
        pytest.param(b"null", INVALID, id="the word null"),
        pytest.param(b"[]", INVALID, id="a list"),
        pytest.param(b"1", INVALID, id="a number"),
        pytest.param(b"NaN", INVALID, id="not a number"),
        pytest.param(b'"text"', INVALID, id="a string"),
        pytest.param(json.dumps([ok()]).encode(), INVALID, id="a list of payloads"),
        pytest.param(b"{}", INVALID, id="an empty object"),
        pytest.param(b"[" * 150 + b"]" * 150, INVALID, id="150 nested lists"),
    ],
)
def test_what_is_no_json_object_is_kept_as_it_came(value: bytes, reason: DeadLetterReason) -> None:
    letter = buried(record(value, headers=(("traceparent", b"00-1"),)))
    assert letter.reason is reason
    assert (letter.key, letter.value, letter.headers) == (KEY.encode(), value, (("traceparent", b"00-1"),))
    assert letter.exception == f"keystatus.{reason}"


def test_a_payload_cut_off_anywhere_is_malformed() -> None:
    whole = json.dumps(failure("timeout", expires_at=START)).encode()
    for length in range(len(whole)):
        letter = buried(record(whole[:length]))
        assert (letter.reason, letter.value) == (MALFORMED, whole[:length])


# --- size


def padded(length: int) -> bytes:
    """A payload of exactly so many bytes, by an unknown field."""
    start = json.dumps(ok() | {"x": ""}).encode()
    return start.replace(b'"x": ""', b'"x": "' + b"x" * (length - len(start)) + b'"')


def test_the_largest_record_is_read() -> None:
    value = padded(MAX_RECORD_BYTES)
    assert len(value) == MAX_RECORD_BYTES
    assert isinstance(decode(record(value)), CheckResult)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(padded(MAX_RECORD_BYTES + 1), id="a byte too many"),
        pytest.param(b"[" * 1_000_000, id="1 MB of nesting"),
        pytest.param(b'{"a":' * 200_000 + b"1" + b"}" * 200_000, id="1 MB of nested objects"),
        pytest.param(b"\xff" * 1_000_000, id="1 MB of noise"),
    ],
)
def test_a_record_that_is_too_large_is_kept_as_it_came(value: bytes) -> None:
    letter = buried(record(value))
    assert (letter.reason, letter.value) == (DeadLetterReason.TOO_LARGE, value)


# --- fields


@pytest.mark.parametrize("name", ["event_id", "key_id", "exchange", "checked_at", "outcome"])
def test_a_required_field_that_is_missing_is_named(name: str) -> None:
    letter = buried(record(without(name)))
    assert (letter.reason, letter.message) == (INVALID, f"{name}: Field required")


def test_an_error_needs_its_error() -> None:
    letter = buried(record(ok(outcome="error")))
    assert letter.reason is INVALID
    assert "'error' is missing" in letter.message


def test_an_error_without_any_detail_is_read() -> None:
    assert isinstance(decode(record(ok(outcome="error", error={}))), CheckResult)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"type": MARK}, id="an unknown type"),
        pytest.param({"type": None}, id="a null type"),
        pytest.param({"type": ["deadline"]}, id="a list as type"),
        pytest.param({"schema_version": 0}, id="version 0"),
        pytest.param({"schema_version": "1"}, id="a version as text"),
        pytest.param({"schema_version": 1.5}, id="a broken version"),
        pytest.param({"schema_version": None}, id="no version"),
        pytest.param({"event_id": ""}, id="an empty event id"),
        pytest.param({"event_id": MARK * 13}, id="an event id of 130 characters"),
        pytest.param({"event_id": 7}, id="a number as event id"),
        pytest.param({"exchange": "Binance"}, id="an exchange with a capital"),
        pytest.param({"exchange": ""}, id="no exchange"),
        pytest.param({"exchange": f"{MARK}\n"}, id="an exchange with a line break"),
        pytest.param({"environment": MARK}, id="an unknown environment"),
        pytest.param({"account_id": 12345}, id="a number as account"),
        pytest.param({"account_id": ""}, id="an empty account"),
        pytest.param({"credential_version": 0}, id="credential 0"),
        pytest.param({"credential_version": "2"}, id="a credential as text"),
        pytest.param({"credential_version": 1.0}, id="a credential with a fraction"),
        pytest.param({"credential_version": 2**31 + 1}, id="a credential beyond all counting"),
        pytest.param({"credential_version": 10**4_000}, id="a credential of 4,001 digits"),
        pytest.param({"trigger": MARK}, id="an unknown trigger"),
        pytest.param({"outcome": MARK}, id="an unknown outcome"),
        pytest.param({"outcome": "OK"}, id="an outcome in capitals"),
        pytest.param({"outcome": True}, id="an outcome that is true"),
        pytest.param({"outcome": "error", "error": MARK}, id="an error that is text"),
        pytest.param({"outcome": "error", "error": {"code": -2015}}, id="a code that is a number"),
        pytest.param({"outcome": "error", "error": {"code": MARK * 30}}, id="a code of 300 characters"),
        pytest.param({"outcome": "error", "error": {"http_status": "401"}}, id="a status as text"),
        pytest.param({"outcome": "error", "error": {"http_status": 1000}}, id="a status beyond all statuses"),
        pytest.param({"outcome": "error", "error": {"retry_after_s": float("nan")}}, id="a wait that is not a number"),
        pytest.param({"outcome": "error", "error": {"retry_after_s": float("inf")}}, id="an endless wait"),
        pytest.param({"outcome": "error", "error": {"retry_after_s": -1}}, id="a wait into the past"),
        pytest.param({"outcome": "error", "error": {"message": [MARK]}}, id="a message that is a list"),
        pytest.param({"permissions": None}, id="null for all permissions"),
        pytest.param({"permissions": ["read"]}, id="a list of permissions"),
        pytest.param({"permissions": {"read": 1}}, id="1 for true"),
        pytest.param({"permissions": {"read": "true"}}, id="true as text"),
        pytest.param({"required_permissions": "read"}, id="one required permission as text"),
        pytest.param({"required_permissions": [MARK]}, id="an unknown required permission"),
        pytest.param({"required_permissions": ["read"] * 17}, id="seventeen required permissions"),
        pytest.param({"required_permissions": None}, id="null for the required permissions"),
        pytest.param({"ip_restricted": "yes"}, id="yes for true"),
        pytest.param({"reported_state": MARK}, id="an unknown state"),
        pytest.param({"account": None}, id="null for the account"),
        pytest.param({"account": {"suspended": 0}}, id="0 for false"),
        pytest.param({"check_interval_s": 0}, id="an interval of nothing"),
        pytest.param({"check_interval_s": 60.5}, id="an interval with a fraction"),
        pytest.param({"checked_at": None}, id="no time"),
        pytest.param({"checked_at": MARK}, id="a time that is none"),
        pytest.param({"checked_at": "1969-12-31T23:59:59Z"}, id="a time before 1970"),
        pytest.param({"checked_at": "2026-02-30T12:00:00Z"}, id="a day that is not in the calendar"),
    ],
)
def test_a_wrong_field_is_named_and_its_value_is_not_repeated(wrong: dict[str, Any]) -> None:
    entry = record(ok() | wrong, at=START)
    letter = buried(entry)
    assert (letter.reason, letter.value) == (INVALID, entry.value)
    assert MARK not in letter.message
    assert next(iter(reversed(wrong))) in letter.message or "error" in letter.message


@pytest.mark.parametrize("key_id", ["", "a b", "a\n", "ключ", "a" * 129, "../etc", "a;b"])
def test_a_key_id_outside_its_alphabet_is_invalid(key_id: str) -> None:
    assert buried(record(ok(key_id=key_id), key=key_id.encode())).reason is INVALID


@pytest.mark.parametrize("key_id", ["a", "A-z_0.9:x", "-", "a" * 128])
def test_a_key_id_of_its_alphabet_is_read(key_id: str) -> None:
    assert isinstance(decode(record(ok(key_id=key_id), key=key_id.encode())), CheckResult)


def test_of_many_problems_three_are_named_and_the_rest_counted() -> None:
    letter = buried(record(b'{"permissions":{"read":1}}'))
    assert letter.message.count("Field required") == 3
    assert letter.message.endswith("; and 3 more")


def test_unknown_fields_are_ignored_wherever_they_stand() -> None:
    plain = failure("timeout")
    extended = plain | {
        "new": [1],
        "error": {"code": "timeout", "new": {}},
        "permissions": {"new": True},
        "account": {"new": None},
    }
    assert decode(record(extended)) == decode(record(plain))


@pytest.mark.parametrize("wrong", [{"kind": MARK}, {"due_at": MARK}, {"due_at": None}, {"key_id": None}])
def test_a_deadline_with_a_wrong_field_is_invalid(wrong: dict[str, Any]) -> None:
    letter = buried(record(deadline("expiry", START) | wrong, at=START))
    assert letter.reason is INVALID
    assert MARK not in letter.message


def test_a_deadline_is_read() -> None:
    assert isinstance(decode(record(deadline("expiry", START))), Deadline)


def test_times_of_one_moment_are_equal_whatever_their_offset() -> None:
    utc, local = ok(checked_at="2026-03-01T12:00:00Z"), ok(checked_at="2026-03-01T13:00:00+01:00")
    first, second = Story(), Story()
    assert first.check(utc).state == second.check(local).state
    assert first.state is not None
    assert second.state is not None
    assert first.state.model_dump_json() == second.state.model_dump_json()


# --- version


@pytest.mark.parametrize("rest", [ok(), {}, {"key_id": 7}, deadline("expiry", START)])
def test_a_newer_version_is_told_as_such_whatever_else_is_wrong(rest: dict[str, Any]) -> None:
    letter = buried(record(rest | {"schema_version": 2}))
    assert letter.reason is VERSION


@pytest.mark.parametrize("digits", [4, 400, 4_000, 4_300])
def test_a_version_that_is_far_too_new_is_not_repeated(digits: int) -> None:
    value = json.dumps(ok() | {"schema_version": "V"}).encode().replace(b'"V"', b"7321".ljust(digits, b"9"))
    letter = buried(record(value))
    assert letter.reason is VERSION
    assert "7321" not in letter.message


# --- the record's key


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(None, id="no key"),
        pytest.param(b"", id="an empty key"),
        pytest.param(b"key-2", id="another key"),
        pytest.param(b"KEY-1", id="the key in capitals"),
        pytest.param(b"key-1 ", id="a blank too many"),
        pytest.param(b'"key-1"', id="a key in quotes"),
        pytest.param(b"\xff", id="a key of no text"),
    ],
)
def test_a_record_whose_key_is_not_its_key_id_is_a_mismatch(key: bytes | None) -> None:
    entry = record(ok(), key=key)
    letter = buried(entry)
    assert (letter.reason, letter.key, letter.value) == (MISMATCH, key, entry.value)
    assert KEY not in letter.message


def test_a_removal_needs_a_key() -> None:
    letter = buried(record(None, key=None))
    assert (letter.reason, letter.value) == (MISMATCH, None)


def test_a_removal_under_a_key_of_no_text_is_a_mismatch() -> None:
    assert buried(record(None, key=b"\xff\xfe")).reason is MISMATCH


def test_a_null_value_is_a_removal() -> None:
    assert decode(record(None)) == Removal(KEY)


# --- alone


def test_one_result_by_itself_says_what_a_first_result_says() -> None:
    alone = assess_alone(record(failure("key_disabled")), NAMED_RULES, POLICY)
    assert not isinstance(alone, Unreadable)
    assert alone.finding is not None
    assert alone.finding.status == Story().fails("key_disabled").state.status  # type: ignore[union-attr]


@pytest.mark.parametrize("payload", [None, deadline("expiry", START)], ids=["a removal", "a deadline"])
def test_what_is_no_check_result_says_nothing_by_itself(payload: dict[str, Any] | None) -> None:
    alone = assess_alone(record(payload), NAMED_RULES, POLICY)
    assert isinstance(alone, Unreadable)
    assert alone.reason is INVALID


def test_a_fault_of_our_own_is_a_dead_letter_that_names_only_its_kind() -> None:
    """A rule set that is none stands for any bug: the record is kept, nothing is raised."""
    decision = decide(record(failure(MARK)), None, object(), POLICY)  # type: ignore[arg-type]
    assert decision.dead_letter is not None
    assert decision.dead_letter.reason is DeadLetterReason.INTERNAL_ERROR
    assert decision.dead_letter.message == "AttributeError"
    assert decision.dead_letter.value == record(failure(MARK)).value

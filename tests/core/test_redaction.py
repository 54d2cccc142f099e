"""Credentials never travel: a secret in a payload is blanked before the dead letter is written, wherever it hides."""

import json
from time import process_time
from typing import Any

import pytest

from schemas.vocabulary import DeadLetterReason
from streams.core.decide import decide
from streams.core.decision import DeadLetter
from streams.core.redaction import blank_secrets, has_secret, is_secret_name
from tests.factories import NAMED_RULES, POLICY, failure, ok, record

SECRET = "Zq7pLk93xW"  # noqa: S105 - made up
BLANKED = b'"***"'


def buried(value: bytes | dict[str, Any], headers: tuple[tuple[str, bytes], ...] = ()) -> DeadLetter:
    letter = decide(record(value, headers=headers), None, NAMED_RULES, POLICY).dead_letter
    assert letter is not None
    return letter


def assert_nothing_leaks(letter: DeadLetter) -> None:
    assert SECRET.encode() not in (letter.value or b"")
    assert SECRET not in letter.message
    assert all(SECRET.encode() not in content for _, content in letter.headers)


# --- names


@pytest.mark.parametrize(
    "name",
    [
        "secret",
        "Secret",
        "api_secret",
        "apiSecret",
        "API-SECRET",
        "client_secret",
        "secretKey",
        "secret_key",
        "apiKey",
        "api_key",
        "x-mbx-apikey",
        "X-BAPI-API-KEY",
        "OK-ACCESS-KEY",
        "OK-ACCESS-PASSPHRASE",
        "accessKey",
        "passphrase",
        "password",
        "db.password",
        "passwd",
        "privateKey",
        "private key",
        "authorization",
        "token",
        "access_token",
        "refreshToken",
        "session-token",
        "cookie",
        "credentials",
        "mnemonic",
        "seed_phrase",
        "jwt",
        "secrets",
        "api_keys",
        "passwords",
    ],
)
def test_a_name_of_a_credential(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *ok(),
        "error",
        "code",
        "message",
        "endpoint",
        "ccxt_class",
        "retry_after_s",
        "type",
        "schema_version",
        "account_id",
        "credential_version",
        "required_permissions",
        "reported_state",
        "check_interval_s",
        "key",
        "keys",
        "key_fingerprint",
        "api_key_id",
        "passphrase_mismatch",
        "auth_failed_unspecified",
        "author",
        "token_type",
        "secretary",
        "access_keys_count",
        "",
    ],
)
def test_a_name_of_no_credential(name: str) -> None:
    assert not is_secret_name(name)


# --- in JSON


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param({"api_secret": SECRET}, id="on top"),
        pytest.param({"error": {"code": "timeout", "secret": SECRET}}, id="in the error"),
        pytest.param({"permissions": {"apiKey": SECRET}}, id="in the permissions"),
        pytest.param({"account": {"password": SECRET}}, id="in the account"),
        pytest.param({"raw": {"data": [{"x": [{"client_secret": SECRET}]}]}}, id="deep in lists and objects"),
        pytest.param({"credentials": {"key": SECRET, "more": [SECRET]}}, id="an object under a secret's name"),
        pytest.param({"token": [SECRET]}, id="a list under a secret's name"),
        pytest.param({"token": {"token": SECRET}}, id="a secret in a secret"),
        pytest.param({"API-Secret ": SECRET}, id="in capitals, with a blank"),
        pytest.param({"x" * 80 + "_secret": SECRET}, id="under a long name"),
        pytest.param({"клю_secret": SECRET}, id="under a name of another alphabet"),
        pytest.param({"secret": SECRET + '"\\\n' + SECRET}, id="with quotes and line breaks in it"),
        pytest.param({"secret": "é" + SECRET}, id="with an accent"),
    ],
)
def test_a_secret_in_a_payload_is_blanked_and_told(extra: dict[str, Any]) -> None:
    letter = buried(failure("timeout") | extra)
    assert letter.reason is DeadLetterReason.SECRET_IN_PAYLOAD
    assert BLANKED in (letter.value or b"")
    assert_nothing_leaks(letter)


@pytest.mark.parametrize("value", [1234567890, 1.5e9, True, False], ids=str)
def test_a_secret_need_not_be_text(value: object) -> None:
    letter = buried(ok() | {"pwd": value})
    assert letter.reason is DeadLetterReason.SECRET_IN_PAYLOAD
    assert json.loads(letter.value or b"") == ok() | {"pwd": "***"}


@pytest.mark.parametrize("name", ["api_secret", "credentials"])
def test_a_secret_under_an_escaped_name_is_blanked(name: str) -> None:
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in name)
    value = json.dumps(ok() | {"NAME": SECRET}).encode().replace(b"NAME", escaped.encode())
    letter = buried(value)
    assert letter.reason is DeadLetterReason.SECRET_IN_PAYLOAD
    assert json.loads(letter.value or b"") == ok() | {name: "***"}


def test_all_other_bytes_stay_as_they_came() -> None:
    value = json.dumps(ok(), indent=3).encode()[:-2] + b',\n\t"api_secret" :  "%s", "x": 1.10 }' % SECRET.encode()
    assert buried(value).value == value.replace(b'"%s"' % SECRET.encode(), BLANKED)


def test_where_the_json_is_written_anew_its_content_stays() -> None:
    payload = ok() | {"note": "é ☃ \u2028", "numbers": [1, 2.5, None, True]}
    letter = buried(payload | {"credentials": {"key": SECRET}})
    assert json.loads(letter.value or b"") == payload | {"credentials": "***"}


@pytest.mark.parametrize("blank", [None, "***"], ids=["null", "blanked before"])
def test_a_secret_that_is_not_there_is_no_secret(blank: str | None) -> None:
    """A dead letter that is sent back to its topic is not refused a second time for its blank."""
    decision = decide(record(ok() | {"api_secret": blank}), None, NAMED_RULES, POLICY)
    assert decision.dead_letter is None


@pytest.mark.parametrize("blank", [None, "***"], ids=["null", "blanked before"])
def test_blanking_twice_changes_nothing_more(blank: str | None) -> None:
    assert blank_secrets(json.dumps({"api_secret": blank, "x": 1}).encode()) is None


def test_a_secret_s_value_under_a_harmless_name_is_not_found() -> None:
    """Only names tell. What a connector writes into a message is its own business."""
    assert not has_secret({"message": "secret"})


@pytest.mark.parametrize(
    "other",
    [{"schema_version": 2}, {"outcome": "maybe"}, {"key_id": "another"}, {"type": "deadline"}],
    ids=["of a newer version", "that is invalid", "under another key", "in a deadline"],
)
def test_a_secret_is_the_first_thing_told_of_a_record(other: dict[str, Any]) -> None:
    letter = buried(ok() | other | {"secret": SECRET})
    assert letter.reason is DeadLetterReason.SECRET_IN_PAYLOAD
    assert_nothing_leaks(letter)


def test_a_record_that_is_too_large_is_blanked_too() -> None:
    letter = buried(ok() | {"secret": SECRET, "x": "x" * 100_000})
    assert letter.reason is DeadLetterReason.TOO_LARGE
    assert_nothing_leaks(letter)


# --- in what is no JSON


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b'{"secret": "%s"', id="the end is missing"),
        pytest.param(b'{"secret": "%s', id="cut off in the secret"),
        pytest.param(b'{"secret": "%s\\', id="cut off behind a backslash"),
        pytest.param(b'{"secret": "%s\n', id="cut off behind a line break"),
        pytest.param(b'{"secret": "a\\\n%s"}', id="a backslash in front of a line break"),
        pytest.param(b'{"secret": "a\\"%s"', id="behind an escaped quote"),
        pytest.param(b'{"secret": "\xff%s"}', id="with a byte of no text"),
        pytest.param(b'{"secret": %s}', id="without quotes"),
        pytest.param(b'{"secret":%s', id="without quotes, cut off"),
        pytest.param(b'{"secret": a%s}', id="behind a letter"),
        pytest.param(b'{"secret": it\'s %s}', id="behind an apostrophe"),
        pytest.param(b'{"secret": a{%s}', id="behind a brace"),
        pytest.param(b'{"secret": "a"%s"}', id="behind a quote that was not escaped"),
        pytest.param(b'{"secret": "a" "%s"}', id="in a second string"),
        pytest.param(b'{"secret"\n\t:\r\n"%s",}', id="with white space and a comma too many"),
        pytest.param(b'{"secret": ' + b" " * 50 + b'"%s",}', id="far behind its name"),
        pytest.param(b'{"x": {"y": [{"api_secret": "%s"}}', id="nested"),
        pytest.param(b'{"credentials": {"key": "%s"', id="in an object"),
        pytest.param(b'{"token": ["x", "%s"]', id="in a list"),
        pytest.param(b'{"api\\u005fsecret": "%s"', id="under an escaped name"),
        pytest.param(b"{'secret': '%s'}", id="in the text of a Python dict"),
        pytest.param(b"{'credentials': {'key': '%s'}}", id="in the text of a nested Python dict"),
        pytest.param(b'{"secret": "one"}{"secret": "%s"}', id="in the second payload of a record"),
        pytest.param(b'{"secret": null, "password": "%s",}', id="behind an empty one"),
        pytest.param(b'\xef\xbb\xbf{"secret": "%s"}', id="behind a byte order mark"),
        pytest.param(b"[" * 300 + b'{"secret": "%s"}' + b"]" * 300, id="nested deeper than is read"),
    ],
)
def test_a_secret_in_malformed_json_is_blanked(value: bytes) -> None:
    letter = buried(value.replace(b"%s", SECRET.encode()))
    assert letter.reason is DeadLetterReason.SECRET_IN_PAYLOAD
    assert BLANKED in (letter.value or b"")
    assert_nothing_leaks(letter)


@pytest.mark.parametrize(
    "secret", [b'"a"', b'"a\\\nb"', b'"a\xff"', b"12"], ids=["text", "a break", "no text", "a number"]
)
def test_in_malformed_json_the_other_fields_stay(secret: bytes) -> None:
    letter = buried(b'{"x": 1, "secret": ' + secret + b', "key_id": "key-1",')
    assert letter.value == b'{"x": 1, "secret": "***", "key_id": "key-1",'


def test_a_payload_cut_off_anywhere_shows_nothing_of_its_secret() -> None:
    whole = b'{"a": "b", "api_secret": "%s", "credentials": {"x": "%s"}}' % (SECRET.encode(), SECRET.encode())
    for length in range(len(whole)):
        assert SECRET[:3].encode() not in (buried(whole[:length]).value or b"")


def test_malformed_json_without_a_secret_stays_as_it_came() -> None:
    value = b'{"key_id": "key-1", "secret": null, "token": "***", "message": "the secret", \'jwt\': None, "pwd":'
    letter = buried(value)
    assert (letter.reason, letter.value) == (DeadLetterReason.MALFORMED_JSON, value)


@pytest.mark.parametrize(
    "start",
    [b'{"a":"', b'"a":"\\', b'"a"', b'"a":', b'"', b"'", b'"a"' + b" " * 15, b'"secret":', b'"secret":{', b"\\u005f"],
    ids=repr,
)
def test_hostile_bytes_are_searched_in_little_time(start: bytes) -> None:
    """64 kB of the patterns' own beginnings take milliseconds; one that goes back takes minutes."""
    before = process_time()
    blank_secrets((start * 65_536)[:65_536])
    assert process_time() - before < 1


# --- in headers


def test_a_secret_in_the_headers_of_a_dead_letter_is_blanked() -> None:
    headers = (
        ("traceparent", b"00-1"),
        ("Authorization", b"Bearer " + SECRET.encode()),
        ("X-MBX-APIKEY", SECRET.encode()),
        ("key_id", b"key-1"),
    )
    letter = buried(b"{", headers)
    assert letter.headers == (
        ("traceparent", b"00-1"),
        ("Authorization", b"***"),
        ("X-MBX-APIKEY", b"***"),
        ("key_id", b"key-1"),
    )


def test_a_secret_header_alone_buries_no_record() -> None:
    """Headers do not travel on: only a dead letter repeats them."""
    decision = decide(record(ok(), headers=(("authorization", SECRET.encode()),)), None, NAMED_RULES, POLICY)
    assert decision.dead_letter is None
    assert SECRET not in repr(decision)

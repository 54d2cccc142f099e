"""The raw answer as the ``error`` of a check result."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.connector.answer import Overheard, as_error, is_ccxts, without_credentials

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY, SECRET = "own-key-0123456789", "not/a+real=secret"


def client(**credentials: str) -> Any:
    return SimpleNamespace(**({"id": "x", "apiKey": KEY, "secret": SECRET} | credentials))


def heard(**fields: Any) -> Overheard:
    return Overheard(**({"method": "GET", "url": "https://api.example.com/v1/key?a=b", "status": 401} | fields))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "30"}, 30.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"Retry-After": "Tue, 24 Nov 2026 12:01:30 GMT"}, 90.0),
        ({"Retry-After": "Tue, 24 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"Retry-After": "9" * 400}, 31_536_000.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert as_error(heard(headers=headers), client(), None, NOW).retry_after_s == seconds


def test_the_body_goes_before_ccxts_text() -> None:
    error = as_error(heard(body='{"code": -1, "msg": "no"}'), client(), ccxt.ExchangeError("x no"), NOW)
    assert (error.message, error.ccxt_class, error.http_status) == ('{"code": -1, "msg": "no"}', "ExchangeError", 401)
    assert error.endpoint == "GET /v1/key"


def test_without_a_body_ccxts_text_stands_for_it() -> None:
    said = ccxt.ExchangeNotAvailable("x GET https://api.example.com/v1/key?signature=abc 503 ")
    error = as_error(heard(status=503), client(), said, NOW)
    assert error.message == "x GET https://api.example.com/v1/key 503 "


def test_a_fault_of_ours_tells_its_kind_and_nothing_of_its_text() -> None:
    error = as_error(Overheard(), client(), ValueError(f"bad key {SECRET}"), NOW)
    assert error.ccxt_class is None
    assert error.endpoint is None
    assert error.message is not None
    assert "ValueError" in error.message
    assert SECRET not in error.message


def test_ccxts_own_classes_are_told_from_others() -> None:
    assert is_ccxts(ccxt.InvalidNonce("x"))
    assert not is_ccxts(KeyError("x"))


def test_a_long_body_is_cut() -> None:
    error = as_error(heard(body="a" * 1_000_000), client(), None, NOW)
    assert error.message == "a" * 8_192


@given(st.text(max_size=40), st.text(max_size=40))
def test_credentials_are_masked_wherever_they_stand(before: str, after: str) -> None:
    for text in (before + KEY + after, before + SECRET + after, json.dumps({"x": before + SECRET})):
        told = without_credentials(text, client())
        assert KEY not in told
        assert SECRET not in told


def test_json_may_write_a_secret_in_another_way() -> None:
    awkward = 'quote"slash/backslash\\'
    told = without_credentials(json.dumps({"echo": awkward}).replace("/", "\\/"), client(secret=awkward))
    assert "backslash" not in told


def test_a_short_pin_does_not_blank_the_text() -> None:
    assert without_credentials("code 12 of 2012", client(twofa="12")) == "code 12 of 2012"


def test_the_secrets_of_others_are_masked_by_their_names() -> None:
    assert without_credentials('{"client_secret": "abc", "code": 13004}', client()) == (
        '{"client_secret": "***", "code": 13004}'
    )

"""The contracts as models: frozen, bounded, with the names and defaults that are promised to others."""

import json
import typing
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, get_args

import pytest
from annotated_types import MaxLen
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from schemas import vocabulary
from schemas.check_result import Account, CheckResult, ExchangeError, Permissions
from schemas.contract import Contract
from schemas.dead_letter import DeadLetterHeaders
from schemas.deadline import Deadline
from schemas.key_state import Incident, KeyState, NextDeadline, Progress, Reminded, Streak
from schemas.notice import Notice
from schemas.status_change import Evidence, Issue, KeyStatusChanged
from tests.factories import START, Crowd, Story, after, deadline, ok

MODELS = [
    Account,
    CheckResult,
    Deadline,
    DeadLetterHeaders,
    Evidence,
    ExchangeError,
    Incident,
    Issue,
    KeyState,
    KeyStatusChanged,
    NextDeadline,
    Notice,
    Permissions,
    Progress,
    Reminded,
    Streak,
]


def named(model: type[BaseModel]) -> str:
    return model.__name__


def all_models(parent: type[BaseModel] = Contract) -> Iterator[type[BaseModel]]:
    for child in parent.__subclasses__():
        yield child
        yield from all_models(child)


def read(payload: dict[str, Any]) -> CheckResult:
    return CheckResult.model_validate_json(json.dumps(payload))


def test_no_contract_is_left_out_here() -> None:
    assert {model for model in all_models() if model.__module__.startswith("schemas.")} == set(MODELS)


@pytest.mark.parametrize("model", MODELS, ids=named)
def test_a_contract_is_frozen_strict_and_bears_unknown_fields(model: type[BaseModel]) -> None:
    assert model.model_config.get("frozen") is True
    assert model.model_config.get("strict") is True
    assert model.model_config.get("extra") == "ignore"


def test_a_frozen_payload_cannot_be_changed() -> None:
    result = read(ok())
    with pytest.raises(ValidationError, match="frozen"):
        result.key_id = "another"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        result.permissions.read = False  # type: ignore[misc]


def test_equal_payloads_are_equal_and_hash_alike() -> None:
    assert read(ok()) == read(ok())
    assert hash(read(ok())) == hash(read(ok()))


# --- the vocabulary

VOCABULARY: dict[type[StrEnum], str] = {
    vocabulary.Status: "connected expiring expired incorrect_permissions withdrawal_enabled temporary_issue invalid "
    "inactive_futures",
    vocabulary.Severity: "ok warning critical",
    vocabulary.Remedy: "none wait bind_ip reenable_permissions renew_key fix_permissions disable_withdrawal "
    "enable_futures contact_exchange replace_key",
    vocabulary.Environment: "main testnet demo",
    vocabulary.CheckTrigger: "scheduled connect user_refresh order_failure",
    vocabulary.Outcome: "ok error",
    vocabulary.Permission: "read spot_trade margin_trade futures_trade withdraw internal_transfer",
    vocabulary.ReportedState: "normal expired locked frozen disabled",
    vocabulary.ChangeTrigger: "check deadline removal",
    vocabulary.DeadlineKind: "expiring expiry reminder lasting stale settled",
    vocabulary.NoticeKind: "expiry_reminder stale fresh settled incident_opened incident_closed",
    vocabulary.DeadLetterReason: "malformed_json invalid key_mismatch too_large unsupported_version secret_in_payload "
    "internal_error",
    vocabulary.ErrorType: "key_not_found key_malformed signature_mismatch passphrase_mismatch key_not_activated "
    "key_disabled key_expired ip_not_allowed permission_denied futures_not_enabled account_suspended kyc_required "
    "region_restricted auth_failed_unspecified rate_limited clock_skew nonce maintenance exchange_unavailable timeout "
    "network bad_response egress_blocked request_rejected unclassified",
}


@pytest.mark.parametrize("words", VOCABULARY, ids=lambda words: words.__name__)
def test_the_words_of_the_contracts_are_these_and_no_others(words: type[StrEnum]) -> None:
    assert [word.value for word in words] == VOCABULARY[words].split()


def test_an_error_type_is_a_reason_under_its_own_name_unless_it_says_nothing_or_has_a_better_one() -> None:
    missing = {error.value for error in vocabulary.ErrorType} - {reason.value for reason in vocabulary.Reason}
    assert missing == {"key_expired", "request_rejected", "unclassified"}


# --- fields and defaults

REQUIRED = "required"
CHECK_RESULT = {
    "type": "check_result",
    "schema_version": 1,
    "event_id": REQUIRED,
    "key_id": REQUIRED,
    "exchange": REQUIRED,
    "environment": "main",
    "account_id": None,
    "credential_version": 1,
    "checked_at": REQUIRED,
    "trigger": "scheduled",
    "outcome": REQUIRED,
    "error": None,
    "permissions": Permissions(),
    "required_permissions": ("read", "spot_trade"),
    "ip_restricted": None,
    "expires_at": None,
    "reported_state": None,
    "account": Account(),
    "check_interval_s": None,
}


def defaults(model: type[BaseModel]) -> dict[str, Any]:
    return {name: REQUIRED if field.is_required() else field.default for name, field in model.model_fields.items()}


def test_a_check_result_has_the_promised_fields_and_defaults() -> None:
    assert defaults(CheckResult) == CHECK_RESULT


@pytest.mark.parametrize("model", [Permissions, Account, ExchangeError], ids=named)
def test_what_is_not_reported_is_null(model: type[BaseModel]) -> None:
    assert set(defaults(model).values()) == {None}


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (ExchangeError, "code message http_status endpoint ccxt_class retry_after_s"),
        (Permissions, "read spot_trade margin_trade futures_trade withdraw internal_transfer"),
        (Account, "suspended kyc_required futures_enabled"),
        (Deadline, "type schema_version key_id kind due_at"),
        (Issue, "status reason permissions"),
        (Evidence, "event_id error_type code rule topic partition offset"),
        (
            KeyStatusChanged,
            (
                "schema_version change_id key_id account_id exchange environment sequence previous_status status "
                "reason issues expires_at days_left expires_at_computed severity remedy changed_at trigger flapping "
                "incident evidence"
            ),
        ),
        (
            Notice,
            (
                "schema_version notice_id key_id account_id exchange kind status expires_at days_left "
                "expires_at_computed keys_in_trouble keys_checked noticed_at evidence"
            ),
        ),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_contract_has_the_promised_fields_in_their_order(model: type[BaseModel], names: str) -> None:
    assert list(model.model_fields) == names.split()


def test_a_state_is_the_last_change_and_what_is_ours() -> None:
    ours = ["observed_at", "since", "stale", "progress"]
    assert list(KeyState.model_fields) == [*KeyStatusChanged.model_fields, *ours]


def test_a_writer_leaves_no_field_out() -> None:
    """Outputs have few defaults: a forgotten field is a type error.

    Those of the second minor version have one, so that a reader of today can read the log of yesterday.
    """
    since_then = {"expires_at_computed", "flapping", "incident", "keys_in_trouble", "keys_checked"}
    for model in (KeyStatusChanged, Notice, Evidence):
        optional = {name for name, default in defaults(model).items() if default != REQUIRED}
        assert optional <= {"schema_version"} | since_then


def test_the_headers_of_a_dead_letter_have_the_names_of_kafka_streams() -> None:
    names = ["exception", "message", "topic", "partition", "offset"]
    aliases = [field.alias for field in DeadLetterHeaders.model_fields.values()]
    assert aliases == [*(f"__streams.errors.{name}" for name in names), "keystatus.reason"]


# --- bounds


def texts_without_end(model: type[BaseModel]) -> Iterator[str]:
    """Fields of what others send that could be any length."""
    for name, field in model.model_fields.items():
        if is_open_text(field):
            yield f"{model.__name__}.{name}"


def is_open_text(field: FieldInfo) -> bool:
    parts = (field.annotation, *get_args(field.annotation))
    bounded = any(isinstance(item, MaxLen) for item in field.metadata) or "max_length" in repr(field)
    return (str in parts or any(typing.get_origin(part) in {list, tuple} for part in parts)) and not (
        bounded or "pattern" in repr(field)
    )


@pytest.mark.parametrize("model", [CheckResult, ExchangeError, Permissions, Account, Deadline], ids=named)
def test_every_text_and_list_of_an_input_is_bounded(model: type[BaseModel]) -> None:
    assert list(texts_without_end(model)) == []


def test_a_text_without_bound_would_be_found() -> None:
    """What we write ourselves needs none."""
    assert list(texts_without_end(Evidence)) == ["Evidence.code", "Evidence.rule", "Evidence.topic"]


@pytest.mark.parametrize(
    ("field", "longest"),
    [("event_id", 128), ("account_id", 128)],
)
def test_the_longest_text_passes_and_one_more_does_not(field: str, longest: int) -> None:
    assert getattr(read(ok() | {field: "é" * longest}), field) == "é" * longest
    with pytest.raises(ValidationError, match=field):
        read(ok() | {field: "é" * (longest + 1)})


# --- times


def test_a_time_becomes_utc_and_keeps_its_moment() -> None:
    local = datetime(2026, 3, 1, 21, 45, tzinfo=timezone(timedelta(hours=9, minutes=45)))
    result = read(ok(checked_at=local))
    assert result.checked_at == START
    assert result.checked_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("text", ["2026-03-01T12:00:00Z", "2026-03-01T12:00:00+00:00", "2026-03-01t12:00:00.000z"])
def test_a_time_of_rfc_3339_is_read(text: str) -> None:
    assert read(ok(checked_at=text)).checked_at == START


def test_a_time_is_written_with_an_offset() -> None:
    payload = json.loads(read(ok()).model_dump_json())
    assert payload["checked_at"] == "2026-03-01T12:00:00Z"


def test_a_microsecond_survives_the_round_trip() -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)
    assert read(json.loads(read(ok(checked_at=at)).model_dump_json())).checked_at == at


@pytest.mark.parametrize(
    "text",
    [
        "1970-01-01T00:00:00+14:00",
        "2199-12-31T23:30:00-01:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ],
    ids=["1969 in UTC", "2200 in UTC", "before the calendar", "after the calendar"],
)
def test_a_time_is_of_our_time_in_utc_too(text: str) -> None:
    """Deadlines are computed from it, and must be readable as well."""
    with pytest.raises(ValidationError, match="the year is not between 1970 and 2199"):
        read(ok(checked_at=text))
    with pytest.raises(ValidationError, match="the year is not between 1970 and 2199"):
        Deadline.model_validate_json(json.dumps(deadline("expiry", START) | {"due_at": text}))


@pytest.mark.parametrize("text", ["1970-01-01T00:00:00Z", "2199-12-31T23:59:59Z"])
def test_the_first_and_the_last_moment_of_our_time_are_read(text: str) -> None:
    assert read(ok(checked_at=text)).checked_at == datetime.fromisoformat(text)


@pytest.mark.parametrize(
    "text", ["2199-12-31T23:30:00-01:00", "2009-01-01T00:00:00+01:00", "9999-12-31T23:59:59-14:00"]
)
def test_an_end_date_that_nobody_will_see_in_utc_is_none(text: str) -> None:
    assert read(ok(expires_at=text)).expires_at is None


# --- round trips


def outputs() -> list[Contract]:
    story = Story(always={"account_id": "customer-1"})
    story.ok(expires_at=after(days=40), ip_restricted=False)
    story.fails("signature_mismatch", after(minutes=1))
    story.fails("timeout", after(minutes=2))
    story.falls_due()
    story.ok(after(days=11), permissions={"read": False, "withdraw": True}, credential_version=2)
    story.ok(after(days=12), credential_version=3, expires_at=after(days=14), check_interval_s=60)
    story.lives_until(after(days=13))
    story.removed(after(days=14))
    crowd = Crowd()
    crowd.all_of(range(6), "timeout")
    decisions = [*story.decisions, *crowd.decisions]
    made = [output for decision in decisions for output in (decision.change, decision.state, *decision.notices)]
    return [output for output in made if output is not None]


def test_the_outputs_below_are_of_every_kind() -> None:
    assert {type(output) for output in outputs()} == {KeyStatusChanged, KeyState, Notice}
    notices = [output for output in outputs() if isinstance(output, Notice)]
    assert {notice.kind.value for notice in notices} >= {"expiry_reminder", "stale", "incident_opened"}


@pytest.mark.parametrize("output", outputs(), ids=lambda output: type(output).__name__)
def test_an_output_is_the_same_after_a_round_trip(output: Contract) -> None:
    again = type(output).model_validate_json(output.model_dump_json())
    assert again == output
    assert again.model_dump_json() == output.model_dump_json()


def test_a_check_result_is_the_same_after_a_round_trip() -> None:
    result = read(ok(expires_at=after(days=3), error={"retry_after_s": 0.5}, account={"suspended": False}))
    assert CheckResult.model_validate_json(result.model_dump_json()) == result

"""The decision table, row by row: what the facts about a key mean for its status.

Row numbers are those of the reference. The table is asked directly here; what it takes
until a finding is committed is the subject of ``test_confirmation``.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.vocabulary import Certainty, DeadLetterReason, ErrorType, Permission, Reason, Status
from streams.catalogue import load_rules
from streams.core.deadlines import days_left
from streams.core.decision_table import NOTHING_SAID, ROWS, Facts, assess
from streams.core.disposition import Disposition
from streams.core.policy import BINANCE_IDS, Policy
from streams.core.rules import CERTAINTY_OF
from tests.factories import EXCHANGES, EXPIRY, START, Story, after, facts, fold, ok, record

BINANCE, BYBIT, OKX = EXPIRY["binance"], EXPIRY["bybit"], EXPIRY["okx"]
TICK = timedelta(microseconds=1)
PASSED: dict[str, Any] = {"expires_at": START}
COMPUTED: dict[str, Any] = {
    "expires_at": after(days=-1),
    "expires_at_computed": True,
    "known_since": after(days=-91),
}
SPOT_WAS_ON: dict[str, Any] = {"granted": (Permission.READ, Permission.SPOT_TRADE)}
NO_SPOT = {"read": True, "spot_trade": False}
FUTURES_USER = ["read", "spot_trade", "futures_trade"]
NO_FUTURES = {"read": True, "spot_trade": True, "futures_trade": False}
ALL_ON = {"read": True, "spot_trade": True, "futures_trade": True}
UNUSED_15_DAYS: dict[str, Any] = {"last_success_at": after(days=-15), "ip_restricted": False}

INVALID, EXPIRED, PERMISSIONS = Status.INVALID, Status.EXPIRED, Status.INCORRECT_PERMISSIONS
WITHDRAWAL, FUTURES = Status.WITHDRAWAL_ENABLED, Status.INACTIVE_FUTURES
TROUBLE, EXPIRING, CONNECTED = Status.TEMPORARY_ISSUE, Status.EXPIRING, Status.CONNECTED


def of_type(certainty: Certainty) -> list[ErrorType]:
    return [error_type for error_type, sure in CERTAINTY_OF.items() if sure is certainty]


def says(row: str, status: Status, reason: Reason | str, sentence: str, given: Facts) -> Any:
    """One line of a table of tests: given these facts, this row decides so."""
    return pytest.param(given, (row, status, Reason(reason)), id=f"row {row}: {sentence}")


def decided(given: Facts) -> tuple[str | None, Status, Reason]:
    found = assess(given)
    assert found.finding is not None
    return found.row, found.finding.status, found.finding.reason


# --- rows 0a, 0b, 0c: records that never reach the table --------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(b"{}", DeadLetterReason.INVALID, id="row 0a: a payload without its fields"),
        pytest.param(b"{", DeadLetterReason.MALFORMED_JSON, id="row 0a: a payload that is not JSON"),
        pytest.param(
            b'{"schema_version":2}', DeadLetterReason.UNSUPPORTED_VERSION, id="row 0a: a payload of a newer version"
        ),
    ],
)
def test_what_cannot_be_read_is_a_dead_letter_and_changes_nothing(value: bytes, reason: DeadLetterReason) -> None:
    story = Story()
    story.ok()
    before = story.state
    decision = story.feed(record(value, offset=1))
    assert decision.dead_letter is not None
    assert decision.dead_letter.reason is reason
    assert decision._replace(dead_letter=None) == story.decisions[0]._replace(
        disposition=Disposition.DEAD_LETTER,
        state=None,
        change=None,
        touched=False,
        dead_letter=None,
        result=None,
        verdict=None,
        row=None,
    )
    assert story.state is before


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        pytest.param(ok(after(minutes=10)), Disposition.DUPLICATE, id="row 0b: the same event again is a duplicate"),
        pytest.param(ok(after(minutes=9)), Disposition.LATE, id="row 0b: an older check is late"),
        pytest.param(
            ok(after(minutes=11), credential_version=1), Disposition.SUPERSEDED, id="row 0b: an older key is superseded"
        ),
        pytest.param(ok(after(minutes=16)), Disposition.FUTURE, id="row 0b: six minutes ahead is the future"),
    ],
)
def test_what_comes_out_of_order_is_dropped_with_its_reason(payload: dict[str, Any], why: Disposition) -> None:
    story = Story()
    story.ok(after(minutes=10), credential_version=2)
    before = story.state
    decision = story.check({"credential_version": 2, **payload}, at=after(minutes=10))
    assert decision.disposition is why
    assert not decision.touched
    assert story.state is before


def test_row_0c_a_removed_key_has_no_state_and_one_last_change_without_a_status() -> None:
    story = Story()
    story.ok()
    decision = story.removed(after(minutes=1))
    assert story.state is None
    assert decision.touched
    assert decision.change is not None
    assert (decision.change.status, decision.change.previous_status) == (None, CONNECTED)
    assert (decision.change.reason, decision.change.sequence) == (Reason.REMOVED, 2)
    assert (decision.change.changed_at, decision.change.issues) == (after(minutes=1), ())


def test_row_0c_removing_an_unknown_key_says_nothing() -> None:
    decision = Story().removed()
    assert decision.disposition is Disposition.UNKNOWN_KEY
    assert (decision.change, decision.touched) == (None, False)


def test_row_0c_a_removed_key_that_comes_back_starts_afresh() -> None:
    story = Story()
    story.ok()
    story.removed(after(minutes=1))
    change = story.ok(after(minutes=2)).change
    assert change is not None
    assert (change.sequence, change.previous_status) == (1, None)


# --- rows 1 and 14: no row holds --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(facts("request_rejected"), id="row 1: our own bad request"),
        pytest.param(facts("unclassified"), id="row 1: an answer that no rule knows, never invalid"),
        pytest.param(facts("request_rejected", memory=PASSED), id="row 1: a bad request after the end date"),
        pytest.param(facts("request_rejected", permissions={"withdraw": True}), id="row 1: whatever else it tells"),
        pytest.param(facts("request_rejected", reported_state="frozen"), id="row 1: even with a frozen key"),
        pytest.param(facts("futures_not_enabled"), id="row 1: no futures where the customer needs none"),
    ],
)
def test_an_answer_about_something_else_says_nothing(given: Facts) -> None:
    assert assess(given) == NOTHING_SAID


@pytest.mark.parametrize("code", ["request_rejected", "unclassified", "a code that no rule has"])
def test_row_1_leaves_the_state_as_it_was(code: str) -> None:
    story = Story()
    story.ok()
    before = story.state
    decision = story.fails(code, after(minutes=1))
    assert decision.disposition in {Disposition.SAYS_NOTHING, Disposition.UNCLASSIFIED}
    assert (decision.touched, decision.change) == (False, None)
    assert story.state is before


def test_row_14_a_key_without_a_result_that_says_something_has_no_status() -> None:
    story = Story()
    story.fails("request_rejected")
    assert story.state is None
    story.fails("signature_mismatch", after(minutes=1))
    assert story.status is None
    assert story.changes == []


# --- rows 2 to 13 -----------------------------------------------------------------------------------------------------

ROW_2 = [
    *(
        says("2", INVALID, error, f"{error} is invalid", facts(error))
        for error in ("account_suspended", "kyc_required", "key_disabled", "key_not_activated", "key_malformed")
    ),
    says("2", INVALID, "key_disabled", "a locked key is invalid", facts(reported_state="locked")),
    says("2", INVALID, "key_disabled", "a disabled key is invalid", facts(reported_state="disabled")),
    says("2", INVALID, "account_suspended", "a frozen key is invalid", facts(reported_state="frozen")),
    says("2", INVALID, "account_suspended", "a suspended account is invalid", facts(account={"suspended": True})),
    says("2", INVALID, "kyc_required", "an unverified account is invalid", facts(account={"kyc_required": True})),
    says("2", INVALID, "account_suspended", "also behind a timeout", facts("timeout", account={"suspended": True})),
    says("13", CONNECTED, "all_good", "near row 2: a normal key", facts(reported_state="normal")),
    says(
        "13",
        CONNECTED,
        "all_good",
        "near row 2: an account neither suspended nor unverified",
        facts(account={"suspended": False, "kyc_required": False}),
    ),
    says("13", CONNECTED, "all_good", "near row 2: an account that is not told of", facts(account={})),
]

ROW_3 = [
    says("3", EXPIRED, "exchange_reported", "the exchange says expired", facts("key_expired")),
    says("5", INVALID, "key_not_found", "near row 3: the exchange only says unknown", facts("key_not_found")),
]

ROW_4 = [
    says("4", EXPIRED, "policy_deleted", "gone after its end date", facts("key_not_found", memory=PASSED)),
    says(
        "4",
        EXPIRED,
        "policy_deleted",
        "gone, its end date told in the same answer",
        facts("key_not_found", expires_at=START),
    ),
    *(
        says("4", EXPIRED, "policy_deleted", f"{error} after its end date", facts(error, memory=PASSED))
        for error in ("signature_mismatch", "auth_failed_unspecified")
    ),
    says(
        "4",
        EXPIRED,
        "policy_deleted",
        "an unbound OKX key unused for 14 days",
        facts("key_not_found", expiry=OKX, memory={"ip_restricted": False, "last_success_at": after(days=-14)}),
    ),
    says(
        "5",
        INVALID,
        "key_not_found",
        "near row 4: gone just before its end date",
        facts("key_not_found", memory={"expires_at": START + TICK}),
    ),
    says(
        "5",
        INVALID,
        "key_not_found",
        "near row 4: unused for a moment less than 14 days",
        facts("key_not_found", expiry=OKX, memory=UNUSED_15_DAYS | {"last_success_at": after(days=-14) + TICK}),
    ),
    says(
        "5",
        INVALID,
        "key_not_found",
        "near row 4: a bound OKX key is not deleted",
        facts("key_not_found", expiry=OKX, memory=UNUSED_15_DAYS | {"ip_restricted": True}),
    ),
    says(
        "5",
        INVALID,
        "key_not_found",
        "near row 4: this answer says that the key is bound",
        facts("key_not_found", expiry=OKX, memory=UNUSED_15_DAYS, ip_restricted=True),
    ),
    says(
        "5",
        INVALID,
        "key_not_found",
        "near row 4: nobody knows whether the key is bound",
        facts("key_not_found", expiry=OKX, memory=UNUSED_15_DAYS | {"ip_restricted": None}),
    ),
    says(
        "5",
        INVALID,
        "key_not_found",
        "near row 4: an OKX key that never worked",
        facts("key_not_found", expiry=OKX, memory={"ip_restricted": False}),
    ),
    says(
        "5",
        INVALID,
        "key_not_found",
        "near row 4: Bybit's policy is no deletion by inactivity",
        facts("key_not_found", expiry=BYBIT, memory=UNUSED_15_DAYS),
    ),
    says(
        "5",
        INVALID,
        "key_not_found",
        "near row 4: no policy is known",
        facts("key_not_found", memory=UNUSED_15_DAYS),
    ),
    says(
        "5",
        INVALID,
        "signature_mismatch",
        "near row 4: a wrong signature is no deletion",
        facts("signature_mismatch", expiry=OKX, memory=UNUSED_15_DAYS),
    ),
    says(
        "5",
        INVALID,
        "passphrase_mismatch",
        "near row 4: a wrong passphrase is no end date",
        facts("passphrase_mismatch", memory=PASSED),
    ),
]

ROW_5 = [
    says("5", INVALID, error, f"{error} is invalid", facts(error))
    for error in (
        "key_not_found",
        "signature_mismatch",
        "passphrase_mismatch",
        "auth_failed_unspecified",
        "region_restricted",
    )
]

MAY_WITHDRAW = {"read": True, "spot_trade": True, "withdraw": True}
ROW_6 = [
    says("6", WITHDRAWAL, "withdrawal_permission", "the key may withdraw", facts(permissions=MAY_WITHDRAW)),
    says(
        "6",
        WITHDRAWAL,
        "withdrawal_permission",
        "the key may withdraw and lacks something else",
        facts("permission_denied", permissions={"withdraw": True}),
    ),
    says("13", CONNECTED, "all_good", "near row 6: null", facts(permissions=MAY_WITHDRAW | {"withdraw": None})),
    says("13", CONNECTED, "all_good", "near row 6: false", facts(permissions=MAY_WITHDRAW | {"withdraw": False})),
    says(
        "13",
        CONNECTED,
        "all_good",
        "near row 6: the customer asked for it",
        facts(permissions=MAY_WITHDRAW, required_permissions=["read", "withdraw"]),
    ),
    says(
        "13",
        CONNECTED,
        "all_good",
        "near row 6: internal transfers are no withdrawals",
        facts(permissions={"read": True, "spot_trade": True, "internal_transfer": True}),
    ),
    says(
        "11",
        TROUBLE,
        "timeout",
        "near row 6: a timeout did not read the key",
        facts("timeout", permissions={"withdraw": True}),
    ),
]

BY_POLICY = "permission_expired_by_policy"
LOST_SPOT: dict[str, Any] = {"permissions": NO_SPOT, "ip_restricted": False, "memory": SPOT_WAS_ON}
ROW_7 = [
    says(
        "7", EXPIRED, BY_POLICY, "spot is off and the end date passed", facts(permissions=NO_SPOT, memory={}, **PASSED)
    ),
    says(
        "7",
        EXPIRED,
        BY_POLICY,
        "margin is off and the end date passed",
        facts(permissions={"margin_trade": False}, required_permissions=["margin_trade"], **PASSED),
    ),
    says("7", EXPIRED, BY_POLICY, "denied after the end date", facts("permission_denied", memory=PASSED)),
    says("7", EXPIRED, BY_POLICY, "Binance took spot from an unbound key", facts(expiry=BINANCE, **LOST_SPOT)),
    says(
        "7",
        EXPIRED,
        BY_POLICY,
        "that the key is unbound was told before",
        facts(permissions=NO_SPOT, expiry=BINANCE, memory=SPOT_WAS_ON | {"ip_restricted": False}),
    ),
    says(
        "7",
        EXPIRED,
        BY_POLICY,
        "Binance took spot, and the answer is a refusal",
        facts("permission_denied", expiry=BINANCE, **LOST_SPOT),
    ),
    says("7", EXPIRED, "exchange_reported", "HTX calls the key expired", facts(reported_state="expired")),
    says(
        "9",
        PERMISSIONS,
        "missing_permission",
        "near row 7: a bound key keeps its rights",
        facts(expiry=BINANCE, **LOST_SPOT | {"ip_restricted": True}),
    ),
    says(
        "9",
        PERMISSIONS,
        "missing_permission",
        "near row 7: nobody knows whether the key is bound",
        facts(expiry=BINANCE, **LOST_SPOT | {"ip_restricted": None}),
    ),
    says(
        "9",
        PERMISSIONS,
        "missing_permission",
        "near row 7: spot was never on",
        facts(expiry=BINANCE, **LOST_SPOT | {"memory": {"granted": (Permission.READ,)}}),
    ),
    says(
        "9",
        PERMISSIONS,
        "missing_permission",
        "near row 7: Bybit takes no single rights",
        facts(expiry=BYBIT, exchange="bybit", **LOST_SPOT),
    ),
    says("9", PERMISSIONS, "missing_permission", "near row 7: no policy is known", facts(**LOST_SPOT)),
    says(
        "9",
        PERMISSIONS,
        "permission_denied",
        "near row 7: denied, but no right is seen to be off",
        facts("permission_denied", expiry=BINANCE, ip_restricted=False, memory=SPOT_WAS_ON),
    ),
    says(
        "9",
        PERMISSIONS,
        "missing_permission",
        "near row 7: reading is not what the policy takes",
        facts(
            expiry=BINANCE,
            permissions={"read": False, "spot_trade": True},
            ip_restricted=False,
            memory=SPOT_WAS_ON,
        ),
    ),
    says(
        "10",
        FUTURES,
        "futures_permission_off",
        "near row 7: nor are futures",
        facts(
            expiry=BINANCE,
            permissions=NO_FUTURES,
            required_permissions=FUTURES_USER,
            ip_restricted=False,
            memory={"granted": (Permission.FUTURES_TRADE,)},
        ),
    ),
    says(
        "13",
        CONNECTED,
        "all_good",
        "near row 7: spot was taken, but this customer only reads",
        facts(expiry=BINANCE, required_permissions=["read"], **LOST_SPOT),
    ),
    says(
        "11",
        TROUBLE,
        "timeout",
        "near row 7: a timeout did not read the key",
        facts("timeout", reported_state="expired"),
    ),
]

ROW_8 = [
    says("8", EXPIRED, "expiry_passed", "a timeout after the end date", facts("timeout", memory=PASSED)),
    says("8", EXPIRED, "expiry_passed", "success, but nothing is seen", facts(permissions={}, **PASSED)),
    says(
        "8",
        EXPIRED,
        "expiry_passed",
        "success that does not show one required right",
        facts(required_permissions=FUTURES_USER, **PASSED),
    ),
    says("13", CONNECTED, "all_good", "near row 8: it works all the same (observed beats predicted)", facts(**PASSED)),
    says(
        "13",
        CONNECTED,
        "all_good",
        "near row 8: the success says that there is no end date any more",
        facts(permissions={}, expires_at=None, memory=PASSED),
    ),
    says(
        "11",
        TROUBLE,
        "timeout",
        "near row 8: a timeout just before the end date",
        facts("timeout", memory={"expires_at": START + TICK}),
    ),
    says(
        "12",
        EXPIRING,
        "expires_soon",
        "near row 8: nothing is seen just before the end date",
        facts(permissions={}, expires_at=START + TICK),
    ),
    says("8", EXPIRED, "expiry_passed", "a timeout a day after a computed end", facts("timeout", memory=COMPUTED)),
    says(
        "11",
        TROUBLE,
        "timeout",
        "near row 8: a timeout less than a day after a computed end",
        facts("timeout", memory=COMPUTED | {"expires_at": after(days=-1) + TICK}),
    ),
    says(
        "13",
        CONNECTED,
        "all_good",
        "near row 8: any success, even one that shows nothing, after a computed end",
        facts(permissions={}, ip_restricted=False, memory=COMPUTED, expiry=BYBIT),
    ),
]

ROW_9 = [
    *(
        says(
            "9",
            PERMISSIONS,
            "missing_permission",
            f"{name} is required and off",
            facts(permissions={name: False}, required_permissions=["read", name]),
        )
        for name in ("read", "spot_trade", "margin_trade", "internal_transfer", "withdraw")
    ),
    says("9", PERMISSIONS, "ip_not_allowed", "our address is not allowed", facts("ip_not_allowed")),
    says("9", PERMISSIONS, "permission_denied", "the key lacks a right", facts("permission_denied")),
    says(
        "9",
        PERMISSIONS,
        "missing_permission",
        "futures are off at Bybit",
        facts(exchange="bybit", permissions=NO_FUTURES, required_permissions=FUTURES_USER),
    ),
    says(
        "13",
        CONNECTED,
        "all_good",
        "near row 9: off but not required",
        facts(permissions=ALL_ON | {"margin_trade": False}),
    ),
    says("13", CONNECTED, "all_good", "near row 9: required and null", facts(permissions={"read": None})),
    says(
        "13",
        CONNECTED,
        "all_good",
        "near row 9: nothing is required",
        facts(required_permissions=[], permissions=NO_SPOT),
    ),
    says(
        "11",
        TROUBLE,
        "rate_limited",
        "near row 9: a rate limit did not read the key",
        facts("rate_limited", permissions={"read": False}),
    ),
]

ROW_10 = [
    *(
        says(
            "10",
            FUTURES,
            "futures_permission_off",
            f"futures are required and off at {exchange}",
            facts(exchange=exchange, permissions=NO_FUTURES, required_permissions=FUTURES_USER),
        )
        for exchange in sorted(BINANCE_IDS)
    ),
    says(
        "10",
        FUTURES,
        "futures_not_registered",
        "there is no futures account",
        facts(account={"futures_enabled": False}, permissions=NO_FUTURES, required_permissions=FUTURES_USER),
    ),
    says(
        "10",
        FUTURES,
        "futures_not_enabled",
        "a futures call is refused",
        facts("futures_not_enabled", required_permissions=FUTURES_USER),
    ),
    says(
        "10",
        FUTURES,
        "futures_permission_off",
        "the policy names another exchange",
        facts(
            exchange="bybit",
            permissions=NO_FUTURES,
            required_permissions=FUTURES_USER,
            policy=Policy(inactive_futures_exchanges=frozenset({"bybit"})),
        ),
    ),
    says(
        "10",
        PERMISSIONS,
        "futures_not_enabled",
        "elsewhere a refused futures call is a permission",
        facts("futures_not_enabled", exchange="okx", required_permissions=FUTURES_USER),
    ),
    says(
        "10",
        PERMISSIONS,
        "futures_not_registered",
        "elsewhere a missing futures account is a permission",
        facts(exchange="okx", account={"futures_enabled": False}, required_permissions=FUTURES_USER),
    ),
    says(
        "9",
        PERMISSIONS,
        "missing_permission",
        "near row 10: the policy names no exchange",
        facts(
            permissions=NO_FUTURES,
            required_permissions=FUTURES_USER,
            policy=Policy(inactive_futures_exchanges=frozenset()),
        ),
    ),
    says("13", CONNECTED, "all_good", "near row 10: off but not required", facts(permissions=NO_FUTURES)),
    says(
        "13",
        CONNECTED,
        "all_good",
        "near row 10: no futures account and none required",
        facts(account={"futures_enabled": False}),
    ),
    says(
        "13",
        CONNECTED,
        "all_good",
        "near row 10: required and null",
        facts(required_permissions=FUTURES_USER),
    ),
    says(
        "13",
        CONNECTED,
        "all_good",
        "near row 10: required and on",
        facts(permissions=ALL_ON, account={"futures_enabled": True}, required_permissions=FUTURES_USER),
    ),
]

ROW_11 = [
    says("11", TROUBLE, error.value, f"{error} is the exchange's trouble", facts(error.value))
    for error in of_type(Certainty.INCONCLUSIVE)
]

ROW_12 = [
    says("12", EXPIRING, "expires_soon", "it ends in exactly 30 days", facts(expires_at=after(days=30))),
    says("12", EXPIRING, "expires_soon", "it ends in a moment", facts(expires_at=START + TICK)),
    says(
        "12",
        EXPIRING,
        "expires_soon",
        "the policy's window is longer",
        facts(expires_at=after(days=88), policy=Policy(expiring_window_days=90)),
    ),
    says(
        "13", CONNECTED, "all_good", "near row 12: a moment more than 30 days", facts(expires_at=after(days=30) + TICK)
    ),
    says(
        "13",
        CONNECTED,
        "all_good",
        "near row 12: the end date is no longer told",
        facts(memory={"expires_at": after(days=3)}),
    ),
    says(
        "11",
        TROUBLE,
        "timeout",
        "near row 12: a timeout shows no working key",
        facts("timeout", expires_at=after(days=3)),
    ),
]

ROW_13 = [says("13", CONNECTED, "all_good", "it works and every required right is there", facts())]


@pytest.mark.parametrize(
    ("given", "expected"),
    [*ROW_2, *ROW_3, *ROW_4, *ROW_5, *ROW_6, *ROW_7, *ROW_8, *ROW_9, *ROW_10, *ROW_11, *ROW_12, *ROW_13],
)
def test_the_table_says(given: Facts, expected: tuple[str, Status, Reason]) -> None:
    assert decided(given) == expected


def test_every_row_is_in_the_table_once_and_in_order() -> None:
    assert [int(row) for row, _ in ROWS] == list(range(2, 14))


def test_every_error_type_has_a_row_or_says_nothing() -> None:
    """The customer uses futures here, so that no error type is beside the point for him."""
    silent = {error for error in ErrorType if assess(facts(error, required_permissions=FUTURES_USER)).finding is None}
    assert silent == set(of_type(Certainty.IRRELEVANT))


# --- the first match wins ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        pytest.param(
            facts("key_expired", account={"suspended": True}), ("2", "3"), id="2 before 3: suspended and expired"
        ),
        pytest.param(
            facts("key_not_found", reported_state="frozen", memory=PASSED),
            ("2", "4"),
            id="2 before 4: frozen and deleted",
        ),
        pytest.param(facts("key_not_found", reported_state="frozen"), ("2", "5"), id="2 before 5: frozen and unknown"),
        pytest.param(
            facts(permissions=MAY_WITHDRAW, account={"suspended": True}),
            ("2", "6"),
            id="2 before 6: suspended, withdraws",
        ),
        pytest.param(facts("timeout", account={"suspended": True}), ("2", "11"), id="2 before 11: suspended, timeout"),
        pytest.param(facts("key_expired", memory=PASSED), ("3", "8"), id="3 before 8: reported and calculated"),
        pytest.param(facts("key_not_found", memory=PASSED), ("4", "8"), id="4 before 8: deleted and calculated"),
        pytest.param(
            facts("passphrase_mismatch", memory=PASSED), ("5", "8"), id="5 before 8: a wrong passphrase, ended"
        ),
        pytest.param(
            facts(permissions=NO_SPOT | {"withdraw": True}, **PASSED),
            ("6", "7"),
            id="6 before 7: withdraws, spot taken",
        ),
        pytest.param(facts(permissions={"withdraw": True}, **PASSED), ("6", "8"), id="6 before 8: withdraws, ended"),
        pytest.param(facts(permissions=NO_SPOT | {"withdraw": True}), ("6", "9"), id="6 before 9: withdraws, no spot"),
        pytest.param(
            facts(permissions=NO_FUTURES | {"withdraw": True}, required_permissions=FUTURES_USER),
            ("6", "10"),
            id="6 before 10: withdraws, no futures",
        ),
        pytest.param(
            facts(permissions=MAY_WITHDRAW, expires_at=after(days=3)),
            ("6", "12"),
            id="6 before 12: withdraws, ends soon",
        ),
        pytest.param(facts(permissions=NO_SPOT, **PASSED), ("7", "8"), id="7 before 8: spot taken, ended"),
        pytest.param(facts(permissions={"read": False}, **PASSED), ("8", "9"), id="8 before 9: ended, cannot read"),
        pytest.param(facts("ip_not_allowed", memory=PASSED), ("8", "9"), id="8 before 9: ended, address not allowed"),
        pytest.param(
            facts(permissions=NO_FUTURES, required_permissions=FUTURES_USER, **PASSED),
            ("8", "10"),
            id="8 before 10: ended, no futures",
        ),
        pytest.param(facts("timeout", memory=PASSED), ("8", "11"), id="8 before 11: ended, timeout"),
        pytest.param(
            facts(permissions=NO_SPOT | {"futures_trade": False}, required_permissions=FUTURES_USER),
            ("9", "10"),
            id="9 before 10: neither spot nor futures",
        ),
        pytest.param(
            facts(permissions=NO_SPOT, expires_at=after(days=3)), ("9", "12"), id="9 before 12: no spot, ends soon"
        ),
        pytest.param(
            facts(permissions=NO_FUTURES, required_permissions=FUTURES_USER, expires_at=after(days=3)),
            ("10", "12"),
            id="10 before 12: no futures, ends soon",
        ),
        pytest.param(facts(expires_at=after(days=3)), ("12", "13"), id="12 before 13: works, ends soon"),
    ],
)
def test_the_first_match_wins(given: Facts, rows: tuple[str, str]) -> None:
    holding = [row for row, ask in ROWS if ask(given) is not None]
    assert set(rows) <= set(holding)
    assert assess(given).row == rows[0]


def test_a_key_gone_by_policy_is_not_also_an_unknown_key() -> None:
    """Row 5 is the "else" of row 4: one fault, told once."""
    issues = assess(facts("key_not_found", memory=PASSED)).issues
    assert [issue.status for issue in issues] == [EXPIRED]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(
            facts(permissions=NO_SPOT | {"withdraw": True}),
            [(WITHDRAWAL, ("withdraw",)), (PERMISSIONS, ("spot_trade",))],
            id="may withdraw, no spot (vector 12)",
        ),
        pytest.param(
            facts(
                permissions={"read": True, "spot_trade": False, "futures_trade": False, "withdraw": True},
                required_permissions=FUTURES_USER,
                expires_at=after(days=3),
                account={"suspended": True},
            ),
            [
                (INVALID, ()),
                (WITHDRAWAL, ("withdraw",)),
                (PERMISSIONS, ("spot_trade",)),
                (FUTURES, ("futures_trade",)),
                (EXPIRING, ()),
            ],
            id="everything at once",
        ),
        pytest.param(
            facts(permissions=NO_SPOT, **PASSED),
            [(EXPIRED, ("spot_trade",))],
            id="a right that was taken is not missing too",
        ),
        pytest.param(
            facts("permission_denied", memory=PASSED),
            [(EXPIRED, ())],
            id="a refusal after the end is not a missing right too",
        ),
        pytest.param(
            facts(
                permissions={"read": False, "spot_trade": False},
                expiry=BINANCE,
                ip_restricted=False,
                memory=SPOT_WAS_ON,
            ),
            [(EXPIRED, ("spot_trade",)), (PERMISSIONS, ("read", "spot_trade"))],
            id="spot taken, reading never granted",
        ),
        pytest.param(
            facts(exchange="bybit", permissions=NO_FUTURES, required_permissions=FUTURES_USER),
            [(PERMISSIONS, ("futures_trade",))],
            id="futures off at Bybit are told once",
        ),
        pytest.param(facts("timeout", memory=PASSED), [(EXPIRED, ()), (TROUBLE, ())], id="ended, and a timeout"),
        pytest.param(facts("key_expired", memory=PASSED), [(EXPIRED, ())], id="expired in two ways is told once"),
        pytest.param(facts(expires_at=after(days=3)), [(EXPIRING, ())], id="ends soon"),
        pytest.param(facts(), [], id="a working key has none"),
    ],
)
def test_issues_are_told_worst_first(given: Facts, expected: list[tuple[Status, tuple[str, ...]]]) -> None:
    assert [(issue.status, issue.permissions) for issue in assess(given).issues] == expected


@pytest.mark.parametrize("name", list(Permission), ids=lambda name: f"{name.value} is null")
def test_null_proves_nothing(name: Permission) -> None:
    given = facts(
        permissions=dict.fromkeys(Permission, True) | {"withdraw": None, name: None}, required_permissions=[*Permission]
    )
    assert decided(given) == ("13", CONNECTED, Reason.ALL_GOOD)


# --- end dates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "never",
    [
        pytest.param(None, id="null"),
        pytest.param("1970-01-01T00:00:00Z", id="the start of 1970 (Bybit)"),
        pytest.param("1970-01-01T08:00:00+08:00", id="the start of 1970, elsewhere"),
        pytest.param("2008-12-31T23:59:59Z", id="before the first exchange"),
        pytest.param("0001-01-01T00:00:00Z", id="the zero time of Go"),
        pytest.param("0001-01-01T00:00:00+14:00", id="the zero time of Go, east of Greenwich"),
        pytest.param("9999-12-31T23:59:59Z", id="the end of all time"),
        pytest.param(-1, id="-1 (HTX)"),
        pytest.param(-2, id="-2 (Bybit)"),
        pytest.param(0, id="0 (CoinEx)"),
        pytest.param("0", id="the text 0 (Kraken)"),
        pytest.param("-1", id="the text -1"),
        pytest.param("", id="the empty text"),
    ],
)
def test_never_is_no_end_date(never: object) -> None:
    story = Story()
    decision = story.ok(expires_at=never)
    assert decision.change is not None
    assert (story.status, decision.change.expires_at, decision.change.days_left) == ("connected", None, None)


@pytest.mark.parametrize(
    "nonsense",
    [
        pytest.param(1_772_366_400, id="seconds since 1970"),
        pytest.param(1.5, id="a fraction"),
        pytest.param("1772366400", id="seconds since 1970, as text"),
        pytest.param("20260301", id="a date without dashes"),
        pytest.param("2026-03-01", id="a date"),
        pytest.param("2026-03-01T12:00:00", id="a time without offset"),
        pytest.param("soon", id="a word"),
        pytest.param([], id="a list"),
    ],
)
@pytest.mark.parametrize("name", ["expires_at", "checked_at"])
def test_a_time_is_rfc_3339_with_an_offset(name: str, nonsense: object) -> None:
    _, decisions = fold([record(ok() | {name: nonsense}, at=START)])
    assert decisions[0].dead_letter is not None
    assert decisions[0].dead_letter.reason is DeadLetterReason.INVALID


def test_a_check_after_all_our_time_is_invalid() -> None:
    _, decisions = fold([record(ok() | {"checked_at": "2200-01-01T00:00:00Z"}, at=START)])
    assert decisions[0].dead_letter is not None
    assert decisions[0].dead_letter.reason is DeadLetterReason.INVALID


@pytest.mark.parametrize("not_an_end", [True, False])
def test_true_and_false_are_no_end_dates(not_an_end: object) -> None:
    _, decisions = fold([record(ok(expires_at=not_an_end))])
    assert decisions[0].disposition is Disposition.DEAD_LETTER


@pytest.mark.parametrize(
    ("left", "days"),
    [
        (timedelta(days=88, hours=23, minutes=59, seconds=57), 88),
        (timedelta(days=66, hours=1), 66),
        (timedelta(days=1), 1),
        (timedelta(days=1) - TICK, 0),
        (TICK, 0),
        (timedelta(0), 0),
        (-TICK, -1),
        (timedelta(days=-1), -1),
        (timedelta(days=-1) - TICK, -2),
    ],
    ids=str,
)
def test_days_left_rounds_down(left: timedelta, days: int) -> None:
    assert days_left(START + left, START) == days


def test_days_left_is_exact_even_after_a_century() -> None:
    assert days_left(datetime(2199, 12, 31, tzinfo=UTC), datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)) == 63_550


def test_without_an_end_date_there_are_no_days_left() -> None:
    assert days_left(None, START) is None


# --- rows 4 and 7 through memory: what an earlier result taught -------------------------------------------------------


def test_row_4_remembers_when_an_okx_key_last_worked() -> None:
    story = Story(always={"exchange": "okx", "ip_restricted": False})
    story.ok()
    story.fails("key_not_found", after(days=14))
    assert (story.status, story.state and story.state.reason) == ("expired", Reason.POLICY_DELETED)


def test_row_4_forgets_an_end_date_that_a_success_no_longer_tells() -> None:
    story = Story()
    story.ok(expires_at=after(days=1))
    story.ok(after(hours=1))
    story.fails("key_not_found", after(days=2))
    assert story.status == "invalid"


def test_row_7_remembers_that_spot_was_on() -> None:
    story = Story(always={"ip_restricted": False})
    story.ok()
    story.ok(after(days=1), permissions=NO_SPOT)
    assert (story.status, story.state and story.state.reason) == ("expired", Reason.PERMISSION_EXPIRED_BY_POLICY)


def test_row_7_remembers_it_although_later_results_did_not_tell() -> None:
    story = Story(always={"ip_restricted": False})
    story.ok()
    story.ok(after(days=1), permissions={})
    story.ok(after(days=2), permissions=NO_SPOT)
    assert story.status == "expired"


def test_row_7_does_not_carry_over_to_a_replaced_key() -> None:
    story = Story(always={"ip_restricted": False})
    story.ok()
    story.ok(after(days=1), permissions=NO_SPOT, credential_version=2)
    assert story.status == "incorrect_permissions"


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_the_policies_of_these_tests_are_those_of_the_real_rules(exchange: str) -> None:
    real, ours = load_rules().expiry(exchange), EXPIRY.get(exchange)
    assert (real and (real.kind, real.days)) == (ours and (ours.kind, ours.days))

"""Silence is no recovery: a status that rests on a permission ends by an answer that tells of it."""

from typing import Any

import pytest

from schemas.vocabulary import Permission, Reason, Status
from streams.core.disposition import Disposition
from tests.factories import Story, after

TRADES = {"read": True, "spot_trade": True}
FUTURES_USER = ["read", "spot_trade", "futures_trade"]
MARGIN_USER = ["read", "spot_trade", "margin_trade"]
ACCOUNT_WITHOUT_FUTURES = {"account": {"futures_enabled": False}}


def case(name: str, found: dict[str, Any], silent: dict[str, Any], told: dict[str, Any], **always: Any) -> Any:
    """A success that brings the key to a status, one that does not report what it rests on, and one that does."""
    return pytest.param(found, silent, told, always, id=name)


CASES = [
    case(
        "withdrawal_enabled",
        {"permissions": TRADES | {"withdraw": True}},
        {"permissions": TRADES},
        {"permissions": TRADES | {"withdraw": False}},
    ),
    case(
        "missing_permission",
        {"permissions": TRADES | {"spot_trade": False}},
        {"permissions": {"read": True}},
        {"permissions": TRADES},
    ),
    case(
        "missing_permission of two",
        {"permissions": TRADES | {"spot_trade": False, "margin_trade": False}},
        {"permissions": TRADES},
        {"permissions": TRADES | {"margin_trade": True}},
        required_permissions=MARGIN_USER,
    ),
    case(
        "permission_expired_by_policy",
        {"permissions": TRADES | {"spot_trade": False}, "expires_at": after()},
        {"permissions": {"read": True}},
        {"permissions": TRADES},
    ),
    case(
        "futures_permission_off",
        {"permissions": TRADES | {"futures_trade": False}},
        {"permissions": TRADES, "account": {"futures_enabled": True}},
        {"permissions": TRADES | {"futures_trade": True}},
        required_permissions=FUTURES_USER,
    ),
    case(
        "futures_permission_off elsewhere than at Binance",
        {"permissions": TRADES | {"futures_trade": False}},
        {"permissions": TRADES},
        {"permissions": TRADES | {"futures_trade": True}},
        required_permissions=FUTURES_USER,
        exchange="okx",
    ),
    case(
        "futures_not_registered, then the permission is on",
        {"permissions": TRADES, **ACCOUNT_WITHOUT_FUTURES},
        {"permissions": TRADES},
        {"permissions": TRADES | {"futures_trade": True}},
        required_permissions=FUTURES_USER,
    ),
    case(
        "futures_not_registered, then the account has futures",
        {"permissions": TRADES, **ACCOUNT_WITHOUT_FUTURES},
        {"permissions": TRADES},
        {"permissions": TRADES, "account": {"futures_enabled": True}},
        required_permissions=FUTURES_USER,
    ),
]


def withdrawal_enabled(**always: Any) -> Story:
    """A key that was found with the right to withdraw."""
    story = Story(always=always)
    story.ok(permissions=TRADES | {"withdraw": True})
    assert story.status == "withdrawal_enabled"
    return story


@pytest.mark.parametrize(("found", "silent", "told", "always"), CASES)
def test_a_status_stays_until_a_success_tells_what_it_rests_on(
    found: dict[str, Any], silent: dict[str, Any], told: dict[str, Any], always: dict[str, Any]
) -> None:
    story = Story(always=always)
    story.ok(**found)
    held = story.status
    for hour in (1, 2):
        assert story.ok(after(hours=hour), **silent).disposition is Disposition.UNCHANGED
    assert story.changes == [held]
    story.ok(after(hours=3), **told)
    assert story.changes == [held, "connected"]


def test_these_cases_are_all_reasons_that_name_permissions() -> None:
    reasons = set()
    for found, _, _, always in (tried.values for tried in CASES):
        change = Story(always=always).ok(**found).change
        assert change is not None
        assert change.issues[0].permissions
        reasons.add(change.reason)
    assert reasons == {
        Reason.WITHDRAWAL_PERMISSION,
        Reason.MISSING_PERMISSION,
        Reason.PERMISSION_EXPIRED_BY_POLICY,
        Reason.FUTURES_PERMISSION_OFF,
        Reason.FUTURES_NOT_REGISTERED,
    }


def test_a_silent_success_is_remembered_like_any_other() -> None:
    story = withdrawal_enabled()
    story.fails("signature_mismatch", after(minutes=10))
    story.fails("timeout", after(minutes=20))
    story.ok(after(hours=1), expires_at=after(days=90), account_id="customer-2")
    assert story.state is not None
    progress = story.state.progress
    assert (progress.last_success_at, progress.last_authoritative_at) == (after(hours=1), after(hours=1))
    assert (progress.ambiguous, progress.inconclusive, progress.unconfirmed_since) == (None, None, None)
    assert (story.state.observed_at, story.state.account_id) == (after(hours=1), "customer-2")
    assert (story.state.expires_at, story.state.since) == (after(days=90), after())


@pytest.mark.parametrize("code", ["permission_denied", "ip_not_allowed"])
def test_a_status_that_names_no_permission_ends_by_any_success(code: str) -> None:
    story = Story()
    story.fails(code)
    story.ok(after(minutes=1), permissions={})
    assert story.changes == ["incorrect_permissions", "connected"]


def test_only_the_first_issue_holds_a_status() -> None:
    """A key that may withdraw and cannot trade: its status is about the withdrawal."""
    story = Story()
    story.ok(permissions={"read": True, "spot_trade": False, "withdraw": True})
    story.ok(after(minutes=1), permissions={"read": True, "withdraw": False})
    assert story.changes == ["withdrawal_enabled", "connected"]


# --- other news of a silent success


@pytest.mark.parametrize(
    ("milder", "always"),
    [
        ({"permissions": TRADES, "expires_at": after(days=5)}, {}),
        ({"permissions": TRADES | {"spot_trade": False}}, {}),
        ({"permissions": TRADES, "reported_state": "expired"}, {}),
        ({"permissions": TRADES | {"futures_trade": False}}, {"required_permissions": FUTURES_USER}),
    ],
    ids=["expiring", "incorrect_permissions", "expired", "inactive_futures"],
)
def test_lesser_trouble_does_not_hide_a_right_to_withdraw(milder: dict[str, Any], always: dict[str, Any]) -> None:
    """Else the lesser trouble would end next, and the key were connected with withdrawals on."""
    story = withdrawal_enabled(**always)
    assert story.ok(after(minutes=1), **milder).disposition is Disposition.UNCHANGED
    assert story.changes == ["withdrawal_enabled"]


@pytest.mark.parametrize(
    ("worse", "status"),
    [
        ({"account": {"suspended": True}}, "invalid"),
        ({"permissions": TRADES | {"withdraw": True}}, "withdrawal_enabled"),
        ({"reported_state": "expired"}, "expired"),
        ({"permissions": {"read": True, "spot_trade": False}}, "incorrect_permissions"),
    ],
    ids=["invalid", "withdrawal_enabled", "expired", "incorrect_permissions"],
)
def test_worse_news_replace_a_status_whatever_they_leave_out(worse: dict[str, Any], status: str) -> None:
    story = Story(always={"required_permissions": FUTURES_USER})
    story.ok(permissions=TRADES | {"futures_trade": False})
    story.ok(after(minutes=1), **worse)
    assert story.changes == ["inactive_futures", status]


def test_the_end_of_a_key_is_worse_news_than_a_missing_permission() -> None:
    story = Story()
    story.ok(permissions=TRADES | {"spot_trade": False})
    story.ok(after(minutes=1), permissions={"read": True}, reported_state="expired")
    assert story.changes == ["incorrect_permissions", "expired"]


def test_an_error_speaks_for_itself() -> None:
    story = withdrawal_enabled()
    story.fails("ip_not_allowed", after(minutes=1))
    assert story.status == "incorrect_permissions"


# --- what does not matter any more


def test_a_replaced_key_does_not_answer_for_the_old_one_s_permissions() -> None:
    story = withdrawal_enabled()
    story.fails("timeout", after(minutes=1), credential_version=2)
    story.ok(after(minutes=2), credential_version=2)
    assert story.changes == ["withdrawal_enabled", "connected"]


def test_a_replaced_key_answers_for_its_own_permissions() -> None:
    story = Story(always={"credential_version": 2})
    story.ok(credential_version=1)
    story.ok(after(minutes=1), permissions=TRADES | {"withdraw": True})
    story.ok(after(minutes=2))
    assert story.changes == ["connected", "withdrawal_enabled"]


def test_a_missing_permission_that_is_not_required_any_more_holds_nothing() -> None:
    story = Story()
    story.ok(permissions=TRADES | {"futures_trade": False}, required_permissions=FUTURES_USER)
    story.ok(after(minutes=1), permissions=TRADES, required_permissions=["read", "spot_trade"])
    assert story.changes == ["inactive_futures", "connected"]


def test_a_right_to_withdraw_that_is_required_by_now_holds_nothing() -> None:
    story = withdrawal_enabled()
    story.ok(after(minutes=1), required_permissions=[Permission.READ, Permission.WITHDRAW])
    assert story.changes == ["withdrawal_enabled", "connected"]


def test_a_required_right_to_withdraw_that_is_missing_holds_its_status() -> None:
    story = Story(always={"required_permissions": ["read", "withdraw"]})
    story.ok(permissions={"read": True, "withdraw": False})
    assert story.ok(after(minutes=1), permissions={"read": True}).disposition is Disposition.UNCHANGED
    assert story.status == Status.INCORRECT_PERMISSIONS

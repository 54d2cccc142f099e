"""End dates that the exchange does not tell and its policy does: they warn and explain, and any success refutes them.

The test rules give Binance and Bybit 90 days: Binance takes the rights to trade away then, Bybit the key.
"""

from datetime import timedelta
from typing import Any

import pytest

from schemas.vocabulary import Reason
from streams.core.disposition import Disposition
from streams.core.policy import Policy
from tests.factories import Story, after

TICK = timedelta(microseconds=1)
NO_SPOT = {"read": True, "spot_trade": False}
UNBOUND = {"ip_restricted": False}
FUTURES_USER = {
    "required_permissions": ["read", "spot_trade", "futures_trade"],
    "permissions": {"read": True, "spot_trade": True, "futures_trade": False},
}
BOTH = pytest.mark.parametrize("exchange", ["binance", "bybit"])


def unbound(exchange: str = "bybit", **more: Any) -> Story:
    """A key without IP addresses that works since START."""
    story = Story(always={"exchange": exchange, **UNBOUND, **more})
    story.ok()
    return story


def ends(story: Story) -> tuple[object, bool]:
    """The end date of the state and of its progress, which must be the same, and whether it is computed."""
    state = story.state
    assert state is not None
    told = (state.expires_at, state.expires_at_computed)
    assert told == (state.progress.expires_at, state.progress.expires_at_computed)
    return told


@BOTH
def test_a_key_without_addresses_ends_ninety_days_after_its_first_success_and_the_date_is_marked(exchange: str) -> None:
    story = unbound(exchange)
    change = story.decisions[0].change
    assert change is not None
    assert (change.status, change.expires_at, change.days_left) == ("connected", after(days=90), 90)
    assert change.expires_at_computed
    assert ends(story) == (after(days=90), True)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"exchange": "bybit", "ip_restricted": True}, id="a key that is bound to addresses"),
        pytest.param({"exchange": "bybit"}, id="a key of which nobody says whether it is bound"),
        pytest.param({"exchange": "kraken", **UNBOUND}, id="an exchange without a policy"),
        pytest.param({"exchange": "okx", **UNBOUND}, id="a policy that counts inactivity: our checks are activity"),
        pytest.param(
            {"exchange": "binance", **UNBOUND, "required_permissions": ["read", "futures_trade"]},
            id="a policy that takes rights which this customer does not need",
        ),
    ],
)
def test_no_end_is_computed_for(fields: dict[str, Any]) -> None:
    story = Story()
    story.ok(**fields)
    assert ends(story) == (None, False)


def test_a_policy_that_takes_the_key_needs_no_right_that_it_could_take() -> None:
    assert ends(unbound("bybit", required_permissions=["read"])) == (after(days=90), True)


def test_what_the_exchange_tells_is_not_computed() -> None:
    story = unbound(expires_at=after(days=20))
    assert ends(story) == (after(days=20), False)


def test_the_exchange_s_word_replaces_a_computed_end() -> None:
    story = unbound()
    story.ok(after(days=1), expires_at=after(days=200))
    assert ends(story) == (after(days=200), False)


def test_it_counts_from_the_first_success_and_not_from_the_first_answer() -> None:
    story = Story(always={"exchange": "bybit", **UNBOUND})
    story.fails("timeout")
    assert ends(story) == (None, False)
    story.ok(after(days=1))
    story.ok(after(days=2))
    assert ends(story) == (after(days=91), True)


def test_an_answer_that_does_not_tell_whether_the_key_is_bound_leaves_the_end() -> None:
    story = unbound()
    story.ok(after(days=1), ip_restricted=None)
    assert ends(story) == (after(days=90), True)


def test_binding_the_key_ends_it_and_unbinding_counts_anew() -> None:
    story = unbound()
    story.ok(after(days=10), ip_restricted=True)
    assert (ends(story), story.waits_for) == ((None, False), None)
    story.ok(after(days=50))
    assert ends(story) == (after(days=140), True)


def test_a_replaced_key_counts_anew() -> None:
    story = unbound()
    story.ok(after(days=50), credential_version=2)
    assert ends(story) == (after(days=140), True)


# --- it warns


@BOTH
def test_it_warns_as_any_other_end_does_and_says_that_it_is_computed(exchange: str) -> None:
    story = unbound(exchange)
    story.lives_until(after(days=90))
    assert story.changes == ["connected", "expiring"]
    assert story.noticed == ["14 days", "7 days", "3 days", "1 days", "0 days"]
    assert all(notice.expires_at_computed for notice in story.notices)
    change = story.decisions[1].change
    assert change is not None
    assert (change.expires_at_computed, change.trigger) == (True, "deadline")


@BOTH
def test_a_silent_key_expires_a_day_after_its_computed_end(exchange: str) -> None:
    story = unbound(exchange)
    story.lives_until(after(days=91) - TICK)
    assert (story.status, story.waits_for) == ("expiring", ("expiry", after(days=91)))
    change = story.falls_due().change
    assert change is not None
    assert (change.status, change.reason, change.changed_at) == ("expired", Reason.EXPIRY_PASSED, after(days=91))
    assert (change.expires_at, change.expires_at_computed, change.days_left) == (after(days=90), True, -1)
    assert story.waits_for is None


@pytest.mark.parametrize(("days", "status"), [(90.5, "expiring"), (91, "expired")])
def test_a_failed_check_says_expired_only_after_that_day(days: float, status: str) -> None:
    story = unbound()
    story.lives_until(after(days=89.5))
    story.fails("timeout", after(days=days))
    assert story.status == status


def test_the_policy_says_how_long_a_check_may_still_refute_it() -> None:
    story = Story(policy=Policy(computed_expiry_grace_s=0), always={"exchange": "bybit", **UNBOUND})
    story.ok()
    story.lives_until(after(days=90))
    assert story.status == "expired"


# --- a success refutes it


@BOTH
@pytest.mark.parametrize("at", [90, 90.5, 91], ids=["at the end", "half a day later", "a day later"])
def test_a_success_after_the_computed_end_refutes_it(exchange: str, at: float) -> None:
    story = unbound(exchange)
    story.lives_until(after(days=at) - TICK)
    change = story.ok(after(days=at)).change
    assert change is not None
    assert (change.status, change.expires_at, change.days_left) == ("connected", None, None)
    assert not change.expires_at_computed
    assert (ends(story), story.waits_for) == ((None, False), None)


@BOTH
@pytest.mark.parametrize(
    "more",
    [{}, FUTURES_USER, {"permissions": {}}, {"permissions": {"read": False, "spot_trade": True}}],
    ids=["a key that works", "without futures", "that tells no permissions", "that may trade but not read"],
)
def test_a_key_never_expires_while_its_checks_succeed(exchange: str, more: dict[str, Any]) -> None:
    if exchange == "bybit" and more is FUTURES_USER:
        more = {"permissions": {"read": True, "spot_trade": True}}
    story = unbound(exchange, **more)
    for day in range(1, 400):
        story.lives_until(after(days=day))
        story.ok(after(days=day))
    assert "expired" not in story.changes
    assert len(story.changes) <= 3
    assert story.noticed == ["14 days", "7 days", "3 days", "1 days", "0 days"] * (
        story.status != "incorrect_permissions"
    )


@BOTH
def test_a_refuted_end_is_not_told_again(exchange: str) -> None:
    story = unbound(exchange)
    assert story.ok(after(days=100)).outlived
    assert not story.ok(after(days=101)).outlived
    story.fails("timeout", after(days=102))
    story.fails("timeout", after(days=103))
    assert (ends(story), story.changes, story.waits_for) == ((None, False), ["connected"], None)


@BOTH
def test_one_timeout_after_a_refuted_end_is_no_news(exchange: str) -> None:
    story = unbound(exchange)
    story.ok(after(days=100))
    assert story.fails("timeout", after(days=100, minutes=1)).disposition is Disposition.PENDING


# --- it explains


def test_row_4_a_key_that_is_gone_after_its_computed_end_was_deleted_by_policy() -> None:
    story = unbound("bybit")
    story.fails("key_not_found", after(days=90, hours=1))
    assert story.state is not None
    assert (story.status, story.state.reason) == ("expired", Reason.POLICY_DELETED)


@pytest.mark.parametrize("code", ["signature_mismatch", "auth_failed_unspecified"])
def test_row_4_so_does_a_doubtful_refusal(code: str) -> None:
    story = unbound("bybit")
    story.fails(code, after(days=90, hours=1))
    assert story.state is not None
    assert (story.status, story.state.reason) == ("expired", Reason.POLICY_DELETED)


def test_row_4_before_its_computed_end_the_key_is_just_invalid() -> None:
    story = unbound("bybit")
    story.fails("key_not_found", after(days=89))
    assert story.status == "invalid"


def test_row_4_a_refuted_end_explains_nothing() -> None:
    story = unbound("bybit")
    story.ok(after(days=91))
    story.fails("key_not_found", after(days=92))
    assert story.status == "invalid"


@BOTH
def test_row_7_a_right_that_is_gone_after_the_computed_end_was_taken_by_policy(exchange: str) -> None:
    story = unbound(exchange)
    story.ok(after(days=90, hours=1), permissions=NO_SPOT)
    assert story.state is not None
    assert (story.status, story.state.reason) == ("expired", Reason.PERMISSION_EXPIRED_BY_POLICY)
    assert ends(story) == (after(days=90), True)


def test_row_7_before_the_computed_end_bybit_takes_no_right() -> None:
    story = unbound("bybit")
    story.ok(after(days=89), permissions=NO_SPOT)
    assert story.status == "incorrect_permissions"


# --- a key that works again after it had ended


def ended(exchange: str) -> Story:
    """A key that nobody heard of until it had expired."""
    story = unbound(exchange)
    story.lives_until(after(days=91))
    assert story.status == "expired"
    return story


@BOTH
def test_a_key_that_works_again_after_its_computed_end_has_ninety_days_more(exchange: str) -> None:
    story = ended(exchange)
    change = story.ok(after(days=100)).change
    assert change is not None
    assert (change.status, change.expires_at, change.days_left) == ("connected", after(days=190), 90)
    assert (change.expires_at_computed, ends(story)) == (True, (after(days=190), True))
    assert story.waits_for == ("expiring", after(days=160))


@BOTH
@pytest.mark.parametrize("code", ["timeout", "signature_mismatch"])
def test_one_doubtful_answer_after_that_is_no_news(exchange: str, code: str) -> None:
    story = ended(exchange)
    story.ok(after(days=100))
    assert story.fails(code, after(days=100, minutes=1)).disposition is Disposition.PENDING
    assert story.status == "connected"


def test_a_right_that_its_owner_switched_on_again_has_ninety_days_more() -> None:
    """Binance: to tick it again starts the time again, also where it was taken before the computed end."""
    story = unbound("binance")
    story.ok(after(days=30), permissions=NO_SPOT)
    assert story.status == "expired"
    story.ok(after(days=31))
    assert (story.status, ends(story)) == ("connected", (after(days=121), True))


def test_so_it_has_when_it_had_outlived_an_earlier_end() -> None:
    story = unbound("binance")
    story.ok(after(days=100))
    story.ok(after(days=120), permissions=NO_SPOT)
    story.ok(after(days=121))
    assert (story.changes, ends(story)) == (["connected", "expired", "connected"], (after(days=211), True))
    assert story.state is not None
    assert story.state.progress.outlived_at is None


def test_a_bound_key_has_outlived_nothing() -> None:
    story = unbound("binance")
    story.ok(after(days=100))
    story.ok(after(days=101), ip_restricted=True)
    assert story.state is not None
    assert story.state.progress.outlived_at is None


def test_a_success_that_does_not_tell_of_the_right_is_no_renewal() -> None:
    story = unbound("binance")
    story.ok(after(days=90), permissions=NO_SPOT)
    story.ok(after(days=91), permissions={"read": True})
    assert (story.status, ends(story)) == ("expired", (after(days=90), True))


def test_an_error_is_no_renewal() -> None:
    story = ended("bybit")
    story.fails("key_disabled", after(days=100))
    assert (story.status, ends(story)) == ("invalid", (after(days=90), True))
    story.ok(after(days=101))
    assert (story.status, ends(story)) == ("connected", (None, False))


def test_a_key_that_was_bound_when_it_worked_again_counts_from_when_it_was_unbound() -> None:
    story = ended("bybit")
    story.ok(after(days=100), ip_restricted=True)
    assert ends(story) == (None, False)
    story.ok(after(days=110))
    assert ends(story) == (after(days=200), True)


def test_reminders_come_again_for_the_new_end() -> None:
    story = ended("bybit")
    story.ok(after(days=100))
    story.lives_until(after(days=190))
    assert story.noticed == ["14 days", "7 days", "3 days", "1 days", "0 days"] * 2

"""The reference's test vectors (key-statuses.md §5.7) with the real rules, each told as a story."""

from datetime import timedelta
from typing import Any

import pytest

from schemas.vocabulary import Reason, Status
from streams.catalogue import load_rules
from streams.core.disposition import Disposition
from streams.core.policy import Policy
from tests.factories import Crowd, Story, after, fold

RULES = load_rules()


def story(**always: Any) -> Story:
    return Story(rules=RULES, always=always)


def error(code: str | None, message: str | None = None, **more: Any) -> dict[str, Any]:
    return {"outcome": "error", "permissions": {}, "error": {"code": code, "message": message, **more}}


def test_1_a_bybit_key_bound_to_addresses_never_expires() -> None:
    key = story(exchange="bybit")
    key.ok(ip_restricted=True, expires_at="1970-01-01T00:00:00Z")
    assert key.status == "connected"


def test_2_a_bybit_key_with_88_9995_days_left_has_88() -> None:
    key = Story(rules=RULES, policy=Policy(expiring_window_days=90))
    change = key.ok(exchange="bybit", expires_at=after(days=88.9995)).change
    assert change is not None
    assert (key.status, change.days_left) == ("expiring", 88)


def test_3_binance_took_spot_from_an_unbound_key_after_its_time() -> None:
    key = story(ip_restricted=False)
    key.ok(expires_at=after(days=1))
    key.ok(after(days=2), permissions={"read": True, "spot_trade": False}, expires_at=after(days=1))
    assert (key.status, key.state and key.state.reason) == ("expired", Reason.PERMISSION_EXPIRED_BY_POLICY)


def test_4_spot_off_on_a_bound_binance_key_without_history_was_never_granted() -> None:
    key = story(ip_restricted=True)
    key.ok(permissions={"read": True, "spot_trade": False})
    assert key.status == "incorrect_permissions"


@pytest.mark.parametrize(
    ("required", "status"),
    [(["read", "spot_trade"], "connected"), (["read", "spot_trade", "futures_trade"], "inactive_futures")],
    ids=["a spot customer is connected", "a futures customer has inactive futures"],
)
def test_5_a_binance_key_without_futures(required: list[str], status: str) -> None:
    key = story()
    key.ok(permissions={"read": True, "spot_trade": True, "futures_trade": False}, required_permissions=required)
    assert key.status == status


def test_6_the_code_2015_is_expired_at_bybit() -> None:
    key = story(exchange="bybit")
    key.ok()
    key.ok(after(minutes=1), **error("-2015"))
    assert key.status == "expired"


def test_6_the_code_2015_is_doubtful_at_binance_and_invalid_when_it_repeats() -> None:
    key = story()
    key.ok()
    answer = error(
        "-2015", "Invalid API-key, IP, or permissions for action.", endpoint="/sapi/v1/account/apiRestrictions"
    )
    key.ok(after(minutes=1), **answer)
    assert key.status == "connected"
    key.ok(after(minutes=2), **answer)
    assert key.status == "invalid"


def test_6_the_code_2015_on_two_paths_of_binance_in_turn_is_no_connected_key() -> None:
    key = story(required_permissions=["read", "spot_trade", "futures_trade"])
    key.ok()
    for hour, path in enumerate(["/fapi/v2/account", "/api/v3/account"] * 5, 1):
        key.ok(
            after(hours=hour),
            **error("-2015", "Invalid API-key, IP, or permissions for action.", endpoint=path),
        )
    assert key.changes == ["connected", "invalid"]


def test_7_ten_timeouts_do_not_hide_an_invalid_key() -> None:
    key = story()
    key.ok(**error("-2014", "API-key format invalid."))
    assert key.status == "invalid"
    for minute in range(1, 11):
        key.ok(after(minutes=minute), **error(None, ccxt_class="RequestTimeout"))
    assert (key.status, key.changes) == ("invalid", ["invalid"])
    assert key.state is not None
    assert key.state.progress.unconfirmed_since == after(minutes=1)


def test_8_one_timeout_between_two_successes_is_no_event() -> None:
    key = story()
    key.ok()
    key.ok(after(minutes=10), **error(None, ccxt_class="RequestTimeout"))
    key.ok(after(minutes=20))
    assert key.changes == ["connected"]


def test_9_an_older_result_that_arrives_later_is_dropped() -> None:
    key = story()
    key.ok(after(minutes=10))
    decision = key.ok(after(minutes=5), **error("-2014"))
    assert (decision.disposition, key.status) == (Disposition.LATE, "connected")


def test_10_time_alone_ends_a_key_once_and_reminds_once_of_each_threshold() -> None:
    key = story()
    key.ok(expires_at=after(days=10))
    assert (key.changes, key.noticed) == (["expiring"], ["10 days"])
    key.lives_until(after(days=10))
    assert key.changes == ["expiring", "expired"]
    assert key.noticed == ["10 days", "7 days", "3 days", "1 days", "0 days"]
    assert key.waits_for is None
    for entry in key.records[1:]:
        assert key.feed(entry._replace(offset=entry.offset + 100)).disposition is Disposition.OBSOLETE


def test_11_two_hundred_binance_keys_refused_in_a_minute_are_one_incident_and_one_notice() -> None:
    keys = Crowd(rules=RULES)
    keys.all_of(range(200))
    keys.now += timedelta(minutes=1)
    refused = error(
        "-2015", "Invalid API-key, IP, or permissions for action.", endpoint="/sapi/v1/account/apiRestrictions"
    )
    for _ in range(4):
        for key in range(200):
            keys.now -= timedelta(seconds=0.7)  # a second a check is too slow for 200 keys in a minute
            keys.check(key, **refused)
        keys.now += timedelta(minutes=2)
    assert {keys.status(key) for key in range(200)} == {Status.TEMPORARY_ISSUE}
    assert keys.told == ["incident_opened"]
    changes = [decision.change for decision in keys.decisions[200:] if decision.change is not None]
    assert [(change.reason, change.incident) for change in changes] == [(Reason.EXCHANGE_INCIDENT, True)] * 200


def test_12_a_key_that_may_withdraw_and_lacks_spot_has_two_issues() -> None:
    key = story()
    change = key.ok(permissions={"read": True, "spot_trade": False, "withdraw": True}).change
    assert change is not None
    assert [issue.status for issue in change.issues] == ["withdrawal_enabled", "incorrect_permissions"]
    assert key.status == "withdrawal_enabled"


def test_13_an_unknown_withdrawal_right_proves_nothing() -> None:
    key = story()
    key.ok(permissions={"read": True, "spot_trade": True, "withdraw": None})
    assert key.status == "connected"


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("Signature not valid: Incorrect Access key [Access key error]", "invalid"),
        ("Signature not valid: APIkey has expired", "expired"),
        ("Signature not valid: API key has no permission", "incorrect_permissions"),
    ],
    ids=["an unknown key", "an expired key", "a key without permission"],
)
def test_14_one_htx_code_has_three_meanings(message: str, status: str) -> None:
    key = story(exchange="htx")
    key.ok(**error("api-signature-not-valid", message))
    assert key.status == status


@pytest.mark.parametrize(
    ("days", "status"),
    [(15, "expired"), (1, "invalid")],
    ids=["unused for 15 days: expired", "used yesterday: invalid"],
)
def test_15_an_unbound_okx_key_that_is_gone(days: int, status: str) -> None:
    key = story(exchange="okx", ip_restricted=False)
    key.ok()
    key.ok(after(days=days), **error("50119", "API key doesn't exist"))
    assert key.status == status


def test_15_an_okx_key_that_never_worked_is_invalid() -> None:
    key = story(exchange="okx", ip_restricted=False)
    key.ok(**error("50119", "API key doesn't exist"))
    assert key.status == "invalid"


def test_16_insufficient_funds_say_nothing() -> None:
    key = story()
    key.ok()
    before = key.state
    decision = key.ok(after(minutes=1), **error("-2010", "Account has insufficient balance for requested action."))
    assert decision.change is None
    assert key.state is before


def test_17_a_late_failure_of_a_replaced_key_is_superseded() -> None:
    key = story()
    key.ok()
    key.ok(after(minutes=1), credential_version=2)
    decision = key.ok(after(minutes=2), **error("-2014"))
    assert (decision.disposition, key.status) == (Disposition.SUPERSEDED, "connected")


def test_18_a_replay_of_the_whole_topic_makes_no_second_event() -> None:
    key = story(ip_restricted=False)
    key.ok(expires_at=after(days=40))
    key.falls_due()
    key.ok(after(days=11), **error(None, ccxt_class="RequestTimeout"))
    key.ok(after(days=50), **error("-2014"))
    key.ok(after(days=51), credential_version=2)
    assert key.changes == ["connected", "expiring", "invalid", "connected"]
    states, decisions = fold(key.records, RULES, states={key.records[0].key: key.state} if key.state else {})
    assert [decision.change for decision in decisions] == [None] * 5
    assert not any(decision.touched for decision in decisions)
    assert list(states.values()) == [key.state]

"""Every number of the policy: it does what the documentation says, and where it is changed something changes."""

import re
from pathlib import Path
from typing import Any

import pytest

from streams.core.disposition import Disposition
from streams.core.policy import Policy
from tests.factories import START, Story, after, failure, fold, ok, record

PAGE = (Path(__file__).parents[2] / "docs" / "policy.md").read_text(encoding="utf-8")
ROWS = {cells[1].strip(" `"): cells[2:4] for line in PAGE.splitlines() if len(cells := line.split("|")) == 5}


@pytest.mark.parametrize("name", Policy.model_fields)
def test_every_number_of_the_policy_is_documented_as_it_is(name: str) -> None:
    default, meaning = (cell.strip() for cell in ROWS[name])
    value = getattr(Policy(), name)
    told = {part.strip(" `") for part in default.split(",")}
    assert told == as_documented(value)
    assert meaning == Policy.model_fields[name].description


def as_documented(value: object) -> set[str]:
    if isinstance(value, frozenset):
        return {str(part) for part in value}
    return {f"{value:g}"} if isinstance(value, float | int) else {"none"}


FUTURES_USER = ["read", "spot_trade", "futures_trade"]
NO_FUTURES = {"read": True, "spot_trade": True, "futures_trade": False}


def connected(policy: Policy, **always: Any) -> Story:
    """A key that is connected since START."""
    story = Story(policy=policy, always=always)
    story.ok()
    return story


# --- every number of the policy matters -------------------------------------------------------------------------------


def two_refusals(policy: Policy) -> Story:
    story = connected(policy)
    story.fails("signature_mismatch", after(seconds=10))
    story.fails("signature_mismatch", after(seconds=70))
    return story


def two_refusals_a_day_apart(policy: Policy) -> Story:
    story = connected(policy)
    story.fails("signature_mismatch", after(hours=1))
    story.fails("signature_mismatch", after(hours=25))
    return story


def three_timeouts(policy: Policy) -> Story:
    story = connected(policy)
    for minute in (2, 4, 6):
        story.fails("timeout", after(minutes=minute))
    return story


def replaced_and_not_found(policy: Policy) -> Story:
    story = connected(policy)
    story.ok(after(minutes=1), credential_version=2)
    story.fails("key_not_found", after(minutes=9), credential_version=2)
    return story


def thirty_days_left(policy: Policy) -> Story:
    story = Story(policy=policy)
    story.ok(expires_at=after(days=30))
    return story


def four_minutes_ahead(policy: Policy) -> Story:
    story = Story(policy=policy)
    story.check(ok(after(minutes=4)), at=START)
    return story


def without_futures(policy: Policy) -> Story:
    story = Story(policy=policy)
    story.ok(permissions=NO_FUTURES, required_permissions=FUTURES_USER)
    return story


def told_to_end_in_a_day(policy: Policy) -> Story:
    story = connected(policy, exchange="bybit", ip_restricted=False)
    story.lives_until(after(days=90, hours=12))
    story.fails("timeout", after(days=90, hours=13))
    return story


@pytest.mark.parametrize(
    ("tell", "changed", "by_default", "then"),
    [
        pytest.param(two_refusals, {"ambiguous_results": 3}, "invalid", "connected", id="ambiguous_results higher"),
        pytest.param(two_refusals, {"ambiguous_apart_s": 61}, "invalid", "connected", id="ambiguous_apart_s longer"),
        pytest.param(
            two_refusals_a_day_apart,
            {"ambiguous_within_s": 86_399},
            "invalid",
            "connected",
            id="ambiguous_within_s shorter",
        ),
        pytest.param(
            three_timeouts,
            {"inconclusive_results": 4},
            "temporary_issue",
            "connected",
            id="inconclusive_results higher",
        ),
        pytest.param(
            three_timeouts,
            {"inconclusive_after_s": 361},
            "temporary_issue",
            "connected",
            id="inconclusive_after_s longer",
        ),
        pytest.param(
            replaced_and_not_found,
            {"replaced_key_grace_s": 480},
            "connected",
            "invalid",
            id="replaced_key_grace_s shorter",
        ),
        pytest.param(
            replaced_and_not_found, {"replaced_key_grace_s": 0}, "connected", "invalid", id="replaced_key_grace_s off"
        ),
        pytest.param(
            thirty_days_left, {"expiring_window_days": 29}, "expiring", "connected", id="expiring_window_days shorter"
        ),
        pytest.param(
            told_to_end_in_a_day,
            {"computed_expiry_grace_s": 3_600},
            "expiring",
            "expired",
            id="computed_expiry_grace_s shorter",
        ),
        pytest.param(
            three_timeouts,
            {"exchange": {"binance": {"inconclusive_results": 4}}},
            "temporary_issue",
            "connected",
            id="exchange: its own numbers",
        ),
        pytest.param(
            three_timeouts,
            {"exchange": {"kraken": {"inconclusive_results": 4}}},
            "temporary_issue",
            "temporary_issue",
            id="exchange: another one's numbers",
        ),
        pytest.param(
            four_minutes_ahead, {"future_tolerance_s": 239}, "connected", None, id="future_tolerance_s shorter"
        ),
        pytest.param(
            without_futures,
            {"inactive_futures_exchanges": frozenset()},
            "inactive_futures",
            "incorrect_permissions",
            id="inactive_futures_exchanges empty",
        ),
    ],
)
def test_a_number_of_the_policy_matters(tell: Any, changed: dict[str, Any], by_default: str, then: str | None) -> None:
    assert tell(Policy()).status == by_default
    assert tell(Policy(**changed)).status == then


# --- numbers that change what is noticed


def an_end_in_four_days(policy: Policy) -> list[str]:
    story = connected(policy, expires_at=after(days=4))
    story.lives_until(after(days=2))
    return story.noticed


def silence(policy: Policy) -> list[str]:
    story = connected(policy, check_interval_s=60)
    story.lives_until(after(minutes=5))
    return story.noticed


def silence_of_unknown_length(policy: Policy) -> list[str]:
    story = connected(policy)
    story.lives_until(after(minutes=5))
    return story.noticed


def seven_changes(policy: Policy) -> list[str]:
    story = connected(policy)
    for minute in (10, 30, 50):
        story.fails("key_disabled", after(minutes=minute))
        story.ok(after(minutes=minute + 9))
    story.lives_until(after(minutes=95))
    return story.noticed


def twenty_timeouts(policy: Policy, keys: int = 20, well: int = 20) -> list[str]:
    """Of exchanges: what is told when some keys work, then others fail, and all work again ten minutes later."""
    codes: list[str | None] = [*[None] * well, *["timeout"] * keys, *[None] * (well + keys)]
    log = []
    for offset, code in enumerate(codes):
        number = offset % (well + keys)
        at = after(seconds=number, minutes=0 if number == offset else 10 + 20 * number)
        payload = ok(at) if code is None else failure(code, at)
        log.append(record(payload | {"key_id": f"k{number}"}, offset=offset, key=f"k{number}".encode()))
    _, decisions = fold(log, policy=policy)
    return [notice.kind.value for decision in decisions for notice in decision.notices]


def five_timeouts(policy: Policy) -> list[str]:
    return twenty_timeouts(policy, keys=5, well=0)


BOTH = ["incident_opened", "incident_closed"]


@pytest.mark.parametrize(
    ("tell", "changed", "by_default", "then"),
    [
        (an_end_in_four_days, {"reminder_days": frozenset({3})}, ["4 days", "3 days"], ["3 days"]),
        (silence, {"stale_intervals": 6}, ["stale"], []),
        (silence_of_unknown_length, {"check_interval_s": 60}, [], ["stale"]),
        (seven_changes, {"flapping_changes": 7}, ["settled"], []),
        (seven_changes, {"flapping_within_s": 1_800}, ["settled"], []),
        (seven_changes, {"flapping_settle_s": 2_400}, ["settled"], []),
        (twenty_timeouts, {"incident_keys": 21}, BOTH, []),
        (five_timeouts, {"incident_few_keys": 6}, BOTH, []),
        (twenty_timeouts, {"incident_share": 0.6}, BOTH, []),
        (twenty_timeouts, {"incident_calm_share": 0}, BOTH, BOTH[:1]),
        (twenty_timeouts, {"incident_calm_s": 100_000}, BOTH, BOTH[:1]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_number_of_the_policy_matters_to_notices(
    tell: Any, changed: dict[str, Any], by_default: list[str], then: list[str]
) -> None:
    assert tell(Policy()) == by_default
    assert tell(Policy(**changed)) == then


def test_no_number_of_the_policy_is_untested() -> None:
    statuses, notices = test_a_number_of_the_policy_matters, test_a_number_of_the_policy_matters_to_notices
    tested = {name for mark in statuses.pytestmark for case in mark.args[1] for name in case.values[1]}
    tested |= {name for mark in notices.pytestmark for case in mark.args[1] for name in case[1]}
    assert tested == set(Policy.model_fields)


def test_the_policy_s_minutes_are_those_that_a_deadline_waits() -> None:
    story = connected(Policy(inconclusive_results=2, inconclusive_after_s=900))
    for second in (1, 2):
        story.fails("timeout", after(seconds=second))
    assert story.waits_for == ("lasting", after(minutes=15))


# --- an exchange's own numbers


def test_an_exchange_has_its_own_numbers_and_the_shared_ones_where_it_says_nothing() -> None:
    policy = Policy(stale_intervals=5, exchange={"kraken": {"inconclusive_after_s": 900}})
    assert (policy.of("kraken").inconclusive_after_s, policy.of("kraken").stale_intervals) == (900, 5)
    assert policy.of("binance") is policy
    assert policy.inconclusive_after_s == 300


def test_an_exchange_s_numbers_hold_for_its_results_and_its_deadlines() -> None:
    policy = Policy(exchange={"kraken": {"reminder_days": [5], "expiring_window_days": 9, "flapping_settle_s": 1}})
    told = {}
    for exchange in ("kraken", "okx"):
        story = connected(policy, exchange=exchange, expires_at=after(days=40))
        story.lives_until(after(days=32))
        told[exchange] = (story.changes, story.noticed)
        story.lives_until(after(days=39))
        told[exchange] += (story.noticed,)
    assert told["kraken"] == (["connected", "expiring"], [], ["5 days"])
    assert told["okx"] == (["connected", "expiring"], ["14 days"], ["14 days", "7 days", "3 days", "1 days"])


def test_a_key_that_moves_goes_by_the_numbers_of_its_new_exchange() -> None:
    policy = Policy(check_interval_s=60, exchange={"kraken": {"check_interval_s": 600}})
    story = connected(policy)
    assert story.waits_for == ("stale", after(minutes=3))
    story.ok(after(minutes=1), exchange="kraken")
    assert story.waits_for == ("stale", after(minutes=31))


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"kraken": {"inconclusive_after_s": -1}}, "exchange.kraken.inconclusive_after_s"),
        ({"kraken": {"no_such_number": 1}}, "exchange.kraken.no_such_number"),
        ({"kraken": {"exchange": {}}}, "exchange.kraken holds numbers"),
        ({"kraken": {"ambiguous_within_s": 1}}, "ambiguous_within_s is at least ambiguous_apart_s"),
        ({"Kraken": {}}, "exchange.Kraken"),
    ],
    ids=["a wrong number", "an unknown name", "an exchange in an exchange", "numbers that contradict", "a wrong id"],
)
def test_an_exchange_s_table_that_makes_no_sense_is_refused_by_its_name(tables: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        Policy(exchange=tables)


# --- the smallest numbers and the wrong ones


def test_one_ambiguous_answer_is_enough_when_the_policy_says_so() -> None:
    story = connected(Policy(ambiguous_results=1))
    assert story.fails("signature_mismatch", after(seconds=1)).disposition is Disposition.CHANGED


def test_ambiguous_answers_may_have_to_come_at_one_exact_distance() -> None:
    story = connected(Policy(ambiguous_apart_s=60, ambiguous_within_s=60))
    story.fails("signature_mismatch", after(seconds=1))
    assert story.fails("signature_mismatch", after(seconds=61)).disposition is Disposition.CHANGED


def test_one_timeout_is_enough_when_the_policy_says_so() -> None:
    story = connected(Policy(inconclusive_results=1, inconclusive_after_s=0))
    assert story.fails("timeout", after(seconds=1)).disposition is Disposition.CHANGED


@pytest.mark.parametrize(
    "wrong",
    [
        {"ambiguous_results": 0},
        {"inconclusive_results": 0},
        {"ambiguous_apart_s": -1},
        {"ambiguous_apart_s": 60, "ambiguous_within_s": 59},
        {"expiring_window_days": 0},
        {"expiring_window_days": 367},
        {"inactive_futures_exchanges": frozenset({"Binance"})},
        {"no_such_number": 1},
    ],
    ids=str,
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Policy(**wrong)

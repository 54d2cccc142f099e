"""Reminders: when the days left come down to 14, 7, 3, 1 and 0, once for each end date, only the lowest."""

from datetime import timedelta
from typing import Any

import pytest

from schemas.vocabulary import NoticeKind
from streams.core.disposition import Disposition
from streams.core.policy import Policy
from tests.factories import Story, after, deadline, record

TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)
NO_SPOT = {"read": True, "spot_trade": False}
FUTURES_USER = {
    "required_permissions": ["read", "spot_trade", "futures_trade"],
    "permissions": {"read": True, "spot_trade": True, "futures_trade": False},
}


def ends_in(days: float, **always: Any) -> Story:
    story = Story(always=always)
    story.ok(expires_at=after(days=days))
    return story


def test_a_reminder_tells_what_its_owner_needs() -> None:
    story = ends_in(20, account_id="customer-1")
    (notice,) = story.falls_due().notices
    assert (notice.key_id, notice.account_id, notice.exchange) == ("key-1", "customer-1", "binance")
    assert (notice.kind, notice.status, notice.noticed_at) == ("expiry_reminder", "expiring", after(days=5, seconds=1))
    assert (notice.expires_at, notice.days_left, notice.expires_at_computed) == (after(days=20), 14, False)
    assert (notice.evidence.event_id, notice.evidence.offset) == (None, 1)
    assert (notice.keys_in_trouble, notice.keys_checked) == (None, None)


def test_a_reminder_changes_no_status_and_is_no_observation() -> None:
    story = ends_in(20)
    before = story.state
    decision = story.falls_due()
    assert (decision.disposition, decision.change, decision.touched) == (Disposition.NOTICED, None, True)
    assert before is not None
    assert story.state is not None
    ours = {"progress"}
    assert story.state.model_dump(exclude=ours) == before.model_dump(exclude=ours)


@pytest.mark.parametrize("days", [14, 7, 3, 1, 0])
def test_a_reminder_is_due_one_second_after_the_day_before_is_over(days: int) -> None:
    """So that the days left, rounded down, are those of the threshold."""
    story = ends_in(20)
    due_at = after(days=20 - days - 1, seconds=1)
    story.lives_until(due_at - TICK)
    assert story.waits_for == ("reminder", due_at)
    story.lives_until(due_at)
    assert story.noticed[-1] == f"{days} days"


def test_a_check_that_comes_first_tells_the_reminder_and_the_deadline_is_obsolete() -> None:
    story = ends_in(20)
    assert story.ok(after(days=5), expires_at=after(days=20)).notices == ()
    late = record(deadline("reminder", after(days=5, seconds=1)), offset=9)
    decision = story.ok(after(days=5, microseconds=1), expires_at=after(days=20))
    assert [notice.kind for notice in decision.notices] == [NoticeKind.EXPIRY_REMINDER]
    assert decision.notices[0].evidence.event_id is not None
    assert story.waits_for == ("reminder", after(days=12, seconds=1))
    assert story.feed(late).disposition is Disposition.OBSOLETE
    assert story.noticed == ["14 days"]


@pytest.mark.parametrize("hours", [1, 12, 23])
def test_checks_in_between_repeat_no_reminder(hours: int) -> None:
    story = ends_in(20)
    at = after(hours=hours)
    while at < after(days=20):
        story.lives_until(at)
        story.ok(at, expires_at=after(days=20))
        at += timedelta(hours=hours)
    story.lives_until(after(days=20))
    assert story.noticed == ["14 days", "7 days", "3 days", "1 days", "0 days"]
    assert story.changes == ["expiring", "expired"]


@pytest.mark.parametrize(
    ("days", "told"),
    [(15, []), (14.9, [14]), (8, [14]), (7.5, [7]), (3, [3]), (2, [3]), (0.9, [0])],
)
def test_of_the_thresholds_that_a_first_result_finds_crossed_only_the_lowest_is_told(
    days: float, told: list[int]
) -> None:
    assert ends_in(days).noticed == [f"{int(days)} days" for _ in told]
    story = ends_in(days)
    assert story.state is not None
    reminded = story.state.progress.reminded
    assert ([] if reminded is None else [reminded.days]) == told


def test_a_bybit_password_change_drops_88_days_to_7_and_reminds_once() -> None:
    story = ends_in(88.5, exchange="bybit")
    decision = story.ok(after(hours=1), expires_at=after(days=7, hours=1))
    assert (story.changes, story.noticed) == (["connected", "expiring"], ["7 days"])
    assert decision.change is not None
    assert decision.notices[0].status == "expiring"
    story.lives_until(after(days=7, hours=1))
    assert story.noticed == ["7 days", "3 days", "1 days", "0 days"]


def test_an_end_date_that_comes_nearer_crosses_only_what_was_not_told() -> None:
    """14 was told of the later date; 7 is new, and 14 of the nearer date is not told on top."""
    story = ends_in(14.5)
    story.ok(after(hours=1), expires_at=after(days=10))
    assert story.noticed == ["14 days"]
    story.ok(after(hours=2), expires_at=after(days=5))
    assert story.noticed == ["14 days", "4 days"]


@pytest.mark.parametrize("checks_a_day", [1, 3, 24])
def test_the_end_date_of_htx_that_jitters_by_up_to_a_day_repeats_no_reminder(checks_a_day: int) -> None:
    """HTX tells whole days (``validDays``): with every check the date lies up to a day before the true end."""
    story = Story(always={"exchange": "htx"})
    true_end = after(days=16, hours=7)
    at = after(minutes=1)
    while at < true_end - DAY:
        story.lives_until(at)
        whole_days = (true_end - at) // DAY
        story.ok(at, expires_at=at + whole_days * DAY)
        at += DAY / checks_a_day
    thresholds = [reminder_of(notice.days_left) for notice in story.notices]
    assert thresholds in ([14, 7, 3, 1], [14, 7, 3, 1, 0])
    assert story.changes == ["expiring"]


def reminder_of(left: int | None) -> int:
    assert left is not None
    return min(days for days in (14, 7, 3, 1, 0) if days >= left)


@pytest.mark.parametrize(
    ("moves", "again"),
    [(DAY - TICK, False), (DAY, True), (-DAY, False)],
    ids=["later by less than a day", "later by a day", "earlier"],
)
def test_an_end_date_that_moves_by_less_than_a_day_is_the_same(moves: timedelta, again: bool) -> None:  # noqa: FBT001
    story = ends_in(3.5)
    story.ok(after(seconds=1), expires_at=after(days=3.5) + moves)
    assert len(story.noticed) == (2 if again else 1)


def test_an_extension_lets_every_threshold_be_crossed_again() -> None:
    story = ends_in(20)
    story.lives_until(after(days=19, hours=1))
    assert story.noticed == ["14 days", "7 days", "3 days", "1 days", "0 days"]
    story.ok(after(days=19, hours=2), expires_at=after(days=60))
    story.lives_until(after(days=60))
    assert story.noticed == ["14 days", "7 days", "3 days", "1 days", "0 days"] * 2
    assert story.changes == ["expiring", "connected", "expiring", "expired"]


def test_a_date_that_goes_and_comes_back_is_the_same() -> None:
    """A key that was bound to addresses for a while: its owner was told of this date."""
    story = ends_in(3.5)
    story.ok(after(hours=1), ip_restricted=True)
    story.ok(after(hours=2), expires_at=after(days=3.5))
    assert story.noticed == ["3 days"]


@pytest.mark.parametrize("code", ["key_disabled", "key_expired", "ip_not_allowed"])
def test_who_has_to_act_anyway_is_not_reminded(code: str) -> None:
    story = ends_in(20)
    story.fails(code, after(days=1))
    story.lives_until(after(days=20) - TICK)
    assert story.noticed == []


def test_a_key_with_trouble_is_reminded() -> None:
    """The trouble is the exchange's, and will pass; the end will not."""
    story = ends_in(20)
    for minute in (6, 7, 8):
        story.fails("timeout", after(minutes=minute))
    story.lives_until(after(days=13))
    assert (story.status, story.noticed) == ("temporary_issue", ["14 days", "7 days"])


def test_a_key_without_futures_is_reminded() -> None:
    story = ends_in(20, **FUTURES_USER)
    story.lives_until(after(days=13))
    assert (story.status, story.noticed) == ("inactive_futures", ["14 days", "7 days"])


def test_a_key_that_was_repaired_is_reminded_of_the_lowest_threshold_that_it_crossed_meanwhile() -> None:
    story = ends_in(20)
    story.ok(after(days=1), permissions=NO_SPOT, expires_at=after(days=20))
    story.ok(after(days=15), expires_at=after(days=20))
    assert story.noticed == ["5 days"]


def test_a_replaced_key_is_reminded_of_its_own_end() -> None:
    story = ends_in(3.5)
    story.ok(after(hours=1), expires_at=after(days=3.5), credential_version=2)
    assert story.noticed == ["3 days", "3 days"]


def test_a_removed_key_is_not_reminded() -> None:
    story = ends_in(20)
    story.removed(after(days=1))
    assert (story.waits_for, story.noticed) == (None, [])


def test_the_days_of_the_policy_are_those_that_are_told() -> None:
    story = Story(policy=Policy(reminder_days=frozenset({5, 2})))
    story.ok(expires_at=after(days=20))
    story.lives_until(after(days=20))
    assert story.noticed == ["5 days", "2 days"]


def test_a_policy_without_days_reminds_nobody() -> None:
    story = Story(policy=Policy(reminder_days=frozenset()))
    story.ok(expires_at=after(days=20))
    story.lives_until(after(days=20))
    assert (story.noticed, story.changes) == ([], ["expiring", "expired"])


def test_a_reminder_of_sixty_days_comes_before_the_key_counts_as_expiring() -> None:
    story = Story(policy=Policy(reminder_days=frozenset({60})))
    story.ok(expires_at=after(days=90))
    story.lives_until(after(days=59))
    assert (story.status, story.noticed) == ("connected", ["60 days"])

"""Flapping: a key that changes too often is marked, and nobody is written to until it has settled."""

from datetime import timedelta
from typing import Any

import pytest

from schemas.vocabulary import NoticeKind, Status
from streams.core.disposition import Disposition
from streams.core.policy import Policy
from tests.factories import Story, after, deadline, record

TICK = timedelta(microseconds=1)


def changes_at(*minutes: float, policy: Policy | None = None, **always: Any) -> Story:
    """A key that changes between disabled and connected at each of these minutes; connected first."""
    story = Story(policy=policy or Policy(), always=always)
    for number, minute in enumerate(minutes):
        if number % 2:
            story.fails("key_disabled", after(minutes=minute))
        else:
            story.ok(after(minutes=minute))
    assert len(story.changes) == len(minutes)
    return story


def flapping(**always: Any) -> Story:
    """A key that is flapping since minute 50, and invalid."""
    return changes_at(0, 10, 20, 30, 40, 50, **always)


def marks(story: Story) -> list[bool]:
    return [decision.change.flapping for decision in story.decisions if decision.change is not None]


def test_the_sixth_change_in_an_hour_is_flapping() -> None:
    story = flapping()
    assert marks(story) == [False] * 5 + [True]
    assert story.state is not None
    assert story.state.flapping
    assert story.waits_for == ("settled", after(minutes=80))


def test_five_changes_in_an_hour_are_none_too_many() -> None:
    story = changes_at(0, 10, 20, 30, 40)
    assert (marks(story), story.waits_for) == ([False] * 5, None)


def test_the_hour_is_exact() -> None:
    assert marks(changes_at(0, 10, 20, 30, 40, 60))[-1]
    story = changes_at(0, 10, 20, 30, 40)
    story.fails("key_disabled", after(minutes=60) + TICK)
    assert not marks(story)[-1]


def test_an_hour_that_slides_finds_the_sixth_change_wherever_it_is() -> None:
    assert marks(changes_at(0, 50, 100, 110, 120, 130, 140, 145)) == [False] * 7 + [True]


def test_every_further_change_is_marked_until_it_has_settled() -> None:
    story = flapping()
    story.ok(after(minutes=79))
    assert marks(story)[-1]
    assert story.waits_for == ("settled", after(minutes=109))


def test_a_flapping_key_still_changes_its_status() -> None:
    story = flapping()
    assert story.status == "invalid"
    story.ok(after(minutes=60))
    assert story.status == "connected"


def test_half_an_hour_after_the_last_change_it_has_settled_and_one_notice_says_what_holds() -> None:
    story = flapping(expires_at=after(days=100))
    decision = story.falls_due()
    assert (decision.disposition, decision.change) == (Disposition.NOTICED, None)
    (notice,) = decision.notices
    assert (notice.kind, notice.status) == (NoticeKind.SETTLED, Status.INVALID)
    assert (notice.expires_at, notice.noticed_at) == (after(days=100), after(minutes=80))
    assert story.state is not None
    assert not story.state.flapping
    assert story.noticed == ["settled"]


def test_a_key_that_never_comes_to_rest_does_not_fill_its_state() -> None:
    story = changes_at(*range(200))
    assert story.state is not None
    assert len(story.state.progress.changed) == 5


def test_a_key_that_came_to_rest_long_ago_remembers_no_changes() -> None:
    story = changes_at(0, 10, 20)
    story.ok(after(hours=2))
    assert story.state is not None
    assert story.state.progress.changed == ()


def test_results_that_change_nothing_do_not_keep_it_flapping() -> None:
    story = flapping()
    story.fails("key_disabled", after(minutes=79))
    assert story.waits_for == ("settled", after(minutes=80))


def test_a_settled_deadline_of_before_the_last_change_is_obsolete() -> None:
    story = flapping()
    story.ok(after(minutes=70))
    decision = story.feed(record(deadline("settled", after(minutes=80)), offset=9))
    assert (decision.disposition, decision.notices) == (Disposition.OBSOLETE, ())


def test_after_it_has_settled_six_more_changes_make_it_flapping_again() -> None:
    story = flapping()
    story.falls_due()
    for number, minute in enumerate((81, 82, 83, 84, 85, 86)):
        story.fails("key_disabled", after(minutes=minute)) if number % 2 else story.ok(after(minutes=minute))
    assert marks(story)[6:] == [False] * 5 + [True]


def test_a_change_by_a_deadline_counts_and_is_marked_too() -> None:
    """The end comes near by itself in the minutes in which the key flaps."""
    story = Story()
    ends = after(days=30, minutes=25)
    story.ok(expires_at=ends)
    story.fails("key_disabled", after(minutes=5))
    story.ok(after(minutes=10), expires_at=ends)
    story.fails("key_disabled", after(minutes=15))
    story.ok(after(minutes=20), expires_at=ends)
    change = story.falls_due().change
    assert change is not None
    assert (change.trigger, change.status, change.flapping) == ("deadline", "expiring", True)
    assert story.waits_for == ("settled", after(minutes=55))


def test_the_removal_of_a_flapping_key_is_told_to_whoever_listens() -> None:
    story = flapping()
    change = story.removed(after(minutes=51)).change
    assert change is not None
    assert not change.flapping
    assert (story.waits_for, story.noticed) == (None, [])


def test_a_replaced_key_that_flaps_settles_before_anybody_is_written_to() -> None:
    """The changes of the old key do not count for the new one, but the last mark needs its end."""
    story = flapping()
    story.ok(after(minutes=51), credential_version=2)
    assert marks(story)[-1]
    story.lives_until(after(hours=3))
    assert story.noticed == ["settled"]
    story.fails("key_disabled", after(hours=3), credential_version=2)
    assert not marks(story)[-1]


# --- what is held back


def test_a_reminder_is_held_back_and_the_end_date_is_in_the_one_notice() -> None:
    ends = after(days=15, hours=1)
    story = changes_at(0, 10, 20, 30, 40, 50, 59, expires_at=ends)
    assert story.status == "expiring"
    assert story.waits_for == ("settled", after(minutes=89))
    story.falls_due()
    assert story.noticed == ["settled"]
    (notice,) = story.notices
    assert (notice.expires_at, notice.days_left) == (ends, 14)
    assert story.waits_for == ("reminder", after(days=7, hours=1, seconds=1))


def test_a_reminder_that_a_check_finds_while_it_flaps_is_not_told_again_later() -> None:
    ends = after(days=15, minutes=45)
    story = changes_at(0, 10, 20, 30, 40, 50, 59, expires_at=ends)
    story.ok(after(minutes=60), expires_at=ends)
    story.lives_until(after(days=6))
    assert story.noticed == ["settled"]


def test_a_key_that_settles_in_a_status_of_which_nobody_is_reminded_is_reminded_when_it_works_again() -> None:
    ends = after(days=15, minutes=45)
    story = flapping(expires_at=ends)
    story.falls_due()
    story.ok(after(hours=3), expires_at=ends)
    assert story.noticed == ["settled", "14 days"]


def test_stale_is_held_back_while_it_flaps_and_then_told_instead_of_settled() -> None:
    """The status that held last is not what holds now: nobody looks any more."""
    story = flapping(check_interval_s=300)
    assert story.waits_for == ("stale", after(minutes=65))
    assert story.falls_due().notices == ()
    assert story.state is not None
    assert (story.state.stale, story.state.flapping) == (True, True)
    assert story.waits_for == ("settled", after(minutes=80))
    (notice,) = story.falls_due().notices
    assert (notice.kind, notice.status) == (NoticeKind.STALE, Status.INVALID)
    assert (story.noticed, story.waits_for) == (["stale"], None)


def test_stale_and_fresh_while_it_flaps_are_no_notices_at_all() -> None:
    story = flapping(check_interval_s=300)
    story.falls_due()
    story.fails("key_disabled", after(minutes=70), check_interval_s=3_600)
    assert story.state is not None
    assert not story.state.stale
    story.lives_until(after(minutes=80))
    assert story.noticed == ["settled"]


# --- the policy


@pytest.mark.parametrize(
    ("numbers", "last"),
    [
        ({}, True),
        ({"flapping_changes": 6}, False),
        ({"flapping_changes": 1}, True),
        ({"flapping_within_s": 2_999}, False),
        ({"flapping_within_s": 3_000}, True),
    ],
    ids=str,
)
def test_the_policy_says_how_many_changes_in_what_time(numbers: dict[str, Any], last: bool) -> None:  # noqa: FBT001
    assert marks(changes_at(0, 10, 20, 30, 40, 50, policy=Policy(**numbers)))[-1] is last


def test_the_policy_says_when_it_has_settled() -> None:
    story = changes_at(0, 10, 20, 30, 40, 50, policy=Policy(flapping_settle_s=60))
    assert story.waits_for == ("settled", after(minutes=51))

"""Stale and fresh: a key of which no result comes any more says so once, and keeps its status."""

from datetime import timedelta
from typing import Any

import pytest

from schemas.vocabulary import NoticeKind, Status
from streams.core.disposition import Disposition
from streams.core.policy import Policy
from tests.factories import START, Story, after, deadline, record

HOURLY = {"check_interval_s": 3_600}
TICK = timedelta(microseconds=1)


def hourly(**always: Any) -> Story:
    """A connected key that is checked every hour."""
    story = Story(always=HOURLY | always)
    story.ok()
    return story


def test_a_key_is_stale_after_three_intervals_without_a_result() -> None:
    story = hourly()
    assert story.waits_for == ("stale", after(hours=3))
    decision = story.falls_due()
    assert (decision.disposition, decision.change) == (Disposition.NOTICED, None)
    assert story.state is not None
    assert (story.state.stale, story.status, story.state.observed_at) == (True, "connected", START)
    (notice,) = decision.notices
    assert (notice.kind, notice.status, notice.noticed_at) == (NoticeKind.STALE, Status.CONNECTED, after(hours=3))
    assert (notice.evidence.event_id, notice.evidence.offset) == (None, 1)


def test_a_stale_key_says_so_once() -> None:
    story = hourly()
    story.lives_until(after(days=300))
    assert (story.noticed, story.waits_for, story.changes) == (["stale"], None, ["connected"])


def test_a_repeated_stale_deadline_is_obsolete() -> None:
    story = hourly()
    story.falls_due()
    decision = story.feed(story.records[-1]._replace(offset=2))
    assert (decision.disposition, decision.notices) == (Disposition.OBSOLETE, ())


@pytest.mark.parametrize("code", [None, "timeout", "signature_mismatch", "key_disabled"])
def test_any_result_makes_a_stale_key_fresh_again(code: str | None) -> None:
    story = hourly()
    story.falls_due()
    decision = story.ok(after(hours=4)) if code is None else story.fails(code, after(hours=4))
    (notice,) = decision.notices
    assert notice.kind is NoticeKind.FRESH
    assert (notice.status, notice.noticed_at) == (decision.state and decision.state.status, after(hours=4))
    assert notice.evidence.event_id == f"event-{after(hours=4).isoformat()}"
    assert story.state is not None
    assert not story.state.stale
    assert story.waits_for == ("stale", after(hours=7))


def test_a_fresh_key_can_be_stale_again() -> None:
    story = hourly()
    for hour in (10, 20):
        story.lives_until(after(hours=hour))
        story.ok(after(hours=hour))
    assert story.noticed == ["stale", "fresh", "stale", "fresh"]


def test_a_result_in_time_moves_the_deadline_away() -> None:
    story = hourly()
    story.ok(after(hours=3) - TICK)
    assert story.waits_for == ("stale", after(hours=6) - TICK)
    late = record(deadline("stale", after(hours=3)), offset=9)
    assert story.feed(late).disposition is Disposition.OBSOLETE
    assert story.noticed == []


def test_a_result_that_tells_no_interval_leaves_the_known_one() -> None:
    story = hourly()
    story.ok(after(hours=1), check_interval_s=None)
    assert story.waits_for == ("stale", after(hours=4))


def test_the_last_interval_counts() -> None:
    """A connector checks a bad key less often, and says so."""
    story = hourly()
    story.fails("key_disabled", after(hours=1), check_interval_s=86_400)
    assert story.waits_for == ("stale", after(days=3, hours=1))


@pytest.mark.parametrize("code", ["request_rejected", "unclassified"])
def test_an_answer_that_says_nothing_is_no_accepted_result(code: str) -> None:
    story = hourly()
    story.fails(code, after(hours=2))
    assert story.waits_for == ("stale", after(hours=3))


def test_a_key_of_which_nobody_says_the_interval_is_never_stale() -> None:
    story = Story()
    story.ok()
    assert story.waits_for is None


def test_the_policy_s_interval_holds_where_results_tell_none() -> None:
    story = Story(policy=Policy(check_interval_s=60))
    story.ok()
    assert story.waits_for == ("stale", after(minutes=3))
    story.ok(after(minutes=1), check_interval_s=600)
    assert story.waits_for == ("stale", after(minutes=31))


def test_the_policy_says_how_many_intervals() -> None:
    story = Story(policy=Policy(stale_intervals=1.5), always=HOURLY)
    story.ok()
    assert story.waits_for == ("stale", after(hours=1.5))


def test_a_replaced_key_does_not_inherit_the_interval() -> None:
    story = hourly()
    story.falls_due()
    story.ok(after(hours=4), credential_version=2, check_interval_s=None)
    assert (story.noticed, story.waits_for) == (["stale", "fresh"], None)


def test_a_stale_key_expires_all_the_same_and_stays_stale() -> None:
    story = hourly(expires_at=after(days=40))
    story.lives_until(after(days=40))
    assert story.changes == ["connected", "expiring", "expired"]
    assert story.noticed == ["stale", "14 days", "7 days", "3 days", "1 days", "0 days"]
    assert story.state is not None
    assert (story.state.stale, story.state.observed_at) == (True, START)
    story.ok(after(days=41), expires_at=after(days=90))
    assert story.noticed[-1] == "fresh"


def test_a_pending_key_can_be_stale() -> None:
    story = Story(always=HOURLY)
    story.fails("signature_mismatch")
    (notice,) = story.falls_due().notices
    assert (notice.kind, notice.status) == (NoticeKind.STALE, None)


def test_a_removed_key_is_not_stale() -> None:
    story = hourly()
    story.removed(after(hours=1))
    assert story.feed(record(deadline("stale", after(hours=3)), offset=2)).disposition is Disposition.OBSOLETE
    assert story.noticed == []


def test_fresh_comes_before_the_reminder_of_the_same_result() -> None:
    story = hourly(expires_at=after(days=20))
    story.lives_until(after(days=1))
    story.ok(after(days=10))
    assert story.noticed == ["stale", "fresh", "10 days"]
    assert len({notice.notice_id for notice in story.notices}) == 3

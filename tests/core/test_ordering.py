"""Order and identity: records that come twice, too late or too early change nothing."""

from datetime import timedelta

import pytest

from schemas.key_state import KeyState
from streams.core.decision import Decision
from streams.core.disposition import IGNORED, Disposition
from streams.core.policy import Policy
from tests.factories import START, Story, after, failure, fold, ok, record

TICK = timedelta(microseconds=1)


def settled() -> Story:
    """A connected key, seen at START (offset 0) and ten minutes later (offset 1), with its second credential."""
    story = Story(always={"credential_version": 2})
    story.ok()
    story.ok(after(minutes=10))
    return story


def assert_ignored(story: Story, before: KeyState | None, decision: Decision, why: Disposition) -> None:
    assert decision.disposition is why
    assert (decision.change, decision.notices, decision.dead_letter) == (None, (), None)
    assert (decision.touched, decision.state) == (False, None)
    assert story.state is before


def test_the_same_event_at_a_later_offset_is_a_duplicate() -> None:
    story = settled()
    before = story.state
    assert_ignored(story, before, story.ok(after(minutes=10)), Disposition.DUPLICATE)


def test_a_duplicate_is_known_by_its_id_whatever_it_says() -> None:
    story = settled()
    before = story.state
    again = failure("key_disabled", after(minutes=10), credential_version=2)
    assert_ignored(story, before, story.check(again), Disposition.DUPLICATE)


def test_an_older_result_at_a_later_offset_is_late() -> None:
    story = settled()
    before = story.state
    assert_ignored(story, before, story.fails("key_disabled", after(minutes=10) - TICK), Disposition.LATE)


def test_a_result_of_a_moment_later_counts() -> None:
    story = settled()
    assert story.fails("key_disabled", after(minutes=10) + TICK).disposition is Disposition.CHANGED


@pytest.mark.parametrize("offset", [0, 1], ids=["the first record", "the last record"])
def test_a_record_that_was_decided_before_is_a_replay_or_a_duplicate(offset: int) -> None:
    story = settled()
    before = story.state
    why = Disposition.REPLAY if offset == 0 else Disposition.DUPLICATE
    assert_ignored(story, before, story.feed(story.records[offset]), why)


def test_a_replaced_record_at_the_same_time_is_a_replay_even_if_its_id_was_forgotten() -> None:
    story = settled()
    before = story.state
    entry = record(ok(after(minutes=10), event_id="another", credential_version=2), offset=1)
    assert_ignored(story, before, story.feed(entry), Disposition.REPLAY)


def test_a_result_of_an_older_credential_is_superseded_however_new_it_is() -> None:
    story = settled()
    before = story.state
    decision = story.fails("key_disabled", after(hours=1), credential_version=1)
    assert_ignored(story, before, decision, Disposition.SUPERSEDED)


def test_a_result_of_a_newer_credential_counts_even_if_it_is_older() -> None:
    """The clocks of two connectors differ; which credential is the newer one does not depend on them."""
    story = settled()
    decision = story.fails("account_suspended", after(minutes=9), credential_version=3)
    assert decision.disposition is Disposition.CHANGED
    assert story.state is not None
    assert story.state.observed_at == after(minutes=10)


def test_a_check_more_than_five_minutes_ahead_of_the_log_is_the_future() -> None:
    story = settled()
    before = story.state
    entry = ok(after(minutes=30) + TICK, credential_version=2)
    assert_ignored(story, before, story.check(entry, at=after(minutes=25)), Disposition.FUTURE)


def test_a_first_check_from_the_future_makes_no_state() -> None:
    story = Story()
    assert_ignored(story, None, story.check(ok(after(minutes=6)), at=START), Disposition.FUTURE)


def test_a_check_exactly_five_minutes_ahead_counts() -> None:
    story = settled()
    decision = story.check(ok(after(minutes=30), credential_version=2), at=after(minutes=25))
    assert decision.disposition is Disposition.UNCHANGED


def test_a_record_without_a_timestamp_cannot_be_from_the_future() -> None:
    entry = record(ok(after(days=900)))._replace(timestamp=-1)
    assert Story().feed(entry).disposition is Disposition.CHANGED


@pytest.mark.parametrize("timestamp", [2**63 - 1, 2**50, -(2**63)], ids=["the largest", "a large one", "the smallest"])
def test_a_timestamp_beyond_every_calendar_is_none_at_all(timestamp: int) -> None:
    story = Story()
    assert story.feed(record(ok())._replace(timestamp=timestamp)).disposition is Disposition.CHANGED
    removal = story.feed(record(None, offset=1)._replace(timestamp=timestamp))
    assert removal.change is not None
    assert removal.change.changed_at == START


def test_a_check_from_long_ago_counts_when_nothing_newer_is_known() -> None:
    assert Story().check(ok(), at=after(days=7)).disposition is Disposition.CHANGED


def test_equal_times_with_different_ids_both_count_in_the_order_of_the_log() -> None:
    story = Story()
    story.ok(event_id="a")
    assert story.fails("key_disabled", event_id="b").disposition is Disposition.CHANGED
    assert story.ok(event_id="c").disposition is Disposition.CHANGED
    assert story.changes == ["connected", "invalid", "connected"]


@pytest.mark.parametrize("again", ["a", "b", "c"])
def test_of_equal_times_every_id_is_remembered(again: str) -> None:
    story = Story()
    for event_id in ("a", "b", "c"):
        story.ok(event_id=event_id)
    before = story.state
    assert_ignored(story, before, story.fails("key_disabled", event_id=again), Disposition.DUPLICATE)


def test_an_id_is_forgotten_once_time_has_moved_on() -> None:
    """The state stays small: an older record is refused by its time, not by its id."""
    story = settled()
    assert story.state is not None
    assert len(story.state.progress.event_ids) == 1


def test_a_result_older_than_the_deadline_that_changed_the_key_is_late() -> None:
    story = Story()
    story.ok(expires_at=after(days=31))
    story.falls_due()
    before = story.state
    assert_ignored(story, before, story.ok(after(hours=23)), Disposition.LATE)
    assert story.status == "expiring"


def test_a_result_at_the_moment_of_the_deadline_counts() -> None:
    story = Story()
    story.ok(expires_at=after(days=31))
    story.falls_due()
    story.ok(after(days=1))
    assert story.changes == ["connected", "expiring", "connected"]


def test_one_key_s_order_is_nothing_to_another() -> None:
    late = ok() | {"key_id": "key-2"}
    states, decisions = fold([record(ok(after(hours=1))), record(late, offset=1, key=b"key-2")])
    assert [decision.disposition for decision in decisions] == [Disposition.CHANGED, Disposition.CHANGED]
    assert len(states) == 2


def test_a_longer_tolerance_lets_earlier_clocks_count() -> None:
    story = Story(policy=Policy(future_tolerance_s=600))
    assert story.check(ok(after(minutes=10)), at=START).disposition is Disposition.CHANGED


def test_what_is_ignored_is_all_that_leaves_the_state_alone() -> None:
    touches = {
        Disposition.CHANGED,
        Disposition.UNCHANGED,
        Disposition.NOTICED,
        Disposition.PENDING,
        Disposition.INCONCLUSIVE,
    }
    assert set(Disposition) - IGNORED - touches == {Disposition.DEAD_LETTER}


def test_a_connector_whose_clock_stands_still_does_not_fill_the_state() -> None:
    story = Story()
    for number in range(200):
        story.ok(event_id=f"event-{number}")
    assert story.state is not None
    assert len(story.state.progress.event_ids) <= 32
    assert story.ok(event_id="event-199").disposition is Disposition.DUPLICATE

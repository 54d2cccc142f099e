"""Time enters through the log: a deadline record counts only while the key's state waits for it."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas.contract import evolve
from schemas.key_state import KeyState, Progress
from schemas.vocabulary import ChangeTrigger, DeadLetterReason, Reason, Status
from streams.core.deadlines import next_deadline
from streams.core.disposition import Disposition
from streams.core.policy import Policy
from tests.factories import POLICY, START, Story, after, deadline, fold, record

TICK = timedelta(microseconds=1)
IN_PROGRESS = frozenset(Progress.model_fields)


def ends_in(days: float) -> Story:
    story = Story()
    story.ok(expires_at=after(days=days))
    return story


def state_with(status: Status | None, **changes: Any) -> KeyState:
    """A state made by hand that has this status and ends in 40 days."""
    story = Story(always={"exchange": "kraken"})
    story.ok(expires_at=after(days=40))
    assert story.state is not None
    progress = evolve(story.state.progress, {name: changes.pop(name) for name in list(changes) if name in IN_PROGRESS})
    return evolve(story.state, {"status": status, "progress": progress, **changes})


def waited_for(state: KeyState, at: datetime, policy: Policy = POLICY) -> tuple[str, datetime] | None:
    waits = next_deadline(state, at, policy)
    return waits and (waits.kind.value, waits.due_at)


def test_connected_expiring_expired_by_deadlines_alone() -> None:
    story = ends_in(40)
    waited = [story.waits_for]
    while story.waits_for is not None:
        story.falls_due()
        waited.append(story.waits_for)
    assert waited == [
        ("expiring", after(days=10)),
        ("reminder", after(days=25, seconds=1)),
        ("reminder", after(days=32, seconds=1)),
        ("reminder", after(days=36, seconds=1)),
        ("reminder", after(days=38, seconds=1)),
        ("reminder", after(days=39, seconds=1)),
        ("expiry", after(days=40)),
        None,
    ]
    assert story.changes == ["connected", "expiring", "expired"]
    assert story.noticed == ["14 days", "7 days", "3 days", "1 days", "0 days"]


def test_a_change_by_a_deadline_tells_what_a_change_by_a_check_tells() -> None:
    story = ends_in(40)
    change = story.falls_due().change
    assert change is not None
    assert (change.previous_status, change.status, change.reason) == ("connected", "expiring", Reason.EXPIRES_SOON)
    assert (change.sequence, change.trigger, change.changed_at) == (2, ChangeTrigger.DEADLINE, after(days=10))
    assert (change.expires_at, change.days_left) == (after(days=40), 30)
    assert (change.evidence.event_id, change.evidence.offset) == (None, 1)
    story.lives_until(after(days=40))
    last = story.decisions[-1].change
    assert last is not None
    assert (last.status, last.reason, last.days_left) == ("expired", Reason.EXPIRY_PASSED, 0)


def test_a_deadline_is_no_observation() -> None:
    story = ends_in(40)
    story.falls_due()
    assert story.state is not None
    assert (story.state.observed_at, story.state.since) == (START, after(days=10))


@pytest.mark.parametrize("late", [timedelta(0), timedelta(days=9)], ids=["at once", "nine days late"])
def test_a_deadline_counts_from_its_due_time_whenever_it_arrives(late: timedelta) -> None:
    story = ends_in(40)
    change = story.falls_due(arrives=after(days=10) + late).change
    assert change is not None
    assert change.changed_at == after(days=10)


def test_a_repeated_deadline_is_obsolete() -> None:
    story = ends_in(40)
    story.falls_due()
    before = story.state
    decision = story.feed(story.records[-1]._replace(offset=2))
    assert (decision.disposition, decision.touched, story.state) == (Disposition.OBSOLETE, False, before)


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param({"due_at": (after(days=10) - TICK).isoformat()}, id="another moment, just before"),
        pytest.param({"due_at": (after(days=10) + TICK).isoformat()}, id="another moment, just after"),
        pytest.param({"kind": "expiry"}, id="another kind at the right moment"),
        pytest.param({"kind": "expiry", "due_at": after(days=40).isoformat()}, id="the one after the next"),
    ],
)
def test_a_deadline_that_the_state_does_not_wait_for_is_obsolete(forged: dict[str, str]) -> None:
    story = ends_in(40)
    before = story.state
    decision = story.falls_due(arrives=after(days=50), **forged)
    assert (decision.disposition, decision.change, decision.touched) == (Disposition.OBSOLETE, None, False)
    assert story.state is before


def test_a_deadline_that_comes_before_its_time_is_refused() -> None:
    """Whoever can write to the topic cannot make a key expire early: the log's own time is against it."""
    story = ends_in(40)
    before = story.state
    decision = story.falls_due(arrives=after(days=10, seconds=-1, milliseconds=-1))
    assert (decision.disposition, story.state) == (Disposition.FUTURE, before)
    assert story.falls_due().disposition is Disposition.CHANGED


def test_a_deadline_a_second_before_its_time_counts() -> None:
    """The clocks of the worker and of the log differ a little."""
    story = ends_in(40)
    assert story.falls_due(arrives=after(days=10, seconds=-1)).disposition is Disposition.CHANGED


def test_a_deadline_of_an_unknown_key_is_obsolete() -> None:
    _, decisions = fold([record(deadline("expiry", START))])
    assert decisions[0].disposition is Disposition.OBSOLETE


def test_a_deadline_under_another_key_is_a_dead_letter() -> None:
    _, decisions = fold([record(deadline("expiry", START), key=b"key-2")])
    assert decisions[0].dead_letter is not None
    assert decisions[0].dead_letter.reason is DeadLetterReason.KEY_MISMATCH


def test_after_a_renewal_the_old_deadline_is_obsolete() -> None:
    story = ends_in(40)
    old = record(deadline("expiring", after(days=10)), offset=2)
    story.ok(after(days=9), expires_at=after(days=99))
    assert story.waits_for == ("expiring", after(days=69))
    assert story.feed(old).disposition is Disposition.OBSOLETE
    assert story.changes == ["connected"]


def test_after_a_renewal_of_an_expiring_key_it_does_not_expire() -> None:
    story = ends_in(20)
    old = record(deadline("expiry", after(days=20)), offset=2)
    story.ok(after(days=19), expires_at=after(days=300))
    assert story.feed(old).disposition is Disposition.OBSOLETE
    assert story.changes == ["expiring", "connected"]


def test_an_end_date_that_moves_but_stays_near_is_no_change_and_a_new_deadline() -> None:
    story = ends_in(20)
    decision = story.ok(after(days=1), expires_at=after(days=25))
    assert decision.disposition is Disposition.UNCHANGED
    assert story.waits_for == ("reminder", after(days=10, seconds=1))


def test_binding_the_key_to_addresses_ends_its_deadline() -> None:
    story = ends_in(20)
    story.ok(after(days=1), ip_restricted=True, expires_at="1970-01-01T00:00:00Z")
    assert (story.status, story.waits_for) == ("connected", None)


def test_a_removed_key_waits_for_nothing() -> None:
    story = ends_in(40)
    story.removed(after(days=1))
    late = record(deadline("expiring", after(days=10)), offset=2)
    assert story.feed(late).disposition is Disposition.OBSOLETE


def test_a_replaced_key_does_not_wait_for_the_old_one_s_end() -> None:
    story = ends_in(40)
    story.ok(after(days=1), credential_version=2)
    assert story.waits_for is None


def test_a_timeout_does_not_forget_the_end_date() -> None:
    story = ends_in(40)
    story.fails("timeout", after(days=1))
    assert story.waits_for == ("expiring", after(days=10))


def test_a_key_with_trouble_expires_on_its_day() -> None:
    story = ends_in(40)
    for minute in (6, 7, 8):
        story.fails("timeout", after(minutes=minute))
    assert story.status == "temporary_issue"
    story.lives_until(after(days=40) - TICK)
    assert (story.status, story.waits_for) == ("temporary_issue", ("expiry", after(days=40)))
    story.falls_due()
    assert story.status == "expired"


def test_a_key_without_a_status_can_expire() -> None:
    story = Story()
    story.fails("signature_mismatch", expires_at=after(days=3))
    assert (story.status, story.waits_for) == (None, ("expiry", after(days=3)))
    change = story.falls_due().change
    assert change is not None
    assert (change.sequence, change.previous_status, change.status) == (1, None, Status.EXPIRED)


def test_a_success_after_the_end_says_that_the_key_works_all_the_same() -> None:
    story = ends_in(20)
    story.lives_until(after(days=20))
    story.ok(after(days=21), expires_at=after(days=20))
    assert (story.changes, story.waits_for) == (["expiring", "expired", "connected"], None)


def test_an_end_that_the_exchange_tells_stays_told_although_the_key_outlives_it() -> None:
    """Unlike a computed one, which nobody has told."""
    story = ends_in(20)
    story.ok(after(days=21), expires_at=after(days=20))
    assert story.state is not None
    assert (story.state.expires_at, story.state.progress.expires_at) == (after(days=20), after(days=20))
    assert story.state.progress.outlived_at is None


def test_no_deadline_lies_before_the_result_that_set_it() -> None:
    """A failed check may tell of an end date within the window: the key is due now, not weeks ago."""
    story = Story()
    story.ok()
    story.fails("timeout", after(hours=1), expires_at=after(days=10))
    assert story.waits_for == ("expiring", after(hours=1))
    change = story.falls_due().change
    assert change is not None
    assert (change.status, change.changed_at) == ("expiring", after(hours=1))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, ("expiry", after(days=40))),
        (Status.CONNECTED, ("expiring", after(days=10))),
        (Status.EXPIRING, ("reminder", after(days=25, seconds=1))),
        (Status.TEMPORARY_ISSUE, ("reminder", after(days=25, seconds=1))),
        (Status.INCORRECT_PERMISSIONS, ("expiry", after(days=40))),
        (Status.INACTIVE_FUTURES, ("reminder", after(days=25, seconds=1))),
        (Status.EXPIRED, None),
        (Status.WITHDRAWAL_ENABLED, None),
        (Status.INVALID, None),
    ],
    ids=lambda value: "no status" if value is None else str(value) if isinstance(value, Status) else "",
)
def test_what_a_status_waits_for(status: Status | None, expected: tuple[str, datetime] | None) -> None:
    """What is worse than expired does not become expired by time; what is less does."""
    assert waited_for(state_with(status), START) == expected


@pytest.mark.parametrize("status", [None, *Status])
def test_an_end_that_has_come_is_not_waited_for(status: Status | None) -> None:
    assert waited_for(state_with(status, expires_at=START), START) is None
    assert waited_for(state_with(status, expires_at=None), START) is None


def test_of_two_deadlines_of_one_moment_the_more_telling_one_comes_first() -> None:
    """The end comes near in the moment in which the key is stale: the order must not depend on chance."""
    story = Story(always={"check_interval_s": 288_000})
    story.ok(expires_at=after(days=40))
    assert story.waits_for == ("expiring", after(days=10))
    story.falls_due()
    assert story.waits_for == ("stale", after(days=10))
    story.falls_due()
    assert (story.changes, story.noticed) == (["connected", "expiring"], ["stale"])


def test_a_reminder_comes_before_the_change_of_the_same_moment() -> None:
    story = Story(policy=Policy(expiring_window_days=15 - 1 / 86_400))
    story.ok(expires_at=after(days=40))
    assert story.waits_for == ("reminder", after(days=25, seconds=1))
    story.falls_due()
    assert story.waits_for == ("expiring", after(days=25, seconds=1))


def test_an_end_date_that_moves_without_a_change_of_status_moves_in_the_state() -> None:
    """HTX extends a key with every use: who reads the state must see the date that holds now."""
    story = Story()
    story.ok(expires_at=after(days=10))
    decision = story.ok(after(days=5), expires_at=after(days=15, hours=1))
    assert (decision.change, story.status) == (None, "expiring")
    assert story.state is not None
    assert (story.state.expires_at, story.state.days_left) == (after(days=15, hours=1), 10)


@pytest.mark.parametrize(
    ("fields", "outlived"),
    [
        ({}, True),
        ({"permissions": {}}, False),
        ({"permissions": {"read": True, "spot_trade": False}}, False),
        ({"reported_state": "expired"}, False),
        ({"account": {"suspended": True}}, False),
        ({"expires_at": after(days=99)}, False),
    ],
    ids=["it works", "nothing is seen", "a right is gone", "it is said to be expired", "suspended", "a new end"],
)
def test_a_key_outlives_its_end_when_it_is_connected_all_the_same(fields: dict[str, Any], outlived: bool) -> None:  # noqa: FBT001
    story = ends_in(20)
    decision = story.ok(after(days=21), **{"expires_at": after(days=20), **fields})
    assert decision.outlived is outlived


def test_a_key_that_fails_after_its_end_does_not_outlive_it() -> None:
    story = ends_in(20)
    assert not story.fails("timeout", after(days=21)).outlived

"""When an observed status is believed: every cell of the confirmation table.

The expected table is written out here once more, on purpose: the code's own copy is what is tested.
"""

from datetime import timedelta
from typing import Any

import pytest

from schemas.key_state import Progress, Streak
from schemas.vocabulary import Certainty, Reason, Status
from streams.core.confirmation import CONFIRMATION, Confirm
from streams.core.disposition import Disposition
from tests.factories import Story, after, deadline, record

FUTURES_USER = ["read", "spot_trade", "futures_trade"]

#: A success that tells all that matters: one that tells less ends no status that rests on what it leaves out
#: (see ``test_silence``).
GOOD = {"read": True, "spot_trade": True, "withdraw": False}
NO_FUTURES = GOOD | {"futures_trade": False}

#: What brings a key to each status by one definite answer.
LEADS_TO: dict[Status | None, dict[str, Any]] = {
    Status.CONNECTED: {"permissions": GOOD},
    Status.EXPIRING: {"permissions": GOOD, "expires_at": after(days=20)},
    Status.EXPIRED: {"code": "key_expired"},
    Status.INCORRECT_PERMISSIONS: {"permissions": GOOD | {"spot_trade": False}},
    Status.WITHDRAWAL_ENABLED: {"permissions": GOOD | {"withdraw": True}},
    Status.TEMPORARY_ISSUE: {"code": "timeout"},
    Status.INVALID: {"code": "account_suspended"},
    Status.INACTIVE_FUTURES: {"permissions": NO_FUTURES, "required_permissions": FUTURES_USER},
}
WORKING = (Status.CONNECTED, Status.EXPIRING, Status.TEMPORARY_ISSUE)
BROKEN = (
    Status.EXPIRED,
    Status.INCORRECT_PERMISSIONS,
    Status.WITHDRAWAL_ENABLED,
    Status.INVALID,
    Status.INACTIVE_FUTURES,
)
HELD = (None, *WORKING, *BROKEN)


def name(held: Status | None) -> str:
    return "no status" if held is None else held.value


def story_of(held: Status | None) -> Story:
    """A key that has this status since START."""
    story = Story()
    if held is not None:
        fields = dict(LEADS_TO[held])
        code = fields.pop("code", None)
        if code is None:
            story.ok(**fields)
        else:
            story.fails(code, **fields)
    assert story.status == (held and held.value)
    return story


def an_ambiguous_answer(held: Status | None) -> str:
    """One that would give another status than this."""
    return "maybe_ip_not_allowed" if held is Status.INVALID else "signature_mismatch"


def test_the_table_is_complete() -> None:
    cells = {(held, sure) for held, row in CONFIRMATION.items() for sure in row}
    said = {sure for sure in Certainty if sure is not Certainty.IRRELEVANT}
    assert cells == {(held, sure) for held in (None, *Status) for sure in said}


# --- definite: one result ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("held", HELD, ids=name)
def test_a_definite_error_is_believed_at_once(held: Status | None) -> None:
    story = story_of(held)
    code, status = ("key_expired", "expired") if held is Status.INVALID else ("key_disabled", "invalid")
    decision = story.fails(code, after(seconds=1))
    assert (decision.disposition, story.status) == (Disposition.CHANGED, status)


@pytest.mark.parametrize("held", [held for held in HELD if held is not Status.CONNECTED], ids=name)
def test_one_success_is_enough_to_recover(held: Status | None) -> None:
    story = story_of(held)
    decision = story.ok(after(seconds=1), permissions=GOOD)
    assert (decision.disposition, story.status) == (Disposition.CHANGED, "connected")


@pytest.mark.parametrize("news", Status, ids=name)
@pytest.mark.parametrize("held", HELD, ids=name)
def test_every_status_can_follow_every_other(held: Status | None, news: Status) -> None:
    """By a definite answer: at once. Temporary issues take three, and follow only what works."""
    story = story_of(held)
    fields = dict(LEADS_TO[news])
    code = fields.pop("code", None)
    for minutes in (10, 20, 30):
        if code is None:
            story.ok(after(minutes=minutes), **fields)
        else:
            story.fails(code, after(minutes=minutes), **fields)
    stays = held in BROKEN and news is Status.TEMPORARY_ISSUE
    assert story.status == (held if stays else news)
    assert len(story.changes) <= 2


# --- ambiguous: two, a minute apart -----------------------------------------------------------------------------------


@pytest.mark.parametrize("held", HELD, ids=name)
def test_an_ambiguous_answer_is_believed_when_it_repeats_a_minute_later(held: Status | None) -> None:
    story = story_of(held)
    code = an_ambiguous_answer(held)
    first = story.fails(code, after(seconds=1))
    assert (first.disposition, story.status) == (Disposition.PENDING, held and held.value)
    second = story.fails(code, after(seconds=61))
    assert second.disposition is Disposition.CHANGED
    assert story.status == ("incorrect_permissions" if held is Status.INVALID else "invalid")


def test_ambiguous_answers_within_a_minute_are_one_answer() -> None:
    story = story_of(Status.CONNECTED)
    for second in (1, 2, 30, 60):
        assert story.fails("signature_mismatch", after(seconds=second)).disposition is Disposition.PENDING
    assert story.fails("signature_mismatch", after(seconds=61)).disposition is Disposition.CHANGED


def test_the_minute_is_exact() -> None:
    story = story_of(Status.CONNECTED)
    story.fails("signature_mismatch", after(seconds=1))
    almost = after(seconds=61) - timedelta(microseconds=1)
    assert story.fails("signature_mismatch", almost).disposition is Disposition.PENDING


def test_different_ambiguous_errors_of_one_status_confirm_each_other_and_the_last_is_the_reason() -> None:
    story = story_of(Status.CONNECTED)
    story.fails("signature_mismatch", after(seconds=1))
    change = story.fails("passphrase_mismatch", after(seconds=61)).change
    assert change is not None
    assert change.reason is Reason.PASSPHRASE_MISMATCH


def test_ambiguous_errors_of_two_statuses_confirm_each_other_and_the_last_is_believed() -> None:
    """Binance's -2015 points to futures on one path and to the key on another: refused it is either way."""
    story = story_of(Status.CONNECTED)
    story.fails("signature_mismatch", after(minutes=1))
    change = story.fails("maybe_ip_not_allowed", after(minutes=3)).change
    assert change is not None
    assert (change.status, change.reason) == (Status.INCORRECT_PERMISSIONS, Reason.IP_NOT_ALLOWED)


def test_ambiguous_errors_of_two_statuses_in_turn_change_a_key_once() -> None:
    """An answer that agrees with the status breaks the row: two that contradict each other flip it for ever."""
    story = story_of(Status.CONNECTED)
    for hour in range(1, 11):
        story.fails("signature_mismatch" if hour % 2 else "maybe_ip_not_allowed", after(hours=hour))
    assert story.changes == ["connected", "incorrect_permissions"]


def test_ambiguous_answers_are_in_a_row_for_a_day() -> None:
    story = story_of(Status.CONNECTED)
    story.fails("signature_mismatch", after(hours=1))
    assert story.fails("signature_mismatch", after(hours=25)).disposition is Disposition.CHANGED


def test_an_ambiguous_answer_later_than_a_day_is_a_first_one() -> None:
    story = story_of(Status.CONNECTED)
    story.fails("signature_mismatch", after(hours=1))
    late = after(hours=25, microseconds=1)
    assert story.fails("passphrase_mismatch", late).disposition is Disposition.PENDING
    assert story.state is not None
    assert story.state.progress.ambiguous is not None
    assert (story.state.progress.ambiguous.count, story.state.progress.ambiguous.first_at) == (1, late)
    assert story.fails("signature_mismatch", after(hours=26)).disposition is Disposition.CHANGED


def test_a_success_between_ends_the_doubt() -> None:
    story = story_of(Status.CONNECTED)
    story.fails("signature_mismatch", after(minutes=1))
    story.ok(after(minutes=2))
    assert story.fails("signature_mismatch", after(minutes=3)).disposition is Disposition.PENDING
    assert story.changes == ["connected"]


@pytest.mark.parametrize("held", WORKING, ids=name)
def test_a_timeout_between_does_not_end_the_doubt(held: Status) -> None:
    story = story_of(held)
    story.fails("signature_mismatch", after(minutes=1))
    story.fails("timeout", after(minutes=2))
    assert story.fails("signature_mismatch", after(minutes=3)).disposition is Disposition.CHANGED


def test_an_answer_about_something_else_does_not_end_the_doubt() -> None:
    story = story_of(Status.CONNECTED)
    story.fails("signature_mismatch", after(minutes=1))
    story.fails("request_rejected", after(minutes=2))
    assert story.fails("signature_mismatch", after(minutes=3)).disposition is Disposition.CHANGED


def test_an_ambiguous_answer_that_agrees_with_the_status_is_no_news() -> None:
    story = story_of(Status.INVALID)
    for minute in (1, 2, 3):
        assert story.fails("signature_mismatch", after(minutes=minute)).disposition is Disposition.UNCHANGED
    assert story.changes == ["invalid"]


@pytest.mark.parametrize(
    ("code", "status"),
    [("signature_mismatch", "invalid"), ("timeout", "temporary_issue")],
    ids=["ambiguous", "trouble"],
)
def test_a_doubt_does_not_survive_the_change_that_it_made(code: str, status: str) -> None:
    story = story_of(Status.CONNECTED)
    for minute in (2, 4, 6):
        story.fails(code, after(minutes=minute))
    assert story.status == status
    assert story.state is not None
    assert (story.state.progress.ambiguous, story.state.progress.inconclusive) == (None, None)


def test_a_doubt_tells_its_last_finding_how_often_and_since_when() -> None:
    story = story_of(Status.CONNECTED)
    story.fails("maybe_ip_not_allowed", after(seconds=1))
    story.fails("region_restricted", after(seconds=2))
    assert story.state is not None
    doubt = story.state.progress.ambiguous
    assert doubt is not None
    assert (doubt.status, doubt.reason, doubt.count) == (Status.INVALID, Reason.REGION_RESTRICTED, 2)
    assert doubt.first_at == after(seconds=1)


# --- inconclusive: three, five minutes after the last clear answer ----------------------------------------------------


def test_the_first_check_ever_shows_a_temporary_issue_at_once() -> None:
    assert story_of(Status.TEMPORARY_ISSUE).changes == ["temporary_issue"]


@pytest.mark.parametrize("held", [Status.CONNECTED, Status.EXPIRING], ids=name)
def test_trouble_replaces_what_works_when_it_lasts(held: Status) -> None:
    story = story_of(held)
    assert story.fails("timeout", after(minutes=1)).disposition is Disposition.PENDING
    assert story.fails("maintenance", after(minutes=2)).disposition is Disposition.PENDING
    change = story.fails("rate_limited", after(minutes=5)).change
    assert change is not None
    assert (change.status, change.reason) == (Status.TEMPORARY_ISSUE, Reason.RATE_LIMITED)


def test_trouble_goes_on_without_a_second_change() -> None:
    story = story_of(Status.TEMPORARY_ISSUE)
    for minute in range(1, 10):
        assert story.fails("timeout", after(minutes=minute)).disposition is Disposition.UNCHANGED
    assert story.changes == ["temporary_issue"]


@pytest.mark.parametrize("held", BROKEN, ids=name)
def test_trouble_never_replaces_what_asks_the_owner_to_act(held: Status) -> None:
    story = story_of(held)
    for hour in range(1, 11):
        assert story.fails("timeout", after(hours=hour)).disposition is Disposition.INCONCLUSIVE
    assert story.status == held.value
    assert story.state is not None
    assert story.state.progress.unconfirmed_since == after(hours=1)


def test_three_timeouts_within_five_minutes_are_too_soon() -> None:
    story = story_of(Status.CONNECTED)
    for second in (1, 2, 3, 299):
        assert story.fails("timeout", after(seconds=second)).disposition is Disposition.PENDING
    assert story.fails("timeout", after(seconds=300)).disposition is Disposition.CHANGED


def test_two_timeouts_after_hours_are_too_few() -> None:
    story = story_of(Status.CONNECTED)
    for hour in (1, 9):
        assert story.fails("timeout", after(hours=hour)).disposition is Disposition.PENDING
    assert story.status == "connected"


@pytest.mark.parametrize("between", ["success", "a definite error", "an ambiguous error"])
def test_timeouts_count_in_a_row_only(between: str) -> None:
    story = story_of(Status.CONNECTED)
    story.fails("timeout", after(minutes=10))
    story.fails("timeout", after(minutes=20))
    if between == "success":
        story.ok(after(minutes=25))
    else:
        code = "key_disabled" if between == "a definite error" else "signature_mismatch"
        story.fails(code, after(minutes=25))
    if between == "a definite error":
        story.ok(after(minutes=26))
    assert story.fails("timeout", after(minutes=40)).disposition is Disposition.PENDING
    assert story.status == "connected"


def test_an_ambiguous_answer_is_no_clear_one() -> None:
    """The five minutes count from the last definite answer, not from a doubtful one."""
    story = story_of(Status.CONNECTED)
    story.fails("signature_mismatch", after(minutes=4))
    for second in (241, 242):
        story.fails("timeout", after(seconds=second))
    assert story.fails("timeout", after(minutes=5)).disposition is Disposition.CHANGED


def test_what_was_unconfirmed_is_confirmed_by_one_clear_answer() -> None:
    story = story_of(Status.INVALID)
    story.fails("timeout", after(minutes=1))
    story.fails("account_suspended", after(minutes=2))
    assert story.state is not None
    assert story.state.progress.unconfirmed_since is None


# --- a replaced key ---------------------------------------------------------------------------------------------------


def replaced() -> Story:
    """A connected key that the owner replaced at START + 1 h."""
    story = story_of(Status.CONNECTED)
    story.fails("request_rejected", after(minutes=30))
    return story


def test_a_replaced_key_has_trouble_five_minutes_after_it_came_and_not_before() -> None:
    """Nothing clear is known of it yet, but three timeouts within seconds are no lasting trouble."""
    story = story_of(Status.CONNECTED)
    for second in (0, 1, 2, 299):
        decision = story.fails("timeout", after(hours=1, seconds=second), credential_version=2)
        assert decision.disposition is Disposition.PENDING
    story.fails("timeout", after(hours=1, minutes=5), credential_version=2)
    assert story.changes == ["connected", "temporary_issue"]


def test_a_clear_answer_of_a_replaced_key_counts_from_its_own_time() -> None:
    story = story_of(Status.CONNECTED)
    story.fails("timeout", after(hours=1), credential_version=2)
    story.ok(after(hours=1, minutes=4), credential_version=2)
    for second in (241, 242, 300):
        story.fails("timeout", after(hours=1, seconds=second), credential_version=2)
    assert story.status == "connected"


@pytest.mark.parametrize("code", ["key_not_found", "key_not_activated"])
def test_a_replaced_key_that_is_not_there_yet_is_pending_for_ten_minutes(code: str) -> None:
    story = replaced()
    first, last = after(hours=1), after(hours=1, minutes=10)
    assert story.fails(code, first, credential_version=2).disposition is Disposition.PENDING
    almost = last - timedelta(microseconds=1)
    assert story.fails(code, almost, credential_version=2).disposition is Disposition.PENDING
    assert story.status == "connected"
    assert story.fails(code, last, credential_version=2).disposition is Disposition.CHANGED
    assert story.status == "invalid"


def test_a_replaced_key_with_ambiguous_refusals_is_pending_for_ten_minutes() -> None:
    story = replaced()
    for minute in range(10):
        decision = story.fails("signature_mismatch", after(hours=1, minutes=minute), credential_version=2)
        assert decision.disposition is Disposition.PENDING
    story.fails("signature_mismatch", after(hours=1, minutes=10), credential_version=2)
    assert story.status == "invalid"


@pytest.mark.parametrize(
    ("code", "status"),
    [("account_suspended", "invalid"), ("key_expired", "expired"), ("ip_not_allowed", "incorrect_permissions")],
)
def test_a_replaced_key_gets_no_grace_for_what_waiting_does_not_cure(code: str, status: str) -> None:
    story = replaced()
    assert story.fails(code, after(hours=1), credential_version=2).disposition is Disposition.CHANGED
    assert story.status == status


def test_a_replaced_key_that_works_is_connected_at_once() -> None:
    story = story_of(Status.INVALID)
    story.ok(after(hours=1), credential_version=2)
    assert story.status == "connected"


def test_a_new_key_gets_no_grace() -> None:
    """Only a key that replaces another: nobody waits for the first one to be told as unknown."""
    story = Story()
    assert story.fails("key_not_found", credential_version=7).disposition is Disposition.CHANGED


def test_a_replaced_key_does_not_inherit_the_old_one_s_doubts() -> None:
    story = story_of(Status.CONNECTED)
    story.fails("signature_mismatch", after(minutes=59))
    story.fails("maybe_permission_denied", after(minutes=60), credential_version=2)
    assert story.state is not None
    assert story.state.progress.ambiguous is not None
    assert story.state.progress.ambiguous.count == 1


def test_of_a_replaced_key_nothing_is_remembered_but_what_its_first_answer_tells() -> None:
    """All that was remembered of the old one goes: its end, its doubts, its rights, its reminders, its changes."""
    story = Story(always={"exchange": "bybit", "ip_restricted": False, "check_interval_s": 3_600})
    story.ok(permissions=GOOD)
    story.fails("key_disabled", after(minutes=1))
    story.ok(after(minutes=2), permissions=GOOD, expires_at=after(days=3))
    story.fails("signature_mismatch", after(minutes=3))
    story.fails("timeout", after(minutes=4))
    story.fails("timeout", after(hours=1), credential_version=2, ip_restricted=None, check_interval_s=None)
    assert story.state is not None
    assert story.state.progress == Progress(
        credential_version=2,
        credential_at=after(hours=1),
        offset=5,
        event_ids=(f"event-{after(hours=1).isoformat()}",),
        inconclusive=Streak(status=Status.TEMPORARY_ISSUE, reason=Reason.TIMEOUT, count=1, first_at=after(hours=1)),
        unconfirmed_since=after(hours=1),
        in_trouble=True,
    )


def test_a_replaced_key_does_not_inherit_the_old_one_s_end_date() -> None:
    story = Story()
    story.ok(expires_at=after(days=40))
    story.ok(after(minutes=1), credential_version=2)
    assert story.state is not None
    assert (story.state.progress.expires_at, story.state.progress.next_deadline) == (None, None)


# --- the five minutes, when no further result comes -------------------------------------------------------------------


def three_timeouts(held: Status | None = Status.CONNECTED) -> Story:
    """A key with three timeouts in the first three minutes: enough of them, but too soon."""
    story = story_of(held)
    for minute, code in enumerate(("timeout", "maintenance", "rate_limited"), 1):
        story.fails(code, after(minutes=minute))
    return story


@pytest.mark.parametrize("held", [Status.CONNECTED, Status.EXPIRING], ids=name)
def test_trouble_that_was_seen_often_enough_is_told_when_the_five_minutes_are_over(held: Status) -> None:
    story = three_timeouts(held)
    assert (story.status, story.waits_for) == (held.value, ("lasting", after(minutes=5)))
    decision = story.falls_due()
    change = decision.change
    assert change is not None
    assert (change.status, change.reason) == (Status.TEMPORARY_ISSUE, Reason.RATE_LIMITED)
    assert (change.trigger, change.changed_at, change.evidence.event_id) == ("deadline", after(minutes=5), None)
    assert [(issue.status, issue.reason) for issue in change.issues] == [("temporary_issue", "rate_limited")]
    assert decision.notices == ()
    assert story.state is not None
    assert story.state.progress.inconclusive is None
    assert story.state.progress.unconfirmed_since == after(minutes=1)


def test_one_success_recovers_from_trouble_that_a_deadline_told() -> None:
    story = three_timeouts()
    story.falls_due()
    story.ok(after(minutes=6), permissions=GOOD)
    assert story.changes == ["connected", "temporary_issue", "connected"]


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_timeouts_are_not_waited_for(count: int) -> None:
    story = story_of(Status.CONNECTED)
    for minute in range(1, count + 1):
        story.fails("timeout", after(minutes=minute))
    assert story.waits_for is None


@pytest.mark.parametrize("code", [None, "signature_mismatch", "key_disabled"])
def test_an_answer_in_between_ends_the_wait(code: str | None) -> None:
    story = three_timeouts()
    if code is None:
        story.ok(after(minutes=4))
    else:
        story.fails(code, after(minutes=4))
    assert story.waits_for is None
    late = record(deadline("lasting", after(minutes=5)), offset=9)
    assert story.feed(late).disposition is Disposition.OBSOLETE
    assert "temporary_issue" not in story.changes


def test_a_further_timeout_does_not_move_the_moment() -> None:
    story = three_timeouts()
    story.fails("network", after(minutes=4))
    assert story.waits_for == ("lasting", after(minutes=5))
    change = story.falls_due().change
    assert change is not None
    assert change.reason is Reason.NETWORK


def test_an_answer_about_something_else_does_not_end_the_wait() -> None:
    story = three_timeouts()
    story.fails("request_rejected", after(minutes=4))
    assert story.waits_for == ("lasting", after(minutes=5))


@pytest.mark.parametrize("held", [None, Status.TEMPORARY_ISSUE, *BROKEN], ids=name)
def test_where_trouble_is_told_already_or_never_nothing_is_waited_for(held: Status | None) -> None:
    assert three_timeouts(held).waits_for is None


def test_a_replaced_key_waits_from_when_it_came() -> None:
    story = story_of(Status.CONNECTED)
    for second in (0, 1, 2):
        story.fails("timeout", after(hours=1, seconds=second), credential_version=2)
    assert story.waits_for == ("lasting", after(hours=1, minutes=5))


def test_the_end_of_the_key_comes_first_when_it_is_sooner() -> None:
    story = Story()
    story.ok(expires_at=after(minutes=4))
    for minute in (1, 2, 3):
        story.fails("timeout", after(minutes=minute))
    story.lives_until(after(minutes=10))
    assert story.changes == ["expiring", "expired"]


def test_the_cells_need_what_the_design_says() -> None:
    """Definite and ambiguous are the same everywhere; trouble depends on what holds."""
    for held, row in CONFIRMATION.items():
        assert row[Certainty.DEFINITE] is Confirm.AT_ONCE, held
        assert row[Certainty.AMBIGUOUS] is Confirm.WHEN_REPEATED, held
    trouble = {held: row[Certainty.INCONCLUSIVE] for held, row in CONFIRMATION.items()}
    assert trouble.pop(None) is Confirm.AT_ONCE
    assert trouble == dict.fromkeys(WORKING, Confirm.WHEN_LASTING) | dict.fromkeys(BROKEN, Confirm.NEVER)

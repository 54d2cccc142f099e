"""When an observed status is believed: every cell of the confirmation table, and every number of the policy.

The expected table is written out here once more, on purpose: the code's own copy is what is tested.
"""

from datetime import timedelta
from typing import Any

import pytest

from schemas.vocabulary import Certainty, Reason, Status
from streams.core.confirmation import CONFIRMATION, Confirm
from streams.core.disposition import Disposition
from streams.core.policy import Policy
from tests.factories import START, Story, after, ok

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


def story_of(held: Status | None, policy: Policy | None = None) -> Story:
    """A key that has this status since START."""
    story = Story(policy=policy or Policy())
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


def test_a_replaced_key_does_not_inherit_the_old_one_s_end_date() -> None:
    story = Story()
    story.ok(expires_at=after(days=40))
    story.ok(after(minutes=1), credential_version=2)
    assert story.state is not None
    assert (story.state.progress.expires_at, story.state.progress.next_deadline) == (None, None)


# --- every number of the policy matters -------------------------------------------------------------------------------


def two_refusals(policy: Policy) -> Story:
    story = story_of(Status.CONNECTED, policy)
    story.fails("signature_mismatch", after(seconds=10))
    story.fails("signature_mismatch", after(seconds=70))
    return story


def two_refusals_a_day_apart(policy: Policy) -> Story:
    story = story_of(Status.CONNECTED, policy)
    story.fails("signature_mismatch", after(hours=1))
    story.fails("signature_mismatch", after(hours=25))
    return story


def three_timeouts(policy: Policy) -> Story:
    story = story_of(Status.CONNECTED, policy)
    for minute in (2, 4, 6):
        story.fails("timeout", after(minutes=minute))
    return story


def replaced_and_not_found(policy: Policy) -> Story:
    story = story_of(Status.CONNECTED, policy)
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


def test_no_number_of_the_policy_is_untested() -> None:
    marks = test_a_number_of_the_policy_matters.pytestmark
    tested = {name for mark in marks for case in mark.args[1] for name in case.values[1]}
    assert tested == set(Policy.model_fields)


def test_one_ambiguous_answer_is_enough_when_the_policy_says_so() -> None:
    story = story_of(Status.CONNECTED, Policy(ambiguous_results=1))
    assert story.fails("signature_mismatch", after(seconds=1)).disposition is Disposition.CHANGED


def test_ambiguous_answers_may_have_to_come_at_one_exact_distance() -> None:
    story = story_of(Status.CONNECTED, Policy(ambiguous_apart_s=60, ambiguous_within_s=60))
    story.fails("signature_mismatch", after(seconds=1))
    assert story.fails("signature_mismatch", after(seconds=61)).disposition is Disposition.CHANGED


def test_one_timeout_is_enough_when_the_policy_says_so() -> None:
    story = story_of(Status.CONNECTED, Policy(inconclusive_results=1, inconclusive_after_s=0))
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


def test_the_cells_need_what_the_design_says() -> None:
    """Definite and ambiguous are the same everywhere; trouble depends on what holds."""
    for held, row in CONFIRMATION.items():
        assert row[Certainty.DEFINITE] is Confirm.AT_ONCE, held
        assert row[Certainty.AMBIGUOUS] is Confirm.WHEN_REPEATED, held
    trouble = {held: row[Certainty.INCONCLUSIVE] for held, row in CONFIRMATION.items()}
    assert trouble.pop(None) is Confirm.AT_ONCE
    assert trouble == dict.fromkeys(WORKING, Confirm.WHEN_LASTING) | dict.fromkeys(BROKEN, Confirm.NEVER)

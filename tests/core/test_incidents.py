"""Trouble of an exchange at large: many keys fail at once, so the keys are not to blame.

A crowd of keys in one partition; each check is a record of its own, a second after the one before.
"""

from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas.key_state import Incident
from schemas.vocabulary import NoticeKind, Reason, Status
from streams.core.disposition import Disposition
from streams.core.policy import Policy
from tests.factories import START, Crowd

SECOND = timedelta(seconds=1)
REFUSED, DOWN = "auth_failed_unspecified", "timeout"
NO_FUTURES = {
    "required_permissions": ["read", "spot_trade", "futures_trade"],
    "permissions": {"read": True, "spot_trade": True, "futures_trade": False},
}


def connected(keys: int, policy: Policy | None = None, **fields: Any) -> Crowd:
    """A crowd whose keys all work; seen long ago, so that none counts as checked lately."""
    crowd = Crowd(policy or Policy())
    crowd.all_of(range(keys), **fields)
    crowd.now += timedelta(hours=1)
    return crowd


def in_incident(keys: int = 40, code: str = REFUSED) -> Crowd:
    """A crowd of which the first twenty were refused while twenty work: the twentieth opened an incident."""
    crowd = connected(keys)
    crowd.all_of(range(20, 40))
    crowd.all_of(range(20), code)
    assert crowd.told == ["incident_opened"]
    return crowd


# --- it opens


def test_twenty_keys_in_trouble_open_an_incident() -> None:
    crowd = connected(40)
    crowd.all_of(range(20, 40))
    crowd.all_of(range(19), REFUSED)
    assert (crowd.told, "binance" in crowd.incidents) == ([], False)
    decision = crowd.check(19, REFUSED)
    assert "binance" in crowd.incidents
    assert crowd.incidents.open == ["binance"]
    (notice,) = decision.notices
    assert (notice.kind, notice.exchange, notice.noticed_at) == (NoticeKind.INCIDENT_OPENED, "binance", crowd.now)
    assert (notice.key_id, notice.account_id, notice.status) == (None, None, None)
    assert (notice.expires_at, notice.days_left) == (None, None)
    assert (notice.keys_in_trouble, notice.keys_checked) == (20, 40)
    assert (notice.evidence.error_type, notice.evidence.offset) == (REFUSED, 79)


def test_of_the_keys_that_nobody_checked_lately_nothing_is_known() -> None:
    """The first five after a quiet hour are all that were checked lately."""
    crowd = connected(40)
    crowd.all_of(range(4), REFUSED)
    assert crowd.told == []
    crowd.check(4, REFUSED)
    assert crowd.told == ["incident_opened"]


@pytest.mark.parametrize(("well", "opens"), [(19, True), (20, True), (21, False)])
def test_it_takes_half_of_the_keys_checked_lately(well: int, opens: bool) -> None:  # noqa: FBT001
    crowd = connected(60)
    crowd.all_of(range(well))
    crowd.all_of(range(40, 60), DOWN)
    assert crowd.told == ["incident_opened"] * opens
    if opens:
        assert (crowd.notices[0].keys_in_trouble, crowd.notices[0].keys_checked) == (20, 20 + well)


@pytest.mark.parametrize(("keys", "opens"), [(4, False), (5, True), (19, True)])
def test_of_fewer_than_twenty_all_must_be_in_trouble_and_they_must_be_five(keys: int, opens: bool) -> None:  # noqa: FBT001
    crowd = connected(keys)
    crowd.all_of(range(keys), DOWN)
    assert crowd.told == ["incident_opened"] * opens


@pytest.mark.parametrize("keys", [6, 19, 20])
def test_of_fewer_than_twenty_one_that_works_is_enough_against_it(keys: int) -> None:
    crowd = connected(keys)
    crowd.check(0)
    crowd.all_of(range(1, keys), DOWN)
    assert crowd.told == []


@pytest.mark.parametrize("mixed", [[DOWN] * 20, [REFUSED] * 20, [DOWN, REFUSED, "region_restricted", "nonce"] * 5])
def test_inconclusive_and_ambiguous_answers_count_alike(mixed: list[str]) -> None:
    crowd = connected(20)
    for key, code in enumerate(mixed):
        crowd.check(key, code)
    assert len(crowd.told) == 1


@pytest.mark.parametrize("code", ["key_not_found", "key_disabled", "ip_not_allowed", "request_rejected"])
def test_definite_answers_and_those_about_something_else_do_not(code: str) -> None:
    crowd = connected(40)
    crowd.all_of(range(40), code)
    assert crowd.told == []


def test_a_key_counts_once_however_often_it_fails() -> None:
    crowd = connected(40)
    crowd.all_of(range(20, 30))
    for _ in range(3):
        crowd.all_of(range(10), DOWN)
    assert crowd.told == []


def test_a_key_that_works_again_counts_no_more() -> None:
    crowd = connected(40)
    crowd.check(39)
    for key in range(39):
        crowd.check(key, DOWN)
        crowd.check(key)
    assert crowd.told == []


@pytest.mark.parametrize(("minutes", "opens"), [(4, True), (6, False)])
def test_only_the_last_five_minutes_count(minutes: float, opens: bool) -> None:  # noqa: FBT001
    crowd = connected(40)
    crowd.check(39)
    crowd.all_of(range(10), DOWN)
    crowd.now += timedelta(minutes=minutes)
    crowd.check(38)
    crowd.all_of(range(10, 20), DOWN)
    assert crowd.told == ["incident_opened"] * opens


def test_each_exchange_has_its_own_incident() -> None:
    crowd = Crowd()
    crowd.all_of(range(20), exchange="okx")
    crowd.all_of(range(20, 40), exchange="kraken")
    crowd.all_of(range(10), DOWN, exchange="okx")
    crowd.all_of(range(20, 30), DOWN, exchange="kraken")
    assert crowd.told == []
    crowd.all_of(range(10, 20), DOWN, exchange="okx")
    assert (crowd.told, crowd.incidents.open) == (["incident_opened"], ["okx"])
    crowd.all_of(range(30, 40), DOWN, exchange="kraken")
    assert [notice.exchange for notice in crowd.notices] == ["okx", "kraken"]


@pytest.mark.parametrize("code", ["key_disabled", "key_expired", "ip_not_allowed"])
def test_ambiguous_answers_of_keys_that_must_be_acted_on_anyway_open_none(code: str) -> None:
    """A connector goes on asking for keys that were deleted long ago; that is no sign of trouble."""
    crowd = Crowd()
    crowd.all_of(range(40), code)
    crowd.now += timedelta(hours=1)
    crowd.all_of(range(40), REFUSED)
    assert crowd.told == []


def test_inconclusive_answers_count_whatever_the_key_is() -> None:
    """They tell of the exchange alone."""
    crowd = Crowd()
    crowd.all_of(range(5), "key_disabled")
    crowd.now += timedelta(hours=1)
    crowd.all_of(range(5), DOWN)
    assert crowd.told == ["incident_opened"]


def test_a_key_whose_first_answer_is_ambiguous_counts() -> None:
    crowd = Crowd()
    crowd.all_of(range(5), REFUSED)
    assert crowd.told == ["incident_opened"]


def test_a_key_that_has_no_status_yet_counts() -> None:
    crowd = Crowd()
    for key in range(5):
        crowd.check(key, REFUSED)
        crowd.now += timedelta(minutes=10)
    assert (crowd.told, crowd.status(0)) == ([], None)
    crowd.all_of(range(5), REFUSED)
    assert crowd.told == ["incident_opened"]


def test_what_is_not_accepted_does_not_count() -> None:
    crowd = connected(20)
    for key in range(20):
        crowd.check(key, DOWN, credential_version=1, checked_at=START - SECOND)
    assert {decision.disposition for decision in crowd.decisions[20:]} == {Disposition.LATE}
    assert crowd.told == []


# --- while it is open


def test_it_is_opened_once() -> None:
    crowd = in_incident(200)
    crowd.all_of(range(20, 200), REFUSED)
    assert crowd.told == ["incident_opened"]


def test_an_ambiguous_answer_counts_as_inconclusive() -> None:
    crowd = in_incident()
    assert crowd.check(30, REFUSED).disposition is Disposition.PENDING
    progress = crowd.states["key-30"].progress
    assert progress.ambiguous is None
    assert progress.inconclusive is not None
    assert (progress.inconclusive.status, progress.inconclusive.reason) == ("temporary_issue", "exchange_incident")


@pytest.mark.parametrize(
    ("held", "fields", "becomes"),
    [
        (None, None, Disposition.CHANGED),
        (Status.CONNECTED, {}, Disposition.PENDING),
        (Status.EXPIRING, {"expires_at": START + timedelta(days=20)}, Disposition.PENDING),
        (Status.TEMPORARY_ISSUE, {"code": DOWN}, Disposition.UNCHANGED),
        (Status.EXPIRED, {"code": "key_expired"}, Disposition.INCONCLUSIVE),
        (Status.INCORRECT_PERMISSIONS, {"code": "ip_not_allowed"}, Disposition.INCONCLUSIVE),
        (Status.WITHDRAWAL_ENABLED, {"permissions": {"withdraw": True}}, Disposition.INCONCLUSIVE),
        (Status.INVALID, {"code": "key_disabled"}, Disposition.INCONCLUSIVE),
        (Status.INACTIVE_FUTURES, NO_FUTURES, Disposition.INCONCLUSIVE),
    ],
    ids=lambda value: value.value if isinstance(value, Status) else "",
)
def test_what_an_ambiguous_answer_is_worth_in_it_for_each_status(
    held: Status | None, fields: dict[str, Any] | None, becomes: Disposition
) -> None:
    """The column of the confirmation table for inconclusive answers."""
    crowd = in_incident()
    if fields is not None:
        crowd.check(99, **fields)
        assert crowd.status(99) is held
    assert crowd.check(99, REFUSED).disposition is becomes


def test_two_ambiguous_answers_make_no_key_invalid_and_lasting_trouble_is_temporary() -> None:
    crowd = in_incident()
    for _ in range(4):
        crowd.now += timedelta(minutes=2)
        crowd.all_of(range(40), REFUSED)
    assert {crowd.status(key) for key in range(40)} == {Status.TEMPORARY_ISSUE}
    changes = [decision.change for decision in crowd.decisions[80:] if decision.change is not None]
    assert {(change.reason, change.incident) for change in changes} == {(Reason.EXCHANGE_INCIDENT, True)}
    assert len(changes) == 40
    assert crowd.told == ["incident_opened"]


@pytest.mark.parametrize("held", [Status.CONNECTED, Status.TEMPORARY_ISSUE])
def test_an_ambiguous_answer_of_just_before_is_not_remembered_after_it(held: Status) -> None:
    """It belongs to the incident; else one more answer after it would make the key invalid."""
    crowd = connected(40)
    if held is Status.TEMPORARY_ISSUE:
        for _ in range(3):
            crowd.check(30, DOWN)
        assert crowd.status(30) is held
    crowd.check(30, REFUSED)
    assert crowd.states["key-30"].progress.ambiguous is not None
    crowd.all_of(range(20), REFUSED)
    crowd.check(30, REFUSED)
    assert crowd.states["key-30"].progress.ambiguous is None
    calm_down(crowd)
    assert crowd.check(30, REFUSED).disposition is Disposition.PENDING
    assert crowd.status(30) is held


def test_an_ambiguous_answer_in_it_is_not_remembered_after_it() -> None:
    crowd = in_incident()
    crowd.check(30, REFUSED)
    calm_down(crowd)
    assert crowd.check(30, REFUSED).disposition is Disposition.PENDING
    crowd.now += timedelta(minutes=1)
    assert crowd.check(30, REFUSED).disposition is Disposition.CHANGED
    assert crowd.status(30) is Status.INVALID


def test_an_inconclusive_answer_keeps_its_reason() -> None:
    crowd = in_incident()
    crowd.check(30, "maintenance")
    streak = crowd.states["key-30"].progress.inconclusive
    assert streak is not None
    assert streak.reason is Reason.MAINTENANCE


def test_a_definite_answer_is_believed_and_marked() -> None:
    crowd = in_incident()
    change = crowd.check(30, "key_disabled").change
    assert change is not None
    assert (change.status, change.incident) == (Status.INVALID, True)
    assert crowd.states["key-30"].incident


def test_a_recovery_is_believed_and_marked() -> None:
    crowd = in_incident()
    crowd.check(30, "key_disabled")
    change = crowd.check(30).change
    assert change is not None
    assert (change.status, change.incident) == (Status.CONNECTED, True)


def test_a_change_by_a_deadline_is_marked() -> None:
    crowd = in_incident()
    crowd.check(30)
    for _ in range(3):
        crowd.check(30, REFUSED)
    change = crowd.falls_due(30).change
    assert change is not None
    assert (change.status, change.reason, change.trigger) == ("temporary_issue", Reason.EXCHANGE_INCIDENT, "deadline")
    assert change.incident


def test_keys_of_other_exchanges_are_not_marked() -> None:
    crowd = in_incident()
    change = crowd.check(99, exchange="okx").change
    assert change is not None
    assert not change.incident


def test_a_key_that_must_be_acted_on_stays_what_it_is() -> None:
    crowd = in_incident()
    crowd.check(30, "ip_not_allowed")
    for _ in range(5):
        crowd.now += timedelta(minutes=2)
        assert crowd.check(30, REFUSED).disposition is Disposition.INCONCLUSIVE
    assert crowd.status(30) is Status.INCORRECT_PERMISSIONS


# --- it closes


def calm_down(crowd: Crowd) -> None:
    """Ten minutes in which the first thirty keys work; then the incident is over."""
    for _ in range(12):
        crowd.all_of(range(30))
        crowd.now += timedelta(seconds=31)
    assert crowd.told == ["incident_opened", "incident_closed"]


def test_it_closes_after_ten_calm_minutes() -> None:
    crowd = in_incident()
    while "incident_closed" not in crowd.told:
        crowd.now += timedelta(seconds=60)
        crowd.all_of(range(40))
    opened, closed = crowd.notices
    assert timedelta(minutes=10) < closed.noticed_at - opened.noticed_at < timedelta(minutes=20)
    assert (closed.kind, closed.exchange, closed.key_id) == (NoticeKind.INCIDENT_CLOSED, "binance", None)
    assert (closed.keys_in_trouble, closed.keys_checked) == (0, 40)
    assert closed.notice_id != opened.notice_id
    assert crowd.incidents.open == []


def test_the_ten_minutes_are_exact_and_count_from_the_first_calm_result() -> None:
    crowd = in_incident()
    crowd.now += timedelta(minutes=10)
    crowd.check(0)
    calm_since = crowd.now
    assert crowd.states["key-0"].progress.incident == Incident(opened_at=opened_at(crowd), calm_since=calm_since)
    crowd.now = calm_since + timedelta(minutes=10) - 2 * SECOND
    crowd.check(1)
    assert crowd.told == ["incident_opened"]
    crowd.check(2)
    assert (crowd.told, crowd.notices[-1].noticed_at) == (["incident_opened", "incident_closed"], crowd.now)
    assert crowd.states["key-2"].progress.incident is None


def opened_at(crowd: Crowd) -> datetime:
    return crowd.notices[0].noticed_at


@pytest.mark.parametrize(("down", "calm"), [(7, True), (8, False)])
def test_it_is_calm_when_less_than_a_fifth_is_in_trouble(down: int, calm: bool) -> None:  # noqa: FBT001
    crowd = in_incident()
    crowd.now += timedelta(minutes=10)
    crowd.all_of(range(down), DOWN)
    crowd.all_of(range(down, 40))
    incident = crowd.states["key-39"].progress.incident
    assert incident is not None
    assert (incident.calm_since is not None) is calm


def test_new_trouble_starts_the_ten_minutes_anew() -> None:
    crowd = in_incident()
    crowd.now += timedelta(minutes=10)
    crowd.all_of(range(10))
    crowd.now += timedelta(minutes=8)
    crowd.all_of(range(10), DOWN)
    crowd.now += timedelta(minutes=6)
    crowd.check(0)
    crowd.now += timedelta(minutes=9)
    crowd.check(1)
    assert crowd.told == ["incident_opened"]
    crowd.now += timedelta(minutes=1)
    crowd.check(2)
    assert crowd.told == ["incident_opened", "incident_closed"]


def test_after_it_ambiguous_answers_are_ambiguous_again_and_changes_not_marked() -> None:
    crowd = in_incident()
    calm_down(crowd)
    crowd.check(30, REFUSED)
    crowd.now += timedelta(minutes=1)
    change = crowd.check(30, REFUSED).change
    assert change is not None
    assert (change.status, change.incident) == (Status.INVALID, False)


def test_another_incident_can_follow() -> None:
    crowd = in_incident()
    calm_down(crowd)
    crowd.now += timedelta(minutes=10)
    crowd.all_of(range(20), REFUSED)
    assert crowd.told == ["incident_opened", "incident_closed", "incident_opened"]
    assert len({notice.notice_id for notice in crowd.notices}) == 3


# --- keys that leave


def test_a_removed_key_counts_no_more() -> None:
    crowd = connected(40)
    crowd.check(39)
    crowd.all_of(range(19), DOWN)
    crowd.remove(0)
    crowd.check(19, DOWN)
    assert crowd.told == []
    crowd.check(20, DOWN)
    assert crowd.told == ["incident_opened"]


@pytest.mark.parametrize("again", [0, 1, 2])
@pytest.mark.parametrize("then", ["it goes on", "it restarts"])
def test_the_removal_of_the_key_that_opened_it_is_the_same_after_a_restart(then: str, again: int) -> None:
    """What was said of the exchange last stood in that key's state, and went with it."""
    crowd = in_incident()
    crowd.all_of([19] * again, REFUSED)
    crowd.remove(19)
    if then == "it restarts":
        crowd.restarts()
    assert crowd.told == ["incident_opened", "incident_closed"]
    assert crowd.incidents.open == []
    crowd.check(20, REFUSED)
    assert crowd.told == ["incident_opened", "incident_closed", "incident_opened"]


@pytest.mark.parametrize("then", ["it goes on", "it restarts"])
def test_the_removal_of_another_key_ends_no_incident(then: str) -> None:
    crowd = in_incident()
    crowd.check(20, REFUSED)
    crowd.remove(19)
    crowd.remove(0)
    if then == "it restarts":
        crowd.restarts()
    assert (crowd.told, crowd.incidents.open) == (["incident_opened"], ["binance"])


@pytest.mark.parametrize("then", ["it goes on", "it restarts"])
def test_an_incident_ends_with_the_last_key_of_its_exchange(then: str) -> None:
    crowd = Crowd()
    crowd.all_of(range(5), DOWN)
    for key in range(5):
        crowd.remove(key)
        if then == "it restarts":
            crowd.restarts()
    assert (crowd.told, crowd.incidents.open) == (["incident_opened", "incident_closed"], [])
    assert crowd.notices[-1].noticed_at <= crowd.now
    assert (crowd.notices[-1].keys_in_trouble, crowd.notices[-1].evidence.event_id) == (0, None)


@pytest.mark.parametrize("then", ["it goes on", "it restarts"])
def test_a_key_that_moves_to_another_exchange_leaves_its_incident(then: str) -> None:
    crowd = Crowd()
    crowd.all_of(range(5), DOWN, exchange="okx")
    for key in range(5):
        crowd.check(key, DOWN, exchange="kraken")
        if then == "it restarts":
            crowd.restarts()
    assert [(notice.kind.value, notice.exchange) for notice in crowd.notices] == [
        ("incident_opened", "okx"),
        ("incident_closed", "okx"),
        ("incident_opened", "kraken"),
    ]


# --- a restart


def test_a_restart_after_any_record_changes_nothing() -> None:
    """The numbers and the incident stand in the states."""

    def told(*, restarts: bool) -> list[tuple[str, datetime, int | None, int | None]]:
        crowd = connected(30)
        for minute in range(60):
            for key in range(minute % 3, 30, 3):
                failing = 5 <= minute < 20 or (minute < 45 and key % 4 == 0)
                crowd.check(key, (DOWN, REFUSED)[key % 2] if failing else None)
                if restarts:
                    crowd.restarts()
            crowd.now = START + timedelta(hours=2, minutes=minute)
        return [
            (notice.notice_id, notice.noticed_at, notice.keys_in_trouble, notice.keys_checked)
            for notice in crowd.notices
        ]

    assert told(restarts=True) == told(restarts=False)
    assert len(told(restarts=False)) == 2


def test_a_source_topic_that_was_made_anew_does_not_bring_an_old_incident_back() -> None:
    """Its offsets begin at zero again, and the states still hold the old ones."""
    crowd = in_incident()
    crowd.now += timedelta(minutes=10)
    crowd.check(0)
    crowd.now += timedelta(minutes=9, seconds=50)
    crowd.first_offset = -len(crowd.decisions)
    crowd.all_of(range(1, 40))
    assert crowd.told == ["incident_opened", "incident_closed"]
    for key in range(40):
        crowd.remove(key)
    assert (crowd.told, crowd.incidents.open) == (["incident_opened", "incident_closed"], [])


# --- the policy


@pytest.mark.parametrize(
    ("numbers", "keys", "opens"),
    [
        ({"incident_keys": 10}, 10, True),
        ({"incident_keys": 21}, 20, False),
        ({"incident_few_keys": 4}, 4, True),
        ({"incident_few_keys": 6}, 5, False),
        ({"incident_share": 0.6}, 20, False),
        ({"incident_share": 0.5}, 20, True),
    ],
    ids=str,
)
def test_the_policy_says_when_it_opens(numbers: dict[str, Any], keys: int, opens: bool) -> None:  # noqa: FBT001
    crowd = connected(60, Policy(**numbers))
    if keys >= 10:
        crowd.all_of(range(40, 40 + keys))
    crowd.all_of(range(keys), DOWN)
    assert crowd.told == ["incident_opened"] * opens


@pytest.mark.parametrize(
    ("numbers", "closes"),
    [({}, False), ({"incident_calm_s": 60}, True), ({"incident_calm_s": 60, "incident_calm_share": 0}, False)],
    ids=str,
)
def test_the_policy_says_when_it_closes(numbers: dict[str, Any], closes: bool) -> None:  # noqa: FBT001
    crowd = connected(40, Policy(**numbers))
    crowd.all_of(range(20), DOWN)
    crowd.now += timedelta(minutes=10)
    crowd.check(0)
    crowd.now += timedelta(minutes=1)
    crowd.check(1)
    assert crowd.told == ["incident_opened", "incident_closed"][: 1 + closes]


def test_an_exchange_s_own_numbers_hold_there_only() -> None:
    crowd = Crowd(Policy(exchange={"okx": {"incident_few_keys": 2}}))
    crowd.all_of(range(2), DOWN, exchange="kraken")
    crowd.all_of(range(2, 4), DOWN, exchange="okx")
    assert [notice.exchange for notice in crowd.notices] == ["okx"]

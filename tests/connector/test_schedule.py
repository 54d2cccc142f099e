"""When which key is checked: time is a number here, and chance is seeded."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.check_result import CheckResult, ExchangeError
from schemas.vocabulary import Certainty, ErrorType, Outcome, ReportedState
from streams.connector.config import Pace
from streams.connector.schedule import Finding, Schedule, finding
from streams.core.classify import SUCCESS, Verdict
from tests.connector.answers import AT

PACE = Pace(interval_s=100, slow_interval_s=1_000, jitter=0, checks_per_minute=600)


def schedule(pace: Pace = PACE, keys: int = 1, first_within_s: float = 0.0) -> Schedule:
    made = Schedule(Random(1), first_within_s)
    made.set_pace("kraken", pace)
    for number in range(keys):
        made.add(f"k-{number}", "kraken", None, 0.0)
    return made


def due(made: Schedule, until: float) -> list[tuple[float, str]]:
    """What is taken when, if every check is begun at the moment at which something is due."""
    taken = []
    while (at := made.next_at()) is not None and at <= until:
        taken += [(at, key_id) for key_id in made.take(at)]
    return taken


def test_a_key_is_taken_once_and_comes_back_after_its_interval() -> None:
    made = schedule()
    assert list(made.take(0.0)) == ["k-0"]
    assert list(made.take(1e9)) == []
    assert made.next_at() is None
    assert made.checked("k-0", Finding.WORKS, None, 5.0) == 100
    assert made.next_at() == 105.0
    assert list(made.take(104.9)) == []
    assert list(made.take(105.0)) == ["k-0"]


def test_a_keys_own_interval_goes_before_the_exchanges() -> None:
    made = schedule(keys=0)
    made.add("own", "kraken", 7.0, 0.0)
    assert list(made.take(0.0)) == ["own"]
    assert made.checked("own", Finding.WORKS, None, 0.0) == 7.0


@pytest.mark.parametrize(
    ("found", "pauses"),
    [
        ([Finding.REFUSED], [1_000]),
        ([Finding.DOUBTFUL] * 4, [100, 100, 1_000, 1_000]),
        ([Finding.DOUBTFUL, Finding.DOUBTFUL, Finding.WORKS, Finding.DOUBTFUL], [100, 100, 100, 100]),
        ([Finding.NO_ANSWER] * 3, [100, 100, 100]),
        ([Finding.REFUSED, Finding.WORKS], [1_000, 100]),
    ],
)
def test_a_refused_key_is_checked_less_often(found: list[Finding], pauses: list[float]) -> None:
    made = schedule()
    assert [made.checked("k-0", each, None, 0.0) for each in found] == pauses


def test_an_exchange_that_asks_for_patience_gets_it() -> None:
    made = schedule()
    assert made.checked("k-0", Finding.NO_ANSWER, 450.0, 0.0) == 450.0
    assert made.next_at() == 450.0
    assert made.checked("k-0", Finding.NO_ANSWER, 1e12, 0.0) == 86_400.0


def test_a_rate_limit_pauses_the_whole_exchange_and_longer_each_time() -> None:
    made = schedule(keys=3)
    assert list(made.take(0.0)) == ["k-0"]
    assert made.checked("k-0", Finding.RATE_LIMITED, None, 0.0) == 100
    assert [at for at, _ in due(made, 90.0)] == pytest.approx([30.0, 30.1])
    made.checked("k-1", Finding.RATE_LIMITED, None, 40.0)
    made.checked("k-2", Finding.WORKS, None, 40.0)
    assert next(at for at, _ in due(made, 1_000.0)) == pytest.approx(100.0)


def test_refusals_of_checks_under_way_are_one_refusal() -> None:
    """The next pause is twice as long, not eight times."""
    made = schedule(keys=3)
    for _, key_id in due(made, 1.0):
        made.checked(key_id, Finding.RATE_LIMITED, None, 1.0)
    assert due(made, 100.9) == []
    (key_id,) = made.take(101.0)
    made.checked(key_id, Finding.RATE_LIMITED, None, 101.0)
    assert due(made, 160.9) == []
    assert next(at for at, _ in due(made, 1_000.0)) == pytest.approx(161.0)


@pytest.mark.parametrize(("found", "next_at"), [(Finding.WORKS, 130.0), (Finding.NO_ANSWER, 160.0)])
def test_a_clear_answer_ends_the_doubling(found: Finding, next_at: float) -> None:
    made = schedule(keys=1)
    made.add("often", "kraken", 10.0, 1.0)
    assert list(made.take(0.0)) == ["k-0"]
    made.checked("k-0", Finding.RATE_LIMITED, None, 0.0)
    assert list(made.take(29.9)) == []
    assert list(made.take(99.0)) == ["often"]
    made.checked("often", found, None, 99.0)
    assert list(made.take(100.0)) == ["k-0"]
    made.checked("k-0", Finding.RATE_LIMITED, None, 100.0)
    assert next(at for at, _ in due(made, 1_000.0)) == pytest.approx(next_at)


def test_the_rate_holds_after_a_pause_too() -> None:
    """What was lined up before it is lined up anew, from its end on."""
    made = schedule(PACE.model_copy(update={"checks_per_minute": 60}), keys=60)
    assert list(made.take(0.0)) == ["k-0"]
    made.checked("k-0", Finding.RATE_LIMITED, None, 0.5)
    times = [at for at, _ in due(made, 95.0)]
    assert len(times) == 59
    assert times[0] == 30.5
    assert min(later - earlier for earlier, later in pairwise(times)) == pytest.approx(1.0)
    assert times[-1] == pytest.approx(88.5)


def test_retry_after_of_a_rate_limit_is_the_exchanges() -> None:
    made = schedule(keys=2)
    list(made.take(0.0))
    made.checked("k-0", Finding.RATE_LIMITED, 600.0, 0.0)
    assert next(at for at, _ in due(made, 10_000.0)) == pytest.approx(600.0)


def test_the_rate_of_an_exchange_holds_for_all_its_keys_and_no_others() -> None:
    made = schedule(PACE.model_copy(update={"checks_per_minute": 60}), keys=5)
    made.set_pace("okx", PACE)
    made.add("other", "okx", None, 0.0)
    taken = due(made, 10.0)
    assert sorted(at for at, key_id in taken if key_id != "other") == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert [at for at, key_id in taken if key_id == "other"] == [0.0]


def test_more_keys_than_the_rate_allows_are_checked_as_often_as_it_does() -> None:
    made = schedule(PACE.model_copy(update={"checks_per_minute": 1}), keys=10)
    assert list(made.overloaded()) == [("kraken", 600.0)]
    list(made.take(0.0))
    assert made.checked("k-0", Finding.WORKS, None, 0.0) == 600.0
    for number in range(9):
        made.remove(f"k-{number}")
    assert list(made.overloaded()) == []
    assert list(schedule(keys=10).overloaded()) == []


def test_first_checks_are_spread() -> None:
    made = schedule(keys=200, first_within_s=60.0)
    times = sorted(at for at, _ in due(made, 100.0))
    assert len(times) == 200
    assert times[0] < 5
    assert 50 < times[-1] < 65
    assert sum(at < 30 for at in times) == pytest.approx(100, abs=25)


def test_a_removed_key_is_forgotten() -> None:
    made = schedule(keys=2)
    made.remove("k-0")
    made.remove("k-0")
    assert [key_id for _, key_id in due(made, 10.0)] == ["k-1"]
    made.add("k-0", "kraken", None, 20.0)
    assert list(made.take(20.0)) == ["k-0"]


@given(
    st.lists(st.tuples(st.sampled_from(Finding), st.none() | st.floats(0, 1_000)), min_size=1, max_size=30),
    st.floats(0, 0.5),
    st.integers(0, 2**32),
)
def test_the_promised_pause_is_never_exceeded_nor_the_rate(
    found: list[tuple[Finding, float | None]], jitter: float, seed: int
) -> None:
    """With few keys: what a result says of the next check is kept, and checks stay apart."""
    pace = Pace(interval_s=100, slow_interval_s=1_000, jitter=jitter, checks_per_minute=60)
    made = Schedule(Random(seed), 0.0)
    made.set_pace("kraken", pace)
    made.add("k", "kraken", None, 0.0)
    now, taken = 0.0, []
    for each, patience_s in found:
        ((at, _),) = due(made, 1e9)
        taken.append(at)
        now = at
        promised = made.checked("k", each, patience_s, now)
        following = made.next_at()
        assert following is not None
        assert following - now <= promised + 1e-6
        assert following - now >= min(100 * (1 - jitter), promised) - 1e-6
        assert following - now >= (patience_s or 0.0) - 1e-6
    assert all(later - earlier >= 1 - 1e-6 for earlier, later in pairwise(taken))


def verdict(error_type: ErrorType, certainty: Certainty) -> Verdict:
    return Verdict(error_type, certainty, None, None)


@pytest.mark.parametrize(
    ("said", "state", "expected"),
    [
        (SUCCESS, None, Finding.WORKS),
        (SUCCESS, ReportedState.NORMAL, Finding.WORKS),
        (SUCCESS, ReportedState.FROZEN, Finding.REFUSED),
        (verdict(ErrorType.KEY_NOT_FOUND, Certainty.DEFINITE), None, Finding.REFUSED),
        (verdict(ErrorType.SIGNATURE_MISMATCH, Certainty.AMBIGUOUS), None, Finding.DOUBTFUL),
        (verdict(ErrorType.TIMEOUT, Certainty.INCONCLUSIVE), None, Finding.NO_ANSWER),
        (verdict(ErrorType.RATE_LIMITED, Certainty.INCONCLUSIVE), None, Finding.RATE_LIMITED),
        (verdict(ErrorType.UNCLASSIFIED, Certainty.IRRELEVANT), None, Finding.NO_ANSWER),
    ],
)
def test_what_a_result_means_for_the_schedule(said: Verdict, state: ReportedState | None, expected: Finding) -> None:
    is_error = said is not SUCCESS
    result = CheckResult(
        event_id="e",
        key_id="k",
        exchange="kraken",
        checked_at=AT,
        outcome=Outcome.ERROR if is_error else Outcome.OK,
        error=ExchangeError() if is_error else None,
        reported_state=state,
    )
    assert finding(result, said) is expected

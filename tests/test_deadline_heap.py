"""At most one deadline for each key, told once, soonest first."""

from datetime import datetime, timedelta

import pytest

from schemas.key_state import NextDeadline
from schemas.vocabulary import DeadlineKind
from streams.deadline_heap import DeadlineHeap
from tests.factories import after

LATER = after(days=9_999)


def expiry(at: datetime) -> NextDeadline:
    return NextDeadline(kind=DeadlineKind.EXPIRY, due_at=at)


def told(heap: DeadlineHeap, now: datetime) -> list[tuple[bytes, datetime]]:
    return [(due.key, due.due_at) for due in heap.fall_due(now)]


def waiting(**deadlines: datetime) -> DeadlineHeap:
    heap = DeadlineHeap()
    for key, at in deadlines.items():
        heap.wait(key.encode(), expiry(at))
    return heap


def test_a_deadline_is_told_at_its_moment_and_once() -> None:
    heap = waiting(k=after(hours=1))
    assert told(heap, after(minutes=59)) == []
    assert told(heap, after(hours=1)) == [(b"k", after(hours=1))]
    assert told(heap, after(hours=1)) == []


def test_deadlines_are_told_in_their_order() -> None:
    heap = waiting(b=after(hours=2), a=after(hours=3), c=after(hours=1))
    assert [key for key, _ in told(heap, LATER)] == [b"c", b"b", b"a"]


def test_a_deadline_that_moved_is_told_at_its_new_moment_only() -> None:
    heap = waiting(k=after(hours=1))
    heap.wait(b"k", expiry(after(hours=2)))
    assert told(heap, after(hours=1)) == []
    assert told(heap, LATER) == [(b"k", after(hours=2))]


def test_a_key_that_waits_no_more_is_not_told() -> None:
    heap = waiting(k=after(hours=1))
    heap.wait(b"k", None)
    assert told(heap, LATER) == []


def test_waiting_again_for_what_is_under_way_does_not_tell_it_twice() -> None:
    """A result may arrive between the deadline's record being written and being read."""
    heap = waiting(k=after(hours=1))
    told(heap, LATER)
    heap.wait(b"k", expiry(after(hours=1)))
    assert told(heap, LATER) == []


def test_a_deadline_whose_record_got_lost_is_told_again() -> None:
    heap = waiting(k=after(hours=1))
    (due,) = heap.fall_due(LATER)
    heap.look_again(due, LATER + timedelta(seconds=30))
    assert told(heap, LATER) == []
    assert told(heap, LATER + timedelta(seconds=30)) == [(b"k", after(hours=1))]


def test_a_deadline_that_was_settled_meanwhile_is_not_looked_at_again() -> None:
    heap = waiting(k=after(hours=1))
    (due,) = heap.fall_due(LATER)
    heap.wait(b"k", expiry(LATER + timedelta(days=1)))
    heap.look_again(due, LATER)
    assert told(heap, LATER) == []


@pytest.mark.parametrize(
    "deadlines",
    [
        pytest.param([expiry(after(days=day)) for day in range(9_000)], id="a date that moves"),
        pytest.param([expiry(after(days=1)), None] * 4_500, id="a date that comes and goes"),
        pytest.param([expiry(after(days=day % 2)) for day in range(9_000)], id="two dates in turn"),
    ],
)
def test_a_restless_end_date_does_not_fill_the_memory(deadlines: list[NextDeadline | None]) -> None:
    heap = DeadlineHeap()
    for deadline in deadlines:
        heap.wait(b"k", deadline)
    assert len(heap) < 2_000
    heap.wait(b"k", expiry(after(days=5)))
    assert told(heap, LATER) == [(b"k", after(days=5))]


def test_a_deadline_that_comes_nearer_is_told_in_time_and_once() -> None:
    heap = waiting(k=after(hours=3), other=after(hours=2))
    heap.wait(b"k", expiry(after(hours=1)))
    assert told(heap, after(hours=1)) == [(b"k", after(hours=1))]
    assert told(heap, LATER) == [(b"other", after(hours=2))]


def test_deadlines_of_one_moment_are_told_in_the_order_of_their_keys() -> None:
    heap = waiting(b=after(hours=1), c=after(hours=1), a=after(hours=1))
    assert [key for key, _ in told(heap, LATER)] == [b"a", b"b", b"c"]


def test_a_deadline_that_moved_away_keeps_the_order() -> None:
    """It is looked at where it was, and told where it is."""
    heap = waiting(a=after(hours=1), b=after(hours=2), c=after(hours=4))
    heap.wait(b"a", expiry(after(hours=3)))
    assert [key for key, _ in told(heap, LATER)] == [b"b", b"a", b"c"]


def test_another_kind_at_the_same_moment_is_another_deadline() -> None:
    heap = waiting(k=after(hours=1))
    (first,) = heap.fall_due(LATER)
    heap.wait(b"k", NextDeadline(kind=DeadlineKind.STALE, due_at=after(hours=1)))
    (second,) = heap.fall_due(LATER)
    assert (first.kind, second.kind) == (DeadlineKind.EXPIRY, DeadlineKind.STALE)


def test_what_a_deadline_sets_is_told_in_the_same_look() -> None:
    """After an outage a key may have several behind it: each is decided, and the next one waits."""
    heap = waiting(k=after(hours=1), other=after(hours=2))
    seen = []
    for due in heap.fall_due(after(hours=3)):
        seen.append((due.key, due.due_at))
        if due.key == b"k" and due.due_at < after(hours=3):
            heap.wait(b"k", expiry(due.due_at + timedelta(hours=1)))
    assert seen == [(key, after(hours=hour)) for key, hour in ((b"k", 1), (b"k", 2), (b"other", 2), (b"k", 3))]


def test_a_key_that_waits_no_more_is_not_looked_at_again() -> None:
    heap = waiting(k=after(hours=1))
    (due,) = heap.fall_due(LATER)
    heap.wait(b"k", None)
    heap.look_again(due, LATER)
    assert told(heap, LATER) == []

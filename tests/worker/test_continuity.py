"""Every offset once, in order, or told as lost."""

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.record import LogRecord
from streams.worker.batch import RecordBatch
from streams.worker.continuity import Admitted, Continuity, Gap


def batch(start: int, end: int, epoch: int = 0, offsets: list[int] | None = None) -> RecordBatch:
    """A poll of [start, end) with a record at each offset, or at some of them."""
    records = [
        LogRecord("t", 0, offset, -1, b"k", b"v") for offset in (range(start, end) if offsets is None else offsets)
    ]
    return RecordBatch("t", 0, start, end, epoch, records)


def offsets(admitted: object) -> list[int]:
    assert isinstance(admitted, Admitted)
    return [record.offset for record in admitted.records]


def begun(at: int = 0) -> Continuity:
    continuity = Continuity()
    continuity.begin(at)
    return continuity


def test_nothing_is_admitted_before_the_committed_offset_is_known() -> None:
    assert Continuity().admit(batch(0, 5)) is None


def test_batches_that_follow_each_other_are_admitted_whole() -> None:
    continuity = begun()
    assert offsets(continuity.admit(batch(0, 3))) == [0, 1, 2]
    assert offsets(continuity.admit(batch(3, 5))) == [3, 4]
    assert continuity.next_offset == 5


def test_a_skipped_range_is_a_gap_and_moves_nothing() -> None:
    continuity = begun(10)
    assert continuity.admit(batch(20, 30)) == Gap(10, 20)
    assert continuity.next_offset == 10


def test_a_gap_that_is_fetched_again_goes_on_where_it_began() -> None:
    continuity = begun(10)
    continuity.admit(batch(20, 30))
    continuity.rewound(epoch=1)
    assert continuity.admit(batch(30, 40, epoch=0)) is None
    filled = continuity.admit(batch(10, 22, epoch=1))
    assert offsets(filled) == list(range(10, 22))
    assert isinstance(filled, Admitted)
    assert (filled.lost, filled.healed) == (0, True)


def test_a_gap_that_comes_back_after_fetching_again_is_accepted_and_told() -> None:
    continuity = begun(10)
    assert continuity.admit(batch(20, 30)) == Gap(10, 20)
    continuity.rewound(epoch=1)
    accepted = continuity.admit(batch(20, 30, epoch=1))
    assert offsets(accepted) == list(range(20, 30))
    assert isinstance(accepted, Admitted)
    assert (accepted.lost, accepted.healed) == (10, False)


def test_another_gap_is_fetched_again_too() -> None:
    continuity = begun(10)
    assert continuity.admit(batch(20, 30)) == Gap(10, 20)
    continuity.rewound(epoch=1)
    assert continuity.admit(batch(25, 30, epoch=1)) == Gap(10, 25)


def test_what_was_processed_is_trimmed_from_a_batch_that_starts_earlier() -> None:
    continuity = begun(5)
    assert offsets(continuity.admit(batch(0, 8))) == [5, 6, 7]


def test_a_batch_that_is_done_is_dropped() -> None:
    continuity = begun(5)
    assert continuity.admit(batch(0, 5)) is None


def test_transaction_markers_are_no_gap() -> None:
    continuity = begun()
    assert offsets(continuity.admit(batch(0, 4, offsets=[0, 1]))) == [0, 1]
    assert offsets(continuity.admit(batch(4, 6, offsets=[]))) == []
    assert offsets(continuity.admit(batch(6, 7))) == [6]


def test_the_committed_offset_counts_only_once() -> None:
    continuity = begun(5)
    continuity.admit(batch(5, 9))
    continuity.begin(5)
    assert continuity.next_offset == 9


@settings(derandomize=True, max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10))))
def test_whatever_order_batches_come_in_every_offset_is_admitted_once_and_in_order(
    polls: list[tuple[int, int]],
) -> None:
    continuity, admitted, epoch = begun(), [], 0
    for start, length in polls:
        found = continuity.admit(batch(start, start + length, epoch))
        if isinstance(found, Gap):
            epoch += 1
            continuity.rewound(epoch)
            found = continuity.admit(batch(found.start, start + length, epoch))
        if found is not None:
            admitted += offsets(found)
    assert admitted == list(range(len(admitted)))

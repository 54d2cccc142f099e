"""What a million waiting keys cost: memory, a look when nothing is due, a result that moves its deadline.

``python -m benchmarks.deadlines [KEYS]``
"""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from time import perf_counter
from tracemalloc import get_traced_memory, start

from schemas.key_state import NextDeadline
from schemas.vocabulary import DeadlineKind
from streams.deadline_heap import DeadlineHeap
from streams.worker.deadlines import LOOK_EVERY_S

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SPREAD_S = 30 * 86_400


def main(keys: int) -> None:
    names = [f"key-{number:09d}".encode() for number in range(keys)]
    dice = Random(1)  # noqa: S311 - a load, not a secret
    deadlines = [
        NextDeadline(kind=DeadlineKind.STALE, due_at=NOW + timedelta(seconds=dice.randrange(60, SPREAD_S)))
        for _ in names
    ]
    start()
    before, _ = get_traced_memory()
    heap = DeadlineHeap()
    for name, deadline in zip(names, deadlines, strict=True):
        heap.wait(name, deadline)
    after, _ = get_traced_memory()
    looks = 100_000
    look_s = _seconds(lambda: [list(heap.fall_due(NOW)) for _ in range(looks)]) / looks
    later = [NextDeadline(kind=DeadlineKind.STALE, due_at=d.due_at + timedelta(hours=1)) for d in deadlines[:100_000]]
    move_s = _seconds(lambda: [heap.wait(n, d) for n, d in zip(names, later, strict=False)]) / len(later)
    print(  # noqa: T201 - its result
        json.dumps(
            {
                "keys": keys,
                "bytes_per_key": round((after - before) / keys),
                "idle_look_us": round(look_s * 1e6, 2),
                "idle_cpu_share": f"{look_s / LOOK_EVERY_S:.1e}",
                "moved_deadline_us": round(move_s * 1e6, 2),
            }
        )
    )


def _seconds(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)

"""A worker whose transport loses polls, as Faust's can around a rebalance.

Started in place of the worker to show that what is lost is missed, and fetched again.
"""

import sys
from collections.abc import Mapping
from typing import Any

from faust.types import TP

from streams.settings import load_settings
from streams.worker.batch import RecordBatch
from streams.worker.run import run_worker
from streams.worker.transport import ConsumerThread

#: Every third poll of the source is lost, but only of the first ones: when no record came
#: after a lost one, only the watchdog would notice, half a minute later.
LOSES_EVERY, LOSES_OF = 3, 30

_polls = 0
_batches = ConsumerThread._batches


def losing(
    thread: ConsumerThread, consumer: object, before: Mapping[TP, int], drained: Mapping[TP, list[Any]]
) -> dict[TP, list[RecordBatch]]:
    """The batches, but for those that are lost."""
    global _polls
    kept = {}
    for tp, batches in _batches(thread, consumer, before, drained).items():
        is_source = tp.topic.endswith(".check-results")
        _polls += is_source
        if not (is_source and _polls <= LOSES_OF and _polls % LOSES_EVERY == 0):
            kept[tp] = batches
    return kept


if __name__ == "__main__":
    ConsumerThread._batches = losing
    sys.exit(run_worker(load_settings()))

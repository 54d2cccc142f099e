"""Every metric of the worker: names, labels, help. Read off decisions, batch by batch.

No label ever holds a key, a customer or a text of an exchange; an exchange that the
catalogue does not know counts as ``other``.
"""

from collections.abc import Iterable
from time import time
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from schemas.vocabulary import DeadLetterReason, NoticeKind, Outcome
from streams.core.disposition import IGNORED
from streams.worker.tally import Tally

#: An exchange without rules; keeps unknown names from becoming series.
OTHER: Final = "other"

#: Seconds: from a few ms behind a live connector to the hours of a backlog.
_LATENCY_BUCKETS: Final = (
    0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200,
)  # fmt: skip


class Metrics:
    """The metrics of one worker, on a registry of its own choice."""

    def __init__(self, registry: CollectorRegistry, exchanges: Iterable[str]) -> None:
        self.registry = registry
        #: Every value of the label "exchange".
        self.exchanges = (*sorted(exchanges), OTHER)
        self._declare_what_was_decided(registry)
        self._declare_how_the_work_goes(registry)
        self._initialise()

    def _declare_what_was_decided(self, registry: CollectorRegistry) -> None:
        self.results = Counter(
            "keystatus_results", "Check results read, by exchange and outcome.", ["exchange", "outcome"],
            registry=registry,
        )  # fmt: skip
        self.changes = Counter(
            "keystatus_status_changes", "Status changes committed; 'none' is before the first and after the last.",
            ["exchange", "from", "to"], registry=registry,
        )  # fmt: skip
        self.dead_letters = Counter(
            "keystatus_dead_letters", "Records that could not be read, by reason.", ["reason"], registry=registry
        )
        self.ignored = Counter(
            "keystatus_ignored_records", "Records that left their key as it was, by reason.", ["reason"],
            registry=registry,
        )  # fmt: skip
        self.unclassified = Counter(
            "keystatus_unclassified_errors", "Error answers that no rule knows: each is a rule to write.",
            ["exchange"], registry=registry,
        )  # fmt: skip
        self.notices = Counter(
            "keystatus_notices", "Notices committed, by kind.", ["kind"], registry=registry
        )  # fmt: skip
        self.outlived = Counter(
            "keystatus_expiry_passed_but_working",
            "Results of keys that work although their end date is over: a date, or a policy of ours, is wrong.",
            ["exchange"], registry=registry,
        )  # fmt: skip
        self.latency = Histogram(
            "keystatus_check_to_change_seconds", "From the exchange's answer to the committed status change.",
            buckets=_LATENCY_BUCKETS, registry=registry,
        )  # fmt: skip

    def _declare_how_the_work_goes(self, registry: CollectorRegistry) -> None:
        self.gaps_healed = Counter(
            "keystatus_gaps_healed", "Ranges of the log that were skipped and fetched again.", registry=registry
        )
        self.lost = Counter(
            "keystatus_lost_offsets", "Offsets that the log no longer had when they were fetched again.",
            registry=registry,
        )  # fmt: skip
        self.rebalances = Counter(
            "keystatus_rebalances", "Assignments of partitions to this worker.", registry=registry
        )
        self.recovery_seconds = Gauge(
            "keystatus_recovery_seconds", "How long the last recovery took, from assignment to ready.",
            registry=registry,
        )  # fmt: skip

    def exchange(self, name: str) -> str:
        """The label of an exchange."""
        return name if name in self.exchanges else OTHER

    def observe(self, tally: Tally) -> None:
        """Add what one committed transaction has counted."""
        for reason, count in tally.dead_letters.items():
            self.dead_letters.labels(reason).inc(count)
        for disposition in tally.dispositions.keys() & IGNORED:
            self.ignored.labels(disposition).inc(tally.dispositions[disposition])
        for kind, count in tally.notices.items():
            self.notices.labels(kind).inc(count)
        self._observe_by_exchange(tally)
        now = time()
        for changed_at in tally.changed_at:
            self.latency.observe(max(0.0, now - changed_at))

    def _observe_by_exchange(self, tally: Tally) -> None:
        for (exchange, outcome), count in tally.results.items():
            self.results.labels(self.exchange(exchange), outcome).inc(count)
        for (exchange, before, after), count in tally.changes.items():
            self.changes.labels(self.exchange(exchange), before, after).inc(count)
        for exchange, count in tally.unclassified.items():
            self.unclassified.labels(self.exchange(exchange)).inc(count)
        for exchange, count in tally.outlived.items():
            self.outlived.labels(self.exchange(exchange)).inc(count)

    def _initialise(self) -> None:
        """Series exist from the start, so that their first event is an increase."""
        for exchange in self.exchanges:
            self.unclassified.labels(exchange)
            self.outlived.labels(exchange)
            for outcome in Outcome:
                self.results.labels(exchange, outcome)
        for reason in DeadLetterReason:
            self.dead_letters.labels(reason)
        for kind in NoticeKind:
            self.notices.labels(kind)
        for disposition in IGNORED:
            self.ignored.labels(disposition)

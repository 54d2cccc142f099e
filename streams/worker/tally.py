"""What one transaction adds to the metrics: counted by record, reported once it is committed."""

from collections import Counter
from dataclasses import dataclass, field

from schemas.vocabulary import ErrorType
from streams.core.decision import Decision


@dataclass(slots=True)
class Tally:
    """Counts of one transaction. Label values are taken from closed sets, but for the exchange."""

    results: Counter[tuple[str, str]] = field(default_factory=Counter)
    changes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    dispositions: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    unclassified: Counter[str] = field(default_factory=Counter)
    notices: Counter[str] = field(default_factory=Counter)
    outlived: Counter[str] = field(default_factory=Counter)
    changed_at: list[float] = field(default_factory=list)

    def add(self, decision: Decision) -> None:
        """Count one decision."""
        self.dispositions[decision.disposition] += 1
        if decision.result is not None:
            self.results[decision.result.exchange, decision.result.outcome] += 1
        if decision.verdict is not None and decision.verdict.error_type is ErrorType.UNCLASSIFIED:
            self.unclassified[decision.result.exchange if decision.result else ""] += 1
        change = decision.change
        if change is not None:
            self.changes[change.exchange, change.previous_status or "none", change.status or "none"] += 1
            self.changed_at.append(change.changed_at.timestamp())
        for notice in decision.notices:
            self.notices[notice.kind] += 1
        if decision.outlived and decision.result is not None:
            self.outlived[decision.result.exchange] += 1
        if decision.dead_letter is not None:
            self.dead_letters[decision.dead_letter.reason] += 1

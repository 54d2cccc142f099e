"""The five topics: their names, what they carry, and how Kafka keeps them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS


class Role(StrEnum):
    """What a topic is for; the part of its name behind the prefix."""

    CHECK_RESULTS = "check-results"
    STATUS = "status"
    STATUS_CHANGES = "status-changes"
    NOTICES = "notices"
    DEAD_LETTERS = "dead-letters"


#: A dead letter holds a record of the source topic plus six headers: let it be larger.
_DEAD_LETTER_BYTES: Final = 2 * 1_048_588

CONFIG: Final[Mapping[Role, Mapping[str, str]]] = {
    # The broker's clock stamps results: one clock for all connectors, and the log's own
    # "now" by which a result from the future is told (core/ordering.py).
    Role.CHECK_RESULTS: {
        "cleanup.policy": "delete",
        "retention.ms": str(7 * _DAY_MS),
        "message.timestamp.type": "LogAppendTime",
    },
    # An hour's lag lets a reader that starts now see every state it needs for the changes
    # it reads next; small segments let compaction reach what is older.
    Role.STATUS: {
        "cleanup.policy": "compact",
        "min.compaction.lag.ms": str(_HOUR_MS),
        "segment.ms": str(6 * _HOUR_MS),
        "min.cleanable.dirty.ratio": "0.2",
    },
    Role.STATUS_CHANGES: {"cleanup.policy": "delete", "retention.ms": str(30 * _DAY_MS)},
    Role.NOTICES: {"cleanup.policy": "delete", "retention.ms": str(30 * _DAY_MS)},
    Role.DEAD_LETTERS: {
        "cleanup.policy": "delete",
        "retention.ms": str(30 * _DAY_MS),
        "max.message.bytes": str(_DEAD_LETTER_BYTES),
    },
}


class Topics(NamedTuple):
    """The topic names of one installation."""

    check_results: str
    status: str
    status_changes: str
    notices: str
    dead_letters: str

    @classmethod
    def named(cls, prefix: str) -> "Topics":
        """The names with a prefix, such as ``apikey``."""
        return cls(*(f"{prefix}.{role}" for role in Role))

    def by_role(self) -> Mapping[Role, str]:
        return dict(zip(Role, self, strict=True))

"""What became of a record: the reason, also when nothing happens, so that silence can be counted."""

from enum import StrEnum
from typing import Final


class Disposition(StrEnum):
    """What became of a record."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    NOTICED = "noticed"
    PENDING = "pending"
    INCONCLUSIVE = "inconclusive"
    SAYS_NOTHING = "says_nothing"
    UNCLASSIFIED = "unclassified"
    DUPLICATE = "duplicate"
    LATE = "late"
    REPLAY = "replay"
    SUPERSEDED = "superseded"
    FUTURE = "future"
    OBSOLETE = "obsolete"
    UNKNOWN_KEY = "unknown_key"
    DEAD_LETTER = "dead_letter"


#: Dispositions of records that left the key's state as it was.
IGNORED: Final = frozenset(Disposition) - {
    Disposition.CHANGED,
    Disposition.UNCHANGED,
    Disposition.NOTICED,
    Disposition.PENDING,
    Disposition.INCONCLUSIVE,
    Disposition.DEAD_LETTER,
}

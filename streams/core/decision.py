"""A Decision: everything that follows from one record, as a value."""

from typing import NamedTuple

from schemas.check_result import CheckResult
from schemas.key_state import KeyState
from schemas.notice import Notice
from schemas.status_change import KeyStatusChanged
from schemas.vocabulary import DeadLetterReason
from streams.core.classify import Verdict
from streams.core.disposition import Disposition


class DeadLetter(NamedTuple):
    """A record that could not be read: its bytes as they came, secrets blanked.

    ``exception`` names the kind of fault, ``message`` tells it without payload values.
    """

    reason: DeadLetterReason
    exception: str
    message: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class Decision(NamedTuple):
    """What happens, why, and what to keep. At most one change and one dead letter.

    ``state`` is to be written when ``touched``; None then removes the key. ``result``
    and ``verdict`` are there for check results that were classified. ``outlived``: the
    key works although its end date is over.
    """

    disposition: Disposition
    state: KeyState | None = None
    change: KeyStatusChanged | None = None
    touched: bool = False
    notices: tuple[Notice, ...] = ()
    dead_letter: DeadLetter | None = None
    result: CheckResult | None = None
    verdict: Verdict | None = None
    row: str | None = None
    outlived: bool = False

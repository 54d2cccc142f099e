"""When an observed status is believed: one table over what holds and how sure the news is.

A lookup would flip a key on every hiccup. Here a definite answer counts at once, an
ambiguous one when it repeats, trouble of the exchange when it lasts, and such trouble
never replaces a status that asks the owner to act: "wait" would be wrong advice.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from schemas.contract import evolve
from schemas.key_state import Progress, Streak
from schemas.vocabulary import Certainty, Status
from streams.core.decision_table import Finding
from streams.core.policy import Policy


class Confirm(StrEnum):
    """What it takes until an observed status is committed."""

    AT_ONCE = "at_once"
    WHEN_REPEATED = "when_repeated"
    WHEN_LASTING = "when_lasting"
    NEVER = "never"


_DOUBTS: Final = {
    Certainty.DEFINITE: Confirm.AT_ONCE,
    Certainty.AMBIGUOUS: Confirm.WHEN_REPEATED,
}
_WORKING: Final = {**_DOUBTS, Certainty.INCONCLUSIVE: Confirm.WHEN_LASTING}
_BROKEN: Final = {**_DOUBTS, Certainty.INCONCLUSIVE: Confirm.NEVER}

#: Committed status (None: none yet) x certainty of the news. Complete; a test says so.
CONFIRMATION: Final[Mapping[Status | None, Mapping[Certainty, Confirm]]] = {
    None: {**_DOUBTS, Certainty.INCONCLUSIVE: Confirm.AT_ONCE},
    Status.CONNECTED: _WORKING,
    Status.EXPIRING: _WORKING,
    Status.TEMPORARY_ISSUE: _WORKING,
    Status.EXPIRED: _BROKEN,
    Status.INCORRECT_PERMISSIONS: _BROKEN,
    Status.WITHDRAWAL_ENABLED: _BROKEN,
    Status.INVALID: _BROKEN,
    Status.INACTIVE_FUTURES: _BROKEN,
}


def extend(streak: Streak | None, finding: Finding, at: datetime) -> Streak:
    """The streak of equal doubtful findings with this one added, or a new one."""
    if streak is None or streak.status is not finding.status:
        return Streak(status=finding.status, reason=finding.reason, count=1, first_at=at)
    return evolve(streak, {"count": streak.count + 1, "reason": finding.reason})


def is_repeated(streak: Streak | None, at: datetime, policy: Policy) -> bool:
    """Whether ambiguous answers came often enough, and far enough apart."""
    if streak is None:
        return False
    return streak.count >= policy.ambiguous_results and at - streak.first_at >= timedelta(
        seconds=policy.ambiguous_apart_s if policy.ambiguous_results > 1 else 0
    )


def is_lasting(memory: Progress, at: datetime, policy: Policy) -> bool:
    """Whether failed checks are many enough, and the last clear answer is long ago."""
    streak, clear = memory.inconclusive, memory.last_authoritative_at
    if streak is None or streak.count < policy.inconclusive_results:
        return False
    return clear is None or at - clear >= timedelta(seconds=policy.inconclusive_after_s)

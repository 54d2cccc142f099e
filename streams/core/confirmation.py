"""When an observed status is believed: one table over what holds and how sure the news is.

A lookup would flip a key on every hiccup. Here a definite answer counts at once, an
ambiguous one when it repeats, trouble of the exchange when it lasts, and such trouble
never replaces a status that asks the owner to act: "wait" would be wrong advice.

Ambiguous answers count together, whatever status each points to: that the key is refused
is what they agree on. The last one's status is committed. And silence is no recovery: a
status that rests on a permission is not ended by a success that does not report it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from schemas.contract import evolve
from schemas.key_state import KeyState, Progress, Streak
from schemas.vocabulary import Certainty, Permission, Reason, Status
from streams.core.decision_table import Facts, Finding
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
    """The streak of doubtful findings with this one added, or a new one."""
    if streak is None:
        return Streak(status=finding.status, reason=finding.reason, count=1, first_at=at)
    return evolve(streak, {"count": streak.count + 1, "status": finding.status, "reason": finding.reason})


def recent(streak: Streak | None, at: datetime, policy: Policy) -> Streak | None:
    """The ambiguous streak, unless it began too long ago to go on: then the next answer is a first one."""
    if streak is None or at - streak.first_at > timedelta(seconds=policy.ambiguous_within_s):
        return None
    return streak


def is_repeated(streak: Streak | None, at: datetime, policy: Policy) -> bool:
    """Whether ambiguous answers came often enough, and far enough apart."""
    if streak is None:
        return False
    return streak.count >= policy.ambiguous_results and at - streak.first_at >= timedelta(
        seconds=policy.ambiguous_apart_s if policy.ambiguous_results > 1 else 0
    )


def is_lasting(memory: Progress, at: datetime, policy: Policy) -> bool:
    """Whether failed checks are many enough, and the last clear answer is long ago."""
    streak = memory.inconclusive
    if streak is None or streak.count < policy.inconclusive_results:
        return False
    # Of a replaced key nothing clear is known yet, and its status is the old key's: wait from there.
    since = memory.last_authoritative_at or memory.credential_at
    return since is None or at - since >= timedelta(seconds=policy.inconclusive_after_s)


#: What a success can find, worst first: the order of the decision table's rows.
_WORST_FIRST: Final = (
    Status.INVALID,
    Status.WITHDRAWAL_ENABLED,
    Status.EXPIRED,
    Status.INCORRECT_PERMISSIONS,
    Status.INACTIVE_FUTURES,
    Status.EXPIRING,
    Status.CONNECTED,
)


def is_silent(state: KeyState | None, finding: Finding, facts: Facts) -> bool:
    """Whether a success finds less than what holds, but does not tell of the permission that it rests on.

    Worse news replace any status: they need no word about the lesser trouble.
    """
    if state is None or not state.issues or not facts.succeeded or not _is_of_this_key(state, facts.memory):
        return False
    issue = state.issues[0]
    if not any(_is_untold(name, issue.reason, facts) for name in issue.permissions):
        return False
    return _WORST_FIRST.index(issue.status) < _WORST_FIRST.index(finding.status)


def _is_of_this_key(state: KeyState, memory: Progress) -> bool:
    """Whether the status was found with the credential in use: a replaced key's permissions are gone with it."""
    replaced_at, changed_at = memory.credential_at, state.changed_at
    return replaced_at is None or (changed_at is not None and changed_at >= replaced_at)


def _is_untold(name: Permission, reason: Reason, facts: Facts) -> bool:
    """Whether this permission still matters to the customer, and the answer leaves open what became of it."""
    result = facts.result
    is_wrong_when_on = reason is Reason.WITHDRAWAL_PERMISSION
    if (name in result.required_permissions) is is_wrong_when_on:
        return False
    if reason is Reason.FUTURES_NOT_REGISTERED and result.account.futures_enabled:
        return False
    return getattr(result.permissions, name) is None

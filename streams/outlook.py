"""What a key's memory added to an answer, and what would change the outcome, in plain sentences.

Read off the Decision and the states before and after it; the numbers are those of the policy.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from schemas.check_result import CheckResult
from schemas.key_state import KeyState, Progress, Streak
from schemas.vocabulary import Certainty, DeadlineKind, Outcome, Reason, Status
from streams.core.classify import Verdict
from streams.core.decision import Decision
from streams.core.disposition import Disposition
from streams.core.ordering import horizon
from streams.core.policy import Policy

Sentences = Iterator[str]


class Outlook(NamedTuple):
    """One decided check result: what was found, and its key before and after. `found` is the row's status."""

    result: CheckResult
    verdict: Verdict
    decision: Decision
    before: KeyState | None
    after: KeyState | None
    found: Status | None
    policy: Policy

    @property
    def at(self) -> datetime:
        return self.result.checked_at

    @property
    def held(self) -> Status | None:
        """The status before."""
        return None if self.before is None else self.before.status

    @property
    def progress(self) -> Progress:
        """The memory after."""
        return Progress() if self.after is None else self.after.progress

    @property
    def grace_ends(self) -> datetime | None:
        """Until when a replaced key may be refused; None unless that is what holds this answer back."""
        replaced_at = self.progress.credential_at
        if self.found is not Status.INVALID or replaced_at is None:
            return None
        ends = replaced_at + timedelta(seconds=self.policy.replaced_key_grace_s)
        return ends if self.at < ends else None


def story(seen: Outlook) -> Sentences:
    """What the memory added: why the answer counts, does not count yet, or not at all."""
    if seen.before is None:
        yield "the key has no past"
    elif seen.before.status is None:
        yield "the key has no status yet"
    tell = _STORIES.get(seen.decision.disposition)
    if tell is None:
        yield f"{seen.decision.disposition.value.replace('_', ' ')}: nothing changes"
    else:
        yield from tell(seen)


def outlook(seen: Outlook) -> Sentences:
    """What would change the status that the key has now."""
    disposition = seen.decision.disposition
    if disposition is Disposition.PENDING:
        yield from _until_believed(seen)
    elif disposition in _UNHEARD:
        yield _UNHEARD[disposition](seen)
    if seen.after is not None and seen.after.status is not None:
        yield _ENDS[seen.after.status](seen, seen.after)
    waits = seen.progress.next_deadline
    if waits is not None:
        yield f"at {clock(waits.due_at)}, without any result: {_FALLS_DUE[waits.kind]}"


def clock(moment: datetime) -> str:
    """A moment as people read it, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _span(seconds: float) -> str:
    """A time span in its largest whole unit: 90 s, 10 min, 1 d."""
    units = ((86_400, "d"), (3_600, "h"), (60, "min"))
    fitting = (f"{seconds / size:g} {unit}" for size, unit in units if seconds > size and seconds % size == 0)
    return next(fitting, f"{seconds:g} s")


def _times(count: int, what: str) -> str:
    return f"{count} more {what}" + ("" if count == 1 else "s")


# --- what the memory added --------------------------------------------------------------------------------------------


def _changed(seen: Outlook) -> Sentences:
    """Why the answer was believed."""
    doubted = None if seen.before is None else seen.before.progress.ambiguous
    if seen.found is Status.TEMPORARY_ISSUE:
        yield from _lasted(seen)
    elif seen.result.outcome is Outcome.OK:
        yield "a success counts at once"
    elif seen.verdict.certainty is Certainty.DEFINITE:
        yield "a definite answer counts at once"
    elif seen.verdict.certainty is Certainty.AMBIGUOUS and doubted is not None:
        yield (
            f"ambiguous answer {doubted.count + 1} since {clock(doubted.first_at)}: "
            f"{seen.policy.ambiguous_results} are enough, {_span(seen.policy.ambiguous_apart_s)} apart"
        )
    else:
        yield "what is remembered of the key makes this answer certain: it counts at once"


def _lasted(seen: Outlook) -> Sentences:
    before = seen.before
    if before is None or before.status is None:
        yield "a key without a status gets this one at once"
        return
    failed = before.progress.inconclusive
    yield f"failed check {1 if failed is None else failed.count + 1} in a row: the trouble lasts"


def _unchanged(seen: Outlook) -> Sentences:
    """The status is there already, or the success is silent about what is wrong."""
    if seen.found is seen.held or seen.before is None:
        yield "the key has this status already"
    else:
        yield f"the success does not report {_rests_on(seen.before)}, on which the status rests: silence is no recovery"


def _pending(seen: Outlook) -> Sentences:
    """Why the answer is not believed yet."""
    doubted, failed, policy = seen.progress.ambiguous, seen.progress.inconclusive, seen.policy
    if seen.grace_ends is not None:
        replaced = clock(seen.progress.credential_at or seen.at)
        yield f"the key was replaced at {replaced}: the exchange may not know the new one everywhere yet"
    elif seen.found is not Status.TEMPORARY_ISSUE and doubted is not None:
        yield f"ambiguous answer {doubted.count} of {policy.ambiguous_results} since {clock(doubted.first_at)}"
        if doubted.count >= policy.ambiguous_results:
            yield f"they came less than {_span(policy.ambiguous_apart_s)} apart"
    elif failed is not None:
        yield f"failed check {failed.count} of {policy.inconclusive_results} since {clock(failed.first_at)}"
        if failed.count >= policy.inconclusive_results:
            yield f"the last clear answer is less than {_span(policy.inconclusive_after_s)} old"


def _superseded(seen: Outlook) -> Sentences:
    version = seen.progress.credential_version
    yield f"the result is of credential {seen.result.credential_version}; the key has {version} by now"


def _older(seen: Outlook) -> Sentences:
    yield f"what happened until {_heard_until(seen)} is known: an older result tells nothing new"


def _future(seen: Outlook) -> Sentences:
    tolerance = _span(seen.policy.future_tolerance_s)
    yield f"checked_at is more than {tolerance} after the record's arrival: a clock is wrong"


def _say(sentence: str) -> Callable[[Outlook], Sentences]:
    """A story that is always the same."""

    def tell(_: Outlook) -> Sentences:
        yield sentence

    return tell


_STORIES: Final[Mapping[Disposition, Callable[[Outlook], Sentences]]] = {
    Disposition.CHANGED: _changed,
    Disposition.UNCHANGED: _unchanged,
    Disposition.PENDING: _pending,
    Disposition.INCONCLUSIVE: _say("trouble of the exchange never replaces a status that asks the owner to act"),
    Disposition.SAYS_NOTHING: _say("the answer is about something else than the key: nothing is remembered of it"),
    Disposition.UNCLASSIFIED: _say("no rule knows this answer: it is counted, and nothing is remembered of it"),
    Disposition.DUPLICATE: _say("this result was accepted before, under the same event_id"),
    Disposition.REPLAY: _older,
    Disposition.LATE: _older,
    Disposition.SUPERSEDED: _superseded,
    Disposition.FUTURE: _future,
}


# --- what would change it ---------------------------------------------------------------------------------------------


def _until_believed(seen: Outlook) -> Sentences:
    """What must still come until a pending finding is committed."""
    progress, policy = seen.progress, seen.policy
    doubted, failed = progress.ambiguous, progress.inconclusive
    if seen.grace_ends is not None:
        yield f"such an answer at {clock(seen.grace_ends)} or later counts as usual"
    elif seen.found is not Status.TEMPORARY_ISSUE and doubted is not None:
        yield from _until_repeated(seen, doubted)
    elif failed is not None:
        missing = max(1, policy.inconclusive_results - failed.count)
        since = progress.last_authoritative_at or progress.credential_at
        earliest = (
            "" if since is None else f", not before {clock(since + timedelta(seconds=policy.inconclusive_after_s))}"
        )
        yield f"{_times(missing, 'failed check')}{earliest}: {seen.found}"
        yield "a clear answer ends the count"


def _until_repeated(seen: Outlook, doubted: Streak) -> Sentences:
    policy = seen.policy
    missing = max(1, policy.ambiguous_results - doubted.count)
    earliest = doubted.first_at + timedelta(seconds=policy.ambiguous_apart_s)
    latest = doubted.first_at + timedelta(seconds=policy.ambiguous_within_s)
    yield (
        f"{_times(missing, 'ambiguous answer')} of any kind, the last from {clock(earliest)} to {clock(latest)}: "
        f"{doubted.status}, or what that last one says"
    )
    yield "a success ends the count, a definite answer counts at once"


def _heard_until(seen: Outlook) -> str:
    return clock(seen.at if seen.before is None else horizon(seen.before))


_UNHEARD: Final[Mapping[Disposition, Callable[[Outlook], str]]] = {
    Disposition.UNCLASSIFIED: lambda _: "a rule for this answer; docs/catalogue.md tells how to write one",
    Disposition.SAYS_NOTHING: lambda _: "an answer about the key itself: a success or a refusal",
    Disposition.DUPLICATE: lambda seen: f"a result that was checked after {_heard_until(seen)}",
    Disposition.REPLAY: lambda seen: f"a result that was checked after {_heard_until(seen)}",
    Disposition.LATE: lambda seen: f"a result that was checked after {_heard_until(seen)}",
    Disposition.SUPERSEDED: lambda seen: f"a result of credential {seen.progress.credential_version} or a later one",
    Disposition.FUTURE: lambda _: "a result whose checked_at is not later than its arrival",
}


def _rests_on(state: KeyState) -> str:
    """The permissions that a status is about."""
    return " and ".join(state.issues[0].permissions if state.issues else ())


def _ends_expiring(seen: Outlook, _: KeyState) -> str:
    return f"a success with no end date, or one more than {seen.policy.expiring_window_days:g} days away: connected"


def _ends_expired(seen: Outlook, _: KeyState) -> str:
    required = " and ".join(seen.result.required_permissions)
    return f"a success with {required} true ends it" if required else "a success ends it"


def _ends_with_permission(_: Outlook, state: KeyState) -> str:
    if state.reason is Reason.FUTURES_NOT_REGISTERED:
        return "a success with account.futures_enabled true ends it"
    about = _rests_on(state)
    return f"a success with {about} true ends it" if about else "a success ends it"


_ENDS: Final[Mapping[Status, Callable[[Outlook, KeyState], str]]] = {
    Status.CONNECTED: lambda *_: (
        "a definite refusal ends it at once, an ambiguous one or trouble of the exchange if it lasts"
    ),
    Status.EXPIRING: _ends_expiring,
    Status.EXPIRED: _ends_expired,
    Status.INCORRECT_PERMISSIONS: _ends_with_permission,
    Status.WITHDRAWAL_ENABLED: lambda *_: (
        "a success with withdraw false ends it, or withdraw among required_permissions"
    ),
    Status.TEMPORARY_ISSUE: lambda *_: "a success ends it at once",
    Status.INVALID: lambda *_: "a success ends it at once",
    Status.INACTIVE_FUTURES: _ends_with_permission,
}

_FALLS_DUE: Final[Mapping[DeadlineKind, str]] = {
    DeadlineKind.EXPIRING: "expiring",
    DeadlineKind.EXPIRY: "expired",
    DeadlineKind.REMINDER: "a reminder of the end date",
    DeadlineKind.LASTING: "temporary_issue",
    DeadlineKind.STALE: "the key is stale, its status stays",
    DeadlineKind.SETTLED: "the key has settled, a notice says what holds",
}

"""The decision table: what the facts about a key mean for its status.

Rows are tried in order and the first that holds gives the status; the others that
hold are the key's further issues, so the order is also "worst first". Three
statuses look alike and differ by who took the right away: **expired** the exchange
by its policy, **incorrect permissions** nobody ever granted it, **invalid** key or
account is unusable. Telling them apart takes memory (rows 4, 7 and 8).

Row numbers are those of the reference's decision table. Rows 0a to 0c stand in
``decode`` and ``transition``: they drop a record before any of this is asked.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from schemas.check_result import CheckResult
from schemas.key_state import Progress
from schemas.status_change import Issue
from schemas.vocabulary import (
    Certainty,
    ErrorType,
    Outcome,
    Permission,
    Reason,
    ReportedState,
    Status,
)
from streams.core.classify import Verdict
from streams.core.policy import Policy
from streams.core.rules import Expiry, ExpiryKind


class Finding(NamedTuple):
    """What one row says: the status, why, and which permissions it is about."""

    status: Status
    reason: Reason
    certainty: Certainty
    permissions: tuple[Permission, ...] = ()


class Assessment(NamedTuple):
    """What all rows say together. ``finding`` is None when no row holds: nothing is said."""

    finding: Finding | None
    row: str | None
    issues: tuple[Issue, ...]


NOTHING_SAID: Final = Assessment(None, None, ())

#: Errors that come from a key which the exchange knows: its permissions can be believed.
_KEY_WAS_READ: Final = frozenset({None, ErrorType.PERMISSION_DENIED, ErrorType.FUTURES_NOT_ENABLED})

#: The rights that Binance's policy ends ("expiration time for spot and margin trading
#: permission"); futures that are off are row 10's.
_TAKEN_BY_POLICY: Final = (Permission.SPOT_TRADE, Permission.MARGIN_TRADE)


class End(NamedTuple):
    """When the exchange ends a key, None if it does not; ``is_computed`` from its policy, else told by itself."""

    at: datetime | None
    is_computed: bool = False


_NO_END: Final = End(None)

#: What a policy does from a known moment on. Inactivity has none: our own checks are activity.
_COUNTED_FROM_START: Final = frozenset({ExpiryKind.PERMISSION_EXPIRY, ExpiryKind.KEY_EXPIRY})


class Facts(NamedTuple):
    """One check result and what is remembered of its key, as the rows ask for it."""

    result: CheckResult
    verdict: Verdict
    memory: Progress
    expiry: Expiry | None
    policy: Policy

    @property
    def at(self) -> datetime:
        """Now: the time of the record, never a clock's."""
        return self.result.checked_at

    @property
    def succeeded(self) -> bool:
        return self.result.outcome is Outcome.OK

    @property
    def key_was_read(self) -> bool:
        return self.verdict.error_type in _KEY_WAS_READ

    @property
    def ip_restricted(self) -> bool | None:
        """The answer's word, else what an earlier answer said."""
        said = self.result.ip_restricted
        return self.memory.ip_restricted if said is None else said

    @property
    def end(self) -> End:
        """A success tells the end date, or leaves it to the exchange's policy; an error tells nothing new."""
        said = self.result.expires_at
        if said is not None:
            return End(said)
        if not self.succeeded:
            return End(self.memory.expires_at, self.memory.expires_at_computed)
        return _NO_END if self.expiry is None else self._computed_end(self.expiry)

    def _computed_end(self, expiry: Expiry) -> End:
        """What the policy makes of a key without IP addresses, counted from its first success here.

        The key may be older, so the end is the latest possible one. One that a success has refuted is not told again.
        """
        if expiry.kind not in _COUNTED_FROM_START or self.ip_restricted is not False:
            return _NO_END
        takes_rights = expiry.kind is ExpiryKind.PERMISSION_EXPIRY
        if takes_rights and not any(name in _TAKEN_BY_POLICY for name in self.result.required_permissions):
            return _NO_END
        end = (self.memory.known_since or self.at) + timedelta(days=expiry.days)
        return _NO_END if end == self.memory.outlived_at else End(end, is_computed=True)

    @property
    def expires_at(self) -> datetime | None:
        return self.end.at

    @property
    def has_passed(self) -> bool:
        """Whether the key's known end date has come."""
        expires_at = self.end.at
        return expires_at is not None and expires_at <= self.at

    @property
    def refutes_end(self) -> bool:
        """Whether the end was only computed, and this success shows that the key has outlived it."""
        return self.succeeded and self.end.is_computed and self.has_passed and taken_away(self) is None

    @property
    def missing(self) -> tuple[Permission, ...]:
        """Required permissions that the exchange reports as off. Null proves nothing."""
        if not self.key_was_read:
            return ()
        granted = self.result.permissions
        return tuple(name for name in self.result.required_permissions if getattr(granted, name) is False)

    @property
    def has_futures_status(self) -> bool:
        """Whether missing futures are a status of their own at this exchange."""
        return self.result.exchange in self.policy.inactive_futures_exchanges

    @property
    def lacks_futures(self) -> bool:
        """Whether this customer needs futures and the exchange says they are off."""
        return Permission.FUTURES_TRADE in self.result.required_permissions and (
            Permission.FUTURES_TRADE in self.missing
            or (self.key_was_read and self.result.account.futures_enabled is False)
            or self.verdict.error_type is ErrorType.FUTURES_NOT_ENABLED
        )


_UNUSABLE: Final = frozenset(
    {
        ErrorType.ACCOUNT_SUSPENDED,
        ErrorType.KYC_REQUIRED,
        ErrorType.KEY_DISABLED,
        ErrorType.KEY_NOT_ACTIVATED,
        ErrorType.KEY_MALFORMED,
    }
)

_UNUSABLE_STATES: Final = {
    ReportedState.LOCKED: Reason.KEY_DISABLED,
    ReportedState.DISABLED: Reason.KEY_DISABLED,
    ReportedState.FROZEN: Reason.ACCOUNT_SUSPENDED,
}

_REFUSED: Final = frozenset(
    {
        ErrorType.KEY_NOT_FOUND,
        ErrorType.SIGNATURE_MISMATCH,
        ErrorType.PASSPHRASE_MISMATCH,
        ErrorType.AUTH_FAILED_UNSPECIFIED,
        ErrorType.REGION_RESTRICTED,
    }
)

#: Refusals that an exchange also gives for a key which it has deleted on its end date.
#: (MEXC: "same message for expired API keys".)
_REFUSED_AS_EXPIRED: Final = frozenset(
    {ErrorType.KEY_NOT_FOUND, ErrorType.SIGNATURE_MISMATCH, ErrorType.AUTH_FAILED_UNSPECIFIED}
)


def _because(facts: Facts, status: Status) -> Finding:
    """The error's own type as the reason, as certain as its rule is."""
    return Finding(status, Reason(str(facts.verdict.error_type)), facts.verdict.certainty)


def _definitely(status: Status, reason: Reason, permissions: tuple[Permission, ...] = ()) -> Finding:
    return Finding(status, reason, Certainty.DEFINITE, permissions)


def unusable(facts: Facts) -> Finding | None:
    """Row 2: the account or the key is blocked, unverified, not activated or malformed."""
    if facts.verdict.error_type in _UNUSABLE:
        return _because(facts, Status.INVALID)
    result = facts.result
    if result.reported_state in _UNUSABLE_STATES:
        return _definitely(Status.INVALID, _UNUSABLE_STATES[result.reported_state])
    if result.account.suspended:
        return _definitely(Status.INVALID, Reason.ACCOUNT_SUSPENDED)
    if result.account.kyc_required:
        return _definitely(Status.INVALID, Reason.KYC_REQUIRED)
    return None


def reported_as_expired(facts: Facts) -> Finding | None:
    """Row 3: the exchange says itself that the key has expired."""
    if facts.verdict.error_type is ErrorType.KEY_EXPIRED:
        return Finding(Status.EXPIRED, Reason.EXCHANGE_REPORTED, facts.verdict.certainty)
    return None


def deleted_by_policy(facts: Facts) -> Finding | None:
    """Row 4: the key is gone, and by its end date or the exchange's policy it had to go."""
    if facts.verdict.error_type in _REFUSED_AS_EXPIRED and facts.has_passed:
        return _definitely(Status.EXPIRED, Reason.POLICY_DELETED)
    if facts.verdict.error_type is ErrorType.KEY_NOT_FOUND and _was_inactive(facts):
        return _definitely(Status.EXPIRED, Reason.POLICY_DELETED)
    return None


def _was_inactive(facts: Facts) -> bool:
    """Whether the exchange deletes keys without IP binding after a time that is over."""
    last = facts.memory.last_success_at
    return (
        facts.expiry is not None
        and facts.expiry.kind is ExpiryKind.INACTIVITY_DELETION
        and facts.ip_restricted is False
        and last is not None
        and facts.at - last >= timedelta(days=facts.expiry.days)
    )


def refused(facts: Facts) -> Finding | None:
    """Row 5: the key does not exist or cannot be used, and row 4 does not say why."""
    if facts.verdict.error_type not in _REFUSED or deleted_by_policy(facts) is not None:
        return None
    return _because(facts, Status.INVALID)


def may_withdraw(facts: Facts) -> Finding | None:
    """Row 6: the key may withdraw funds, and the customer did not ask for that."""
    if not (facts.key_was_read and facts.result.permissions.withdraw):
        return None
    if Permission.WITHDRAW in facts.result.required_permissions:
        return None
    return _definitely(Status.WITHDRAWAL_ENABLED, Reason.WITHDRAWAL_PERMISSION, (Permission.WITHDRAW,))


def taken_away(facts: Facts) -> Finding | None:
    """Row 7: a right that was there is gone, by the exchange's time or IP policy."""
    if not facts.key_was_read:
        return None
    if facts.result.reported_state is ReportedState.EXPIRED:
        return _definitely(Status.EXPIRED, Reason.EXCHANGE_REPORTED)
    lost = tuple(name for name in facts.missing if name in _TAKEN_BY_POLICY)
    denied = facts.verdict.error_type is ErrorType.PERMISSION_DENIED
    if (lost or denied) and (facts.has_passed or _policy_took(facts, lost)):
        return _definitely(Status.EXPIRED, Reason.PERMISSION_EXPIRED_BY_POLICY, lost)
    return None


def _policy_took(facts: Facts, lost: tuple[Permission, ...]) -> bool:
    """Whether the exchange switches rights off by itself, and these were once on."""
    return (
        facts.expiry is not None
        and facts.expiry.kind is ExpiryKind.PERMISSION_EXPIRY
        and facts.ip_restricted is False
        and any(name in facts.memory.granted for name in lost)
    )


def end_has_come(facts: Facts) -> Finding | None:
    """Row 8: the end date is over, and no success shows that the key works all the same.

    A computed end is no more than a guess: any success refutes it, and until one had its time nothing is said.
    """
    if not facts.has_passed:
        return None
    at, is_computed = facts.end
    if is_computed:
        grace = timedelta(seconds=facts.policy.computed_expiry_grace_s)
        is_over = not facts.succeeded and at is not None and at + grace <= facts.at
        return _definitely(Status.EXPIRED, Reason.EXPIRY_PASSED) if is_over else None
    shown = facts.result.permissions
    if facts.succeeded and all(getattr(shown, name) for name in facts.result.required_permissions):
        return None
    return _definitely(Status.EXPIRED, Reason.EXPIRY_PASSED)


def lacks_permission(facts: Facts) -> Finding | None:
    """Row 9: a required right was never granted, or the caller's IP address is not allowed."""
    error_type = facts.verdict.error_type
    if error_type is ErrorType.IP_NOT_ALLOWED:
        return _because(facts, Status.INCORRECT_PERMISSIONS)
    missing = facts.missing
    if facts.has_futures_status:
        missing = tuple(name for name in missing if name is not Permission.FUTURES_TRADE)
    if missing:
        return _definitely(Status.INCORRECT_PERMISSIONS, Reason.MISSING_PERMISSION, missing)
    if error_type is ErrorType.PERMISSION_DENIED and taken_away(facts) is None:
        return _because(facts, Status.INCORRECT_PERMISSIONS)
    return None


def lacks_futures(facts: Facts) -> Finding | None:
    """Row 10: the customer trades futures, and they are off; elsewhere that is a permission."""
    if not facts.lacks_futures:
        return None
    status = Status.INACTIVE_FUTURES if facts.has_futures_status else Status.INCORRECT_PERMISSIONS
    if facts.key_was_read and facts.result.account.futures_enabled is False:
        return _definitely(status, Reason.FUTURES_NOT_REGISTERED, (Permission.FUTURES_TRADE,))
    if Permission.FUTURES_TRADE in facts.missing:
        return _definitely(status, Reason.FUTURES_PERMISSION_OFF, (Permission.FUTURES_TRADE,))
    return _because(facts, status)


def exchange_has_trouble(facts: Facts) -> Finding | None:
    """Row 11: the answer tells about the exchange or the way to it, not about the key."""
    if facts.verdict.certainty is Certainty.INCONCLUSIVE:
        return _because(facts, Status.TEMPORARY_ISSUE)
    return None


def ends_soon(facts: Facts) -> Finding | None:
    """Row 12: the key works, and the exchange will end it within the window."""
    expires_at = facts.expires_at
    if not facts.succeeded or expires_at is None:
        return None
    left = expires_at - facts.at
    if timedelta(0) < left <= timedelta(days=facts.policy.expiring_window_days):
        return _definitely(Status.EXPIRING, Reason.EXPIRES_SOON)
    return None


def works(facts: Facts) -> Finding | None:
    """Row 13: the key works, and every required permission is there."""
    return _definitely(Status.CONNECTED, Reason.ALL_GOOD) if facts.succeeded else None


#: The table: first match wins. Row 1 (the answer is about something else) and row 14
#: (never a result yet) are the absence of every match.
ROWS: Final[tuple[tuple[str, Callable[[Facts], Finding | None]], ...]] = (
    ("2", unusable),
    ("3", reported_as_expired),
    ("4", deleted_by_policy),
    ("5", refused),
    ("6", may_withdraw),
    ("7", taken_away),
    ("8", end_has_come),
    ("9", lacks_permission),
    ("10", lacks_futures),
    ("11", exchange_has_trouble),
    ("12", ends_soon),
    ("13", works),
)


def assess(facts: Facts) -> Assessment:
    """Ask every row. An answer about something else (row 1) says nothing."""
    if facts.verdict.certainty is Certainty.IRRELEVANT:
        return NOTHING_SAID
    held = [(row, found) for row, ask in ROWS if (found := ask(facts)) is not None]
    if not held:
        return NOTHING_SAID
    row, finding = held[0]
    return Assessment(finding, row, () if finding.status is Status.CONNECTED else tuple(_issues(held)))


def blame_exchange(assessment: Assessment) -> Assessment:
    """The assessment in an incident of the exchange: what an ambiguous answer says of its key is not believed."""
    finding = assessment.finding
    if finding is None or finding.certainty is not Certainty.AMBIGUOUS:
        return assessment
    status, reason = Status.TEMPORARY_ISSUE, Reason.EXCHANGE_INCIDENT
    issues = (Issue(status=status, reason=reason),)
    return Assessment(Finding(status, reason, Certainty.INCONCLUSIVE), "11", issues)


def _issues(held: list[tuple[str, Finding]]) -> list[Issue]:
    """Every problem found, worst first; one that an earlier row explains is not told twice."""
    issues: list[Issue] = []
    explained: set[Permission] = set()
    statuses: set[Status] = set()
    for _, found in held:
        again = found.permissions and explained.issuperset(found.permissions)
        if found.status is Status.CONNECTED or again or (found.status in statuses and not found.permissions):
            continue
        issues.append(Issue(status=found.status, reason=found.reason, permissions=found.permissions))
        explained.update(found.permissions)
        statuses.add(found.status)
    return issues

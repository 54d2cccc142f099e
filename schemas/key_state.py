"""A key's state: what the table holds and the compacted topic tells."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.contract import SCHEMA_VERSION, AccountId, Contract, EventId, ExchangeId, KeyId, Moment
from schemas.status_change import Evidence, Issue
from schemas.vocabulary import (
    ChangeTrigger,
    DeadlineKind,
    Environment,
    Permission,
    Reason,
    Remedy,
    Severity,
    Status,
)


class Streak(Contract):
    """Doubtful answers in a row, not yet enough to believe them; ``status`` and ``reason`` are the last one's."""

    status: Status
    reason: Reason
    count: Annotated[int, Field(ge=1)]
    first_at: Moment


class NextDeadline(Contract):
    """The next moment at which this key changes without a new result."""

    kind: DeadlineKind
    due_at: Moment


class Reminded(Contract):
    """The last reminder: of which threshold in days, and of which end date."""

    days: int
    expires_at: Moment


class Incident(Contract):
    """Trouble of an exchange at large, as one partition sees it; calm since ``calm_since``."""

    opened_at: Moment
    calm_since: Moment | None


class Progress(Contract):
    """What the worker must remember to decide the next record. Not a contract.

    ``offset`` is the place of the last accepted record in the key's source
    partition; ``event_ids`` are the results accepted at ``observed_at``.
    ``credential_at`` is null as long as the key was never replaced.
    ``known_since`` is the first success of the credential, from which an exchange's
    policy is computed; ``outlived_at`` is such an end that a success has refuted.
    ``changed`` are the latest changes of a key that may be flapping. ``in_trouble``
    and ``incident`` are what this key's last result says of its exchange at large.
    """

    credential_version: Annotated[int, Field(ge=1)] = 1
    credential_at: Moment | None = None
    offset: Annotated[int, Field(ge=0)] = 0
    event_ids: tuple[EventId, ...] = ()
    expires_at: Moment | None = None
    expires_at_computed: bool = False
    known_since: Moment | None = None
    outlived_at: Moment | None = None
    check_interval_s: int | None = None
    granted: tuple[Permission, ...] = ()
    ip_restricted: bool | None = None
    last_authoritative_at: Moment | None = None
    last_success_at: Moment | None = None
    ambiguous: Streak | None = None
    inconclusive: Streak | None = None
    unconfirmed_since: Moment | None = None
    reminded: Reminded | None = None
    changed: tuple[Moment, ...] = ()
    in_trouble: bool = False
    incident: Incident | None = None
    next_deadline: NextDeadline | None = None


class KeyState(Contract):
    """The payload of ``apikey.status``; a null value there means "removed".

    The fields up to ``evidence`` are those of the last change, null (and
    ``sequence`` 0) for a key that has not got a status yet. But who the key is and
    when it ends (``account_id``, ``exchange``, ``environment``, ``expires_at``,
    ``days_left``) follow the latest result: an end date may move and no status change.
    And ``flapping`` ends with the notice that the key has settled.
    ``stale``: no result has been accepted for several check intervals.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    change_id: str | None
    key_id: KeyId
    account_id: AccountId | None
    exchange: ExchangeId
    environment: Environment
    sequence: Annotated[int, Field(ge=0)]
    previous_status: Status | None
    status: Status | None
    reason: Reason | None
    issues: Annotated[tuple[Issue, ...], Field(max_length=16)]
    expires_at: Moment | None
    days_left: int | None
    expires_at_computed: bool = False
    severity: Severity | None
    remedy: Remedy | None
    changed_at: Moment | None
    trigger: ChangeTrigger | None
    flapping: bool = False
    incident: bool = False
    evidence: Evidence | None
    observed_at: Moment
    since: Moment | None
    stale: bool = False
    progress: Progress

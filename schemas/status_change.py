"""A status change: told once for every change of a key's status."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.contract import SCHEMA_VERSION, AccountId, Contract, EventId, ExchangeId, KeyId, Moment
from schemas.vocabulary import (
    ChangeTrigger,
    Environment,
    ErrorType,
    Permission,
    Reason,
    Remedy,
    Severity,
    Status,
)


class Issue(Contract):
    """One problem of a key; ``permissions`` names the rights it is about."""

    status: Status
    reason: Reason
    permissions: Annotated[tuple[Permission, ...], Field(max_length=16)] = ()


class Evidence(Contract):
    """The record that decided, and what was read in it.

    ``topic``, ``partition`` and ``offset`` are its place in Kafka;
    ``event_id`` is null for a deadline or a removal.
    """

    event_id: EventId | None
    error_type: ErrorType | None
    code: str | None
    rule: str | None
    topic: str
    partition: Annotated[int, Field(ge=0)]
    offset: Annotated[int, Field(ge=0)]


class KeyStatusChanged(Contract):
    """The payload of ``apikey.status-changes``.

    ``expires_at_computed``: the exchange did not tell the end date, its policy did.
    ``flapping``: the key has changed too often lately; do not write to its owner until a
    notice says that it has settled. ``incident``: the exchange is in trouble at large.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    change_id: str
    key_id: KeyId
    account_id: AccountId | None
    exchange: ExchangeId
    environment: Environment
    sequence: Annotated[int, Field(ge=1)]
    previous_status: Status | None
    status: Status | None
    reason: Reason
    issues: Annotated[tuple[Issue, ...], Field(max_length=16)]
    expires_at: Moment | None
    days_left: int | None
    expires_at_computed: bool = False
    severity: Severity
    remedy: Remedy
    changed_at: Moment
    trigger: ChangeTrigger
    flapping: bool = False
    incident: bool = False
    evidence: Evidence

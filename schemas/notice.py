"""A notice: something worth telling that is no change of status."""

from typing import Literal

from schemas.contract import SCHEMA_VERSION, AccountId, Contract, ExchangeId, KeyId, Moment
from schemas.status_change import Evidence
from schemas.vocabulary import NoticeKind, Status


class Notice(Contract):
    """The payload of ``apikey.notices``."""

    schema_version: Literal[1] = SCHEMA_VERSION
    notice_id: str
    key_id: KeyId
    account_id: AccountId | None
    exchange: ExchangeId
    kind: NoticeKind
    status: Status | None
    expires_at: Moment | None
    days_left: int | None
    noticed_at: Moment
    evidence: Evidence

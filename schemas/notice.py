"""A notice: something worth telling that is no change of status."""

from typing import Literal

from schemas.contract import SCHEMA_VERSION, AccountId, Contract, ExchangeId, KeyId, Moment
from schemas.status_change import Evidence
from schemas.vocabulary import NoticeKind, Status


class Notice(Contract):
    """The payload of ``apikey.notices``.

    A notice about an exchange has that as its record key; ``key_id``, ``status`` and the
    end date are null then, and it tells how many keys of its partition were in trouble
    (``keys_in_trouble``) of how many that were checked lately (``keys_checked``).
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    notice_id: str
    key_id: KeyId | None
    account_id: AccountId | None
    exchange: ExchangeId
    kind: NoticeKind
    status: Status | None
    expires_at: Moment | None
    days_left: int | None
    expires_at_computed: bool = False
    keys_in_trouble: int | None = None
    keys_checked: int | None = None
    noticed_at: Moment
    evidence: Evidence

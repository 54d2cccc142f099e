"""Deribit: the list of keys, secrets included, which most accounts give out only after a second factor."""

from collections.abc import Mapping
from typing import Final

from schemas.check_result import Permissions
from schemas.vocabulary import ReportedState
from streams.connector.key_info.reading import flag, is_bound, own_row, part
from streams.connector.key_info.report import NOTHING_TOLD, Call, KeyInfo, KeyReport, OwnKey, Question

_STATES: Final[Mapping[bool | None, ReportedState]] = {True: ReportedState.NORMAL, False: ReportedState.DISABLED}


def read(body: object, own: OwnKey) -> KeyReport:
    """Scopes are words like ``trade:read_write``; one for trading covers spot and derivatives."""
    row = own_row(part(body, "result"), "client_id", own.api_key)
    if row is None:
        return NOTHING_TOLD
    scopes = _scopes(part(row, "max_scope"))
    trades = _writes(scopes, "trade")
    return KeyReport(
        permissions=Permissions(
            read=None if scopes is None else scopes.get("account", "none") != "none",
            spot_trade=trades,
            futures_trade=trades,
            withdraw=_writes(scopes, "wallet"),
        ),
        ip_restricted=is_bound(part(row, "ip_whitelist")),
        reported_state=_STATES.get(flag(part(row, "enabled"))),
    )


def _scopes(text: object) -> Mapping[str, str] | None:
    if not isinstance(text, str) or not text.strip():
        return None
    return {scope: access for scope, _, access in (word.partition(":") for word in text.split())}


def _writes(scopes: Mapping[str, str] | None, scope: str) -> bool | None:
    return None if scopes is None else scopes.get(scope) == "read_write"


INFO: Final = KeyInfo(
    endpoint="GET /api/v2/private/list_api_keys",
    source="https://docs.deribit.com/api-reference/account-management/private-list_api_keys",
    questions=(Question(Call("privateGetListApiKeys"), read),),
)

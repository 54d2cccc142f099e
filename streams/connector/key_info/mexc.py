"""MEXC: ``apiKeyInfo`` tells of one key, by its public half.

The flags of ``/api/v3/account`` (``canTrade``, ``canWithdraw``) are the account's, not the key's: they are not read.
"""

from collections.abc import Mapping
from typing import Final

from schemas.check_result import Permissions
from schemas.vocabulary import ReportedState
from streams.connector.key_info.reading import days_from, has, is_bound, part, word, words
from streams.connector.key_info.report import NOTHING_TOLD, Call, Given, KeyInfo, KeyReport, OwnKey, Question

_STATES: Final[Mapping[str, ReportedState]] = {"valid": ReportedState.NORMAL, "expired": ReportedState.EXPIRED}


def read(body: object, own: OwnKey) -> KeyReport:
    """``remainingValidity`` counts days; a key bound to addresses does not end, whatever stands there."""
    if part(body, "accessKey") != own.api_key:
        return NOTHING_TOLD
    rights = words(part(body, "permissions"))
    bound = is_bound(part(body, "ipWhiteList"))
    return KeyReport(
        permissions=Permissions(
            read=has(rights, "spot_account_read"),
            spot_trade=has(rights, "spot_deal_write"),
            futures_trade=has(rights, "contract_deal_write"),
            withdraw=has(rights, "spot_withdraw_write"),
            internal_transfer=has(rights, "spot_transfer_write"),
        ),
        ip_restricted=bound,
        expires_at=None if bound else days_from(own.at, part(body, "remainingValidity")),
        reported_state=_STATES.get(word(part(body, "status"))),
    )


INFO: Final = KeyInfo(
    endpoint="GET /api/v3/apiKeyInfo",
    source="https://www.mexc.com/api-docs/spot-v3/spot-account-trade/query-api-key-info",
    questions=(Question(Call("spotPrivateGetApiKeyInfo", {"accessKey": Given.API_KEY}), read),),
)

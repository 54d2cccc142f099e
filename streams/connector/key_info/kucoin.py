"""KuCoin: ``user/api-key`` tells the rights of the asking key as a text with commas."""

from typing import Final

from schemas.check_result import Permissions
from streams.connector.key_info.reading import has, is_bound, moment, part, words
from streams.connector.key_info.report import Call, KeyInfo, KeyReport, OwnKey, Question

#: Rights that cover several markets without naming them: those of old keys and of unified accounts.
_BROAD: Final = frozenset({"trade", "unified"})


def read(body: object, own: OwnKey) -> KeyReport:  # noqa: ARG001 - the answer is about the asking key alone
    """``Transfer`` is the right to withdraw under its older name; ``InnerTransfer`` stays inside."""
    info = part(body, "data")
    rights = words(part(info, "permission"))
    is_broad = has(rights, *_BROAD)
    return KeyReport(
        permissions=Permissions(
            read=has(rights, "general"),
            spot_trade=_named(rights, "spot", is_broad=is_broad),
            margin_trade=_named(rights, "margin", is_broad=is_broad),
            futures_trade=_named(rights, "futures", is_broad=is_broad),
            withdraw=has(rights, "withdrawal", "transfer"),
            internal_transfer=has(rights, "innertransfer", "flextransfers"),
        ),
        ip_restricted=is_bound(part(info, "ipWhitelist")),
        expires_at=moment(part(info, "expiredAt"), 1_000),
    )


def _named(rights: frozenset[str] | None, market: str, *, is_broad: bool | None) -> bool | None:
    """Whether a market is named; unknown where a broad right may cover it."""
    named = has(rights, market)
    return None if named is False and is_broad else named


INFO: Final = KeyInfo(
    endpoint="GET /api/v1/user/api-key",
    source="https://www.kucoin.com/docs-new/rest/account-info/account-funding/get-apikey-info",
    questions=(Question(Call("privateGetUserApiKey"), read),),
)

"""Bitget: classic accounts and unified ones have an endpoint each, and each refuses the other kind."""

from typing import Final

from schemas.check_result import Permissions
from streams.connector.key_info.reading import both, has, is_bound, part, words
from streams.connector.key_info.report import Call, KeyInfo, KeyReport, OwnKey, Question


def read_classic(body: object, own: OwnKey) -> KeyReport:  # noqa: ARG001 - the answer is about the asking key alone
    """``trade`` covers all markets. Rights by market have codes of their own, of which no list was found.

    With such a code in the answer, a missing ``trade`` proves nothing.
    """
    info = part(body, "data")
    rights = words(part(info, "authorities"))
    is_coded = rights is not None and not rights <= {"trade", "readonly"}
    trades = has(rights, "trade")
    return KeyReport(
        permissions=Permissions(
            read=True if rights else None,
            spot_trade=None if is_coded and not trades else trades,
            futures_trade=None if is_coded and not trades else trades,
        ),
        ip_restricted=is_bound(part(info, "ips")),
    )


def read_unified(body: object, own: OwnKey) -> KeyReport:  # noqa: ARG001 - the answer is about the asking key alone
    """``uta_trade`` covers spot and futures; a key of the type ``read-only`` may do neither."""
    info = part(body, "data")
    rights = words(part(info, "permissions"))
    may_write = has(words(part(info, "permType")), "read-and-write")
    trades = both(may_write, has(rights, "uta_trade"))
    return KeyReport(
        permissions=Permissions(
            read=True if rights else None,
            spot_trade=trades,
            futures_trade=trades,
            withdraw=both(may_write, has(rights, "withdraw")),
        ),
        ip_restricted=is_bound(part(info, "ips")),
    )


INFO: Final = KeyInfo(
    endpoint="GET /api/v2/spot/account/info",
    source="https://www.bitget.com/api-doc/spot/account/Get-Account-Info",
    questions=(
        Question(Call("privateSpotGetV2SpotAccountInfo"), read_classic),
        Question(Call("privateUtaGetV3AccountInfo"), read_unified),
    ),
)

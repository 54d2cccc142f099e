"""BingX: ``apiPermissions`` of the asking key, which its documents describe in two shapes."""

from typing import Final

from schemas.check_result import Permissions
from streams.connector.key_info.reading import flag, has, is_bound, part, words
from streams.connector.key_info.report import Call, KeyInfo, KeyReport, OwnKey, Question


def read(body: object, own: OwnKey) -> KeyReport:  # noqa: ARG001 - the answer is about the asking key alone
    """Numbered rights with a list of addresses, or flags; with or without an envelope ``data``."""
    info = body if part(body, "data") is None else part(body, "data")
    rights = words(part(info, "permissions"))
    return _from_flags(info) if rights is None else _from_numbers(info, rights)


def _from_numbers(info: object, rights: frozenset[str]) -> KeyReport:
    """1 spot, 2 read, 3 perpetual futures, 4 transfer between accounts, 5 withdraw, 7 to sub-accounts."""
    return KeyReport(
        permissions=Permissions(
            read=has(rights, "2"),
            spot_trade=has(rights, "1"),
            futures_trade=has(rights, "3"),
            withdraw=has(rights, "5"),
            internal_transfer=has(rights, "4", "7"),
        ),
        ip_restricted=is_bound(part(info, "ipAddresses")),
    )


def _from_flags(info: object) -> KeyReport:
    return KeyReport(
        permissions=Permissions(
            read=flag(part(info, "enableReading")),
            spot_trade=flag(part(info, "enableSpotAndMarginTrading")),
            futures_trade=flag(part(info, "enableFutures")),
            withdraw=flag(part(info, "enableWithdrawals")),
            internal_transfer=flag(part(info, "enableInternalTransfer")),
        ),
        ip_restricted=flag(part(info, "ipRestrict")),
    )


INFO: Final = KeyInfo(
    endpoint="GET /openApi/v1/account/apiPermissions",
    source="https://bingx-api.github.io/docs-v3/#/en/Account%20and%20Wallet/Sub-account%20Management/"
    "%20Query%20API%20KEY%20Permissions",
    questions=(
        Question(Call("accountV1PrivateGetAccountApiPermissions"), read),
        Question(Call("accountV1PrivateGetAccountApiRestrictions"), read),
    ),
)

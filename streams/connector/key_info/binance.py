"""Binance: ``apiRestrictions`` tells every right, the IP binding and when trading ends."""

from typing import Final

from schemas.check_result import Permissions
from streams.connector.key_info.reading import flag, moment, part
from streams.connector.key_info.report import Call, KeyInfo, KeyReport, OwnKey, Question


def read(body: object, own: OwnKey) -> KeyReport:  # noqa: ARG001 - the answer is about the asking key alone
    """``tradingAuthorityExpirationTime`` is absent where trading does not end."""
    return KeyReport(
        permissions=Permissions(
            read=flag(part(body, "enableReading")),
            spot_trade=flag(part(body, "enableSpotAndMarginTrading")),
            margin_trade=flag(part(body, "enableMargin")),
            futures_trade=flag(part(body, "enableFutures")),
            withdraw=flag(part(body, "enableWithdrawals")),
            internal_transfer=flag(part(body, "enableInternalTransfer")),
        ),
        ip_restricted=flag(part(body, "ipRestrict")),
        expires_at=moment(part(body, "tradingAuthorityExpirationTime"), 1_000),
    )


INFO: Final = KeyInfo(
    endpoint="GET /sapi/v1/account/apiRestrictions",
    source="https://developers.binance.com/docs/wallet/account/api-key-permission",
    questions=(Question(Call("sapiGetAccountApiRestrictions"), read),),
)

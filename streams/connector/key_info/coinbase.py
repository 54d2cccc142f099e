"""Coinbase Advanced: three rights of the asking key, nothing about addresses or an end."""

from typing import Final

from schemas.check_result import Permissions
from streams.connector.key_info.reading import flag, part
from streams.connector.key_info.report import Call, KeyInfo, KeyReport, OwnKey, Question


def read(body: object, own: OwnKey) -> KeyReport:  # noqa: ARG001 - the answer is about the asking key alone
    """``can_transfer`` lets funds leave the account: it is the right to withdraw. Futures are not reported."""
    transfers = flag(part(body, "can_transfer"))
    return KeyReport(
        permissions=Permissions(
            read=flag(part(body, "can_view")),
            spot_trade=flag(part(body, "can_trade")),
            withdraw=transfers,
            internal_transfer=transfers,
        )
    )


INFO: Final = KeyInfo(
    endpoint="GET /api/v3/brokerage/key_permissions",
    source="https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/data-api/get-api-key-permissions",
    questions=(Question(Call("v3PrivateGetBrokerageKeyPermissions"), read),),
)

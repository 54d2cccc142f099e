"""Bybit: ``query-api`` answers for the asking key, whatever its rights are."""

from typing import Final

from schemas.check_result import Permissions
from streams.connector.key_info.reading import both, flag, has, inverse, is_bound, moment, part, words
from streams.connector.key_info.report import Call, KeyInfo, KeyReport, OwnKey, Question


def read(body: object, own: OwnKey) -> KeyReport:  # noqa: ARG001 - the answer is about the asking key alone
    """A key bound to addresses has the end date 1970-01-01 and -2 days left: it never ends.

    Lists of rights are those of a key that may write; ``readOnly`` 1 makes all of them rights to look.
    """
    info = part(body, "result")
    may_write = inverse(flag(part(info, "readOnly")))
    spot = words(part(info, "permissions", "Spot"))
    contract = words(part(info, "permissions", "ContractTrade"))
    derivatives = words(part(info, "permissions", "Derivatives"))
    wallet = words(part(info, "permissions", "Wallet"))
    return KeyReport(
        permissions=Permissions(
            read=True if spot or contract or derivatives or wallet else None,
            spot_trade=both(may_write, has(spot, "spottrade")),
            futures_trade=both(may_write, _either(has(contract, "order"), has(derivatives, "derivativestrade"))),
            withdraw=both(may_write, has(wallet, "withdraw")),
            internal_transfer=both(may_write, has(wallet, "accounttransfer", "submembertransfer")),
        ),
        ip_restricted=is_bound(part(info, "ips")),
        expires_at=moment(part(info, "expiredAt")),
    )


def _either(first: bool | None, second: bool | None) -> bool | None:  # noqa: FBT001 - two flags are its subject
    """Whether one of two lists holds the right; None when neither was told."""
    return None if first is None and second is None else bool(first or second)


INFO: Final = KeyInfo(
    endpoint="GET /v5/user/query-api",
    source="https://bybit-exchange.github.io/docs/v5/user/apikey-info",
    questions=(Question(Call("privateGetV5UserQueryApi"), read),),
)

"""Bitfinex: one row for each scope of the asking key."""

from collections.abc import Mapping
from typing import Final

from schemas.check_result import Permissions
from streams.connector.key_info.reading import flag, rows
from streams.connector.key_info.report import Call, KeyInfo, KeyReport, OwnKey, Question

#: Scope, read, write.
_ROW_LENGTH: Final = 3


def read(body: object, own: OwnKey) -> KeyReport:  # noqa: ARG001 - the answer is about the asking key alone
    """Rows are ``[scope, read, write]`` with 0 or 1. Margin and derivatives have no scope of their own."""
    scopes = _scopes(body)
    return KeyReport(
        permissions=Permissions(
            read=scopes.get("wallets", (None, None))[0],
            spot_trade=scopes.get("orders", (None, None))[1],
            withdraw=scopes.get("withdraw", (None, None))[1],
            internal_transfer=scopes.get("wallets", (None, None))[1],
        )
    )


def _scopes(body: object) -> Mapping[str, tuple[bool | None, bool | None]]:
    """Each scope with its flags for reading and writing."""
    told = (rows(row) for row in rows(body))
    return {row[0]: (flag(row[1]), flag(row[2])) for row in told if len(row) >= _ROW_LENGTH and isinstance(row[0], str)}


INFO: Final = KeyInfo(
    endpoint="POST /v2/auth/r/permissions",
    source="https://docs.bitfinex.com/reference/key-permissions",
    questions=(Question(Call("privatePostAuthRPermissions"), read),),
)

"""OKX: the account's configuration tells the rights and the addresses of the asking key."""

from typing import Final

from schemas.check_result import Account, Permissions
from streams.connector.key_info.reading import has, is_bound, part, rows, word, words
from streams.connector.key_info.report import NOTHING_TOLD, Call, KeyInfo, KeyReport, OwnKey, Question

#: Account modes with derivatives: futures, multi-currency margin, portfolio margin.
_MODES_WITH_FUTURES: Final = frozenset({"2", "3", "4"})


def read(body: object, own: OwnKey) -> KeyReport:  # noqa: ARG001 - the answer is about the asking key alone
    """One right, ``trade``, covers all markets: with it nobody tells which, without it there is none."""
    listed = rows(part(body, "data"))
    if len(listed) != 1:
        return NOTHING_TOLD
    config = listed[0]
    rights = words(part(config, "perm"))
    trades = has(rights, "trade")
    return KeyReport(
        permissions=Permissions(
            read=has(rights, "read_only", "trade", "withdraw"),
            spot_trade=trades,
            margin_trade=False if trades is False else None,
            futures_trade=False if trades is False else None,
            withdraw=has(rights, "withdraw"),
        ),
        ip_restricted=is_bound(part(config, "ip")),
        account=Account(futures_enabled=True if word(part(config, "acctLv")) in _MODES_WITH_FUTURES else None),
    )


INFO: Final = KeyInfo(
    endpoint="GET /api/v5/account/config",
    source="https://www.okx.com/docs-v5/en/#trading-account-rest-api-get-account-configuration",
    questions=(Question(Call("privateGetAccountConfig"), read),),
)

"""Gate: ``main_keys`` lists all keys of the account, ours among them; ``detail`` tells the addresses alone."""

from collections.abc import Mapping
from typing import Final

from schemas.check_result import Permissions
from schemas.vocabulary import ReportedState
from streams.connector.key_info.reading import flag, is_bound, own_row, part, rows, word
from streams.connector.key_info.report import NOTHING_TOLD, Call, KeyInfo, KeyReport, OwnKey, Question

_STATES: Final[Mapping[str, ReportedState]] = {
    "1": ReportedState.NORMAL,
    "2": ReportedState.FROZEN,
    "3": ReportedState.LOCKED,
}


def read_keys(body: object, own: OwnKey) -> KeyReport:
    """Rights come in groups, each perhaps for reading only.

    Whether the group ``wallet`` covers withdrawals is not documented: writing there tells nothing about them,
    no writing in it and no group of that name rules them out.
    """
    row = own_row(body, "key", own.api_key)
    if row is None:
        return NOTHING_TOLD
    writes = _writes(part(row, "perms"))
    return KeyReport(
        permissions=_permissions(writes),
        ip_restricted=is_bound(part(row, "ip_whitelist")),
        reported_state=_STATES.get(word(part(row, "state"))),
    )


def _permissions(writes: Mapping[str, bool | None] | None) -> Permissions:
    if writes is None:
        return Permissions()
    withdraws = writes.get("withdraw", False)
    return Permissions(
        read=bool(writes),
        spot_trade=writes.get("spot", False),
        futures_trade=writes.get("futures", False),
        withdraw=None if withdraws is False and writes.get("wallet", False) is not False else withdraws,
    )


def _writes(perms: object) -> Mapping[str, bool | None] | None:
    """Each group that the key has, and whether it may write there; None when no groups were told."""
    if not isinstance(perms, list):
        return None
    told = ((part(group, "name"), flag(part(group, "read_only"))) for group in rows(perms))
    return {name.casefold(): None if only is None else not only for name, only in told if isinstance(name, str)}


def read_detail(body: object, own: OwnKey) -> KeyReport:  # noqa: ARG001 - the answer is about the asking key alone
    """The addresses of the asking key; its rights are not told here."""
    return KeyReport(ip_restricted=is_bound(part(body, "ip_whitelist")))


INFO: Final = KeyInfo(
    endpoint="GET /api/v4/account/main_keys",
    source="https://github.com/gateio/gateapi-python/blob/master/docs/SubAccountKey.md",
    questions=(
        Question(Call("privateAccountGetMainKeys"), read_keys),
        Question(Call("privateAccountGetDetail"), read_detail, proves_read=False),
    ),
)

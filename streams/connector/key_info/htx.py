"""HTX: ``user/api-key`` lists keys of a user, asked for with the user's id; ours is picked out."""

from collections.abc import Mapping
from typing import Final

from schemas.check_result import Permissions
from schemas.vocabulary import ReportedState
from streams.connector.key_info.reading import days_from, has, is_bound, own_row, part, word, words
from streams.connector.key_info.report import NOTHING_TOLD, Call, Given, KeyInfo, KeyReport, OwnKey, Question

_STATES: Final[Mapping[str, ReportedState]] = {"normal": ReportedState.NORMAL, "expired": ReportedState.EXPIRED}


def read(body: object, own: OwnKey) -> KeyReport:
    """``validDays`` counts full days, -1 for never; use of the key prolongs it. ``trade`` covers all markets."""
    row = own_row(part(body, "data"), "accessKey", own.api_key)
    if row is None:
        return NOTHING_TOLD
    rights = words(part(row, "permission"))
    trades = has(rights, "trade")
    state = _STATES.get(word(part(row, "status")))
    return KeyReport(
        permissions=Permissions(
            read=has(rights, "readonly"),
            spot_trade=trades,
            margin_trade=False if trades is False else None,
            futures_trade=False if trades is False else None,
            withdraw=has(rights, "withdraw"),
        ),
        ip_restricted=is_bound(part(row, "ipAddresses")),
        # A key that has ended already has no end to come.
        expires_at=None if state is ReportedState.EXPIRED else days_from(own.at, part(row, "validDays")),
        reported_state=state,
    )


INFO: Final = KeyInfo(
    endpoint="GET /v2/user/api-key",
    source="https://huobiapi.github.io/docs/spot/v1/en/#api-key-query",
    questions=(
        Question(
            Call("spotPrivateGetV2UserApiKey", {"uid": Given.USER_ID, "accessKey": Given.API_KEY}),
            read,
            user_id=Call("spotPrivateGetV2UserUid"),
        ),
    ),
)

"""Gemini: the roles of the asking key."""

from typing import Final

from schemas.check_result import Permissions
from streams.connector.key_info.reading import flag, part
from streams.connector.key_info.report import Call, KeyInfo, KeyReport, OwnKey, Question


def read(body: object, own: OwnKey) -> KeyReport:  # noqa: ARG001 - the answer is about the asking key alone
    """A fund manager withdraws, a trader trades; each of the three roles may read."""
    trades = flag(part(body, "isTrader"))
    manages = flag(part(body, "isFundManager"))
    audits = flag(part(body, "isAuditor"))
    return KeyReport(
        permissions=Permissions(
            read=True if trades or manages or audits else None,
            spot_trade=trades,
            withdraw=manages,
        )
    )


INFO: Final = KeyInfo(
    endpoint="POST /v1/roles",
    source="https://docs.gemini.com/rest-api/#roles",
    questions=(Question(Call("privatePostV1Roles"), read),),
)

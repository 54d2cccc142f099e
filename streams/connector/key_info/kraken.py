"""Kraken: ``GetApiKeyInfo`` answers for the asking key and takes no right."""

from typing import Final

from schemas.check_result import Permissions
from streams.connector.key_info.reading import has, is_bound, moment, part, words
from streams.connector.key_info.report import Call, KeyInfo, KeyReport, OwnKey, Question


def read(body: object, own: OwnKey) -> KeyReport:  # noqa: ARG001 - the answer is about the asking key alone
    """``valid_until`` is a text, ``"0"`` for never. The reference shows camel case, answers have had underscores."""
    info = part(body, "result")
    rights = words(part(info, "permissions"))
    return KeyReport(
        permissions=Permissions(
            read=has(rights, "query-funds"),
            spot_trade=has(rights, "modify-trades"),
            withdraw=has(rights, "withdraw-funds"),
        ),
        ip_restricted=is_bound(_either(info, "ip_allowlist", "ipAllowlist")),
        expires_at=moment(_either(info, "valid_until", "validUntil")),
    )


def _either(info: object, name: str, other_name: str) -> object:
    found = part(info, name)
    return part(info, other_name) if found is None else found


INFO: Final = KeyInfo(
    endpoint="POST /0/private/GetApiKeyInfo",
    source="https://docs.kraken.com/api-reference/account-data/get-api-key-info",
    questions=(Question(Call("privatePostGetApiKeyInfo"), read),),
)

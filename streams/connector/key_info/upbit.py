"""Upbit: the list of keys with their end dates, and nothing about rights."""

from typing import Final

from streams.connector.key_info.reading import moment, own_row, part
from streams.connector.key_info.report import Call, KeyInfo, KeyReport, OwnKey, Question


def read(body: object, own: OwnKey) -> KeyReport:
    """Every key of the account is listed; only our own end date passes."""
    return KeyReport(expires_at=moment(part(own_row(body, "access_key", own.api_key), "expire_at")))


INFO: Final = KeyInfo(
    endpoint="GET /v1/api_keys",
    source="https://docs.upbit.com/kr/reference/list-api-keys",
    questions=(Question(Call("privateGetApiKeys"), read, proves_read=False),),
)

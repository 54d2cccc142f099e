"""BloFin: ``query-apikey`` tells of the asking key whether it only reads, its addresses and its end."""

from typing import Final

from schemas.check_result import Permissions
from streams.connector.key_info.reading import flag, is_bound, moment, part
from streams.connector.key_info.report import Call, KeyInfo, KeyReport, OwnKey, Question


def read(body: object, own: OwnKey) -> KeyReport:  # noqa: ARG001 - the answer is about the asking key alone
    """A key that only reads may neither trade nor withdraw; of one that writes nobody tells what."""
    info = part(body, "data")
    only_reads = flag(part(info, "readOnly"))
    forbidden = False if only_reads else None
    return KeyReport(
        permissions=Permissions(
            read=None if only_reads is None else True,
            spot_trade=forbidden,
            margin_trade=forbidden,
            futures_trade=forbidden,
            withdraw=forbidden,
            internal_transfer=forbidden,
        ),
        ip_restricted=is_bound(part(info, "ips")),
        expires_at=moment(part(info, "expireTime"), 1_000),
    )


INFO: Final = KeyInfo(
    endpoint="GET /api/v1/user/query-apikey",
    source="https://docs.blofin.com/index.html#get-api-key-info",
    questions=(Question(Call("privateGetUserQueryApikey"), read),),
)

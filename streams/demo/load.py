"""A steady load: customers' keys that mostly work, with the troubles of a normal day."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from schemas.check_result import CheckResult, ExchangeError, Permissions
from schemas.vocabulary import Outcome

#: Share of checks, exchange by exchange, that look for another key than the last.
KEYS: Final = 3_000

#: What the exchanges answer when something is wrong: code, message.
_TROUBLES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "binance": (("-2014", "API-key format invalid."), ("-1003", "Too many requests."), ("-1021", "Timestamp ahead.")),
    "bybit": (("10005", "Permission denied"), ("33004", "Your api key has expired"), ("10016", "Server error.")),
    "okx": (
        ("50110", "Your IP is not in the key's IP list"),
        ("50119", "API key doesn't exist"),
        ("50011", "Rate limit"),
    ),
    "kraken": (("EGeneral:Permission denied", ""), ("EService:Unavailable", "")),
    "kucoin": (("400006", "The IP address is not in the API whitelist"), ("400003", "KC-API-KEY not exists")),
    "coinbase": (("PERMISSION_DENIED", ""), ("rate_limit_exceeded", "")),
    "bitget": (("40018", "Invalid IP"), ("40037", "Apikey does not exist")),
    "gate": (("IP_FORBIDDEN", "Request IP not in whitelist"), ("INVALID_KEY", "Invalid key provided")),
    "htx": (("api-signature-not-valid", "APIkey has expired"), ("system-maintenance", "System is in maintenance.")),
}

_GOOD: Final = Permissions(read=True, spot_trade=True, withdraw=False)
_CAN_WITHDRAW: Final = Permissions(read=True, spot_trade=True, withdraw=True)


def steady_results(seed: int) -> Iterator[CheckResult]:
    """Check results without end, each of now, of keys drawn at random."""
    rng = random.Random(seed)  # noqa: S311 - a load, not a secret
    exchanges = list(_TROUBLES)
    number = 0
    while True:
        number += 1
        key = rng.randrange(KEYS)
        yield _result(exchanges[key % len(exchanges)], key, number, rng)


def _result(exchange: str, key: int, number: int, rng: random.Random) -> CheckResult:
    now, dice = datetime.now(UTC), rng.random()
    trouble = rng.choice(_TROUBLES[exchange]) if dice < 0.03 else None
    expires = now + timedelta(days=5 + key % 80) if key % 4 == 0 else None
    return CheckResult(
        event_id=f"load-{number}",
        key_id=f"{exchange}-load-{key:05d}",
        exchange=exchange,
        account_id=f"customer-{key % 700:04d}",
        checked_at=now,
        outcome=Outcome.OK if trouble is None else Outcome.ERROR,
        error=None if trouble is None else ExchangeError(code=trouble[0], message=trouble[1]),
        permissions=Permissions() if trouble else _CAN_WITHDRAW if key % 97 == 0 else _GOOD,
        ip_restricted=key % 4 != 0,
        expires_at=expires,
    )

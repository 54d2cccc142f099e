"""A seeded stream of check results with everything that goes wrong in life."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

_ERRORS = {
    "binance": ["-2014", "-2015", "-1003", "-1022", "-99999"],
    "bybit": ["33004", "10003", "10006", "10005"],
    "okx": ["50119", "50011", "50110"],
    "kraken": ["EAPI:Invalid key", "EService:Unavailable"],
}

_POISON = [
    b"{broken",
    b"[1, 2, 3]",
    b'{"schema_version": 2}',
    b'{"event_id": "x", "api_secret": "do-not-keep-me"}',
    b"[" * 50_000,
    b'{"event_id":"e","key_id":"other","exchange":"binance","outcome":"ok","checked_at":"2026-01-01T00:00:00Z"}',
]

_NOT_TEXT = b"\xff\xfe not utf-8"

Line = tuple[bytes | None, bytes | None]


def first_results(keys: int) -> Iterator[Line]:
    """One good result for every key, so that their number is known."""
    for number in range(keys):
        yield _line(_result(number, at=0, event=f"first-{number}", rng=random.Random(number), healthy=True))


def results(count: int, keys: int, seed: int) -> Iterator[Line]:
    """Results of many keys: 5 % repeated, 2 % late, 1 % unreadable, one hot key with 20 %."""
    rng = random.Random(seed)
    last: Line | None = None
    for at in range(1, count + 1):
        dice = rng.random()
        if dice < 0.01:
            key = rng.choice([None, _key_id(rng.randrange(keys)).encode()])
            yield (None, _NOT_TEXT) if rng.random() < 0.1 else (key, rng.choice(_POISON))
        elif dice < 0.06 and last is not None:
            yield last
        else:
            number = 0 if rng.random() < 0.2 else rng.randrange(keys)
            moment = at - 500 if dice < 0.08 else at
            last = _line(_result(number, moment, f"{seed}-{at}", rng, healthy=False))
            yield last


def _key_id(number: int) -> str:
    return f"{list(_ERRORS)[number % len(_ERRORS)]}-{number:05d}"


def _line(result: dict[str, object]) -> Line:
    return str(result["key_id"]).encode(), json.dumps(result).encode()


def _result(number: int, at: int, event: str, rng: random.Random, *, healthy: bool) -> dict[str, object]:
    exchange = list(_ERRORS)[number % len(_ERRORS)]
    result: dict[str, object] = {
        "event_id": event,
        "key_id": _key_id(number),
        "exchange": exchange,
        "account_id": f"account-{number % 17}",
        "checked_at": (
            datetime.now(UTC).replace(microsecond=0) - timedelta(days=2) + timedelta(seconds=at)
        ).isoformat(),
        "outcome": "ok",
        "permissions": {"read": True, "spot_trade": True, "withdraw": False},
    }
    if healthy:
        return result
    kind = rng.random()
    if kind < 0.1:
        return result | {"outcome": "error", "error": {"code": rng.choice(_ERRORS[exchange])}, "permissions": {}}
    if kind < 0.13:
        return result | {"permissions": {"read": True, "spot_trade": True, "withdraw": True}}
    if kind < 0.16:
        return result | {"permissions": {"read": True, "spot_trade": False}, "ip_restricted": False}
    if kind < 0.2:
        return result | {"expires_at": (datetime.now(UTC) + timedelta(days=rng.choice([20, 200]))).isoformat()}
    return result

"""``keystatus show`` against a real Kafka."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streams.settings import Settings
from streams.topics import Role
from tests.cli.command import environment, error_line, objects, run
from tests.cli.kafka_records import write

pytestmark = pytest.mark.kafka


def state(**fields: Any) -> bytes:
    payload = {
        "key_id": "binance-001",
        "account_id": "customer-1",
        "exchange": "binance",
        "environment": "main",
        "status": "expiring",
        "reason": "expires_soon",
        "issues": [
            {"status": "expiring", "reason": "expires_soon", "permissions": []},
            {"status": "incorrect_permissions", "reason": "missing_permission", "permissions": ["spot_trade"]},
        ],
        "severity": "warning",
        "remedy": "bind_ip",
        "since": "2026-11-24T12:00:00Z",
        "observed_at": "2026-11-25T12:00:00Z",
        "stale": False,
        "expires_at": "2026-12-01T00:00:00Z",
        "days_left": 6,
        "progress": {"expires_at": (datetime.now(UTC) + timedelta(days=12, hours=1)).isoformat()},
    }
    return json.dumps(payload | fields).encode()


def test_in_english_and_dutch(settings: Settings) -> None:
    """Days left count from now to the end date that is known now."""
    states = [("binance-001", state(status="connected")), ("other", state()), ("binance-001", state())]
    asyncio.run(write(settings, Role.STATUS, states))
    english = run("show", "binance-001", env=environment(settings))
    assert (english.returncode, english.stderr) == (0, b"")
    text = english.stdout.decode()
    for part in (
        "binance-001 (binance main, customer-1)",
        "Expires in 12 days",
        "2026-11-24 12:00:00 UTC",
        "bind the key to the platform's IP addresses",
        "a required permission is off (spot_trade)",
        "12 days left",
    ):
        assert part in text
    dutch = run("show", "binance-001", "--lang", "nl", env=environment(settings)).stdout.decode()
    assert "Vervalt over 12 dagen" in dutch
    assert "koppel de sleutel bij de beurs" in dutch


def test_json_is_the_public_part(settings: Settings) -> None:
    written = state()
    asyncio.run(write(settings, Role.STATUS, [("binance-001", written)]))
    (shown,) = objects(run("show", "binance-001", "--json", env=environment(settings)).stdout)
    known = json.loads(written)
    progress = known.pop("progress")
    assert shown == known | {"expires_at": progress["expires_at"], "days_left": 12}


@pytest.mark.parametrize("last", [None, b"rubbish"])
def test_removed_or_unreadable(settings: Settings, last: bytes | None) -> None:
    asyncio.run(write(settings, Role.STATUS, [("binance-001", state()), ("binance-001", last)]))
    done = run("show", "binance-001", env=environment(settings))
    assert (done.returncode, done.stdout) == (1, b"")
    assert "binance-001" in error_line(done)


def test_never_seen(settings: Settings) -> None:
    done = run("show", "nobody", env=environment(settings))
    assert done.returncode == 1
    assert "nobody" in error_line(done)


def test_no_status_yet_and_stale(settings: Settings) -> None:
    first = state(status=None, reason=None, remedy=None, severity=None, since=None, issues=[], stale=True, progress={})
    asyncio.run(write(settings, Role.STATUS, [("binance-001", first)]))
    text = run("show", "binance-001", env=environment(settings)).stdout.decode()
    assert "No status yet" in text
    assert "stale" in text
    assert "Since" not in text


def test_a_key_in_a_partition_of_the_connectors_choice(settings: Settings) -> None:
    asyncio.run(write(settings, Role.STATUS, [("binance-001", state())], shift=1))
    assert run("show", "binance-001", env=environment(settings)).returncode == 0

"""``keystatus tail`` against a real Kafka."""

import asyncio
import json
from typing import Any

import pytest

from streams.settings import Settings
from streams.topics import Role
from tests.cli.command import environment, hear, interrupt, run, running
from tests.cli.kafka_records import Written, write

pytestmark = pytest.mark.kafka


def change(**fields: Any) -> bytes:
    payload = {
        "change_id": "c",
        "key_id": "binance-001",
        "exchange": "binance",
        "previous_status": "connected",
        "status": "expired",
        "reason": "permission_expired_by_policy",
        "severity": "critical",
        "remedy": "reenable_permissions",
        "changed_at": "2026-11-24T13:03:04+01:00",
    }
    return json.dumps(payload | fields).encode()


NOTICE = json.dumps(
    {
        "notice_id": "n",
        "key_id": "okx-7",
        "exchange": "okx",
        "kind": "expiry_reminder",
        "days_left": 7,
        "noticed_at": "2026-11-24T12:00:00Z",
    }
).encode()


def test_lines_for_people(settings: Settings) -> None:
    with running("tail", "--limit", "2", env=environment(settings)) as process:
        assert process.stderr is not None
        assert hear(process.stderr).startswith("following ")
        asyncio.run(write(settings, Role.STATUS_CHANGES, [("never-committed", change())], commit=False))
        asyncio.run(write(settings, Role.STATUS_CHANGES, [("binance-001", change())]))
        assert hear(process.stdout) == (
            "12:03:04 binance-001 binance: connected → expired "
            "(the exchange took the permission away by its policy): re-enable the permissions at the exchange"
        )
        asyncio.run(write(settings, Role.NOTICES, [("okx-7", NOTICE)]))
        assert hear(process.stdout) == "12:00:00 okx-7 okx: reminder: 7 days left"
        assert process.wait(30) == 0


def test_json_from_the_beginning(settings: Settings) -> None:
    asyncio.run(write(settings, Role.STATUS_CHANGES, [("binance-001", change())]))
    asyncio.run(write(settings, Role.NOTICES, [("okx-7", NOTICE)]))
    done = run("tail", "--json", "--from-beginning", "--limit", "2", env=environment(settings))
    assert done.returncode == 0
    assert sorted(done.stdout.splitlines()) == sorted([change(), NOTICE])


def test_only_what_comes_from_now_on(settings: Settings) -> None:
    asyncio.run(write(settings, Role.STATUS_CHANGES, [("old", change(key_id="old"))]))
    with running("tail", env=environment(settings)) as process:
        assert process.stderr is not None
        hear(process.stderr)
        asyncio.run(write(settings, Role.STATUS_CHANGES, [("new", change(key_id="new"))]))
        assert " new " in hear(process.stdout)
        assert interrupt(process) == 130
        assert process.stderr.read() == b""


def test_removals_unknown_values_and_rubbish(settings: Settings) -> None:
    removal = change(status=None, severity="ok", reason="removed", remedy="none", previous_status=None)
    unknown = change(status="hibernating", severity="mild", reason="winter", remedy="sleep", changed_at="soon")
    values: list[Written] = [("k", removal), ("k", unknown), ("k", b"rubbish"), ("k", None)]
    asyncio.run(write(settings, Role.STATUS_CHANGES, values))
    done = run("tail", "--from-beginning", "--limit", "4", env=environment(settings))
    assert done.stdout.decode().splitlines() == [
        "12:03:04 binance-001 binance: removed (the owner removed the key)",
        "soon binance-001 binance: connected → hibernating (winter): sleep",
        "rubbish",
        "",
    ]


def test_a_reader_who_leaves(settings: Settings) -> None:
    asyncio.run(write(settings, Role.STATUS_CHANGES, [("k", change())] * 100))
    for options in ((), ("--json",)):
        with running("tail", "--from-beginning", *options, env=environment(settings)) as process:
            hear(process.stdout)
            assert process.stdout is not None
            process.stdout.close()
            assert process.stderr is not None
            hear(process.stderr)
            asyncio.run(write(settings, Role.STATUS_CHANGES, [("k", change())]))
            assert process.wait(30) == 0
            assert process.stderr.read() == b""

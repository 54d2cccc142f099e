"""``keystatus connector`` as its users run it: a process, exchanges that answer, a real Kafka."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from schemas.check_result import CheckResult
from schemas.vocabulary import ErrorType, Outcome
from streams.catalogue import load_rules
from streams.core.classify import classify
from streams.core.decode import decode
from streams.core.record import LogRecord
from streams.settings import Settings
from streams.topics import Role
from tests.cli.command import LIMIT_S, environment
from tests.cli.kafka_records import read
from tests.connector import answers
from tests.connector.exchange import Exchange, Reply, serving

SECRETS = {
    "TEST_BYBIT_KEY": "own-bybit-key-0123456789",
    "TEST_BYBIT_SECRET": "own-bybit-secret-0123456789",
    "TEST_OKX_KEY": "own-okx-key-0123456789",
    "TEST_OKX_PHRASE": "own-okx-phrase-0123456789",
}
IN_A_FILE = "own-okx-secret-0123456789"

REFUSED = {"code": "50110", "msg": "Your IP 192.0.2.1 is not included in your API key's IP whitelist.", "data": []}
REPLIES = {"/v5/user/query-api": Reply(answers.BYBIT_BOUND), "/api/v5/account/config": Reply(REFUSED, 401)}


def file(folder: Path, server: Exchange) -> Path:
    """Two keys of two exchanges."""
    (folder / "okx.secret").write_text(IN_A_FILE)
    path = folder / "connector.toml"
    path.write_text(
        f"""
[defaults]
interval_s = 0.2
checks_per_minute = 6000
base_url = "{server.url}"

[[key]]
key_id = "good"
exchange = "bybit"
account_id = "customer-1"
api_key = {{ env = "TEST_BYBIT_KEY" }}
secret = {{ env = "TEST_BYBIT_SECRET" }}

[[key]]
key_id = "bad"
exchange = "okx"
api_key = {{ env = "TEST_OKX_KEY" }}
secret = {{ file = "okx.secret" }}
passphrase = {{ env = "TEST_OKX_PHRASE" }}
"""
    )
    return path


@asynccontextmanager
async def connector(path: Path, *arguments: str, settings: Settings | None = None) -> AsyncIterator[Process]:
    """The command as a process; it does not outlive the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams", "connector", "--config", str(path), *arguments),
        stdout=PIPE,
        stderr=PIPE,
        env=environment(settings, KEYSTATUS_LOG_LEVEL="debug", **SECRETS),
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ended(process: Process) -> tuple[int | None, str]:
    """Exit code, and everything that the process has written."""
    async with asyncio.timeout(LIMIT_S):
        written = await process.communicate()
    return process.returncode, b"".join(written).decode()


def secrets_in(text: str) -> set[str]:
    return {secret for secret in (*SECRETS.values(), IN_A_FILE) if secret in text}


@pytest.mark.kafka
async def test_results_arrive_until_it_is_told_to_stop(settings: Settings, tmp_path: Path) -> None:
    async with serving(**REPLIES) as server, connector(file(tmp_path, server), settings=settings) as process:
        records = await read(settings, Role.CHECK_RESULTS, 6)
        process.send_signal(signal.SIGTERM)
        code, written = await ended(process)
    assert code == 0, written
    results = {}
    for _, key, value in records:
        payload = decode(LogRecord("", 0, 0, -1, key, value))
        assert isinstance(payload, CheckResult), payload
        results[payload.key_id] = payload
    assert results.keys() == {"good", "bad"}
    good, bad = results["good"], results["bad"]
    assert (good.outcome, good.account_id, good.ip_restricted) == (Outcome.OK, "customer-1", True)
    assert classify(bad, load_rules()).error_type is ErrorType.IP_NOT_ALLOWED
    assert bad.error is not None
    assert bad.error.http_status == 401
    assert secrets_in(written) == set()
    assert secrets_in("".join((value or b"").decode() for _, _, value in records)) == set()
    assert "key=good exchange=bybit says=ok" in written
    assert "key=bad exchange=okx says=ip_not_allowed" in written


@pytest.mark.kafka
async def test_once_and_ctrl_c(settings: Settings, tmp_path: Path) -> None:
    async with serving(**REPLIES) as server:
        async with connector(file(tmp_path, server), "--once", settings=settings) as process:
            code, written = await ended(process)
        assert code == 0, written
        assert len(server.asked) == 2
        async with connector(file(tmp_path, server), settings=settings) as process:
            await read(settings, Role.CHECK_RESULTS, 4)
            process.send_signal(signal.SIGINT)
            assert (await ended(process))[0] == 0


async def test_no_kafka(tmp_path: Path) -> None:
    async with serving(**REPLIES) as server:
        closed = Settings(kafka_bootstrap_servers="127.0.0.1:1")
        async with connector(file(tmp_path, server), settings=closed) as process:
            code, written = await ended(process)
    assert code == 1
    assert "no Kafka answers at 127.0.0.1:1" in written
    assert "Traceback" not in written
    assert secrets_in(written) == set()
    assert server.asked == []


async def test_a_file_with_faults(tmp_path: Path) -> None:
    async with serving() as server:
        path = file(tmp_path, server)
        path.write_text(path.read_text().replace('{ env = "TEST_OKX_KEY" }', f'"{SECRETS["TEST_OKX_KEY"]}"'))
        async with connector(path) as process:
            code, written = await ended(process)
    assert code == 2
    assert written.splitlines()[-1].startswith(f"keystatus: {path}:14: key.1.api_key: credentials do not stand")
    assert secrets_in(written) == set()


async def test_a_key_that_no_client_can_be_made_for(tmp_path: Path) -> None:
    async with serving() as server:
        path = file(tmp_path, server)
        path.write_text(path.read_text().replace('exchange = "bybit"', 'exchange = "nowhere"'))
        async with connector(path) as process:
            code, written = await ended(process)
    assert code == 2
    assert "has no exchange 'nowhere'" in written
    assert "Unclosed" not in written
    assert secrets_in(written) == set()


async def test_without_a_file(tmp_path: Path) -> None:
    async with connector(tmp_path / "absent.toml") as process:
        code, written = await ended(process)
    assert code == 2
    assert "name the connector's file with --config" in written

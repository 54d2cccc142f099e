"""The connector at work, with a publisher that only keeps what it gets."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from schemas.vocabulary import Outcome
from streams.catalogue import load_rules
from streams.connector import loop
from streams.connector.clients import Clients
from streams.connector.config import load_config
from streams.connector.loop import Connector
from streams.errors import KeystatusError
from tests.connector import answers
from tests.connector.exchange import Exchange, Reply, serving

RULES = load_rules()
BYBIT, KRAKEN = "/v5/user/query-api", "/0/private/GetApiKeyInfo"
REPLIES = {BYBIT: Reply(answers.BYBIT_BOUND), KRAKEN: Reply({"error": ["EAPI:Invalid key"]})}


class Kept:
    """Stands in for the publisher."""

    def __init__(self, failure: KeystatusError | None = None) -> None:
        self.results: list[dict[str, Any]] = []
        self._sent: list[dict[str, Any]] = []
        self._failure = failure

    async def send(self, key: bytes, value: bytes) -> None:
        result = json.loads(value)
        assert result["key_id"] == key.decode()
        self._sent.append(result)

    async def flush(self) -> None:
        if self._failure is not None and self._sent:
            raise self._failure
        self.results += self._sent
        self._sent = []

    def of(self, key_id: str) -> list[dict[str, Any]]:
        return [result for result in self.results if result["key_id"] == key_id]


def file(folder: Path, server: Exchange, keys: dict[str, str], **settings: float) -> Path:
    """A connector's file with these keys (by exchange) at the server."""
    numbers = {"interval_s": 0.05, "slow_interval_s": 900, "jitter": 0, "checks_per_minute": 6_000} | settings
    lines = ["stop_limit_s = 10", "[defaults]", f'base_url = "{server.url}"']
    lines += [f"{name} = {value}" for name, value in numbers.items()]
    for key_id, exchange in keys.items():
        lines += ["[[key]]", f'key_id = "{key_id}"', f'exchange = "{exchange}"']
        lines += ['api_key = { env = "TEST_KEY" }', 'secret = { env = "TEST_SECRET" }']
    path = folder / "connector.toml"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "not-a-real-key")
    monkeypatch.setenv("TEST_SECRET", "bm90LWEtcmVhbC1zZWNyZXQ=")


@asynccontextmanager
async def connector(path: Path, *, once: bool = False) -> AsyncIterator[Connector]:
    config, keys = load_config(path)
    async with Clients() as clients:
        made = Connector(clients, RULES, config, once=once)
        await made.watch(config, keys)
        yield made


@asynccontextmanager
async def running(made: Connector, kept: Kept) -> AsyncIterator[asyncio.Task[None]]:
    """The connector running, stopped at the end."""
    task = asyncio.create_task(made.run(kept))  # type: ignore[arg-type]
    try:
        yield task
    finally:
        made.stop()
        async with asyncio.timeout(10):
            await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_once_checks_every_key_once_and_ends(tmp_path: Path) -> None:
    async with serving(**REPLIES) as server:
        keys = {"good": "bybit", "bad": "kraken", "also-good": "bybit"}
        kept = Kept()
        async with connector(file(tmp_path, server, keys, interval_s=300), once=True) as made, asyncio.timeout(10):
            await made.run(kept)  # type: ignore[arg-type]
    assert sorted(result["key_id"] for result in kept.results) == sorted(keys)
    outcomes = {result["key_id"]: result["outcome"] for result in kept.results}
    assert outcomes == {"good": Outcome.OK, "also-good": Outcome.OK, "bad": Outcome.ERROR}
    promised = {result["key_id"]: result["check_interval_s"] for result in kept.results}
    assert promised == {"good": 300, "also-good": 300, "bad": 900}


async def test_keys_come_again_and_bad_ones_do_not_soon(tmp_path: Path) -> None:
    async with serving(**REPLIES) as server:
        kept = Kept()
        async with connector(file(tmp_path, server, {"good": "bybit", "bad": "kraken"})) as made, running(made, kept):
            await until(lambda: len(kept.of("good")) >= 5 and bool(kept.of("bad")))
    assert len(kept.of("bad")) == 1
    assert len({result["event_id"] for result in kept.results}) == len(kept.results)


async def test_stop_finishes_what_is_under_way(tmp_path: Path) -> None:
    async with serving(**REPLIES) as server:
        kept = Kept()
        async with connector(file(tmp_path, server, {"good": "bybit"})) as made, running(made, kept):
            server.open.clear()
            before = len(server.asked)
            await until(lambda: len(server.asked) > before)
            published = len(kept.results)
            made.stop()
            server.open.set()
    assert len(kept.results) == published + 1


async def test_stop_gives_up_what_takes_too_long(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(**REPLIES) as server:
        server.open.clear()
        kept = Kept()
        path = file(tmp_path, server, {"good": "bybit"})
        path.write_text(path.read_text().replace("stop_limit_s = 10", "stop_limit_s = 0.1"))
        async with connector(path) as made, running(made, kept):
            await until(lambda: bool(server.asked))
    assert kept.results == []
    assert "given up" in caplog.text


async def test_no_more_checks_at_once_than_allowed(tmp_path: Path) -> None:
    async with serving(**REPLIES) as server:
        server.open.clear()
        path = file(tmp_path, server, {f"k-{number}": "bybit" for number in range(6)})
        path.write_text("concurrency = 2\n" + path.read_text())
        kept = Kept()
        async with connector(path) as made, running(made, kept):
            await until(lambda: len(server.asked) == 2)
            assert len(made._underway) == 2
            server.open.set()
            await until(lambda: len({result["key_id"] for result in kept.results}) == 6)


async def test_the_file_is_read_again(tmp_path: Path) -> None:
    async with serving(**REPLIES) as server:
        kept = Kept()
        path = file(tmp_path, server, {"stays": "bybit", "goes": "bybit"})
        async with connector(path) as made, running(made, kept):
            await until(lambda: bool(kept.of("stays") and kept.of("goes")))
            made.read_again(file(tmp_path, server, {"stays": "bybit", "comes": "bybit"}))
            await until(lambda: bool(kept.of("comes")))
            gone, stayed = len(kept.of("goes")), len(kept.of("stays"))
            await until(lambda: len(kept.of("stays")) > stayed + 3)
            assert len(kept.of("goes")) == gone


async def test_a_file_with_faults_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(**REPLIES) as server:
        kept = Kept()
        path = file(tmp_path, server, {"stays": "bybit"})
        async with connector(path) as made, running(made, kept):
            for keys in ({"stays": "bybit", "faulty": "no such exchange"}, {"stays": "bybit", "faulty": "nowhere"}):
                made.read_again(file(tmp_path, server, keys))
                before = len(caplog.records)
                await until(lambda before=before: len(caplog.records) > before)  # type: ignore[misc]
            stayed = len(kept.of("stays"))
            await until(lambda: len(kept.of("stays")) > stayed + 1)
    assert caplog.text.count("not taken over") == 2
    assert kept.of("faulty") == []


async def test_a_check_of_a_key_that_is_taken_out_comes_to_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(**REPLIES) as server:
        kept = Kept()
        server.open.clear()
        path = file(tmp_path, server, {"goes": "bybit"})
        async with connector(path) as made, running(made, kept):
            await until(lambda: bool(server.asked))
            made.read_again(file(tmp_path, server, {"comes": "kraken"}))
            await until(lambda: f"POST {KRAKEN}" in server.asked)
            server.open.set()
            await until(lambda: bool(kept.of("comes")))
    assert kept.of("goes") == []
    assert caplog.records == []


async def test_a_lost_kafka_ends_it(tmp_path: Path) -> None:
    async with serving(**REPLIES) as server:
        kept = Kept(KeystatusError("Kafka is gone"))
        async with connector(file(tmp_path, server, {"good": "bybit"})) as made, asyncio.timeout(10):
            with pytest.raises(KeystatusError, match="Kafka is gone"):
                await made.run(kept)  # type: ignore[arg-type]


async def test_a_fault_of_ours_with_one_key_spares_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = loop.check_key

    async def broken(client: Any, key: Any, **options: Any) -> Any:
        if key.key_id == "odd":
            raise ZeroDivisionError
        return await whole(client, key, **options)

    monkeypatch.setattr(loop, "check_key", broken)
    async with serving(**REPLIES) as server:
        kept = Kept()
        async with connector(file(tmp_path, server, {"odd": "bybit", "good": "bybit"}), once=True) as made:
            async with asyncio.timeout(10):
                await made.run(kept)  # type: ignore[arg-type]
    assert [result["key_id"] for result in kept.results] == ["good"]
    assert "key=odd" in caplog.text


async def test_a_line_is_logged_when_a_key_says_something_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with serving(**REPLIES) as server:
        kept = Kept()
        async with connector(file(tmp_path, server, {"good": "bybit"})) as made, running(made, kept):
            await until(lambda: len(kept.results) >= 3)
            server.replies[BYBIT] = Reply({"retCode": 10016, "retMsg": "Server error.", "result": {}})
            await until(lambda: kept.results[-1]["outcome"] == Outcome.ERROR)
    lines = [record.getMessage() for record in caplog.records if "key=good" in record.getMessage()]
    assert [line.split(" says=")[1].split()[0] for line in lines] == ["ok", "exchange_unavailable"]
    assert all("\n" not in line for line in lines)


async def test_too_many_keys_for_the_rate_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(**REPLIES) as server:
        path = file(tmp_path, server, {"a": "bybit", "b": "bybit"}, checks_per_minute=1, interval_s=60)
        async with connector(path):
            pass
    assert "raise checks_per_minute" in caplog.text

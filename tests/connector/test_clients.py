"""ccxt's clients as they are made from the connector's file."""

import asyncio
import logging
import sys
from typing import Any

import pytest
from pydantic import SecretStr

from schemas.vocabulary import Environment
from streams.connector.check import Key, check_key
from streams.connector.clients import Clients
from streams.connector.config import Credentials, HeldKey, Pace
from streams.errors import UsageError
from tests.connector import answers
from tests.connector.exchange import Reply, held_key, serving

PACE = Pace()


async def made(*keys: HeldKey, pace: Pace = PACE) -> dict[str, Any]:
    async with Clients() as clients:
        found = await clients.make((held, pace) for held in keys)
        clients.keep(found)
        return dict(found)


async def test_the_credentials_and_the_time_limit_arrive() -> None:
    client = (await made(held_key("okx"), pace=Pace(timeout_s=7)))["okx-1"]
    assert (client.apiKey, client.timeout) == (answers.OWN_KEY, 7_000)
    assert client.password


async def test_every_fault_comes_at_once_and_none_shows_a_credential(caplog: pytest.LogCaptureFixture) -> None:
    no_phrase = held_key("okx", key_id="no-phrase")
    no_phrase = no_phrase.model_copy(
        update={"credentials": Credentials(api_key=SecretStr("not-a-key"), secret=SecretStr("not-a-secret"))}
    )
    keys = (
        held_key("nowhere"),
        no_phrase,
        held_key("kraken", environment=Environment.DEMO),
        held_key("hyperliquid"),
        held_key("bybit"),
    )
    with pytest.raises(UsageError) as refused:
        await made(*keys)
    told = str(refused.value).splitlines()
    assert [line.split(": ")[0] for line in told] == ["nowhere-1", "no-phrase", "kraken-1", "hyperliquid-1"]
    assert "has no exchange 'nowhere'" in told[0]
    assert told[1] == "no-phrase: okx also needs passphrase"
    assert "knows no demo of kraken" in told[2]
    assert "write your own with check_key" in told[3]
    assert "not-a" not in str(refused.value)
    assert caplog.records == []


@pytest.mark.parametrize(
    ("exchange", "environment", "part"),
    [
        ("binance", Environment.MAIN, "api.binance.com"),
        ("binance", Environment.TESTNET, "testnet"),
        ("binance", Environment.DEMO, "demo"),
        ("bybit", Environment.DEMO, "demo"),
    ],
)
async def test_the_environment_chooses_the_address(exchange: str, environment: Environment, part: str) -> None:
    client = (await made(held_key(exchange, environment=environment)))[f"{exchange}-1"]
    private = client.sign("x", ["private"], "GET", {})["url"]
    assert part in private


async def test_another_address_replaces_every_host_and_keeps_the_paths() -> None:
    client = (await made(held_key("gate"), pace=Pace(base_url="http://127.0.0.1:9/proxy/")))["gate-1"]
    urls = [url for group in client.urls["api"].values() for url in group.values()]
    assert set(urls) == {"http://127.0.0.1:9/proxy/api/v4"}


async def test_one_session_for_each_exchange_closed_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    replies = {"/v5/user/query-api": Reply(answers.BYBIT_BOUND)}
    async with serving(**replies) as server:
        pace = Pace(base_url=server.url)
        async with Clients() as clients:
            keys = [held_key("bybit", key_id=f"k-{number}") for number in range(3)]
            clients.keep(await clients.make([(held, pace) for held in [*keys, held_key("okx")]]))
            sessions = {vars(clients[held.entry.key_id])["session"] for held in keys}
            assert len(sessions) == 1
            await asyncio.gather(*(check_key(clients[held.entry.key_id], Key(held.entry.key_id)) for held in keys))
            await clients.close("k-0")
            assert (await check_key(clients["k-1"], Key("k-1"))).error is None
        (session,) = sessions
        assert session.closed
    assert caplog.records == []


async def test_ccxt_does_not_log_requests_even_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with serving(**{"/v5/user/query-api": Reply(answers.BYBIT_BOUND)}) as server, Clients() as clients:
            clients.keep(await clients.make([(held_key("bybit"), Pace(base_url=server.url))]))
            await check_key(clients["bybit-1"], Key("bybit-1"))
    assert answers.OWN_KEY not in caplog.text


def test_without_ccxt_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ccxt.async_support", None)
    with pytest.raises(UsageError, match=r"keystatus\[ccxt\]"):
        Clients()

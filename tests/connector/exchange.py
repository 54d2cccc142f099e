"""A local server that answers as an exchange does, for ccxt's own clients to talk to."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from schemas.vocabulary import Environment
from streams.connector.client import Client
from streams.connector.clients import Clients
from streams.connector.config import Credentials, HeldKey, KeyEntry, Pace, Reference
from tests.connector.answers import OWN_KEY

#: Base64, as Kraken wants it.
SECRET: Final = "bm90LWEtcmVhbC1zZWNyZXQtYXQtYWxs"  # noqa: S105 - made up
PASSPHRASE: Final = "not-a-real-passphrase"  # noqa: S105 - made up


@dataclass(frozen=True)
class Reply:
    """One answer. ``body`` is sent as it is when it is a text, else as JSON."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    @property
    def text(self) -> str:
        return self.body if isinstance(self.body, str) else json.dumps(self.body)


@dataclass
class Exchange:
    """What the server answers, by path; what it was asked, in order. An address it does not know is 404."""

    url: str
    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    #: Answers wait until this is set.
    open: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        await self.open.wait()
        reply = self.replies.get(request.path, Reply("no such address", 404, content_type="text/plain"))
        return web.Response(
            text=reply.text, status=reply.status, headers=reply.headers, content_type=reply.content_type
        )


@asynccontextmanager
async def serving(**replies: Reply) -> AsyncIterator[Exchange]:
    """A server on a free port."""
    app = web.Application()
    runner = web.AppRunner(app)
    exchange = Exchange("", dict(replies))
    exchange.open.set()
    app.router.add_route("*", "/{path:.*}", exchange.answer)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    exchange.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield exchange
    finally:
        exchange.open.set()
        await runner.cleanup()


def held_key(exchange: str, **fields: Any) -> HeldKey:
    """A key with credentials of the form that the exchange wants."""
    entry = {"key_id": f"{exchange}-1", "exchange": exchange, "environment": Environment.MAIN} | fields
    return HeldKey(
        entry=KeyEntry(api_key=Reference(env="A"), secret=Reference(env="B"), **entry),
        credentials=Credentials(
            api_key=SecretStr(f"account-{OWN_KEY}" if exchange == "gemini" else OWN_KEY),
            secret=SecretStr(_private_key() if exchange == "coinbase" else SECRET),
            passphrase=SecretStr(PASSPHRASE),
        ),
    )


def _private_key() -> str:
    """A new key, as Coinbase hands them out."""
    made = ec.generate_private_key(ec.SECP256R1())
    return made.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


@asynccontextmanager
async def client_of(exchange: str, url: str, timeout_s: float = 20.0) -> AsyncIterator[Client]:
    """ccxt's client of an exchange, pointed at the server, with no pauses of its own."""
    async with Clients() as clients:
        held = held_key(exchange)
        clients.keep(await clients.make([(held, Pace(base_url=url, timeout_s=timeout_s))]))
        client = clients[held.entry.key_id]
        vars(client)["enableRateLimit"] = False
        yield client

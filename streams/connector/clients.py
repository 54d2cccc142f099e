"""ccxt's clients: one for each key, on one session for each exchange, closed at the end."""

import asyncio
import logging
import ssl
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from aiohttp import ClientSession, TCPConnector

from schemas.vocabulary import Environment
from streams.connector.client import Client
from streams.connector.config import HeldKey, Pace
from streams.errors import UsageError

#: ccxt's names of the credentials, and what they are called in the connector's file.
_ASKED_FOR: Final[Mapping[str, str]] = {"apiKey": "api_key", "secret": "secret", "password": "passphrase"}


def ccxt() -> Any:  # noqa: ANN401 - a module without types
    """The module ``ccxt.async_support``. Raises UsageError when it is not installed."""
    try:
        module = import_module("ccxt.async_support")
    except ImportError:
        raise UsageError("the connector needs ccxt: install it with `pip install 'keystatus[ccxt]'`") from None
    # At the level debug it logs every request with its headers, keys included.
    logging.getLogger("ccxt").setLevel(logging.WARNING)
    return module


class Clients:
    """The clients of all keys. A session that ccxt is given it does not close: that is done here."""

    def __init__(self) -> None:
        self._ccxt = ccxt()
        self._clients: dict[str, Client] = {}
        self._sessions: dict[str, ClientSession] = {}
        self._ssl: ssl.SSLContext | None = None

    async def __aenter__(self) -> Self:
        self._ssl = ssl.create_default_context(cafile=import_module("certifi").where())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.gather(*(self.close(key_id) for key_id in tuple(self._clients)))
        await asyncio.gather(*(session.close() for session in self._sessions.values()))

    def __getitem__(self, key_id: str) -> Client:
        return self._clients[key_id]

    async def make(self, keys: Iterable[tuple[HeldKey, Pace]]) -> Mapping[str, Client]:
        """A client for each key, by ``key_id``; no request is sent. Raises UsageError with every fault at once."""
        made: dict[str, Client] = {}
        faults: list[str] = []
        for held, pace in keys:
            found = self._made(held, pace)
            if isinstance(found, str):
                faults.append(f"{held.entry.key_id}: {found}")
            else:
                made[held.entry.key_id] = found
        if faults:
            await asyncio.gather(*(client.close() for client in made.values()))
            raise UsageError("\n".join(faults))
        return made

    def keep(self, made: Mapping[str, Client]) -> None:
        """Hand these clients out from now on, and close them at the end."""
        self._clients |= made

    async def close(self, key_id: str) -> None:
        """Close the client of one key."""
        await self._clients.pop(key_id).close()

    def _made(self, held: HeldKey, pace: Pace) -> Client | str:
        """A client, or why there can be none."""
        name, environment = held.entry.exchange, held.entry.environment
        if name not in self._ccxt.exchanges:
            return f"ccxt {self._ccxt.__version__} has no exchange {name!r}: use its ccxt id"
        client = self._constructed(held, pace)
        missing = list(_missing(client))
        if missing or not _enter(client, environment):
            # ccxt warns of clients that go without having been closed; this one has never been used.
            vars(client)["session"] = None
            if missing:
                return f"{name} also needs {', '.join(missing)}"
            return f"ccxt knows no {environment} of {name}: leave `environment` out"
        if pace.base_url is not None:
            client.urls["api"] = _moved(client.urls["api"], pace.base_url)
        return client

    def _constructed(self, held: HeldKey, pace: Pace) -> Client:
        credentials = held.credentials
        client: Client = getattr(self._ccxt, held.entry.exchange)(
            {
                "apiKey": credentials.api_key.get_secret_value(),
                "secret": credentials.secret.get_secret_value(),
                "password": None if credentials.passphrase is None else credentials.passphrase.get_secret_value(),
                "session": self._session(held.entry.exchange),
                "ssl_context": self._ssl,
                "enableRateLimit": True,
                "timeout": int(pace.timeout_s * 1_000),
                "timeout_on_exit": 0,
            }
        )
        return client

    def _session(self, exchange: str) -> ClientSession:
        session = self._sessions.get(exchange)
        if session is None:
            session = self._sessions[exchange] = ClientSession(connector=TCPConnector(ssl=self._ssl or True))
        return session


def _missing(client: Client) -> Iterator[str]:
    """The credentials that the exchange needs and the file does not give."""
    for name, is_needed in vars(client)["requiredCredentials"].items():
        if is_needed and not getattr(client, name, None):
            yield _ASKED_FOR.get(name, f"{name} (which this connector cannot give: write your own with check_key)")


def _enter(client: Any, environment: Environment) -> bool:  # noqa: ANN401 - methods of ccxt
    """Point the client at one of the exchange's worlds; whether there is such a one."""
    ways = {
        Environment.MAIN: (),
        Environment.TESTNET: (client.set_sandbox_mode,),
        # Some exchanges keep their demo trading where ccxt expects a test network.
        Environment.DEMO: (client.enable_demo_trading, client.set_sandbox_mode),
    }[environment]
    for enter in ways:
        try:
            enter(True)  # noqa: FBT003 - ccxt's
        except Exception:  # noqa: BLE001, S112 - NotSupported, or a KeyError where ccxt knows no such address
            continue
        return True
    return not ways


def _moved(address: Any, base_url: str) -> Any:  # noqa: ANN401 - an address, or addresses by name
    """The address, or each of a tree of them, at another host."""
    if isinstance(address, dict):
        return {name: _moved(inner, base_url) for name, inner in address.items()}
    return base_url.rstrip("/") + urlsplit(address).path if isinstance(address, str) else address

"""How every process of keystatus connects to Kafka."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol, TypeVar

from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.helpers import create_ssl_context
from aiokafka.partitioner import murmur2

from streams.errors import BrokerUnreachableError, UsageError
from streams.settings import Settings

#: A broker that is there answers in milliseconds; a person waits no longer than this for "nobody there".
CONNECT_LIMIT_S: Final = 5.0

#: What a request of a command may take. The clients' own 40 s are for services that retry.
REQUEST_LIMIT_MS: Final = 15_000


class Client(Protocol):
    """What the producer and the consumer of aiokafka have in common."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


C = TypeVar("C", bound=Client)


def connection(settings: Settings) -> dict[str, Any]:
    """The arguments that each aiokafka client takes for address and credentials."""
    arguments: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "security_protocol": settings.kafka_security_protocol,
    }
    if "SSL" in settings.kafka_security_protocol:
        arguments["ssl_context"] = _ssl_context(settings)
    if settings.kafka_security_protocol.startswith("SASL"):
        arguments |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_plain_username,
            "sasl_plain_password": settings.sasl_password,
        }
    return arguments


@asynccontextmanager
async def connected(client: C, settings: Settings) -> AsyncIterator[C]:
    """A started client, stopped at the end. Raises BrokerUnreachableError when no broker answers."""
    try:
        await start_within_limit(client.start(), settings)
        yield client
    finally:
        await client.stop()


async def start_within_limit(start: Any, settings: Settings) -> None:  # noqa: ANN401 - an awaitable of aiokafka
    """Await the start of a client. Raises BrokerUnreachableError when no broker answers in time."""
    try:
        async with asyncio.timeout(CONNECT_LIMIT_S):
            await start
    except (KafkaError, TimeoutError) as error:
        raise unreachable(settings, error) from None


def unreachable(settings: Settings, error: KafkaError | TimeoutError) -> BrokerUnreachableError:
    """The one line for a broker that does not answer."""
    is_silent = isinstance(error, KafkaConnectionError | TimeoutError)
    what = "no Kafka answers" if is_silent else f"Kafka refuses ({error})"
    hint = "start one with `keystatus broker`, or set KEYSTATUS_KAFKA_BOOTSTRAP_SERVERS"
    if settings.kafka_security_protocol != "PLAINTEXT":
        hint = "check address, protocol and credentials with `keystatus settings`"
    return BrokerUnreachableError(f"{what} at {settings.kafka_bootstrap_servers}: {hint}")


def partition_of(key: bytes | None, partitions: int) -> int:
    """The partition in which clients put a key: murmur2, as Java's and aiokafka's do.

    A record without a key may stand in any partition; here it is always the first.
    """
    if key is None:
        return 0
    return int(murmur2(key) & 0x7FFF_FFFF) % partitions


def _ssl_context(settings: Settings) -> ssl.SSLContext:
    try:
        context: ssl.SSLContext = create_ssl_context(
            cafile=settings.kafka_ssl_cafile,
            certfile=settings.kafka_ssl_certfile,
            keyfile=settings.kafka_ssl_keyfile,
        )
    except OSError as error:  # also ssl.SSLError
        raise UsageError(f"a file of KEYSTATUS_KAFKA_SSL_... cannot be used: {error}") from None
    return context

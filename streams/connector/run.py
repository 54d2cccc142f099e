"""Run the connector as a process: settings, signals, Kafka, and an end in order."""

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from streams import logs
from streams.catalogue import load_rules
from streams.connector.clients import Clients
from streams.connector.config import load_config
from streams.connector.loop import Connector
from streams.errors import Exit
from streams.publisher import Publisher
from streams.settings import Settings


def run_connector(path: Path, settings: Settings, *, once: bool) -> int:
    """Run until SIGTERM or SIGINT, or until every key was checked ``once``; returns the exit code.

    SIGHUP lets it read the file again. Raises KeystatusError when the file has faults or Kafka takes no results.
    """
    logs.configure(settings)
    asyncio.run(_run(path, settings, once=once))
    return Exit.OK


async def _run(path: Path, settings: Settings, *, once: bool) -> None:
    config, keys = load_config(path)
    async with Clients() as clients:
        connector = Connector(clients, load_rules(), config, once=once)
        await connector.watch(config, keys)
        async with Publisher(settings) as publisher:
            with _signals(connector, path):
                await connector.run(publisher)


@contextmanager
def _signals(connector: Connector, path: Path) -> Iterator[None]:
    """SIGTERM and SIGINT stop the connector, SIGHUP lets it read its file again."""
    loop = asyncio.get_running_loop()
    acts: Mapping[signal.Signals, Callable[[], None]] = {
        signal.SIGTERM: connector.stop,
        signal.SIGINT: connector.stop,
        signal.SIGHUP: lambda: connector.read_again(path),
    }
    for number, act in acts.items():
        loop.add_signal_handler(number, act)
    try:
        yield
    finally:
        for number in acts:
            loop.remove_signal_handler(number)

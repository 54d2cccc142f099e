"""The negative control: the same core on stock Faust, as its documentation writes an agent.

Started by the fault test in place of the worker, to show that the test sees the faults
that our transport is there to prevent.
"""

import logging
import os
import signal
import sys

import faust
from aiohttp import web

from schemas.key_state import KeyState
from streams.catalogue import load_rules
from streams.core.decide import decide
from streams.core.policy import Policy
from streams.core.record import LogRecord
from streams.settings import Settings, load_settings
from streams.topics import Topics
from streams.worker.outputs import encode

_changes_told = 0


def stock_app(settings: Settings) -> faust.App:
    """An agent and a table, at-least-once, everything else as Faust sets it."""
    topics = Topics.named(settings.topic_prefix)
    app = faust.App(
        settings.group_id,
        broker=f"kafka://{settings.kafka_bootstrap_servers}",
        broker_session_timeout=settings.kafka_session_timeout_s,
        broker_heartbeat_interval=settings.kafka_session_timeout_s / 3,
        store="memory://",
        topic_partitions=settings.partitions,
        topic_disable_leader=True,
        web_enabled=False,
        datadir=os.environ["STOCK_DATADIR"],
    )
    raw = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
    source = app.topic(topics.check_results, allow_empty=True, **raw)
    changes = app.topic(topics.status_changes, **raw)
    states = app.Table("states", key_type=bytes, value_type=bytes, partitions=settings.partitions)
    rules, policy = load_rules(), Policy()

    @app.agent(source)
    async def decide_each(stream: faust.Stream) -> None:
        async for event in stream.events():
            message = event.message
            record = LogRecord(message.topic, message.partition, message.offset, -1, message.key, message.value)
            before = states.get(message.key) if message.key is not None else None
            state = KeyState.model_validate_json(before) if before else None
            decision = decide(record, state, rules, policy)
            if decision.change is not None:
                await (await changes.send(key=message.key, value=encode(decision.change)))
                _die_if_it_is_time()
            if decision.touched and decision.state is not None:
                states[message.key] = encode(decision.state)

    return app


def _die_if_it_is_time() -> None:
    """kill -9 at the worst moment: a change is told, and nothing of it is remembered yet."""
    global _changes_told
    _changes_told += 1
    if _changes_told == int(os.environ.get("STOCK_DIES_AFTER", "0")):
        os.kill(os.getpid(), signal.SIGKILL)


async def serve_readiness(app: faust.App) -> None:
    """Say where, and answer whether the table is recovered, as the harness asks a worker."""

    async def readyz(_request: web.Request) -> web.Response:
        return web.Response(status=200 if app.tables.actives_ready else 503)

    server = web.Application()
    server.add_routes([web.get("/readyz", readyz)])
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    logging.getLogger("stock").warning("serving /readyz at http://%s:%d", host, port)


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    settings = Settings(**{**load_settings().model_dump(), "partitions": int(os.environ["STOCK_PARTITIONS"])})
    app = stock_app(settings)
    app.task(lambda: serve_readiness(app))
    faust.Worker(app, loglevel="WARN", redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    sys.exit(main())

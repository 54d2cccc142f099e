"""Run one worker: verify, serve, join, work, stop."""

import asyncio
import gc
import logging
import signal
from contextlib import suppress

import uvloop
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from streams import logs, provision
from streams.catalogue import load_rules
from streams.errors import Exit
from streams.settings import Settings, load_policy
from streams.worker import versions
from streams.worker.app import KeystatusApp, create_app
from streams.worker.deadlines import DeadlineClock
from streams.worker.fatal import fatal, watch_over
from streams.worker.health import Health
from streams.worker.web import serve

logger = logging.getLogger("keystatus.worker")

#: Seconds from SIGTERM to the end, whatever the broker does: what is committed is committed.
_STOP_LIMIT_S = 20.0

_TURN_EVERY_S = 0.5

#: Objects made before the youngest generation is collected. States are many, long-lived and
#: without cycles: at Python's 700 the collector walks them over and over (measured: three
#: quarters of the time of decoding states).
_GC_THRESHOLD = 100_000


def run_worker(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code. Fatal faults end the process."""
    logs.configure(settings)
    versions.verify()
    gc.set_threshold(_GC_THRESHOLD, 50, 100)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(_run(settings))
    return Exit.OK


async def _run(settings: Settings) -> None:
    rules, policy = load_rules(), load_policy(settings)
    with logs.only_our_own():
        partitions = await provision.check(settings)
    registry = _registry()
    app = create_app(settings, partitions, rules, policy, registry)
    health = Health(app.ownership)
    runner, address = await serve(settings, registry, health)
    logger.info("serving /metrics, /livez and /readyz at %s", address)
    stopping = _stop_signals()
    health.start()
    turning = asyncio.create_task(_turn(health), name="turn")
    clock = asyncio.create_task(DeadlineClock(settings, app.ownership).run(), name="deadlines")
    watch_over(clock)
    await _work(app, stopping)
    logger.info("stopping")
    health.stop()
    asyncio.get_running_loop().call_later(_STOP_LIMIT_S, _give_up)
    await _cancel(clock, turning)
    app.ownership.suspend()
    await app.stop()
    await app.ownership.end()
    await runner.cleanup()
    logger.info("stopped")


async def _work(app: KeystatusApp, stopping: asyncio.Event) -> None:
    """Run the app until it is asked to stop. Faust ending by itself is a fault."""
    started = asyncio.create_task(app.start(), name="faust")
    watch_over(started)
    stop = asyncio.create_task(stopping.wait())
    crash = asyncio.create_task(app.wait_until_stopped())
    await asyncio.wait([stop, crash], return_when=asyncio.FIRST_COMPLETED)
    if not stop.done():
        reason = app.crash_reason
        fatal(Exit.AGENT_FAILED, f"Faust stopped by itself: {type(reason).__name__}: {reason}")
    await _cancel(started, crash)


async def _turn(health: Health) -> None:
    while True:
        health.turn()
        await asyncio.sleep(_TURN_EVERY_S)


def _stop_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


def _give_up() -> None:
    fatal(Exit.STOP_TIMED_OUT, f"could not stop in order within {_STOP_LIMIT_S:.0f} s")


async def _cancel(*tasks: asyncio.Task[object]) -> None:
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _registry() -> CollectorRegistry:
    """A registry of our own, with what every Python process tells of itself."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per counter that no dashboard reads
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    return registry

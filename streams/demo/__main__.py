"""``python -m streams.demo``, which ``make demo`` calls: the whole thing on one machine.

Ends with Ctrl-C, or by itself after DEMO_SECONDS with a summary; exit code 1 if a key did
not get the status that its exchange's documentation asks for.

It is an installation of its own. A KEYSTATUS_ variable that is wrong ends it at once, as it
ends every command; but what the right ones say is about the caller's installation, whose
brokers, names, policy and log level would only break this one. KEYSTATUS_PARTITIONS alone
is taken over.
"""

import asyncio
import math
import os
import re
import signal
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.live import Live

from streams import provision
from streams.demo.answers import Answer, documented_answers, expectations
from streams.demo.load import steady_results
from streams.demo.screen import distribution, rates, screen
from streams.demo.watch import Watch
from streams.errors import Exit, KeystatusError, UsageError
from streams.localkafka import LocalKafka, LocalKafkaError
from streams.publisher import Publisher
from streams.settings import Settings, load_settings

_SERVING: Final = re.compile(r"serving .* at (http://\S+)")
_RESULTS_PER_SECOND: Final = 400
_BURSTS_PER_SECOND: Final = 10

#: Seconds until the documented answers must all have become statuses.
_SETTLED_WITHIN_S: Final = 30.0

#: Settings of the caller that hold in the demo too.
_TAKEN_OVER: Final = ("partitions",)

console = Console()


def main() -> int:
    """Run the demo; returns its exit code."""
    try:
        return asyncio.run(_demo(_seconds(), load_settings()))
    except UsageError as error:
        sys.stderr.write(f"demo: {error}\n")
        return Exit.USAGE
    except (KeystatusError, LocalKafkaError) as error:
        sys.stderr.write(f"demo: {error}\n")
        return Exit.FAILURE


def _seconds() -> float:
    """How long the demo plays; without DEMO_SECONDS until somebody ends it."""
    given = os.environ.get("DEMO_SECONDS", "inf")
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:  # true of NaN too
        raise UsageError(f"DEMO_SECONDS is {given!r}: give a number of seconds, or leave it out")
    return seconds


def _own_settings(callers: Settings, kafka: str) -> Settings:
    """The defaults, whatever the environment says, on this Kafka and any free port."""
    defaults = {name: field.default for name, field in Settings.model_fields.items() if name not in _TAKEN_OVER}
    return callers.model_copy(update=defaults | {"kafka_bootstrap_servers": kafka, "web_port": 0})


def _environment(settings: Settings) -> dict[str, str]:
    """This process's environment, with these settings in place of the caller's."""
    callers = {f"KEYSTATUS_{name.upper()}" for name in Settings.model_fields}
    # pydantic-settings reads a name in any case.
    kept = {name: value for name, value in os.environ.items() if name.upper() not in callers}
    own = {name: getattr(settings, name) for name in ("kafka_bootstrap_servers", "web_port", *_TAKEN_OVER)}
    return kept | {f"KEYSTATUS_{name.upper()}": str(value) for name, value in own.items()}


async def _demo(seconds: float, callers: Settings) -> int:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    with tempfile.TemporaryDirectory(prefix="keystatus-demo-") as folder:
        console.print("Starting a local Apache Kafka ...")
        kafka = LocalKafka(Path(folder) / "kafka")
        await asyncio.to_thread(kafka.start)
        try:
            settings = _own_settings(callers, kafka.bootstrap_servers)
            await provision.apply(settings)
            async with _worker(settings) as address:
                return await _play(settings, address, seconds, stopping)
        finally:
            await asyncio.to_thread(kafka.stop)


@asynccontextmanager
async def _worker(settings: Settings) -> AsyncIterator[str]:
    """A worker process; gives the address of its metrics."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streams", "worker", env=_environment(settings), stderr=PIPE
    )
    drain: asyncio.Task[bytes] | None = None
    try:
        address = await _address_of(process)
        drain = asyncio.create_task(_rest(process))
        yield address
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        if drain is not None:
            await drain


async def _address_of(process: Process) -> str:
    lines = []
    while line := await _line(process):
        lines.append(line)
        if found := _SERVING.search(line):
            return found[1]
    raise KeystatusError("the worker ended at once: " + " ".join(lines))


async def _line(process: Process) -> str:
    return (await process.stderr.readline()).decode() if process.stderr is not None else ""


async def _rest(process: Process) -> bytes:
    """Read the worker's log to its end, so that it never waits for us."""
    return await process.stderr.read() if process.stderr is not None else b""


async def _play(settings: Settings, address: str, seconds: float, stopping: asyncio.Event) -> int:
    """Answers first, then the load, and the screen all the while."""
    ends = time.monotonic() + seconds
    watch = Watch(address)
    answers = documented_answers(datetime.now(UTC))
    heading = f"{len(answers)} documented answers of real exchanges, then a steady load"
    tasks = [asyncio.create_task(watch.follow_changes(settings)), asyncio.create_task(watch.follow_metrics())]
    try:
        await _publish_answers(settings, answers)
        await _wait_until_settled(watch, answers)
        _tell_what_came_of(watch, answers)
        tasks.append(asyncio.create_task(_publish_load(settings)))
        await _show(watch, heading, ends, stopping, tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    return _summary(watch, answers)


async def _publish_answers(settings: Settings, answers: list[Answer]) -> None:
    async with Publisher(settings) as publisher:
        for answer in answers:
            await publisher.send(answer.result.key_id.encode(), answer.result.model_dump_json().encode())
        await publisher.flush()


async def _wait_until_settled(watch: Watch, answers: list[Answer]) -> None:
    """Wait until every key has its status, or long enough to say that one has not."""
    deadline = time.monotonic() + _SETTLED_WITHIN_S
    while _wrong(watch, answers) and time.monotonic() < deadline:  # noqa: ASYNC110 - a comparison, no event tells of it
        await asyncio.sleep(0.1)


def _wrong(watch: Watch, answers: list[Answer]) -> dict[str, tuple[str | None, str | None]]:
    """Keys whose status is not the documented one: expected and found."""
    return {
        key: (expected, watch.statuses.get(key))
        for key, expected in expectations(answers).items()
        if watch.statuses.get(key) != expected
    }


def _tell_what_came_of(watch: Watch, answers: list[Answer]) -> None:
    last = {answer.result.key_id: answer for answer in answers}
    for key, answer in sorted(last.items()):
        line = f"{key:16} {watch.statuses.get(key) or 'says nothing':22} {answer.title}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)


async def _publish_load(settings: Settings) -> None:
    results = steady_results(seed=1)
    loop = asyncio.get_running_loop()
    async with Publisher(settings) as publisher:
        burst_at = loop.time()
        while True:
            for _ in range(_RESULTS_PER_SECOND // _BURSTS_PER_SECOND):
                result = next(results)
                await publisher.send(result.key_id.encode(), result.model_dump_json().encode())
            await publisher.flush()
            burst_at += 1 / _BURSTS_PER_SECOND
            await asyncio.sleep(max(0.0, burst_at - loop.time()))


async def _show(
    watch: Watch, heading: str, ends: float, stopping: asyncio.Event, tasks: list[asyncio.Task[None]]
) -> None:
    """The live screen on a terminal, a line every few seconds elsewhere, until the end."""
    with Live(console=console, auto_refresh=False, screen=False) as live:
        told_at = 0.0
        while not stopping.is_set() and time.monotonic() < ends:
            for task in tasks:
                if task.done():
                    task.result()
            if console.is_terminal:
                live.update(screen(watch, heading), refresh=True)
            elif time.monotonic() - told_at > 5:
                console.print(rates(watch))
                told_at = time.monotonic()
            await asyncio.sleep(0.25)


def _summary(watch: Watch, answers: list[Answer]) -> int:
    """Say what was seen; 1 if a documented answer did not become its status."""
    expected = expectations(answers)
    wrong = _wrong(watch, answers)
    exchanges = {answer.result.exchange for answer in answers}
    console.print(distribution(watch))
    console.print(rates(watch))
    console.print(
        f"{len(answers)} documented answers of {len(exchanges)} exchanges: "
        f"{len(expected) - len(wrong)} of {len(expected)} keys have the status that the documentation asks for."
    )
    for key, (wanted, found) in wrong.items():
        console.print(f"wrong: {key} should be {wanted}, but is {found}", markup=False)
    return Exit.FAILURE if wrong else Exit.OK


if __name__ == "__main__":
    sys.exit(main())

"""``keystatus publish``: lines to the source topic."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Final

import typer

from schemas.check_result import CheckResult
from streams.cli.lines import Source, arriving, opened, remark
from streams.core.decode import Removal, Unreadable, decode
from streams.core.record import LogRecord
from streams.errors import Exit
from streams.publisher import Publisher, RecordLine, read_line
from streams.settings import Settings, load_settings

#: Brokers take no record beyond 1 MiB unless told to; the worker reads none beyond 64 KiB.
_LONGEST_VALUE: Final = 1_000_000

Raw = Annotated[
    bool, typer.Option("--raw", help="send every line as it is, also what the worker cannot read (to test the worker)")
]


@dataclass
class _Count:
    """What became of the lines."""

    refused: int = 0
    number: int = 0


def publish(source: Source, *, raw: Raw = False) -> None:
    """Send check results to the source topic.

    Reads one a line and sends it under its key_id, as it comes. A line that is no valid check
    result is refused and named by its number; the others are sent, and the exit code is 1.
    A line {"key": K, "value": null} removes the key K; in that form a line may say all that
    `keystatus simulate` reads.
    """
    settings = load_settings()
    count = asyncio.run(_publish(source, settings, raw=raw))
    if count.refused:
        raise typer.Exit(Exit.FAILURE)


async def _publish(source: Source, settings: Settings, *, raw: bool) -> _Count:
    count = _Count()
    with opened(source) as file:
        async with Publisher(settings) as publisher:
            try:
                async for lines in arriving(file):
                    await _send(lines, publisher, count, raw=raw)
                    await publisher.flush()
            finally:
                remark(f"records sent: {publisher.sent}, lines refused: {count.refused}")
    return count


async def _send(lines: list[bytes], publisher: Publisher, count: _Count, *, raw: bool) -> None:
    for line in lines:
        count.number += 1
        stripped = line.strip()
        if not stripped:
            continue
        record = read_line(line.rstrip(b"\r") if raw else stripped)
        fault = _fault(record, raw=raw)
        if fault is None:
            await publisher.send(record.key, record.value)
        else:
            count.refused += 1
            remark(f"line {count.number}: {fault}")


def _fault(record: RecordLine, *, raw: bool) -> str | None:
    """Why a line is not sent; None when it is."""
    if record.value is not None and len(record.value) > _LONGEST_VALUE:
        return f"the value is longer than {_LONGEST_VALUE} bytes"
    if raw:
        return None
    payload = decode(LogRecord("", 0, 0, -1, record.key, record.value))
    if isinstance(payload, CheckResult | Removal):
        return None
    if isinstance(payload, Unreadable):
        return f"{payload.reason}: {payload.message}"
    return "a deadline is the worker's own record"

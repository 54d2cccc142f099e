"""``keystatus unclassified``: what to write a rule for."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from streams.catalogue import load_rules
from streams.cli.lines import bursts, opened, write_lines
from streams.cli.terminal import show_table
from streams.core.record import LogRecord
from streams.errors import UsageError
from streams.outlook import clock
from streams.publisher import read_line
from streams.settings import load_settings
from streams.subscriber import stored
from streams.topics import Role
from streams.unclassified import Seen, Shape, Tally, as_cases

Lines = Annotated[
    Path | None, typer.Argument(metavar="[FILE]", help="JSON lines instead of the topic; - is standard input")
]
Since = Annotated[str | None, typer.Option(metavar="SPAN", help="only answers of the last 30m, 24h, 7d; else all")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object a line, with all that was seen of a shape")]
Cases = Annotated[bool, typer.Option("--as-cases", help="a [[case]] for each shape, to be given its rule")]

_SPAN: Final = re.compile(r"(\d{1,6})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def unclassified(
    source: Lines = None, since: Since = None, *, as_json: AsJson = False, as_cases_: Cases = False
) -> None:
    """Count the answers that no rule knows, by exchange, code and shape of the message.

    Reads the topic of check results and classifies them with the rules of today: an answer that has got a rule in
    the meantime is not told any more. Numbers, names, addresses and identifiers are masked: they make no new shape,
    and what is printed can be pasted into a case.
    """
    if as_json and as_cases_:
        raise UsageError("--json and --as-cases are two ways to print the same: choose one")
    start = None if since is None else datetime.now(UTC) - _span(since)
    tally = Tally(load_rules(), start)
    if source is None:
        asyncio.run(stored(load_settings(), Role.CHECK_RESULTS, start, tally.add))
    else:
        _read_lines(source, tally)
    counted = tally.most_frequent()
    if as_json:
        write_lines(json.dumps(_object(shape, seen), ensure_ascii=False) for shape, seen in counted)
    elif as_cases_:
        write_lines(as_cases(counted))
    else:
        headings = ("answers", "keys", "last", "exchange", "code", "HTTP", "ccxt class", "message")
        show_table(headings, (_row(shape, seen) for shape, seen in counted))


def _read_lines(source: Path, tally: Tally) -> None:
    """Count lines as `classify` reads them; one that cannot be read is no answer."""
    with opened(source) as file:
        for lines in bursts(file):
            for line in filter(None, map(bytes.strip, lines)):
                read = read_line(line)
                tally.add(LogRecord("", 0, 0, read.timestamp, read.key, read.value))


def _span(text: str) -> timedelta:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise UsageError(f"--since {text} is no span of time: write a number and s, m, h or d, such as 24h")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _row(shape: Shape, seen: Seen) -> tuple[str, ...]:
    return (
        str(seen.count),
        str(len(seen.keys)),
        clock(seen.last_at),
        shape.exchange,
        shape.code or "",
        ", ".join(map(str, sorted(seen.http_statuses))),
        ", ".join(sorted(seen.ccxt_classes)),
        shape.message,
    )


def _object(shape: Shape, seen: Seen) -> dict[str, object]:
    return {
        "exchange": shape.exchange,
        "code": shape.code,
        "message": shape.message,
        "answers": seen.count,
        "keys": len(seen.keys),
        "first_at": seen.first_at.isoformat(),
        "last_at": seen.last_at.isoformat(),
        "http_statuses": sorted(seen.http_statuses),
        "endpoints": sorted(seen.endpoints),
        "ccxt_classes": sorted(seen.ccxt_classes),
    }

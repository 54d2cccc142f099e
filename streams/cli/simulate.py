"""``keystatus simulate``: what the worker would make of these lines."""

import gc
from datetime import datetime
from typing import Annotated, Final

import typer

from streams.catalogue import load_rules
from streams.cli.lines import STANDARD_INPUT, Source, bursts, opened, write_lines
from streams.errors import UsageError
from streams.settings import load_policy, load_settings
from streams.simulate import Simulation
from streams.topics import Topics

#: Objects made before a collection. States are many, long-lived and without cycles: at Python's
#: 700 walking them over and over takes 5 to 10 % of the time (measured, 5,000 and 40,000 keys).
_GC_THRESHOLD: Final = 100_000

Until = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="let time pass until then after the last line; RFC 3339, such as 2026-11-24T12:00:00Z"
    ),
]
Partitions = Annotated[
    int | None, typer.Option(min=1, max=1_000, help="partitions of the topics [default: KEYSTATUS_PARTITIONS]")
]
TopicPrefix = Annotated[str | None, typer.Option(help="in front of the topic names [default: KEYSTATUS_TOPIC_PREFIX]")]


def simulate(
    source: Source = STANDARD_INPUT,
    until: Until = None,
    partitions: Partitions = None,
    topic_prefix: TopicPrefix = None,
) -> None:
    """Print what the worker would make of lines.

    Lines are check results in the order of their arrival, and each key has its memory. Every
    change, notice and dead letter is printed as a line of JSON: topic, key, value, and a dead
    letter's headers. Equal input gives equal output, ids and offsets too. Time is what the
    lines tell: a deadline that has come by a line's checked_at is decided before that line.

    A line may also be {"key": K, "value": V}, to say what a check result cannot: V null is a
    removal, a string is the value's text as it is (a broken one, say), anything else the value
    as JSON; "timestamp" in ms may be added as the time of its arrival. A line that is not JSON
    is a broken value.
    """
    gc.set_threshold(_GC_THRESHOLD)
    settings = load_settings()
    end = None if until is None else _moment(until)
    topics = Topics.named(topic_prefix or settings.topic_prefix)
    simulation = Simulation(load_rules(), load_policy(settings), topics, partitions or settings.partitions)
    with opened(source) as file:
        for lines in bursts(file):
            write_lines(output.as_line() for line in lines for output in simulation.feed(line))
    if end is not None:
        write_lines(output.as_line() for output in simulation.let_pass(end))


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageError(f"--until {text} is no time: write it with date, time and offset, as 2026-11-24T12:00:00Z")
    return moment

"""``keystatus topics``: create, verify and show the five topics."""

import asyncio

import typer

from streams import provision
from streams.cli.lines import write_lines
from streams.settings import load_settings
from streams.topics import CONFIG

app = typer.Typer(help="Create, verify and show the five topics.")


@app.command()
def apply() -> None:
    """Create the topics that are missing; existing ones are left as they are."""
    settings = load_settings()
    created = set(asyncio.run(provision.apply(settings)))
    states = asyncio.run(provision.describe(settings))
    write_lines(f"{'created' if state.name in created else 'exists'} {state.name}" for state in states)


@app.command()
def check() -> None:
    """Verify that the topics are there, with one partition count and the right cleanup policy."""
    partitions = asyncio.run(provision.check(load_settings()))
    write_lines([f"the topics are in order: {partitions} partitions each"])


@app.command()
def describe() -> None:
    """Show the topics as they are: name, partitions, and the settings that matter here."""
    states = asyncio.run(provision.describe(load_settings()))
    width = max(len(state.name) for state in states)
    for state in states:
        config = " ".join(f"{name}={state.config.get(name, '')}" for name in CONFIG[state.role])
        told = f"{state.partitions:4} partitions  {config}" if state.partitions else "   does not exist"
        write_lines([f"{state.name:{width}}  {told}"])

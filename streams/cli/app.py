"""The commands of ``keystatus``, assembled."""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Final

import typer

from streams.cli import rules, topics
from streams.cli.broker import broker
from streams.cli.classify import classify
from streams.cli.connector import connector
from streams.cli.explain import explain
from streams.cli.lines import write_lines
from streams.cli.publish import publish
from streams.cli.settings import settings
from streams.cli.show import show
from streams.cli.simulate import simulate
from streams.cli.tail import tail
from streams.cli.unclassified import unclassified
from streams.cli.worker import worker

app = typer.Typer(
    name="keystatus",
    help="The status of exchange API keys, from a stream of check results.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - Typer calls it
    if wanted:
        write_lines([f"keystatus {_version()}"])
        raise typer.Exit


def _version() -> str:
    try:
        return version("keystatus")
    except PackageNotFoundError:
        return "(not installed, run from its source)"


@app.callback(invoke_without_command=True)
def keystatus(
    context: typer.Context,
    *,
    show_version: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="print the version and exit")
    ] = False,
) -> None:
    """The status of exchange API keys, from a stream of check results."""
    if context.invoked_subcommand is None:
        write_lines([context.get_help()])


COMMANDS: Final = (worker, broker, connector, publish, classify, explain, simulate, tail, show, unclassified, settings)
GROUPS: Final = {"topics": topics.app, "rules": rules.app}

for command in COMMANDS:
    app.command()(command)
for name, group in GROUPS.items():
    app.add_typer(group, name=name)

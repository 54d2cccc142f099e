"""Lines for people: in colour on a terminal, plain in a pipe, and never cut to fit."""

import sys
from collections.abc import Iterable, Mapping
from typing import Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.vocabulary import Severity
from streams.errors import Exit

#: Wider than any line: a pipe has no edge at which to wrap.
_NO_EDGE: Final = 10_000

STYLE: Final[Mapping[str, str]] = {
    Severity.OK: "green",
    Severity.WARNING: "yellow",
    Severity.CRITICAL: "bold red",
}


class _Terminal(Console):
    """A console that ends the command quietly when its reader has left (``| head``)."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        raise typer.Exit(Exit.OK)


def show_text(text: Text | str) -> None:
    """Print one line, now."""
    console = _Terminal(highlight=False, soft_wrap=True)
    console.print(text, markup=False, emoji=False)
    console.file.flush()


def show_table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print rows in columns."""
    console = _Terminal(highlight=False, width=None if sys.stdout.isatty() else _NO_EDGE)
    table = Table(*headings, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)

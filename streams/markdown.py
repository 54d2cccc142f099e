"""Tables and links in Markdown, for the generated pages of the documentation."""

import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import urlsplit

#: What Markdown takes for markup; an underscore inside a word is none.
_MARKUP: Final = re.compile(r"[\\|`*<>\[\]]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """The lines of a table; cells are Markdown already."""
    names = list(headings)
    yield _line(names)
    yield _line("---" for _ in names)
    for row in rows:
        yield _line(row)


def text(words: str) -> str:
    """Words in a cell as they are: nothing in them is taken for markup."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(words.split()))


def code(literal: str) -> str:
    """A literal in a cell, letter by letter."""
    line = " ".join(literal.split())
    fence = "``" if "`" in line else "`"
    pad = " " if "`" in line else ""
    return f"{fence}{pad}{line}{pad}{fence}".replace("|", "\\|")


def link(address: str) -> str:
    """A link under its host; on GitHub, where one host says little, under repository and file."""
    parts = urlsplit(address)
    host, steps = parts.hostname or address, parts.path.strip("/").split("/")
    name = " ".join(("/".join(steps[:2]), *steps[2:][-1:])) if host == "github.com" else host.removeprefix("www.")
    return f"[{text(name)}]({address.replace('|', '%7C').replace(')', '%29')})"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"

"""Lines in and lines out: as they come, without waiting for more, and quiet when the reader has left."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from io import FileIO, RawIOBase
from pathlib import Path
from typing import Annotated, Final

import typer

from streams.errors import Exit, KeystatusError, UsageError

_CHUNK_BYTES: Final = 1_048_576
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

_STANDARD_INPUT_DESCRIPTOR: Final = 0

#: Bursts read ahead of those that are worked on.
_READ_AHEAD: Final = 2

STANDARD_INPUT: Final = Path("-")

Source = Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines; - is standard input")]


@contextmanager
def opened(source: Path) -> Iterator[RawIOBase]:
    """A file, or standard input for ``-``. Unbuffered: what is there is read, and no more is waited for."""
    is_input = source == STANDARD_INPUT
    try:
        file = FileIO(_STANDARD_INPUT_DESCRIPTOR if is_input else source, closefd=not is_input)
    except OSError as error:
        name = "standard input" if is_input else source
        raise UsageError(f"cannot read {name}: {error.strerror}: name a file of JSON lines, or - for input") from None
    with file:
        yield file


def bursts(file: RawIOBase) -> Iterator[list[bytes]]:
    """The lines that are there already, all at once; blocks only when there is none."""
    begun: list[bytes] = []
    is_first = True
    while chunk := file.read(_CHUNK_BYTES):
        if is_first:
            chunk = chunk.removeprefix(_BYTE_ORDER_MARK)
            is_first = False
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = b"".join((*begun, lines[0]))
            begun.clear()
            yield lines
        begun.append(rest)
    last = b"".join(begun)
    if last:
        yield [last]


async def arriving(file: RawIOBase) -> AsyncIterator[list[bytes]]:
    """``bursts`` for a program that must go on while it waits for input.

    The thread is a daemon: one that waits for a terminal would keep the process from its end.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[list[bytes] | OSError | None] = asyncio.Queue(_READ_AHEAD)

    def hand_over(item: list[bytes] | OSError | None) -> None:
        asyncio.run_coroutine_threadsafe(queue.put(item), loop).result()

    def read() -> None:
        try:
            for lines in bursts(file):
                hand_over(lines)
            hand_over(None)
        except OSError as error:
            hand_over(error)
        except RuntimeError:
            return  # the loop is closed: nobody reads any more

    threading.Thread(target=read, name="input", daemon=True).start()
    while (item := await queue.get()) is not None:
        if isinstance(item, OSError):
            raise item
        yield item


def write_lines(lines: Iterable[str]) -> None:
    """Write lines to standard output, now. A reader who has left (``| head``) ends the command quietly."""
    text = "".join(f"{line}\n" for line in lines)
    if not text:
        return
    try:
        sys.stdout.buffer.write(text.encode(errors="replace"))
        sys.stdout.buffer.flush()
    except OSError as error:
        # What Python still has to write at its end goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise typer.Exit(Exit.OK) from None
        raise KeystatusError(f"cannot write the output: {error.strerror}: see to where it goes") from None


def remark(text: str) -> None:
    """A word to the person at the terminal, on standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()

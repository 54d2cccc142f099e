"""The command line. Every error of the caller is one line that says what to do, never a traceback."""

import logging
import sys
from collections.abc import Sequence
from io import TextIOWrapper

import typer
from aiokafka.errors import KafkaError

from streams.catalogue import RulesError
from streams.cli.app import app
from streams.cli.lines import remark
from streams.errors import Exit, KeystatusError, UsageError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    # A client library's own lines would stand beside the one that we write. The worker sets up real logging.
    logging.getLogger().addHandler(logging.NullHandler())
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = typer.main.get_command(app).main(arguments, prog_name="keystatus", standalone_mode=False)
    except UsageError as error:
        return _tell(str(error), Exit.USAGE)
    except KeystatusError as error:
        # Not its own code: 70 to 79 tell a supervisor about a worker, and `keystatus worker` sees to that itself.
        return _tell(str(error), Exit.FAILURE)
    except RulesError as error:
        return _tell(f"{error}\nthe rule files have faults: correct these lines", Exit.FAILURE)
    except KafkaError as error:
        return _tell(f"Kafka refuses ({type(error).__name__}: {error}): see to the broker and its topics", Exit.FAILURE)
    except typer.TyperException as error:
        return _tell(_usage(error), error.exit_code)
    return Exit.OK if code is None else code


def _usage(error: typer.TyperException) -> str:
    """What is wrong with the call, and where to read how to do it."""
    context = getattr(error, "ctx", None)
    command = "keystatus" if context is None else context.command_path
    message = error.format_message().rstrip(".").replace("Value error, ", "")
    return f"{message}: see `{command} --help`"


def _tell(text: str, code: int) -> int:
    remark(f"keystatus: {text}")
    return code

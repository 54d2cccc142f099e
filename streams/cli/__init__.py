"""The command line. Every error of the caller is one line that says what to do, never a traceback."""

import logging
import sys
from collections.abc import Sequence
from io import TextIOWrapper

import typer
from aiokafka.errors import KafkaError

from streams.catalogue import RulesError
from streams.cli.app import app
from streams.errors import Exit, KeystatusError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    # A client library's own lines would stand beside the one that we write. The worker sets up real logging.
    logging.getLogger().addHandler(logging.NullHandler())
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = typer.main.get_command(app).main(arguments, prog_name="keystatus", standalone_mode=False)
    except KeystatusError as error:
        # 70 to 79 tell a supervisor about a worker; every other command has failed, or was used wrongly.
        code = error.exit_code if error.exit_code == Exit.USAGE or _is_worker(arguments) else Exit.FAILURE
        return _tell(str(error), code)
    except RulesError as error:
        return _tell(f"{error}\nthe rule files have faults: correct these lines", Exit.FAILURE)
    except KafkaError as error:
        return _tell(f"Kafka refuses ({type(error).__name__}: {error}): see to the broker and its topics", Exit.FAILURE)
    except typer.TyperException as error:
        return _tell(_usage(error), error.exit_code)
    return Exit.OK if code is None else code


def _is_worker(arguments: Sequence[str] | None) -> bool:
    return "worker" in (sys.argv[1:2] if arguments is None else arguments[:1])


def _usage(error: typer.TyperException) -> str:
    """What is wrong with the call, and where to read how to do it."""
    context = getattr(error, "ctx", None)
    command = "keystatus" if context is None else context.command_path
    message = error.format_message().rstrip(".").replace("Value error, ", "")
    return f"{message}: see `{command} --help`"


def _tell(text: str, code: int) -> int:
    sys.stderr.write(f"keystatus: {text}\n")
    return code

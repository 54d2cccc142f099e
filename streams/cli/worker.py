"""``keystatus worker``: the worker."""

import typer

from streams.cli.lines import remark
from streams.errors import KeystatusError
from streams.settings import load_settings


def worker() -> None:
    """Run the worker.

    Until SIGTERM or Ctrl-C. The topics must be there: `keystatus topics apply`. A fatal fault
    ends it with one line and an exit code from 70 to 79: let a supervisor start it again.
    """
    settings = load_settings()
    # Faust takes its time to import; the other commands do without it.
    from streams.worker.run import run_worker

    try:
        code = run_worker(settings)
    except KeystatusError as error:
        # The only command whose exit code tells a supervisor what is wrong.
        remark(f"keystatus: {error}")
        code = error.exit_code
    raise typer.Exit(code)

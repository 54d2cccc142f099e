"""``keystatus connector``: check keys at their exchanges and publish what is found."""

from pathlib import Path
from typing import Annotated

import typer

from streams.settings import load_settings

Config = Annotated[Path, typer.Option("--config", metavar="FILE", help="the keys and how to check them, TOML")]
Once = Annotated[bool, typer.Option("--once", help="check every key once, publish, and end")]


def connector(config: Config, *, once: Once = False) -> None:
    """Check API keys at their exchanges, again and again, and publish the results.

    Needs the extra keystatus[ccxt]. The file names the keys and where their credentials are; docs/connector.md
    describes it. Ends in order on SIGTERM and Ctrl-C; SIGHUP lets it read the file again.
    """
    settings = load_settings()
    # The clients' libraries take their time to import; the other commands do without them.
    from streams.connector.run import run_connector

    raise typer.Exit(run_connector(config, settings, once=once))

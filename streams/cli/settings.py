"""``keystatus settings``: every setting, its value and its meaning."""

import json
from collections.abc import Iterator
from typing import Annotated, NamedTuple

import typer
from pydantic import SecretStr

from streams.cli.lines import write_lines
from streams.cli.terminal import show_table
from streams.core.redaction import BLANK
from streams.settings import Settings, load_settings

AsJson = Annotated[bool, typer.Option("--json", help="one setting a line: variable, value, default, meaning")]


class Row(NamedTuple):
    """One setting; a secret's value is blanked."""

    variable: str
    value: str | int | float | bool | None
    default: str | int | float | bool | None
    meaning: str


def settings(*, as_json: AsJson = False) -> None:
    """Print every setting, value and meaning.

    Secrets are masked. Settings are environment variables; a wrong one is named here as by every command.
    """
    rows = list(rows_of(load_settings()))
    if as_json:
        write_lines(json.dumps(row._asdict(), ensure_ascii=False) for row in rows)
    else:
        show_table(("variable", "value", "meaning"), ((row.variable, _shown(row), row.meaning) for row in rows))


def rows_of(current: Settings) -> Iterator[Row]:
    """Every setting in the order of its definition."""
    prefix = Settings.model_config["env_prefix"]
    for name, field in Settings.model_fields.items():
        value = _plain(getattr(current, name))
        yield Row(f"{prefix}{name.upper()}", value, _plain(field.default), field.description or "")


def _plain(value: object) -> str | int | float | bool | None:
    if isinstance(value, SecretStr):
        return BLANK
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _shown(row: Row) -> str:
    if row.value is None:
        return "-"
    return str(row.value)

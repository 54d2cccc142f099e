"""``keystatus show``: one key's state, for its owner."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from pydantic_core import from_json
from rich.text import Text

from streams import texts
from streams.cli.lines import write_lines
from streams.cli.terminal import STYLE, show_text
from streams.core.deadlines import days_left
from streams.errors import KeystatusError
from streams.settings import load_settings
from streams.subscriber import last_value
from streams.texts import HEADINGS, Heading, Language
from streams.topics import Role

KeyIdArgument = Annotated[str, typer.Argument(metavar="KEY_ID", help="the key's id")]
Lang = Annotated[Language, typer.Option(help="language of the texts")]
AsJson = Annotated[bool, typer.Option("--json", help="the state as JSON, with expires_at and days_left as of now")]

State = Mapping[str, object]

#: ``progress`` is the worker's own memory and no contract.
_PRIVATE: Final = "progress"


def show(key_id: KeyIdArgument, lang: Lang = Language.EN, *, as_json: AsJson = False) -> None:
    """Show one key: its status and what to do.

    Reads the compacted topic; days left count from now. Exit code 1 when the key is unknown
    or was removed.
    """
    value = asyncio.run(last_value(load_settings(), Role.STATUS, key_id.encode()))
    if value is None:
        raise KeystatusError(f"no such key: {key_id} has no state, it was never seen or was removed: check the id")
    state = as_of(_read(value, key_id), datetime.now(UTC))
    if as_json:
        write_lines([json.dumps(state, ensure_ascii=False)])
        return
    for line in page(state, lang):
        show_text(line)


def as_of(state: State, now: datetime) -> State:
    """The public part of a state, with the end date that is known now and the days until then."""
    progress = state.get(_PRIVATE)
    known = progress.get("expires_at") if isinstance(progress, Mapping) else state.get("expires_at")
    expires_at = _moment(known)
    public = {name: value for name, value in state.items() if name != _PRIVATE}
    return {**public, "expires_at": known, "days_left": days_left(expires_at, now)}


def page(state: State, language: Language) -> Iterator[Text]:
    """The lines that tell a key's owner what there is to know."""
    status, left = _text(state, "status"), state.get("days_left")
    days = left if isinstance(left, int) else None
    account = _text(state, "account_id")
    owner = "" if account is None else f", {account}"
    yield Text(f"{_text(state, 'key_id')} ({_text(state, 'exchange')} {_text(state, 'environment')}{owner})", "bold")
    style = STYLE.get(_text(state, "severity") or "", "")
    cells: dict[Heading, tuple[str | None, str]] = {
        Heading.STATUS: (texts.label(status, days, language), style),
        Heading.SINCE: (_when(state.get("since")), ""),
        Heading.MEANING: (texts.meaning(status, language), ""),
        Heading.REASON: (texts.reason(_text(state, "reason"), language), ""),
        Heading.REMEDY: (texts.remedy(_text(state, "remedy"), language), style),
        Heading.ALSO: ("; ".join(_further_issues(state, language)), ""),
        Heading.EXPIRES: (_ends(state, days, language), ""),
        Heading.OBSERVED: (_observed(state, language), ""),
    }
    width = max(len(HEADINGS[heading].to(language)) for heading in cells)
    for heading, (told, colour) in cells.items():
        if told:
            yield Text(f"{HEADINGS[heading].to(language):{width}}  ").append(told, colour)


def _further_issues(state: State, language: Language) -> Iterator[str]:
    issues = state.get("issues")
    for issue in issues[1:] if isinstance(issues, list) else []:
        permissions = ", ".join(issue.get("permissions", ()))
        yield texts.reason(_text(issue, "reason"), language) + (f" ({permissions})" if permissions else "")


def _ends(state: State, days: int | None, language: Language) -> str | None:
    moment = _when(state.get("expires_at"))
    return None if moment is None or days is None else f"{moment}, {texts.days(days, language)}"


def _observed(state: State, language: Language) -> str | None:
    moment = _when(state.get("observed_at"))
    return f"{moment}, {texts.STALE.to(language)}" if state.get("stale") else moment


def _read(value: bytes, key_id: str) -> State:
    try:
        state = from_json(value)
    except ValueError:
        state = None
    if not isinstance(state, dict):
        raise KeystatusError(f"the state of {key_id} is not JSON: is KEYSTATUS_TOPIC_PREFIX right?")
    return state


def _moment(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _when(value: object) -> str | None:
    moment = _moment(value)
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _text(payload: State, name: str) -> str | None:
    value = payload.get(name)
    return None if value is None else str(value)

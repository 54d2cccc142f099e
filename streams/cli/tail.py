"""``keystatus tail``: follow changes and notices."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from pydantic_core import from_json
from rich.text import Text

from schemas.vocabulary import NoticeKind
from streams import texts
from streams.cli.lines import remark, write_lines
from streams.cli.terminal import STYLE, show_text
from streams.core.record import Record
from streams.settings import Settings, load_settings
from streams.subscriber import follow
from streams.texts import Language
from streams.topics import Role, Topics

_FOLLOWED: Final = (Role.STATUS_CHANGES, Role.NOTICES)

AsJson = Annotated[bool, typer.Option("--json", help="the values as they are, one a line")]
FromBeginning = Annotated[bool, typer.Option("--from-beginning", help="start with the oldest that is kept")]
Limit = Annotated[int | None, typer.Option(min=1, help="end after so many lines")]

Payload = Mapping[str, object]


def tail(*, as_json: AsJson = False, from_beginning: FromBeginning = False, limit: Limit = None) -> None:
    """Follow status changes and notices.

    They show as they are committed, until Ctrl-C. A line tells the time (UTC), the key, its
    exchange, what changed, why, and what to do. Lines of one key are in order.
    """
    asyncio.run(_tail(load_settings(), as_json=as_json, from_beginning=from_beginning, limit=limit))


async def _tail(settings: Settings, *, as_json: bool, from_beginning: bool, limit: int | None) -> None:
    topics = Topics.named(settings.topic_prefix)
    followed = ", ".join(topics.by_role()[role] for role in _FOLLOWED)
    show: Callable[[Record], None] = _show_raw if as_json else _show
    shown = 0
    records = follow(
        settings, _FOLLOWED, from_beginning=from_beginning, when_ready=lambda: remark(f"following {followed}")
    )
    async with aclosing(records):
        async for record in records:
            show(record)
            shown += 1
            if shown == limit:
                return


def _show_raw(record: Record) -> None:
    write_lines([(record.value or b"null").decode(errors="replace")])


def _show(record: Record) -> None:
    show_text(as_text(record.value))


def as_text(value: bytes | None) -> Text:
    """A change or a notice as a line; what cannot be read is shown as it is."""
    try:
        payload = from_json(value or b"null")
    except ValueError:
        payload = None
    if not isinstance(payload, dict):
        return Text((value or b"").decode(errors="replace"))
    return _notice_line(payload) if "notice_id" in payload else _change_line(payload)


def _change_line(change: Payload) -> Text:
    """``12:03:04 binance-001 binance: connected → expired (why): what to do``."""
    before, after = _text(change, "previous_status"), _text(change, "status")
    line = Text(f"{_head(change, 'changed_at')}: ")
    if before is not None:
        line.append(f"{before} → ")
    line.append(after or "removed", STYLE.get(_text(change, "severity") or "", ""))
    line.append(f" ({texts.reason(_text(change, 'reason'), Language.EN)})")
    line.append("".join(f", {mark}" for mark in ("flapping", "incident") if change.get(mark)))
    remedy = _text(change, "remedy")
    if remedy not in (None, "none"):
        line.append(f": {texts.remedy(remedy, Language.EN)}")
    return line


def _notice_line(notice: Payload) -> Text:
    """``12:03:04 binance-001 binance: reminder: expires in 7 days``."""
    kind, left, status = _text(notice, "kind"), notice.get("days_left"), _text(notice, "status")
    line = Text(f"{_head(notice, 'noticed_at')}: {texts.notice(kind, Language.EN)}")
    if kind == NoticeKind.EXPIRY_REMINDER and isinstance(left, int):
        line.append(f": {texts.days(left, Language.EN)}")
    elif kind == NoticeKind.SETTLED and status is not None:
        line.append(f": {status}")
    elif notice.get("keys_checked") is not None:
        line.append(f" ({notice.get('keys_in_trouble')} of {notice['keys_checked']} in a partition)")
    return line


def _head(payload: Payload, moment: str) -> str:
    about = (_text(payload, "key_id"), _text(payload, "exchange"))
    return " ".join([_clock(_text(payload, moment)), *(name for name in about if name is not None)])


def _clock(text: str | None) -> str:
    """The time of day in UTC."""
    try:
        return datetime.fromisoformat(text or "").astimezone(UTC).strftime("%H:%M:%S")
    except ValueError:
        return text or "--:--:--"


def _text(payload: Payload, name: str) -> str | None:
    value = payload.get(name)
    return None if value is None else str(value)

"""The bundled answers of real exchanges, as check results of just now."""

import json
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Final, NamedTuple

from schemas.check_result import CheckResult

#: The answers are spread over up to 15 minutes of event time; the last one is just past.
SPAN: Final = timedelta(minutes=16)


class Answer(NamedTuple):
    """One documented answer: the check result, where it is documented, what its key must become."""

    title: str
    source: str
    expect: str | None
    result: CheckResult


def documented_answers(now: datetime) -> list[Answer]:
    """All bundled answers in order of time, as if the first had come 16 minutes before ``now``."""
    lines = (files("streams.demo") / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    entries = sorted((json.loads(line) for line in lines), key=lambda entry: entry["after_s"])
    return [_answer(entry, number, now - SPAN) for number, entry in enumerate(entries)]


def expectations(answers: list[Answer]) -> dict[str, str | None]:
    """The status that each key must have in the end; None where its answers say nothing."""
    return {answer.result.key_id: answer.expect for answer in answers}


def _answer(entry: dict[str, object], number: int, began: datetime) -> Answer:
    checked_at = began + timedelta(seconds=float(str(entry["after_s"])))
    result = dict(entry["result"]) if isinstance(entry["result"], dict) else {}
    result |= {"event_id": f"documented-{number:03d}", "checked_at": checked_at.isoformat()}
    days = entry["expires_in_days"]
    if isinstance(days, int | float):
        result["expires_at"] = (checked_at + timedelta(days=days)).isoformat()
    return Answer(
        str(entry["title"]),
        str(entry["source"]),
        None if entry["expect"] is None else str(entry["expect"]),
        CheckResult.model_validate_json(json.dumps(result)),
    )

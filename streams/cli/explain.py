"""``keystatus explain``: the path from one check result to its key's status."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError
from pydantic_core import from_json, to_json
from rich.text import Text

from schemas.key_state import KeyState
from schemas.vocabulary import Remedy
from streams import texts
from streams.catalogue import load_rules
from streams.cli.lines import STANDARD_INPUT, opened, write_lines
from streams.cli.terminal import show_text
from streams.core.record import LogRecord
from streams.errors import UsageError
from streams.explain import Explanation, Row, Speaker, explain_record
from streams.outlook import clock
from streams.publisher import read_line
from streams.settings import load_policy, load_settings
from streams.texts import Language

Result = Annotated[Path, typer.Argument(metavar="FILE", help="one check result as JSON; - is standard input")]
StateFile = Annotated[
    Path | None,
    typer.Option(
        "--state", metavar="FILE", help="the key's state before, as `show --json` or the topic tells it; - too"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="the same as one JSON object")]

#: Characters of a message that are shown; the rest is a page's.
_SHOWN: Final = 200


def explain(source: Result = STANDARD_INPUT, state_file: StateFile = None, *, as_json: AsJson = False) -> None:
    """Tell why a check result gives its key the status that it gives.

    What was read and where it stood, the rule that decided and what the other tiers would have said, the row of the
    decision table, what the key's memory added, and what would change the outcome. It is the worker's own decision.

    Without --state the key has no past. A state from `show --json` is without the worker's counts and what else it
    remembers; one from the topic has all of it.
    """
    if source == state_file == STANDARD_INPUT:
        raise UsageError("standard input can be the check result or the state: name a file for the other")
    read = read_line(_one_object(source))
    state = None if state_file is None else _read_state(state_file, read.value)
    offset = 0 if state is None else state.progress.offset + 1
    record = LogRecord("", 0, offset, read.timestamp, read.key, read.value)
    told = explain_record(record, state, load_rules(), load_policy(load_settings()))
    if as_json:
        write_lines([told.model_dump_json()])
        return
    for line in page(told):
        show_text(line)


def page(told: Explanation) -> Iterator[Text]:
    """The path in words, a heading for each step."""
    if told.checked_at is not None:
        yield Text(f"{told.key_id} at {told.exchange}, checked {clock(told.checked_at)}", "bold")
    if told.read:
        yield from _section("Read", ((read.name, f"{_shortened(read.value)}  ({read.place})") for read in told.read))
    if told.error_type is not None:
        yield from _section("Rule", _rule_lines(told))
    yield from _section("Row of the decision table", _row_lines(told.row))
    yield from _section("What the key's memory adds", (("", sentence) for sentence in told.story))
    yield from _section("Status", _status_lines(told))
    if told.would_change:
        yield from _section("What would change it", (("", sentence) for sentence in told.would_change))


def _section(heading: str, lines: Iterator[tuple[str, str]]) -> Iterator[Text]:
    """A heading and, indented, its lines: a name and what is told under it."""
    told = list(lines)
    width = max((len(name) for name, _ in told), default=0)
    yield Text(heading, "bold")
    for name, text in told:
        yield Text(f"  {name:{width}}{'  ' if width else ''}{text}")


def _rule_lines(told: Explanation) -> Iterator[tuple[str, str]]:
    rule = told.rule
    if rule is None:
        yield "", "none holds: unclassified"
        return
    yield "decides", f"{rule.rule}, tier {rule.tier} ({rule.conditions})"
    yield "because", "; ".join(f"{name} is {value}" for name, value in rule.held.items())
    yield "says", f"{rule.error_type}, {rule.certainty}: {rule.meaning}"
    yield "source", f"{rule.source}, checked {rule.checked}"
    for other in told.other_tiers:
        yield "beaten", _beaten(other)


def _beaten(rule: Speaker) -> str:
    return f"{rule.rule}, tier {rule.tier} ({rule.conditions}): {rule.error_type}, {rule.certainty}"


def _row_lines(row: Row | None) -> Iterator[tuple[str, str]]:
    if row is None:
        yield "", "none is asked, or none holds"
        return
    yield f"row {row.number}", f"{row.name}: {row.words}"
    yield "says", f"{row.status}: {texts.reason(row.reason, Language.EN)}"
    for issue in row.further_issues:
        permissions = f" ({', '.join(issue.permissions)})" if issue.permissions else ""
        yield "also", f"{issue.status}: {texts.reason(issue.reason, Language.EN)}{permissions}"


def _status_lines(told: Explanation) -> Iterator[tuple[str, str]]:
    yield "before", told.status_before or "none"
    reason = "" if told.reason is None else f": {texts.reason(told.reason, Language.EN)}"
    yield "after", f"{told.status_after or 'none'}{reason}  ({told.disposition.replace('_', ' ')})"
    if told.remedy not in (None, Remedy.NONE):
        yield "to do", texts.remedy(told.remedy, Language.EN)


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."


# --- what is given ----------------------------------------------------------------------------------------------------


def _one_object(source: Path) -> bytes:
    """The file's content, which is one JSON object over any number of lines, or one line that may be broken."""
    with opened(source) as file:
        content = file.readall().removeprefix(b"\xef\xbb\xbf").strip()
    if not content:
        raise UsageError("there is nothing to explain: give one check result as JSON")
    try:
        from_json(content)
    except ValueError:
        lines = len(content.splitlines())
        if lines > 1:
            raise UsageError(f"{lines} lines that are no single JSON object: give one check result") from None
    return content


def _read_state(source: Path, result: bytes | None) -> KeyState:
    """A key state, with the worker's memory or, from `show --json`, with what the public fields tell of it."""
    with opened(source) as file:
        content = file.readall()
    try:
        tree = from_json(content)
        if isinstance(tree, dict) and "progress" not in tree:
            tree["progress"] = {"expires_at": tree.get("expires_at"), "credential_version": _version(result)}
        return KeyState.model_validate_json(to_json(tree))
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(step) for step in fault["loc"]) or "the whole"
        raise UsageError(f"{source} is no key state: {where}: {fault['msg']}: take it from `show --json`") from None
    except ValueError as error:
        raise UsageError(f"{source} is no key state: not JSON: {error}: take it from `show --json`") from None


def _version(result: bytes | None) -> int:
    """The result's own credential version: a state that tells none is taken to be of the same key."""
    try:
        tree = from_json(result or b"")
    except ValueError:
        return 1
    version = tree.get("credential_version") if isinstance(tree, dict) else None
    return version if isinstance(version, int) and version >= 1 else 1

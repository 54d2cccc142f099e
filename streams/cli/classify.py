"""``keystatus classify``: what each check result says by itself."""

import json
from collections.abc import Callable, Iterable, Iterator

from schemas.vocabulary import Certainty
from streams.catalogue import load_rules
from streams.cli.lines import STANDARD_INPUT, Source, bursts, opened, write_lines
from streams.core.decide import Alone, assess_alone
from streams.core.decode import Unreadable
from streams.core.record import LogRecord
from streams.publisher import read_line
from streams.settings import load_policy, load_settings

Assess = Callable[[LogRecord], Alone | Unreadable]


def classify(source: Source = STANDARD_INPUT) -> None:
    """Tell what each check result says by itself.

    Without memory of the key: reads one check result a line and answers each at once with a
    line of JSON: key_id, status (null: it says nothing about the key), reason, error_type and
    rule (null for a success), definite (false: it takes more such results to believe it).

    A line that cannot be read gives {"line": number, "error": "reason: what is wrong"};
    the command goes on with the next one, and its exit code stays 0. Blank lines are
    skipped. `keystatus simulate` reads the same lines with memory.
    """
    rules, policy = load_rules(), load_policy(load_settings())
    with opened(source) as file:
        number = 0
        for lines in bursts(file):
            write_lines(answers(lines, number, lambda record: assess_alone(record, rules, policy)))
            number += len(lines)


def answers(lines: Iterable[bytes], before: int, assess: Assess) -> Iterator[str]:
    """One line of JSON for each line that is not blank; ``before`` lines came earlier."""
    for number, line in enumerate(lines, start=before + 1):
        if line := line.strip():
            read = read_line(line)
            found = assess(LogRecord("", 0, number, read.timestamp, read.key, read.value))
            yield json.dumps(_answer(found, number), ensure_ascii=False)


def _answer(found: Alone | Unreadable, number: int) -> dict[str, object]:
    if isinstance(found, Unreadable):
        return {"line": number, "error": f"{found.reason}: {found.message}"}
    finding, verdict = found.finding, found.verdict
    return {
        "key_id": found.result.key_id,
        "status": None if finding is None else finding.status,
        "reason": None if finding is None else finding.reason,
        "error_type": verdict.error_type,
        "rule": verdict.rule,
        "definite": finding is not None and finding.certainty is Certainty.DEFINITE,
    }

"""Reads the rule files and refuses them on any fault. What a rule is: `streams/rules/README.md`."""

import re
import tomllib
from pathlib import Path
from typing import Final

from streams.core.rule_files import Problem, RuleFile, compile_rules
from streams.core.rules import RuleSet
from streams.errors import KeystatusError

PACKAGED_RULES: Final = Path(__file__).with_name("rules")

#: The name of a table (`[expiry]`, `[[rule]]`) or of a key (`exchange = `) where a line begins with one.
_NAME: Final = re.compile(r"^[ \t]*(?:\[{1,2}[ \t]*(?P<table>[\w-]+)[ \t]*\]|(?P<key>[\w-]+)[ \t]*=)")
_TOML_LINE: Final = re.compile(r"\(at line (\d+), column \d+\)$")


class RulesError(KeystatusError):
    """The rule files are not sound; the text has one problem a line, with file and line."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def load_rules(directory: Path = PACKAGED_RULES) -> RuleSet:
    """Every `*.toml` of the directory as one rule set; raises `RulesError` with every problem of every file."""
    files: list[RuleFile] = []
    unreadable: list[Problem] = []
    for path in sorted(directory.glob("*.toml")):
        try:
            files.append(read_rule_file(path))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            unreadable.append(Problem(path.name, _line_of(error), f"not TOML: {error}"))
    rules, problems = compile_rules(files)
    if not files and not unreadable:
        problems = (Problem(directory.name, 0, "no rule file here"),)
    if unreadable or problems:
        raise RulesError(tuple(sorted((*unreadable, *problems))))
    return rules


def read_rule_file(path: Path) -> RuleFile:
    """One file as plain data, with the lines of its tables and head keys; raises when it is not TOML in UTF-8."""
    text = path.read_text(encoding="utf-8")
    lines = _lines_by_name(text)
    return RuleFile(path.name, tomllib.loads(text), lines.pop("rule", ()), lines)


def _lines_by_name(text: str) -> dict[str, tuple[int, ...]]:
    """The lines of each table's headers, and of the keys before the first table."""
    found: dict[str, tuple[int, ...]] = {}
    in_head = True
    for number, line in enumerate(text.splitlines(), start=1):
        match = _NAME.match(line)
        if match is None or (match["table"] is None and not in_head):
            continue
        in_head = in_head and match["table"] is None
        name = match["table"] or match["key"]
        found[name] = (*found.get(name, ()), number)
    return found


def _line_of(error: Exception) -> int:
    """The line that the TOML reader names; 1 where it names none."""
    found = _TOML_LINE.search(str(error))
    return int(found[1]) if found else 1

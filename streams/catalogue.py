"""Reads the rule files and refuses them on any fault. What a rule is: `streams/rules/README.md`."""

import re
import tomllib
from pathlib import Path
from typing import Final

from streams.core.rule_files import Problem, RuleFile, compile_rules
from streams.core.rules import RuleSet
from streams.errors import KeystatusError

PACKAGED_RULES: Final = Path(__file__).with_name("rules")

_RULE_HEADER: Final = re.compile(r"^[ \t]*\[\[[ \t]*rule[ \t]*\]\]")
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
    """One file as plain data, with the line of each `[[rule]]`; raises when it is not TOML in UTF-8."""
    text = path.read_text(encoding="utf-8")
    lines = tuple(n for n, line in enumerate(text.splitlines(), start=1) if _RULE_HEADER.match(line))
    return RuleFile(path.name, tomllib.loads(text), lines)


def _line_of(error: Exception) -> int:
    """The line that the TOML reader names; 1 where it names none."""
    found = _TOML_LINE.search(str(error))
    return int(found[1]) if found else 1

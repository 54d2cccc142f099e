"""From rule files to a rule set, and every fault that keeps them from being one.

Pure: `streams.catalogue` reads the files. Faults are values with file and line; a set with any is not used.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, repeat
from typing import Final

from pydantic import ValidationError

from schemas.vocabulary import Certainty
from streams.core.rules import CERTAINTY_OF, DEFAULTS, NO_RULES, ExchangeRules, Rule, RuleSet, Tier


@dataclass(frozen=True, slots=True)
class RuleFile:
    """One rule file as read: its name, its TOML as plain data, and the line of each `[[rule]]` header."""

    name: str
    data: Mapping[str, object]
    rule_lines: tuple[int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One fault of a rule file; `str()` gives `binance.toml:41: duplicate code "-2015" (also line 12)`."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class _Placed:
    """A rule and the line where it stands."""

    line: int
    rule: Rule


def compile_rules(files: Sequence[RuleFile]) -> tuple[RuleSet, tuple[Problem, ...]]:
    """Files to a rule set and the problems found on the way. With any problem the rule set is not to be used."""
    problems: list[Problem] = []
    exchanges: dict[str, ExchangeRules] = {}
    defaults = NO_RULES
    for file in files:
        rules, found = _read(file)
        problems += found
        if rules is None:
            continue
        if rules.exchange == DEFAULTS:
            defaults = rules
        for name in (rules.exchange, *rules.aliases):
            if name in exchanges:
                problems.append(Problem(file.name, 1, f'exchange "{name}" has two files'))
            exchanges[name] = rules
    exchanges.pop(DEFAULTS, None)
    return RuleSet(exchanges, defaults), tuple(sorted(problems))


def lint(files: Sequence[RuleFile]) -> tuple[Problem, ...]:
    """Every problem of these files, by file and line; empty when they are sound."""
    return compile_rules(files)[1]


def _read(file: RuleFile) -> tuple[ExchangeRules | None, list[Problem]]:
    """One file to its rules (None when its head is faulty) and every problem in it."""
    placed, problems = _read_rules(file)
    head = {key: value for key, value in file.data.items() if key != "rule"}
    try:
        rules = ExchangeRules.model_validate({**head, "rule": tuple(item.rule for item in placed)})
    except ValidationError as error:
        return None, problems + [Problem(file.name, 1, text) for text in _texts(error)]
    problems += [Problem(file.name, item.line, text) for item in placed for text in _faults(item.rule, rules.exchange)]
    problems += [Problem(file.name, line, text) for line, text in _clashes(placed)]
    return rules, problems


def _read_rules(file: RuleFile) -> tuple[list[_Placed], list[Problem]]:
    """The well-formed rules of a file, and the shape problems of the others."""
    tables = file.data.get("rule", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        return [], [Problem(file.name, 1, "a rule begins with [[rule]]")]
    placed: list[_Placed] = []
    problems: list[Problem] = []
    inherited = {key: file.data[key] for key in ("source", "checked") if key in file.data}
    for table, line in zip(tables, chain(file.rule_lines, repeat(1)), strict=False):
        try:
            placed.append(_Placed(line, Rule.model_validate({**inherited, **table})))
        except ValidationError as error:
            problems += [Problem(file.name, line, text) for text in _texts(error)]
    return placed, problems


# --- what lint reports ------------------------------------------------------------------------------------------------

#: By pydantic's error type; anything else is reported in pydantic's own words.
_SHAPE_TEXT: Final[Mapping[str, str]] = {
    "missing": "missing {field}",
    "extra_forbidden": 'unknown key "{key}"',
    "string_type": "{field} must be a string, not {value}",
    "int_type": "{field} must be a whole number, not {value}",
    "bool_type": "{field} must be true or false, not {value}",
    "enum": 'unknown {field} "{value}"',
}


def _texts(error: ValidationError) -> Iterator[str]:
    """One plain line for each fault that pydantic found in a table."""
    for fault in error.errors():
        keys = [str(part) for part in fault["loc"] if isinstance(part, str)]
        template = _SHAPE_TEXT.get(fault["type"], "{field}: {text}")
        key = ".".join(keys)
        yield template.format(key=key, field=key.replace("_", " "), value=fault["input"], text=fault["msg"])


def _faults(rule: Rule, exchange: str) -> Iterator[str]:
    """What is wrong with a rule by itself."""
    if not rule.id.startswith(f"{exchange}."):
        yield f'id "{rule.id}" must start with "{exchange}."'
    if rule.tier is Tier.UNCLASSIFIED:
        yield "no condition: a rule needs a code, a message, an HTTP status or a ccxt class"
    if any(not text.strip() for text in chain(rule.code, rule.message, rule.endpoint, rule.ccxt_class)):
        yield "empty literal: it would match every answer"
    if rule.ccxt_class and exchange != DEFAULTS:
        yield f"ccxt class belongs in {DEFAULTS}.toml: an exchange's own rules read the exchange's own answer"
    if rule.code and exchange == DEFAULTS:
        yield "code belongs in an exchange's file: the same code means different things at different exchanges"
    if rule.ambiguous is not None and not _ambiguous_counts(rule):
        yield f"ambiguous = {str(rule.ambiguous).lower()} changes nothing for {rule.error_type.value}"


def _ambiguous_counts(rule: Rule) -> bool:
    """Whether `ambiguous` differs from what the error type says by itself."""
    own = CERTAINTY_OF[rule.error_type]
    return own in {Certainty.DEFINITE, Certainty.AMBIGUOUS} and own is not rule.certainty


def _clashes(placed: Sequence[_Placed]) -> Iterator[tuple[int, str]]:
    """Line and text for each pair of rules of one file that some answer could match in the same tier."""
    for first, second in combinations(placed, 2):
        if first.rule.id == second.rule.id:
            yield second.line, f'duplicate id "{second.rule.id}" (also line {first.line})'
        if first.rule.tier is second.rule.tier and (text := _overlap(first.rule, second.rule)):
            yield second.line, f"{text} (also line {first.line})"


def _overlap(first: Rule, second: Rule) -> str | None:
    """How two rules of one tier can match the same answer; None when they cannot.

    A condition that only one of them has does not keep them apart. Two message literals are taken to meet only if one
    contains the other: any two could stand in one text, but then the longer one decides.
    """
    shared = (
        ("code", _equal(first.codes, second.codes), first.codes, second.codes),
        ("message", _nested(first.literals, second.literals), first.literals, second.literals),
        ("http", _equal(first.http, second.http), first.http, second.http),
        ("endpoint", _nested(first.endpoint, second.endpoint), first.endpoint, second.endpoint),
        (
            "ccxt class",
            _equal(first.ccxt_class, second.ccxt_class),
            first.ccxt_class,
            second.ccxt_class,
        ),
    )
    both = [(name, meeting) for name, meeting, ours, theirs in shared if ours and theirs]
    if not both or any(meeting is None for _, meeting in both):
        return None
    word = "overlapping" if any(_INSIDE in str(meeting) for _, meeting in both) else "duplicate"
    return f"{word} " + ", ".join(f"{name} {meeting}" for name, meeting in both)


def _equal(ours: Iterable[str | int], theirs: Iterable[str | int]) -> str | None:
    """The first value that both have, quoted if it is text."""
    known = set(theirs)
    return next(
        (f'"{value}"' if isinstance(value, str) else str(value) for value in ours if value in known),
        None,
    )


#: Between a literal and the longer one that contains it.
_INSIDE: Final = '" in "'


def _nested(ours: Sequence[str], theirs: Sequence[str]) -> str | None:
    """The first literal of one that contains, or equals, a literal of the other."""
    for a in ours:
        for b in theirs:
            if a in b or b in a:
                return f'"{a}"' if a == b else f'"{min(a, b, key=len)}{_INSIDE}{max(a, b, key=len)}"'
    return None

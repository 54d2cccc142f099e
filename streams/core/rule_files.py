"""From rule files to a rule set, and every fault that keeps them from being one.

Pure: `streams.catalogue` reads the files. Faults are values with file and line; a set with any is not used.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations, repeat
from typing import Final

from pydantic import ValidationError

from schemas.vocabulary import Certainty
from streams.core.rules import CERTAINTY_OF, DEFAULTS, NO_RULES, ExchangeRules, Rule, RuleSet, Tier, fold


@dataclass(frozen=True, slots=True)
class RuleFile:
    """One rule file as read: its name, its TOML as plain data, and the line of each `[[rule]]` header.

    `head_lines` are the lines of everything else, by the name of a key or table: more than one for `[[left_out]]`.
    """

    name: str
    data: Mapping[str, object]
    rule_lines: tuple[int, ...]
    head_lines: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def line_of(self, place: Sequence[str | int]) -> int:
        """The line of a key or table outside the rules, by its path in the data; 1 where it is not known."""
        lines = self.head_lines.get(str(place[0]), ()) if place else ()
        number = place[1] if len(place) > 1 and isinstance(place[1], int) else 0
        return lines[number] if number < len(lines) else 1


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
                line = file.line_of(("exchange" if name == rules.exchange else "aliases",))
                problems.append(Problem(file.name, line, f'exchange "{name}" has two files'))
            exchanges[name] = rules
    exchanges.pop(DEFAULTS, None)
    return RuleSet(exchanges, defaults), tuple(sorted(problems))


def lint(files: Sequence[RuleFile]) -> tuple[Problem, ...]:
    """Every problem of these files, by file and line; empty when they are sound."""
    return compile_rules(files)[1]


def _read(file: RuleFile) -> tuple[ExchangeRules | None, list[Problem]]:
    """One file to its rules (None when its head is faulty) and every problem in it."""
    placed, problems = _read_rules(file)
    exchange = file.data.get("exchange")
    if isinstance(exchange, str):
        problems += [Problem(file.name, item.line, text) for item in placed for text in _faults(item.rule, exchange)]
    problems += [Problem(file.name, line, text) for line, text in _clashes(placed)]
    problems += [Problem(file.name, line, text) for line, text in _source_faults(file, placed)]
    head = {key: value for key, value in file.data.items() if key != "rule"}
    try:
        rules = ExchangeRules.model_validate({**head, "rule": tuple(item.rule for item in placed)})
    except ValidationError as error:
        return None, problems + [Problem(file.name, file.line_of(place), text) for place, text in _texts(error)]
    problems += [Problem(file.name, line, text) for line, text in _left_out_faults(file, rules)]
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
            problems += [Problem(file.name, line, text) for _, text in _texts(error)]
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


def _texts(error: ValidationError) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The place and one plain line for each fault that pydantic found in a table."""
    for fault in error.errors():
        key = ".".join(part for part in fault["loc"] if isinstance(part, str))
        name = key if "." in key else key.replace("_", " ")
        template = _SHAPE_TEXT.get(fault["type"], "{field}: {text}")
        yield fault["loc"], template.format(key=key, field=name, value=fault["input"], text=fault["msg"])


def _faults(rule: Rule, exchange: str) -> Iterator[str]:
    """What is wrong with a rule by itself."""
    if not rule.id.startswith(f"{exchange}."):
        yield f'id "{rule.id}" must start with "{exchange}."'
    if rule.tier is Tier.UNCLASSIFIED:
        yield "no condition: a rule needs a code, a message, an HTTP status or a ccxt class"
    if rule.ccxt_class and exchange != DEFAULTS:
        yield f"ccxt class belongs in {DEFAULTS}.toml: an exchange's own rules read the exchange's own answer"
    if rule.code and exchange == DEFAULTS:
        yield "code belongs in an exchange's file: the same code means different things at different exchanges"
    if rule.ambiguous is not None and not _ambiguous_counts(rule):
        yield f"ambiguous = {str(rule.ambiguous).lower()} changes nothing for {rule.error_type.value}"
    if not rule.meaning.strip():
        yield "empty meaning: say in one plain line what the answer means"
    yield from (
        f"http {status} is no HTTP status: it is one of 100 to 599" for status in rule.http if not _is_http(status)
    )
    yield from _literal_faults(rule)


def _ambiguous_counts(rule: Rule) -> bool:
    """Whether `ambiguous` differs from what the error type says by itself."""
    own = CERTAINTY_OF[rule.error_type]
    return own in {Certainty.DEFINITE, Certainty.AMBIGUOUS} and own is not rule.certainty


def _is_http(status: int) -> bool:
    return 100 <= status <= 599


#: Letters and digits a message literal needs. Fewer stand inside other words: "ip" in "multiple", "uid" in "guide".
_SHORTEST_LITERAL: Final = 4

#: Words that exchanges also use when they refuse an order, a symbol or a parameter ("order has expired", "invalid
#: quantity", "account has insufficient balance"). One of them alone would turn such an answer into news of the key.
_COMMON_WORDS: Final = frozenset(
    """
    access account address api apikey auth authentication authorization authorized balance banned blocked code
    credentials denied disabled error exception exist exists expired fail failed failure forbidden frozen illegal
    incorrect internal invalid key limit locked login maintenance message missing network nonce order param parameter
    params passphrase permission permissions position refused rejected request required response restricted secret
    server service signature status suspended symbol system timeout timestamp token trade trading unauthorized
    unavailable unknown user verification withdraw withdrawal wrong
    """.split()  # noqa: SIM905 - a list of ninety words takes ninety lines
)

#: What a regular expression (.*  \d  (?  [0-9]  ^a  a$  a|b), a wildcard (a*) or a placeholder ({0}  %s) has in it.
_PATTERN: Final = re.compile(r"\.[*+]|\\[A-Za-z]|\(\?|\[\^?(?:\w-\w)+\]|^\^|\$$|\w\|\w|\*$|\{\w*\}|%[sd]\b")


def _literal_faults(rule: Rule) -> Iterator[str]:
    """The texts of a rule that would match too much, or nothing."""
    if any(not text.strip() for text in chain(rule.code, rule.message, rule.endpoint, rule.ccxt_class)):
        yield "empty literal: it would match every answer"
    fields = (("code", rule.code), ("message", rule.message), ("endpoint", rule.endpoint))
    for name, text in ((name, text) for name, texts in fields for text in texts if _PATTERN.search(text)):
        yield f'{name} "{text}" looks like a pattern: it is compared as it is; write its fixed part, or a list'
    for text in filter(str.strip, rule.message):
        if text != text.strip():
            yield f'message "{text}" begins or ends with white space, which is not compared: write more of the sentence'
        if sum(map(str.isalnum, text)) < _SHORTEST_LITERAL:
            yield (
                f'message "{text}" has fewer than {_SHORTEST_LITERAL} letters or digits and stands inside other words: '
                "write more of the sentence"
            )
        elif rule.tier is Tier.MESSAGE and fold(text).strip(_PUNCTUATION) in _COMMON_WORDS:
            yield (
                f'message "{text}" is one common word, which answers about orders have too: '
                "write more of the sentence, or add a code"
            )


_PUNCTUATION: Final = " .,:;!?\"'()[]"


def _source_faults(file: RuleFile, placed: Sequence[_Placed]) -> Iterator[tuple[int, str]]:
    """Line and text for each source that nobody can look up; one that rules inherit is told once, at the head."""
    expiry = file.data.get("expiry")
    heads = (("source", file.data), ("expiry", expiry if isinstance(expiry, dict) else {}))
    named = [(file.line_of((key,)), table.get("source")) for key, table in heads]
    named += [(item.line, item.rule.source) for item in placed if item.rule.source != file.data.get("source")]
    for line, source in named:
        if isinstance(source, str) and not source.startswith("https://"):
            yield line, f'source "{source}" must begin with https://: name the page that says so'


def _left_out_faults(file: RuleFile, rules: ExchangeRules) -> Iterator[tuple[int, str]]:
    """Line and text for each `[[left_out]]` that tells nobody anything."""
    for number, item in enumerate(rules.left_out):
        if not item.answer.strip():
            yield file.line_of(("left_out", number)), "empty answer: write the answer as it is documented"
        if not item.reason.strip():
            yield file.line_of(("left_out", number)), "empty reason: say why this answer has no rule"


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

"""What an exchange's answer means, as data: rules, the tiers that rank them, and the lint that refuses a faulty file.

A rule maps a raw answer (code, HTTP status, message, endpoint, ccxt class) to one error type. This module knows what a
rule is and what a sound set of rules is. It reads no file (`streams.catalogue` does) and matches no answer
(`streams.core.classify` does). The specification for people who write rules is `streams/rules/README.md`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum, StrEnum
from functools import cached_property
from itertools import chain, combinations, repeat
from typing import Annotated, Final, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
)

from schemas.vocabulary import Certainty, ErrorType

#: Stands in place of an exchange in `defaults.toml`, whose rules hold for every exchange.
DEFAULTS: Final = "defaults"


class Tier(IntEnum):
    """How specific a rule is; the lower number decides. There is no order within a tier."""

    CODE_MESSAGE = 1
    CODE_HTTP = 2
    CODE_ENDPOINT = 3
    CODE = 4
    MESSAGE = 5
    HTTP_CLASS = 6
    HTTP = 7
    CLASS = 8
    UNCLASSIFIED = 9


K = TypeVar("K")

#: The first row whose conditions a rule has all of gives its tier; further conditions only narrow the rule.
_TIER_OF_CONDITIONS: Final[tuple[tuple[frozenset[str], Tier], ...]] = (
    (frozenset({"code", "message"}), Tier.CODE_MESSAGE),
    (frozenset({"code", "http"}), Tier.CODE_HTTP),
    (frozenset({"code", "endpoint"}), Tier.CODE_ENDPOINT),
    (frozenset({"code"}), Tier.CODE),
    (frozenset({"message"}), Tier.MESSAGE),
    (frozenset({"http", "ccxt_class"}), Tier.HTTP_CLASS),
    (frozenset({"http"}), Tier.HTTP),
    (frozenset({"ccxt_class"}), Tier.CLASS),
)

#: How much one answer of each type proves, unless a rule says otherwise. Complete; a test says so.
CERTAINTY_OF: Final[Mapping[ErrorType, Certainty]] = {
    ErrorType.KEY_NOT_FOUND: Certainty.DEFINITE,
    ErrorType.KEY_MALFORMED: Certainty.DEFINITE,
    ErrorType.KEY_NOT_ACTIVATED: Certainty.DEFINITE,
    ErrorType.KEY_DISABLED: Certainty.DEFINITE,
    ErrorType.KEY_EXPIRED: Certainty.DEFINITE,
    ErrorType.IP_NOT_ALLOWED: Certainty.DEFINITE,
    ErrorType.PERMISSION_DENIED: Certainty.DEFINITE,
    ErrorType.FUTURES_NOT_ENABLED: Certainty.DEFINITE,
    ErrorType.ACCOUNT_SUSPENDED: Certainty.DEFINITE,
    ErrorType.KYC_REQUIRED: Certainty.DEFINITE,
    ErrorType.SIGNATURE_MISMATCH: Certainty.AMBIGUOUS,
    ErrorType.PASSPHRASE_MISMATCH: Certainty.AMBIGUOUS,
    ErrorType.REGION_RESTRICTED: Certainty.AMBIGUOUS,
    ErrorType.AUTH_FAILED_UNSPECIFIED: Certainty.AMBIGUOUS,
    ErrorType.RATE_LIMITED: Certainty.INCONCLUSIVE,
    ErrorType.CLOCK_SKEW: Certainty.INCONCLUSIVE,
    ErrorType.NONCE: Certainty.INCONCLUSIVE,
    ErrorType.MAINTENANCE: Certainty.INCONCLUSIVE,
    ErrorType.EXCHANGE_UNAVAILABLE: Certainty.INCONCLUSIVE,
    ErrorType.TIMEOUT: Certainty.INCONCLUSIVE,
    ErrorType.NETWORK: Certainty.INCONCLUSIVE,
    ErrorType.BAD_RESPONSE: Certainty.INCONCLUSIVE,
    ErrorType.EGRESS_BLOCKED: Certainty.INCONCLUSIVE,
    ErrorType.REQUEST_REJECTED: Certainty.IRRELEVANT,
    ErrorType.UNCLASSIFIED: Certainty.IRRELEVANT,
}


def fold(text: str) -> str:
    """`text` with white space folded to single blanks and case folded: the form in which texts are compared."""
    return " ".join(text.split()).casefold()


def _alternatives(value: object) -> object:
    """One value or a list of alternatives, as TOML gives them, to a tuple."""
    return tuple(value) if isinstance(value, list) else (value,)


Texts = Annotated[tuple[str, ...], BeforeValidator(_alternatives)]
Numbers = Annotated[tuple[StrictInt, ...], BeforeValidator(_alternatives)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(_Frozen):
    """One rule. Each condition holds if one of its alternatives does; all conditions that are there must hold."""

    id: str
    code: Texts = ()
    http: Numbers = ()
    message: Texts = ()
    endpoint: Texts = ()
    ccxt_class: Texts = ()
    error_type: ErrorType
    ambiguous: StrictBool | None = None
    meaning: str
    source: str
    checked: date

    @cached_property
    def tier(self) -> Tier:
        """The rule's tier; `UNCLASSIFIED` when it has no condition that could place it (lint refuses such a rule)."""
        conditions = {
            "code": self.code,
            "http": self.http,
            "message": self.message,
            "endpoint": self.endpoint,
            "ccxt_class": self.ccxt_class,
        }
        present = {name for name, alternatives in conditions.items() if alternatives}
        return next((tier for needed, tier in _TIER_OF_CONDITIONS if needed <= present), Tier.UNCLASSIFIED)

    @cached_property
    def certainty(self) -> Certainty:
        """How much one such answer proves: the error type's own certainty unless `ambiguous` says otherwise."""
        if self.ambiguous is None:
            return CERTAINTY_OF[self.error_type]
        return Certainty.AMBIGUOUS if self.ambiguous else Certainty.DEFINITE

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """The codes in the form in which they are compared."""
        return tuple(fold(code) for code in self.code)

    @cached_property
    def literals(self) -> tuple[str, ...]:
        """The message literals in the form in which they are compared, longest first."""
        return tuple(sorted((fold(literal) for literal in self.message), key=len, reverse=True))


class Answer(_Frozen):
    """Where code and message stand in an exchange's JSON body: dotted paths, tried in order."""

    code: Texts = ()
    message: Texts = ()


class ExpiryKind(StrEnum):
    """What an exchange does, after a time, to a key that is not bound to IP addresses."""

    PERMISSION_EXPIRY = "permission_expiry"
    KEY_EXPIRY = "key_expiry"
    INACTIVITY_DELETION = "inactivity_deletion"


class Expiry(_Frozen):
    """An exchange's policy for keys without IP binding; `days` from activation or last use."""

    kind: ExpiryKind
    days: Annotated[StrictInt, Field(gt=0)]
    source: str


class ExchangeRules(_Frozen):
    """All that one rule file says. `checked` and `source` are defaults that its rules have already taken over."""

    exchange: str
    aliases: tuple[str, ...] = ()
    source: str | None = None
    checked: date | None = None
    answer: Answer = Answer()
    expiry: Expiry | None = None
    rules: tuple[Rule, ...] = Field(default=(), alias="rule")

    @cached_property
    def by_code(self) -> Mapping[str, tuple[Rule, ...]]:
        """The rules of the tiers with a code, by each of their codes as they are compared."""
        return _index((code, rule) for rule in self.rules for code in rule.codes)

    @cached_property
    def by_message(self) -> tuple[Rule, ...]:
        """The rules of tier `MESSAGE`."""
        return tuple(rule for rule in self.rules if rule.tier is Tier.MESSAGE)

    @cached_property
    def by_http_and_class(self) -> Mapping[tuple[int | None, str], tuple[Rule, ...]]:
        """The rules of tier `HTTP_CLASS`, by status and ccxt class."""
        rules = (rule for rule in self.rules if rule.tier is Tier.HTTP_CLASS)
        return _index(((http, name), rule) for rule in rules for http in rule.http for name in rule.ccxt_class)

    @cached_property
    def by_http(self) -> Mapping[int | None, tuple[Rule, ...]]:
        """The rules of tier `HTTP`, by status."""
        return _index((http, rule) for rule in self.rules if rule.tier is Tier.HTTP for http in rule.http)

    @cached_property
    def by_class(self) -> Mapping[str, tuple[Rule, ...]]:
        """The rules of tier `CLASS`, by ccxt class."""
        return _index((name, rule) for rule in self.rules if rule.tier is Tier.CLASS for name in rule.ccxt_class)


def _index(pairs: Iterable[tuple[K, Rule]]) -> Mapping[K, tuple[Rule, ...]]:
    """Rules by key, in the order of the file."""
    found: dict[K, tuple[Rule, ...]] = {}
    for key, rule in pairs:
        found[key] = (*found.get(key, ()), rule)
    return found


_NO_RULES: Final = ExchangeRules(exchange="")


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The whole catalogue: rules by exchange id (aliases included), and the rules that hold everywhere."""

    exchanges: Mapping[str, ExchangeRules] = field(default_factory=dict)
    defaults: ExchangeRules = _NO_RULES

    def of(self, exchange: str) -> ExchangeRules:
        """The rules of one exchange; none for an exchange that has no file."""
        return self.exchanges.get(exchange, _NO_RULES)

    def expiry(self, exchange: str) -> Expiry | None:
        """The exchange's policy for keys without IP binding; None where none is known."""
        return self.of(exchange).expiry

    def rules(self) -> Iterator[Rule]:
        """Every rule once, by exchange, the defaults last."""
        own = {rules.exchange: rules for rules in self.exchanges.values()}
        for name in sorted(own):
            yield from own[name].rules
        yield from self.defaults.rules


# --- from files to a rule set -----------------------------------------------------------------------------------------


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
    defaults = _NO_RULES
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

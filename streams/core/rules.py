"""What an exchange's answer means, as data: rules, the tiers that rank them, and the lint that refuses a faulty file.

A rule maps a raw answer (code, HTTP status, message, endpoint, ccxt class) to one error type. This module knows what a
rule is and what a sound set of rules is. It reads no file (`streams.catalogue` does) and matches no answer
(`streams.core.classify` does). The specification for people who write rules is `streams/rules/README.md`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import Annotated, Final, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
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


class LeftOut(_Frozen):
    """A documented answer without a rule, and why: nobody has to wonder whether it was forgotten."""

    answer: str
    reason: str


class ExchangeRules(_Frozen):
    """All that one rule file says. `checked` and `source` are defaults that its rules have already taken over."""

    exchange: str
    aliases: tuple[str, ...] = ()
    source: str | None = None
    checked: date | None = None
    answer: Answer = Answer()
    expiry: Expiry | None = None
    rules: tuple[Rule, ...] = Field(default=(), alias="rule")
    left_out: tuple[LeftOut, ...] = ()

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


NO_RULES: Final = ExchangeRules(exchange="")


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The whole catalogue: rules by exchange id (aliases included), and the rules that hold everywhere."""

    exchanges: Mapping[str, ExchangeRules] = field(default_factory=dict)
    defaults: ExchangeRules = NO_RULES

    def of(self, exchange: str) -> ExchangeRules:
        """The rules of one exchange; none for an exchange that has no file."""
        return self.exchanges.get(exchange, NO_RULES)

    def expiry(self, exchange: str) -> Expiry | None:
        """The exchange's policy for keys without IP binding; None where none is known."""
        return self.of(exchange).expiry

    def rules(self) -> Iterator[Rule]:
        """Every rule once, by exchange, the defaults last."""
        own = {rules.exchange: rules for rules in self.exchanges.values()}
        for name in sorted(own):
            yield from own[name].rules
        yield from self.defaults.rules

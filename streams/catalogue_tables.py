"""The catalogue as tables: what it knows of each exchange, and what it does not.

Pure: rules and the ways to ask about a key come in, rows and Markdown go out.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol

from schemas.vocabulary import Certainty, ErrorType
from streams import markdown
from streams.core.rules import CERTAINTY_OF, DEFAULTS, NO_RULES, ExchangeRules, Expiry, ExpiryKind, LeftOut, RuleSet

#: Every error type that a rule can be written for.
TYPES: Final[tuple[ErrorType, ...]] = tuple(name for name in ErrorType if name is not ErrorType.UNCLASSIFIED)


class Asked(Protocol):
    """How an exchange is asked about a key: the endpoint, and the page that documents it."""

    @property
    def endpoint(self) -> str: ...
    @property
    def source(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the catalogue knows of one exchange; `defaults` stands for what holds at all of them.

    `missing` are the error types without a rule, here or in the defaults; `by_default` those that only the defaults
    know, by HTTP status and ccxt class. `checked` is the oldest date on which somebody compared a rule with its source.
    """

    exchange: str
    aliases: tuple[str, ...]
    rules: int
    by_type: Mapping[ErrorType, int]
    missing: tuple[ErrorType, ...]
    by_default: tuple[ErrorType, ...]
    key_info: Asked | None
    expiry: Expiry | None
    sources: tuple[str, ...]
    checked: date | None
    left_out: tuple[LeftOut, ...]

    @property
    def types(self) -> int:
        """How many error types have a rule of the exchange's own."""
        return len(self.by_type)


def coverage(rules: RuleSet, key_info: Mapping[str, Asked]) -> tuple[Coverage, ...]:
    """A row for each exchange that has rules or a way to ask about a key, by name; the defaults last."""
    own = {name: rules.of(name) for name in {*rules.exchanges, *key_info}}
    main = {name: found for name, found in own.items() if found is NO_RULES or found.exchange == name}
    general = frozenset(rule.error_type for rule in rules.defaults.rules)
    rows = [_coverage(name, main[name], general, key_info.get(name)) for name in sorted(main)]
    return (*rows, _coverage(DEFAULTS, rules.defaults, frozenset(), None))


def _coverage(name: str, own: ExchangeRules, general: frozenset[ErrorType], key_info: Asked | None) -> Coverage:
    by_type = Counter(rule.error_type for rule in own.rules if rule.error_type in TYPES)
    without = [error_type for error_type in TYPES if error_type not in by_type]
    pages = [rule.source for rule in own.rules] + ([] if own.expiry is None else [own.expiry.source])
    return Coverage(
        exchange=name,
        aliases=own.aliases,
        rules=len(own.rules),
        by_type=by_type,
        missing=tuple(error_type for error_type in without if error_type not in general),
        by_default=tuple(error_type for error_type in without if error_type in general),
        key_info=key_info,
        expiry=own.expiry,
        sources=tuple(dict.fromkeys(pages)),
        checked=min((rule.checked for rule in own.rules), default=None),
        left_out=own.left_out,
    )


_ENDS: Final[Mapping[ExpiryKind, str]] = {
    ExpiryKind.PERMISSION_EXPIRY: "trading permission ends after {days} days",
    ExpiryKind.KEY_EXPIRY: "ends after {days} days",
    ExpiryKind.INACTIVITY_DELETION: "deleted after {days} days without use",
}


def tell_expiry(expiry: Expiry | None) -> str:
    """What becomes of a key without IP addresses, in words; empty where no policy is known."""
    return "" if expiry is None else _ENDS[expiry.kind].format(days=expiry.days)


def as_object(row: Coverage) -> dict[str, object]:
    """A row as JSON has it."""
    asked = row.key_info
    return {
        "exchange": row.exchange,
        "aliases": row.aliases,
        "rules": row.rules,
        "error_types": dict(sorted(row.by_type.items())),
        "missing": row.missing,
        "by_default": row.by_default,
        "key_info": None if asked is None else {"endpoint": asked.endpoint, "source": asked.source},
        "expiry": None if row.expiry is None else row.expiry.model_dump(mode="json"),
        "sources": row.sources,
        "checked": None if row.checked is None else row.checked.isoformat(),
        "left_out": [item.model_dump(mode="json") for item in row.left_out],
    }


# --- docs/exchanges.md ------------------------------------------------------------------------------------------------

_HEAD: Final = """\
<!-- Generated: `keystatus rules coverage --markdown`, or `make docs` for all such pages. Do not edit. -->
# Exchanges

{rules} rules for {exchanges} exchanges, and {defaults} that hold at every exchange: by HTTP status, web page and ccxt
class. Any other exchange that ccxt knows has these alone. What a rule is stands in
[streams/rules/README.md](../streams/rules/README.md); how a new answer gets one, in [catalogue.md](catalogue.md); what
ccxt says to the same answers, in [ccxt-comparison.md](ccxt-comparison.md).

**Error types** counts those of the {types} that have a rule of the exchange's own. **Key info** is the endpoint that
tells a key's permissions; without one the connector asks for the balance. **Without IP addresses** is what the exchange
does to a key that is not bound to any. **Checked** is the oldest date on which a rule was compared with its source.
"""


def as_markdown(rows: tuple[Coverage, ...]) -> Iterator[str]:
    """The lines of docs/exchanges.md."""
    exchanges = [row for row in rows if row.exchange != DEFAULTS]
    general = next(row for row in rows if row.exchange == DEFAULTS)
    yield from _HEAD.format(
        rules=sum(row.rules for row in exchanges),
        exchanges=sum(1 for row in exchanges if row.rules),
        defaults=general.rules,
        types=len(TYPES),
    ).splitlines()
    yield ""
    headings = ("exchange", "rules", "error types", "key info", "without IP addresses", "checked", "sources")
    yield from markdown.table(headings, map(_summary, rows))
    for heading, certainties in _GROUPS.items():
        yield from ("", f"## {heading}", "")
        types = [name for name in TYPES if CERTAINTY_OF[name] in certainties]
        names = ("exchange", *(markdown.text(name.replace("_", " ")) for name in types))
        yield from markdown.table(names, (_counts(row, types) for row in rows if row.rules))
    yield from _left_out_lines(rows)


#: The error types in three tables: a row of two dozen columns cannot be read.
_GROUPS: Final[Mapping[str, frozenset[Certainty]]] = {
    "Rules for answers that settle the matter": frozenset({Certainty.DEFINITE}),
    "Rules for answers that need a second one": frozenset({Certainty.AMBIGUOUS}),
    "Rules for answers about the exchange or the request": frozenset({Certainty.INCONCLUSIVE, Certainty.IRRELEVANT}),
}


def _summary(row: Coverage) -> tuple[str, ...]:
    also = f" ({', '.join(row.aliases)})" if row.aliases else ""
    asked = row.key_info
    return (
        f"**{row.exchange}**{also}",
        str(row.rules),
        f"{row.types}",
        "" if asked is None else f"{markdown.code(asked.endpoint)} {markdown.link(asked.source)}",
        "" if row.expiry is None else f"{tell_expiry(row.expiry)} {markdown.link(row.expiry.source)}",
        "" if row.checked is None else row.checked.isoformat(),
        ", ".join(map(markdown.link, row.sources)),
    )


def _counts(row: Coverage, types: Sequence[ErrorType]) -> tuple[str, ...]:
    return (f"**{row.exchange}**", *(str(row.by_type.get(name, "")) for name in types))


def _left_out_lines(rows: tuple[Coverage, ...]) -> Iterator[str]:
    yield from ("", "## Answers without a rule on purpose", "")
    yield "Documented answers that stay unclassified: the key keeps its status, and they are counted."
    yield ""
    items = [(row.exchange, item) for row in rows for item in row.left_out]
    cells = ((f"**{name}**", markdown.text(item.answer), markdown.text(item.reason)) for name, item in items)
    yield from markdown.table(("exchange", "answer", "why"), cells)

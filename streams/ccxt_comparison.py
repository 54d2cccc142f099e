"""What ccxt's class alone would have said to every answer that a rule knows.

ccxt turns an error answer into one of its exception classes, by tables of its own for each exchange. Here the
conditions of each rule are looked up in those tables: an exact code or text first, then a part of a text, and the HTTP
status for the rules that go by it. The class is then taken to a status by the same defaults that hold for an exchange
without rules. ccxt's special cases in code are not run, only its tables are read.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from importlib import import_module
from typing import Any, Final

from schemas.vocabulary import ErrorType, Permission, Status
from streams import markdown
from streams.core.decide import Alone, assess_alone
from streams.core.policy import Policy
from streams.core.record import LogRecord
from streams.core.rules import Rule, RuleSet, Tier, fold
from streams.errors import UsageError

#: ccxt's class for an answer that it knows nothing of.
BARE: Final = "ExchangeError"


@dataclass(frozen=True, slots=True)
class CcxtTables:
    """ccxt's own tables for one exchange: names of classes by code or text, by part of a text, and by HTTP status.

    `markets` are exact tables that hold for one kind of market only (Binance), by ccxt's name of it.
    """

    exact: Mapping[str, str] = field(default_factory=dict)
    broad: Mapping[str, str] = field(default_factory=dict)
    http: Mapping[str, str] = field(default_factory=dict)
    markets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class Difference(StrEnum):
    """How the status that ccxt's class leads to compares with that of the rule."""

    SAME = "same"
    UNKNOWN = "unknown"
    MISSED = "missed"
    FALSE_INVALID = "false_invalid"
    FALSE_TEMPORARY = "false_temporary"
    FALSE_PERMISSION = "false_permission"


@dataclass(frozen=True, slots=True)
class Compared:
    """Answers of one rule that ccxt gives one class. A status that is None says nothing about the key."""

    rule: Rule
    answers: tuple[str, ...]
    ccxt_class: str
    ccxt_status: Status | None
    status: Status | None
    difference: Difference

    @property
    def exchange(self) -> str:
        return self.rule.id.partition(".")[0]


def load_ccxt() -> tuple[str, Mapping[str, CcxtTables]]:
    """ccxt's version and its tables for every exchange. Raises UsageError when ccxt is not installed."""
    try:
        ccxt = import_module("ccxt")
    except ImportError:
        raise UsageError("ccxt is not installed: pip install 'keystatus[ccxt]'") from None
    return ccxt.__version__, {name: _tables(getattr(ccxt, name)()) for name in ccxt.exchanges}


def _tables(client: Any) -> CcxtTables:  # noqa: ANN401 - ccxt has no types
    """One client's tables. Where they are not split, they are exact."""
    tables = client.exceptions or {}
    named = {name: inner for name, inner in tables.items() if isinstance(inner, dict)}
    flat = {name: inner for name, inner in tables.items() if not isinstance(inner, dict)}
    return CcxtTables(
        exact=_names(flat | named.pop("exact", {})),
        broad=_names(named.pop("broad", {})),
        http=_names(client.httpExceptions or {}),
        markets={market: _names(inner.get("exact", {})) for market, inner in named.items()},
    )


def _names(classes: Mapping[object, object]) -> dict[str, str]:
    return {str(key): value.__name__ for key, value in classes.items() if isinstance(value, type)}


# --- what ccxt says to a rule's answers -------------------------------------------------------------------------------

#: Binance's APIs by the beginning of their paths, and ccxt's names for their tables.
_MARKETS: Final[Mapping[str, str]] = {
    "/fapi/": "linear",
    "/dapi/": "inverse",
    "/eapi/": "option",
    "/papi/": "portfolioMargin",
}
_SPOT: Final = "spot"


def classes_of(rule: Rule, tables: CcxtTables) -> Iterator[tuple[str, str]]:
    """Each answer that a rule names, with the name of ccxt's class for it."""
    if rule.tier is Tier.HTTP:
        yield from ((f"HTTP {status}", tables.http.get(str(status), BARE)) for status in rule.http)
    elif rule.tier is Tier.MESSAGE:
        yield from ((literal, _by_text(literal, tables) or BARE) for literal in rule.message)
    else:
        exact = _exact_at(rule.endpoint, tables)
        found = [(code, _by_code(code, rule.message, exact, tables)) for code in rule.code]
        known = any(_is_short(code) and name != BARE for code, name in found)
        # A sentence beside a code is the same answer without its code: ccxt has seen the code.
        yield from ((code, name) for code, name in found if _is_short(code) or name != BARE or not known)


def _is_short(code: str) -> bool:
    """Whether a code is one, rather than a sentence that serves as one."""
    return not set(" :") & set(code)


def _exact_at(endpoints: Iterable[str], tables: CcxtTables) -> Mapping[str, str]:
    """The exact table for these endpoints: that of their market goes before the general one."""
    named = [market for part in endpoints for path, market in _MARKETS.items() if part.startswith(path)]
    return {**tables.exact, **tables.markets.get(named[0] if named else _SPOT, {})}


def _by_code(code: str, messages: Iterable[str], exact: Mapping[str, str], tables: CcxtTables) -> str:
    if code in exact:
        return exact[code]
    texts = (code, *messages) if any(map(str.isalpha, code)) else messages
    return next((found for text in texts if (found := _by_text(text, tables)) is not None), BARE)


def _by_text(literal: str, tables: CcxtTables) -> str | None:
    """The class for a text with this literal in it, if ccxt has an entry that such a text can meet."""
    folded = fold(literal)
    exact = {**tables.exact, **tables.markets.get(_SPOT, {})}
    whole = (name for text, name in exact.items() if folded in fold(text))
    part = (name for text, name in tables.broad.items() if fold(text) in folded or folded in fold(text))
    return next(whole, None) or next(part, None)


# --- where that leads -------------------------------------------------------------------------------------------------


def compare(rules: RuleSet, tables: Mapping[str, CcxtTables]) -> tuple[Compared, ...]:
    """Every rule of every exchange that ccxt has, once for each class that ccxt gives its answers; by exchange."""
    defaults = RuleSet({}, rules.defaults)
    chosen = [rule for rule in rules.rules() if rule.id.partition(".")[0] in tables]
    classes = {rule.id: tuple(classes_of(rule, tables[rule.id.partition(".")[0]])) for rule in chosen}
    rows: list[Compared] = []
    for rule in chosen:
        exchange = rule.id.partition(".")[0]
        ours = _status(exchange, _as_error(rule), rules)
        for name, answers in _by_class(rule, classes).items():
            theirs = _status(exchange, {"ccxt_class": name}, defaults)
            rows.append(Compared(rule, answers, name, theirs, ours, _difference(name, theirs, ours)))
    return tuple(rows)


#: Ends the id of a rule that tells the same as another, by the text instead of the code.
_IN_WORDS: Final = "_in_words"


def _by_class(rule: Rule, classes: Mapping[str, tuple[tuple[str, str], ...]]) -> Mapping[str, tuple[str, ...]]:
    """The answers of a rule by ccxt's class.

    Code and text come in one answer: if ccxt does not know the one that this rule goes by, it may know the other.
    """
    other = rule.id.removesuffix(_IN_WORDS) if rule.id.endswith(_IN_WORDS) else f"{rule.id}{_IN_WORDS}"
    meant = next((name for _, name in classes.get(other, ()) if name != BARE), BARE)
    found: dict[str, tuple[str, ...]] = {}
    for answer, told in classes[rule.id]:
        name = meant if told == BARE else told
        found[name] = (*found.get(name, ()), answer)
    return found


def _as_error(rule: Rule) -> dict[str, object]:
    """An answer that the rule decides."""
    firsts = {"code": rule.code, "http_status": rule.http, "message": rule.message, "endpoint": rule.endpoint}
    return {name: alternatives[0] for name, alternatives in firsts.items() if alternatives}


_WHENEVER: Final = datetime(2026, 11, 24, tzinfo=UTC)


def _status(exchange: str, error: Mapping[str, object], rules: RuleSet) -> Status | None:
    """The status that one answer leads to by itself, for a customer who trades spot and futures."""
    payload = {
        "event_id": "e",
        "key_id": "k",
        "exchange": exchange,
        "checked_at": _WHENEVER.isoformat(),
        "outcome": "error",
        "error": error,
        "required_permissions": [Permission.READ, Permission.SPOT_TRADE, Permission.FUTURES_TRADE],
    }
    alone = assess_alone(LogRecord("", 0, 0, -1, b"k", json.dumps(payload).encode()), rules, Policy())
    return alone.finding.status if isinstance(alone, Alone) and alone.finding is not None else None


_FALSE: Final[Mapping[Status | None, Difference]] = {
    None: Difference.MISSED,
    Status.INVALID: Difference.FALSE_INVALID,
    Status.TEMPORARY_ISSUE: Difference.FALSE_TEMPORARY,
    Status.INCORRECT_PERMISSIONS: Difference.FALSE_PERMISSION,
    Status.INACTIVE_FUTURES: Difference.FALSE_PERMISSION,
}


def _difference(ccxt_class: str, theirs: Status | None, ours: Status | None) -> Difference:
    if theirs is ours:
        return Difference.SAME
    return Difference.UNKNOWN if ccxt_class == BARE else _FALSE[theirs]


# --- docs/ccxt-comparison.md ------------------------------------------------------------------------------------------

#: Worst first, with what would have happened.
MEANINGS: Final[Mapping[Difference, str]] = {
    Difference.FALSE_INVALID: "false invalid: the key would have been called dead",
    Difference.FALSE_TEMPORARY: "false temporary: the owner would have been told to wait",
    Difference.FALSE_PERMISSION: "false permission: the owner would have been sent to look for a permission",
    Difference.MISSED: "missed: the class says nothing about the key, the answer does",
    Difference.UNKNOWN: "unknown to ccxt: the bare ExchangeError, which says nothing",
    Difference.SAME: "same status",
}

_HEAD: Final = """\
<!-- Generated: `keystatus rules compare-ccxt --markdown`, or `make docs` for all such pages. Do not edit. -->
# Compared with ccxt

What ccxt {version} alone would have said to the answers that [our rules](exchanges.md) know: its exception class by its
own tables (an exact code or text, then a part of a text; `httpExceptions` for rules by HTTP status), and the status
that this class leads to by [defaults.toml](../streams/rules/defaults.toml), as at an exchange without rules. ccxt's
special cases in code are not run. Where a rule goes by the text instead of the code, or the other way round, what ccxt
knows of either counts. The customer of these rows trades spot and futures.

A class is coarser than an answer and made for another question: what a program should do next. This page finds no fault
with ccxt; it shows why a key's status needs the raw answer.
"""


def as_markdown(version: str, rows: tuple[Compared, ...], left_out: Iterable[str]) -> Iterator[str]:
    """The lines of docs/ccxt-comparison.md. `left_out` are the exchanges with rules that ccxt does not have."""
    yield from _HEAD.format(version=version).splitlines()
    yield ""
    rules, others = (
        {row.rule.id for row in rows},
        {row.rule.id for row in rows if row.difference is not Difference.SAME},
    )
    yield (
        f"{len(rules)} rules of {len({row.exchange for row in rows})} exchanges; {len(others)} of them give an answer "
        f"another status than its class would. ccxt {version} does not have {', '.join(left_out) or 'no other'}."
    )
    yield ""
    counts = ((markdown.text(MEANINGS[kind]), *map(str, count(rows, kind))) for kind in MEANINGS)
    yield from markdown.table(("by ccxt's class alone", "rules", "answers"), counts)
    for kind, meaning in MEANINGS.items():
        yield from ("", f"## {meaning.partition(':')[0].capitalize()}", "")
        chosen = [row for row in rows if row.difference is kind]
        if kind is Difference.SAME:
            yield from markdown.table(("exchange", "rules"), _same(chosen))
        else:
            headings = ("rule", "answer", "ccxt's class", "by the class", "by the rule", "what the answer means")
            yield from markdown.table(headings, map(_cells, chosen))


def count(rows: Iterable[Compared], kind: Difference) -> tuple[int, int]:
    """How many rules, and how many of their answers, differ in this way."""
    chosen = [row for row in rows if row.difference is kind]
    return len({row.rule.id for row in chosen}), sum(len(row.answers) for row in chosen)


#: Answers that are written out in a cell; an order's codes are dozens.
_SHOWN: Final = 4


def shorten(answers: tuple[str, ...]) -> tuple[str, ...]:
    """The first answers, and how many more there are."""
    more = len(answers) - _SHOWN
    return (*answers[:_SHOWN], f"and {more} more") if more > 0 else answers


def told(status: Status | None, error_type: ErrorType | None = None) -> str:
    """A status in a cell; one that is None says nothing about the key."""
    word = "says nothing" if status is None else status.value
    return word if error_type is None else f"{word} ({error_type})"


def _cells(row: Compared) -> tuple[str, ...]:
    written = shorten(row.answers)
    listed = [markdown.code(answer) for answer in written[:_SHOWN]] + list(written[_SHOWN:])
    return (
        markdown.code(row.rule.id),
        ", ".join(listed),
        row.ccxt_class,
        markdown.text(told(row.ccxt_status)),
        markdown.text(told(row.status, row.rule.error_type)),
        markdown.text(row.rule.meaning),
    )


def _same(rows: Iterable[Compared]) -> Iterator[tuple[str, str]]:
    """The rules of each exchange, without its name."""
    names: dict[str, dict[str, None]] = {}
    for row in rows:
        names.setdefault(row.exchange, {})[row.rule.id.partition(".")[2]] = None
    return ((exchange, markdown.text(", ".join(ids))) for exchange, ids in names.items())

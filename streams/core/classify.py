"""What one check result says about its key: the raw answer, matched against the rules, gives a verdict.

Total: any text in any field gives a verdict, nothing here raises. It knows no state and no time; whether a verdict
changes a key's status is decided by `streams.core.transition`.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from schemas.check_result import CheckResult, ExchangeError
from schemas.vocabulary import Certainty, ErrorType, Outcome
from streams.core.rules import Answer, ExchangeRules, Rule, RuleSet, Tier, fold

#: Characters of a message in which literals are looked for.
MESSAGE_LIMIT: Final = 1_024

#: Characters of a message that are read as JSON; exchanges' error answers are far shorter.
BODY_LIMIT: Final = 16_384

#: A text with one of these is a page of a firewall, proxy or load balancer, never the exchange's own answer.
PAGE_MARKS: Final = ("<html", "<!doctype html")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check result says. `error_type` is None for success, `rule` and `tier` are None where no rule spoke."""

    error_type: ErrorType | None
    certainty: Certainty
    rule: str | None
    tier: Tier | None


SUCCESS: Final = Verdict(None, Certainty.DEFINITE, None, None)
UNCLASSIFIED: Final = Verdict(ErrorType.UNCLASSIFIED, Certainty.IRRELEVANT, None, Tier.UNCLASSIFIED)

_DECODER: Final = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


class Reading(NamedTuple):
    """An answer in the form in which rules are compared with it.

    `codes` are the candidates, the connector's own first; `text` is the folded message followed by the code, so that
    an exchange whose code is a sentence reads the same wherever the connector put it.
    """

    codes: tuple[str, ...]
    text: str
    http: int | None
    endpoint: str
    ccxt_class: str
    is_page: bool


def classify(result: CheckResult, rules: RuleSet) -> Verdict:
    """The verdict of one check result, by itself."""
    if result.outcome is Outcome.OK:
        return SUCCESS
    if result.error is None:
        return UNCLASSIFIED
    own = rules.of(result.exchange)
    reading = read_answer(result.error, result.exchange, own.answer)
    rule = _decisive_rule(reading, own, rules.defaults)
    return UNCLASSIFIED if rule is None else Verdict(rule.error_type, rule.certainty, rule.id, rule.tier)


def _decisive_rule(reading: Reading, own: ExchangeRules, defaults: ExchangeRules) -> Rule | None:
    """The rule of the lowest tier that holds; in a tier the exchange's own before the defaults."""
    for group in candidates(reading, own, defaults):
        holding = [rule for rule in group if holds(rule, reading)]
        if holding:
            return holding[0] if len(holding) == 1 else min(holding, key=lambda rule: rank(rule, reading))
    return None


def candidates(reading: Reading, own: ExchangeRules, defaults: ExchangeRules) -> Iterator[tuple[Rule, ...]]:
    """Groups of rules that can hold, those that decide first in front. A page is no answer of the exchange's own."""
    if not reading.is_page:
        yield next((own.by_code[code] for code in reading.codes if code in own.by_code), ())
        yield own.by_message
    yield defaults.by_message
    yield defaults.by_http_and_class.get((reading.http, reading.ccxt_class), ())
    yield own.by_http.get(reading.http, ())
    yield defaults.by_http.get(reading.http, ())
    yield defaults.by_class.get(reading.ccxt_class, ())


def holds(rule: Rule, reading: Reading) -> bool:
    """Whether every condition of the rule but its code holds (by that it was looked up)."""
    return (
        (not rule.http or reading.http in rule.http)
        and (not rule.ccxt_class or reading.ccxt_class in rule.ccxt_class)
        and (not rule.endpoint or any(part in reading.endpoint for part in rule.endpoint))
        and (not rule.literals or any(literal in reading.text for literal in rule.literals))
    )


def rank(rule: Rule, reading: Reading) -> tuple[Tier, int, str]:
    """Order among rules that hold together: tier, then the longest literal; the id makes it total."""
    length = next((len(literal) for literal in rule.literals if literal in reading.text), 0)
    return rule.tier, -length, rule.id


# --- reading the raw answer -------------------------------------------------------------------------------------------


def read_answer(error: ExchangeError, exchange: str, answer: Answer) -> Reading:
    """The raw answer of a connector, whatever it put where, as a reading."""
    given = error.code or ""
    message = error.message or ""
    body, is_page = find_body(message)
    if body is None:
        said = named = _without_prefix(message[:MESSAGE_LIMIT], exchange)
    else:
        said = first_at(body, answer.message) or message
        named = first_at(body, answer.code)
    return Reading(
        codes=tuple(code for code in (fold(given), fold(named[:MESSAGE_LIMIT])) if code),
        text=fold(f"{said[:MESSAGE_LIMIT]} {given}"),
        http=error.http_status,
        endpoint=error.endpoint or "",
        ccxt_class=error.ccxt_class or "",
        is_page=is_page,
    )


def find_body(message: str) -> tuple[object | None, bool]:
    """The JSON object in a message, None where there is none, and whether the message is a web page."""
    start = message.find("{", 0, BODY_LIMIT)
    is_page = _is_page(message if start < 0 else message[:start])
    return None if is_page else _json_at(message, start), is_page


def _is_page(text: str) -> bool:
    """Whether a text is, or carries, a web page."""
    head = text[:MESSAGE_LIMIT].casefold()
    return any(mark in head for mark in PAGE_MARKS)


def _without_prefix(text: str, exchange: str) -> str:
    """The text without the exchange id that ccxt sets in front of every message."""
    return text.strip().removeprefix(f"{exchange} ")


def _json_at(message: str, start: int) -> object | None:
    """The JSON object that begins at `start`, numbers left as text; None where there is none that can be read.

    ccxt's messages are `binance {"code":-2015,"msg":"..."}`, sometimes with method, URL and HTTP status in between.
    """
    if start < 0:
        return None
    try:
        body: object = _DECODER.raw_decode(message[start : start + BODY_LIMIT])[0]
    except (ValueError, RecursionError):
        return None
    return body


def first_at(body: object, paths: Iterable[str]) -> str:
    """The first text that stands at one of the dotted paths; empty when none does."""
    return next((text for path in paths for text in _text_at(body, path.split("."))), "")


def _text_at(body: object, keys: list[str]) -> Iterator[str]:
    """The text at the end of one path, if there is one; a number in a path counts into a list."""
    for key in keys:
        if isinstance(body, dict):
            body = body.get(key)
        elif isinstance(body, list) and key.isdecimal() and int(key) < len(body):
            body = body[int(key)]
        else:
            return
    if isinstance(body, str) and body.strip():
        yield body

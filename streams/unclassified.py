"""What the catalogue does not know yet: unclassified answers, counted by what they have in common.

Answers that differ only in numbers, names, addresses and identifiers have one shape. Masking them also keeps keys,
customers and IP addresses out of what is printed, so that a shape can be pasted into a case.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from typing import Final, NamedTuple

from schemas.check_result import CheckResult, ExchangeError
from schemas.vocabulary import ErrorType
from streams.core.classify import classify, find_body, first_at
from streams.core.decode import decode
from streams.core.record import Record
from streams.core.rules import Answer, RuleSet
from streams.outlook import clock

#: Characters of a message that make its shape, and of a code.
SHAPE_LIMIT: Final = 240
_CODE_LIMIT: Final = 48


class Shape(NamedTuple):
    """What unclassified answers have in common. `message` is masked; `code` is too where it is a sentence."""

    exchange: str
    code: str | None
    message: str


@dataclass(slots=True)
class Seen:
    """How often a shape was seen, of how many keys, when (by `checked_at`), and with what else in the answer."""

    first_at: datetime
    last_at: datetime
    count: int = 0
    keys: set[str] = field(default_factory=set)
    http_statuses: set[int] = field(default_factory=set)
    ccxt_classes: set[str] = field(default_factory=set)
    endpoints: set[str] = field(default_factory=set)


class Tally:
    """Counts the answers that today's rules leave unclassified; one that has got a rule since is not among them."""

    def __init__(self, rules: RuleSet, since: datetime | None = None) -> None:
        self._rules = rules
        self._since = since
        self._seen: dict[Shape, Seen] = {}

    def add(self, record: Record) -> None:
        """Look at one record of the source topic; only unclassified answers are counted."""
        result = decode(record)
        if not isinstance(result, CheckResult) or result.error is None or self._is_old(result):
            return
        if classify(result, self._rules).error_type is ErrorType.UNCLASSIFIED:
            self._count(result, result.error)

    def most_frequent(self) -> list[tuple[Shape, Seen]]:
        """The shapes, most answers first."""
        return sorted(self._seen.items(), key=lambda item: (-item[1].count, item[0].exchange, item[0].message))

    def _is_old(self, result: CheckResult) -> bool:
        return self._since is not None and result.checked_at < self._since

    def _count(self, result: CheckResult, error: ExchangeError) -> None:
        shape = shape_of(result.exchange, error, self._rules.of(result.exchange).answer)
        seen = self._seen.setdefault(shape, Seen(result.checked_at, result.checked_at))
        seen.count += 1
        seen.first_at = min(seen.first_at, result.checked_at)
        seen.last_at = max(seen.last_at, result.checked_at)
        seen.keys.add(result.key_id)
        if error.http_status is not None:
            seen.http_statuses.add(error.http_status)
        if error.ccxt_class:
            seen.ccxt_classes.add(error.ccxt_class)
        if error.endpoint:
            seen.endpoints.add(mask_path(error.endpoint))


# --- shapes -----------------------------------------------------------------------------------------------------------


def shape_of(exchange: str, error: ExchangeError, answer: Answer) -> Shape:
    """The shape of one answer: its code and text as the rules of its exchange read them, masked."""
    message = error.message or ""
    body, is_page = find_body(message)
    code = error.code or ("" if body is None else first_at(body, answer.code))
    if is_page:
        told = f"<html> {_title(message)}".strip()
    elif body is None:
        told = mask(message.strip().removeprefix(f"{exchange} "))
    else:
        said = first_at(body, answer.message)
        told = mask(said) if said else json.dumps(_masked(body), ensure_ascii=False, separators=(",", ":"))
    return Shape(exchange, mask_code(code) or None, told[:SHAPE_LIMIT])


_TITLE: Final = re.compile(r"<title[^>]*>([^<]*)<", re.IGNORECASE)


def _title(page: str) -> str:
    found = _TITLE.search(page[: SHAPE_LIMIT * 16])
    return mask(found[1]) if found else ""


def mask(text: str) -> str:
    """A text with everything in it masked that differs from one answer to the next, white space folded."""
    text = " ".join(text[:_READ_LIMIT].split())
    for pattern, replacement in _MASKS:
        text = pattern.sub(replacement, text)
    return text


def mask_code(code: str) -> str:
    """A code as it is; one that is a sentence, or too long to be one, is masked like a text."""
    return mask(code)[:_CODE_LIMIT] if " " in code or len(code) > _CODE_LIMIT or _ID.search(code) else code


def mask_path(endpoint: str) -> str:
    """An endpoint without its query, numbers and identifiers; versions such as v5 stay."""
    path = endpoint.partition("?")[0]
    return "/".join(mask(part) if part.isdecimal() or _is_id(part) else part for part in path.split("/"))


#: Characters of a text that are read; a shape is far shorter.
_READ_LIMIT: Final = 2_048


def _mask_if_address(found: re.Match[str]) -> str:
    try:
        ip_address(found[0])
    except ValueError:
        return found[0]
    return "<ip>"


def _mask_if_id(found: re.Match[str]) -> str:
    return "<id>" if _is_id(found[0]) else found[0]


#: What may be an identifier, a signature or a key.
_ID: Final = re.compile(r"[A-Za-z0-9+/=_-]{12,}")

#: From a letter to a digit or back: in an identifier again and again, in a word once or never.
_TURN: Final = re.compile(r"(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])")


def _is_id(token: str) -> bool:
    """Whether a token is an identifier rather than words: `a3f9c27b01de` is, `ERR_RATE_LIMIT_2` is not."""
    is_long = len(token) >= 32 and not set("_-/") & set(token)
    return len(token) >= 12 and (is_long or len(_TURN.findall(token)) >= 3)


_Masking = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]

#: In this order. A quotation mark inside a word is an apostrophe.
_MASKS: Final[tuple[_Masking, ...]] = (
    (re.compile(r"(https?://[^\s?]+)\?\S*"), r"\1?<query>"),
    (re.compile(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+"), "<email>"),
    (re.compile(r'"[^"]*"|`[^`]*`|“[^”]*”|(?<!\w)\'[^\']*\'(?!\w)'), "<text>"),
    (re.compile(r"\b[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}\b"), "<id>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b(?::\d+\b|/\d+\b)?"), "<ip>"),
    (re.compile(r"(?<![\w:])[0-9A-Fa-f:]{2,39}(?![\w:])"), _mask_if_address),
    (re.compile(r"\b0x[0-9A-Fa-f]+\b"), "<hex>"),
    (_ID, _mask_if_id),
    (re.compile(r"\b(?=[A-Fa-f]*\d)(?=\d*[A-Fa-f])[0-9A-Fa-f]{6,}\b"), "<hex>"),
    (re.compile(r"(?:(?<!\w)[+-])?\d+(?:[.,:/-]\d+)*"), "<n>"),
)

#: Names of fields whose short values are codes, where no rule file says which field is.
_CODE_NAMES: Final = re.compile(r"code|err|label|ret", re.IGNORECASE)
_DEPTH: Final = 6


def _masked(body: object, name: str = "", depth: int = _DEPTH) -> object:
    """A JSON body of an exchange whose fields nobody has named yet, its texts masked one by one."""
    if depth == 0:
        return "..."
    if isinstance(body, dict):
        return {mask(key): _masked(value, key, depth - 1) for key, value in body.items()}
    if isinstance(body, list):
        return [_masked(value, name, depth - 1) for value in body]
    if not isinstance(body, str):
        return body
    return mask_code(body) if _CODE_NAMES.search(name) else mask(body)


# --- cases ------------------------------------------------------------------------------------------------------------


def as_cases(counted: Iterable[tuple[Shape, Seen]]) -> Iterator[str]:
    """Lines of TOML: a case for each shape, as it is classified today, to be given its rule and its error type."""
    for shape, seen in counted:
        told = f"{seen.count} answers of {len(seen.keys)} keys, the last at {clock(seen.last_at)}"
        yield f"# tests/rules/cases/{shape.exchange}.toml: {told}"
        yield "[[case]]"
        fields: dict[str, str | int | None] = {
            "name": f"unclassified: {shape.code or shape.message[:40] or 'an empty answer'}",
            "exchange": shape.exchange,
            "code": shape.code,
            "http": min(seen.http_statuses, default=None),
            "message": shape.message or None,
            "endpoint": min(seen.endpoints, default=None),
            "ccxt_class": min(seen.ccxt_classes, default=None),
            "rule": "",
            "error_type": ErrorType.UNCLASSIFIED.value,
            "source": "made up",
        }
        yield from (f"{name} = {_toml(value)}" for name, value in fields.items() if value is not None)
        yield ""


def _toml(value: str | int) -> str:
    """A value in TOML: as in JSON, but for one control character that JSON leaves as it is."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

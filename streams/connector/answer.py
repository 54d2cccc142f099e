"""What an exchange answered, raw: overheard from a ccxt client, and as the ``error`` of a check result.

ccxt's exceptions carry a class and a text, but not the HTTP status, and the text is not always the body. Both are
taken where ccxt itself meets them: its ``fetch`` and its hook ``on_rest_response``, on the client alone.
"""

import json
import re
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

from schemas.check_result import ExchangeError
from streams.connector.client import Client, Headers
from streams.core.redaction import BLANK, blank_secrets

#: Characters of a body that are kept. Exchanges' error answers are far shorter; pages are not.
_KEPT: Final = 8_192

#: Shorter credentials (a pin) would blank half of every text.
_SHORTEST_CREDENTIAL: Final = 5

#: A year; more is a mistake.
_LONGEST_WAIT_S: Final = 31_536_000.0

#: Behind the question mark stand signatures, and at some exchanges the key.
_QUERY: Final = re.compile(r"(https?://[^\s?\"'<>]+)\?[^\s\"'<>]*")

#: The attributes of a client that hold what must not travel.
_CREDENTIALS: Final = ("apiKey", "secret", "password", "privateKey", "token", "twofa", "uid", "login")

_ATTACHED: Final = "_keystatus_overhears"


@dataclass(slots=True)
class Overheard:
    """The last request of a task and its answer; ``status`` is None until there is one."""

    method: str = ""
    url: str = ""
    status: int | None = None
    body: str = ""
    headers: Headers = field(default_factory=dict)

    def begin(self, method: str = "", url: str = "") -> None:
        """A request sets out, or is about to be made: what came before is no part of it."""
        self.method, self.url, self.status, self.body, self.headers = method, url, None, "", {}


_LISTENER: Final[ContextVar[Overheard | None]] = ContextVar("listener", default=None)


@contextmanager
def overhearing(client: Client) -> Iterator[Overheard]:
    """What this task asks through the client, and what comes back. Other tasks' requests are not mixed in."""
    if not hasattr(client, _ATTACHED):
        _attach(client)
    heard = Overheard()
    token = _LISTENER.set(heard)
    try:
        yield heard
    finally:
        _LISTENER.reset(token)


def _attach(client: Client) -> None:
    """Put ourselves in front of two methods of one client, for good."""
    ask, take = client.fetch, client.on_rest_response

    def fetch(url: str, method: str = "GET", headers: object = None, body: object = None) -> Awaitable[Any]:
        heard = _LISTENER.get()
        if heard is not None:
            heard.begin(method, url)
        return ask(url, method, headers, body)

    def on_rest_response(*response: Any) -> str:  # noqa: ANN401 - ccxt's own
        heard = _LISTENER.get()
        if heard is not None:
            heard.status, _, _, _, heard.headers, heard.body = response[:6]
        return take(*response)

    for name, value in (("fetch", fetch), ("on_rest_response", on_rest_response), (_ATTACHED, True)):
        setattr(client, name, value)


def is_ccxts(error: BaseException) -> bool:
    """Whether ccxt says that the exchange or the way to it failed; anything else is a fault in making the request."""
    return any(kind.__name__ == "BaseError" and kind.__module__.startswith("ccxt.") for kind in type(error).__mro__)


def as_error(heard: Overheard, client: Client, error: Exception | None, now: datetime) -> ExchangeError:
    """The raw answer of a failed request, without credentials.

    ``code`` stays null: where it stands in the body is for the rules to say. An answer that ccxt took for a good
    one, but that is none, gets ccxt's class for such answers. What ccxt raises before it asks is no answer: a class
    like AuthenticationError would say that the exchange had refused the key.
    """
    name = "BadResponse" if error is None else type(error).__name__ if heard.url and is_ccxts(error) else None
    return ExchangeError(
        message=without_credentials(_text(heard, error), client)[:_KEPT] or None,
        http_status=heard.status,
        endpoint=endpoint(heard, client),
        ccxt_class=name,
        retry_after_s=_retry_after(heard.headers, now),
    )


def timed_out(heard: Overheard, client: Client, limit_s: float) -> ExchangeError:
    """The error of a check that was given up."""
    return ExchangeError(
        message=f"no answer within {limit_s:g} s", endpoint=endpoint(heard, client), ccxt_class="RequestTimeout"
    )


def endpoint(heard: Overheard, client: Client) -> str | None:
    """Method and path of the request, as ``GET /v5/user/query-api``; None when none was made."""
    return without_credentials(f"{heard.method} {urlsplit(heard.url).path}", client)[:1_024] if heard.url else None


def _text(heard: Overheard, error: Exception | None) -> str:
    """The body as it came; without one what ccxt says; of a fault of our own only its kind, never its text."""
    if heard.body.strip():
        return heard.body
    if error is None:
        return ""
    if is_ccxts(error):
        return str(error)
    return f"the request could not be made or its answer not read ({type(error).__name__}): check the credentials' form"


def without_credentials(text: str, client: Client) -> str:
    """The text without the client's credentials, the queries of addresses, and fields that look like secrets."""
    text = _QUERY.sub(r"\1", text[: 4 * _KEPT].encode(errors="replace").decode())
    for form in sorted(_forms(client), key=len, reverse=True):
        text = text.replace(form, BLANK)
    blanked = blank_secrets(text.encode())
    return text if blanked is None else blanked.decode(errors="replace")


def _forms(client: Client) -> Iterator[str]:
    """Every credential as it is and as JSON writes it."""
    for name in _CREDENTIALS:
        value = getattr(client, name, None)
        if isinstance(value, str) and len(value) >= _SHORTEST_CREDENTIAL:
            in_json = json.dumps(value)[1:-1]
            yield from {value, in_json, value.replace("/", "\\/"), in_json.replace("/", "\\/")}


def _retry_after(headers: Headers, now: datetime) -> float | None:
    """The header ``Retry-After`` in seconds, whether it tells seconds or a date."""
    told = next((value.strip() for name, value in headers.items() if name.lower() == "retry-after"), "")
    if told.isdecimal():
        return min(float(told), _LONGEST_WAIT_S)
    try:
        moment = parsedate_to_datetime(told)
    except ValueError:
        return None
    wait_s = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    return min(max(0.0, wait_s), _LONGEST_WAIT_S)

"""What can be asked of an exchange about a key, and the few facts that are taken over from the answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from schemas.check_result import Account, Permissions
from schemas.vocabulary import ReportedState

_NO_PERMISSIONS: Final = Permissions()
_NO_ACCOUNT: Final = Account()


@dataclass(frozen=True, slots=True)
class KeyReport:
    """The fields of a check result that an exchange can tell about a key; null: it did not say.

    Nothing else of an answer passes: names, notes, addresses, user ids, other keys and secrets stay behind.
    """

    permissions: Permissions = _NO_PERMISSIONS
    ip_restricted: bool | None = None
    expires_at: datetime | None = None
    reported_state: ReportedState | None = None
    account: Account = _NO_ACCOUNT


#: The answer told nothing about this key.
NOTHING_TOLD: Final = KeyReport()


@dataclass(frozen=True, slots=True)
class OwnKey:
    """The key that was asked about: its public half, and when the exchange answered."""

    api_key: str
    at: datetime


#: Reads a parsed body. Total: an answer of another shape gives what can be read and null for the rest.
Reader = Callable[[object, OwnKey], KeyReport]


class Given(StrEnum):
    """A parameter's value that is known only when the question is asked."""

    API_KEY = "api_key"
    USER_ID = "user_id"


@dataclass(frozen=True, slots=True)
class Call:
    """One private request, by the name of ccxt's implicit method (``privatePostGetApiKeyInfo``)."""

    method: str
    params: Mapping[str, Given] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Question:
    """One way to ask.

    ``user_id``: a request whose answer's ``data`` is the id that ``call`` needs. ``proves_read`` is false where the
    question takes no right and tells none: then the balance is asked for too.
    """

    call: Call
    read: Reader
    user_id: Call | None = None
    proves_read: bool = True


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """How an exchange is asked about the key in use.

    ``endpoint`` and ``source`` name the first question. The others are asked, in order, when the one before is
    refused for its own sake (another kind of account, a right that it takes) or tells nothing of this key.
    """

    endpoint: str
    source: str
    questions: tuple[Question, ...]

"""Total readers of the shapes that exchanges use: flags, lists of rights, addresses, end dates.

None always means "not told". Nothing here raises, whatever the value is.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import Final

from schemas.check_result import EXPIRY_YEARS, NEVER_SENTINELS

_FLAGS: Final[Mapping[str, bool]] = {"true": True, "1": True, "false": False, "0": False}

#: How exchanges write "from any address" in a list that is not empty.
_EVERYWHERE: Final = frozenset({"*", "0.0.0.0", "0.0.0.0/0", "::/0", "::"})  # noqa: S104 - compared, not bound to

#: Numbers that stand for something (a state, a right) are smaller.
_FEW: Final = 1_000_000

#: Numbers of days with more digits are mistakes; they would also overflow date arithmetic.
_MOST_DIGITS: Final = 5


def part(body: object, *path: str) -> object:
    """What stands at the end of a path of field names; None where it ends early."""
    for name in path:
        if not isinstance(body, Mapping):
            return None
        body = body.get(name)
    return body


def rows(body: object) -> Sequence[object]:
    """The members of a JSON list; none for anything else."""
    return body if isinstance(body, list | tuple) else ()


def word(value: object) -> str:
    """A text, or a number below a million as one, in lower case; empty for anything else."""
    if isinstance(value, str):
        return value.strip().casefold()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _FEW else ""


def flag(value: object) -> bool | None:
    """A boolean, also as 0 and 1 or as text."""
    return value if isinstance(value, bool) else _FLAGS.get(word(value))


def words(value: object) -> frozenset[str] | None:
    """A list, or a text with commas, as words in lower case; None when it is neither or an empty text."""
    if isinstance(value, str):
        return (frozenset(map(word, value.split(","))) - {""}) or None
    return frozenset(map(word, value)) - {""} if isinstance(value, list | tuple) else None


def has(told: frozenset[str] | None, *names: str) -> bool | None:
    """Whether one of the words was told; None when no list was told at all."""
    return None if told is None else not told.isdisjoint(names)


def both(first: bool | None, second: bool | None) -> bool | None:  # noqa: FBT001 - two flags are its subject
    """Whether both hold; false as soon as one is known not to."""
    if first is False or second is False:
        return False
    return True if first and second else None


def inverse(value: bool | None) -> bool | None:  # noqa: FBT001 - a flag is its subject
    """The opposite of a flag that may be unknown."""
    return None if value is None else not value


def is_bound(addresses: object) -> bool | None:
    """Whether a list of addresses, or a text with commas, binds the key to some. Empty binds to none."""
    if isinstance(addresses, str):
        addresses = addresses.split(",")
    if not isinstance(addresses, list | tuple) or not all(isinstance(address, str) for address in addresses):
        return None
    listed = {address.strip() for address in addresses} - {""}
    return bool(listed) and _EVERYWHERE.isdisjoint(listed)


def moment(value: object, units_per_second: int = 1) -> datetime | None:
    """An end date: a number since 1970, also as text, or RFC 3339. None for every way to write "never"."""
    if value is None or isinstance(value, bool) or value in NEVER_SENTINELS:
        return None
    try:
        if isinstance(value, int | float) or (isinstance(value, str) and value.strip().lstrip("-").isdecimal()):
            found = datetime.fromtimestamp(float(value) / units_per_second, UTC)
        else:
            found = datetime.fromisoformat(str(value).strip())
    except (ValueError, OverflowError, OSError):
        return None
    if found.tzinfo is None or found.year not in EXPIRY_YEARS:
        return None
    return found.astimezone(UTC)


def days_from(at: datetime, days: object) -> datetime | None:
    """The last second of the day that is so many days away; None for -1 and all that is no number of days.

    Exchanges that tell days round down. The last second of a day is the same moment for every check of today, and
    is the same number of days away.
    """
    told = word(days)
    if not told.isdecimal() or len(told) > _MOST_DIGITS:
        return None
    return datetime.combine(at.astimezone(UTC).date() + timedelta(days=int(told)), time(23, 59, 59), UTC)


def own_row(listed: object, field: str, api_key: str) -> object:
    """The one row of a list that is about this key; None when there is none or more than one.

    Some exchanges mask the keys in their answers (``zF*******zQ``): such a row is ours when its visible
    characters fit and no other row fits too.
    """
    named = [(row, key) for row in rows(listed) if isinstance(key := part(row, field), str) and key]
    exact = [row for row, key in named if key == api_key]
    fitting = exact or [row for row, key in named if _is_masked(key) and fnmatchcase(api_key, _pattern(key))]
    return fitting[0] if len(fitting) == 1 else None


def _is_masked(key: str) -> bool:
    """Whether a mask shows enough to tell keys apart: two characters at least."""
    return "*" in key and len(key.replace("*", "")) > 1


def _pattern(masked: str) -> str:
    """The mask as a pattern in which nothing but ``*`` is special."""
    return "".join(f"[{mark}]" if mark in "?[" else mark for mark in masked)

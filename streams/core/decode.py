"""From a record's bytes to what it says, or to why it could not be read.

The border of the core: bytes are bounded, typed and rejected here and nowhere
else. Bad input is a value, ``Unreadable``, never an exception.
"""

from typing import Final, NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json

from schemas.check_result import CheckResult
from schemas.contract import SCHEMA_VERSION
from schemas.deadline import Deadline
from schemas.vocabulary import DeadLetterReason
from streams.core.record import Record
from streams.core.redaction import blank_secrets, has_secret

#: A check result takes 300 to 1,500 bytes; this leaves room for an HTML error page
#: in its message, and keeps a hostile record from costing a second of parsing.
MAX_RECORD_BYTES: Final = 65_536

#: Problems named in a dead letter's message; the rest is more of the same.
_PROBLEMS_NAMED: Final = 3


class Removal(NamedTuple):
    """A null value: the owner took this key out of the platform."""

    key_id: str


class Unreadable(NamedTuple):
    """Why a record could not be read; ``message`` holds no value of its payload."""

    reason: DeadLetterReason
    message: str


_KEYLESS: Final = Unreadable(DeadLetterReason.KEY_MISMATCH, "the record has no key")
_TOO_LARGE: Final = Unreadable(DeadLetterReason.TOO_LARGE, f"the value is longer than {MAX_RECORD_BYTES} bytes")
_SECRET: Final = Unreadable(
    DeadLetterReason.SECRET_IN_PAYLOAD,
    "a field looks like a credential; its value is blanked here: stop the sender",
)


def decode(record: Record) -> CheckResult | Deadline | Removal | Unreadable:
    """Read one record of the source topic. Total over any bytes."""
    value = record.value
    if value is None:
        return _decode_removal(record)
    if len(value) > MAX_RECORD_BYTES:
        return _TOO_LARGE
    try:
        # Only fields that we know: nothing to search for secrets. The usual case.
        result = CheckResult.model_validate_json(value, extra="forbid")
    except ValidationError:
        return _decode_carefully(record, value)
    return _check_key(record, result)


def _decode_removal(record: Record) -> Removal | Unreadable:
    key = record.key
    if key is None:
        return _KEYLESS
    try:
        return Removal(key.decode())
    except UnicodeDecodeError:
        return Unreadable(DeadLetterReason.KEY_MISMATCH, "the record key is not UTF-8")


def _decode_carefully(record: Record, value: bytes) -> CheckResult | Deadline | Unreadable:
    """The slow path: unknown fields, another type, another version, or plain rubbish."""
    try:
        tree = from_json(value)
    except ValueError as error:
        if blank_secrets(value) is not None:
            return _SECRET
        return Unreadable(DeadLetterReason.MALFORMED_JSON, f"not JSON: {error}")
    if has_secret(tree):
        return _SECRET
    if not isinstance(tree, dict):
        return Unreadable(DeadLetterReason.INVALID, "the payload is not a JSON object")
    version = tree.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, int) and not isinstance(version, bool) and version > SCHEMA_VERSION:
        return Unreadable(
            DeadLetterReason.UNSUPPORTED_VERSION,
            f"schema_version is newer than {SCHEMA_VERSION}, the last that this worker reads",
        )
    model = Deadline if tree.get("type") == "deadline" else CheckResult
    try:
        payload = model.model_validate_json(value)
    except ValidationError as error:
        return Unreadable(DeadLetterReason.INVALID, _problems(error))
    return _check_key(record, payload)


def _check_key(record: Record, payload: CheckResult | Deadline) -> CheckResult | Deadline | Unreadable:
    if record.key == payload.key_id.encode():
        return payload
    if record.key is None:
        return _KEYLESS
    return Unreadable(DeadLetterReason.KEY_MISMATCH, "the record key is not the payload's key_id")


def _problems(error: ValidationError) -> str:
    """The first problems as "field: what is wrong", without any value of the payload."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    named = (
        f"{'.'.join(str(step) for step in problem['loc']) or 'payload'}: {problem['msg']}"
        for problem in problems[:_PROBLEMS_NAMED]
    )
    more = len(problems) - _PROBLEMS_NAMED
    return "; ".join(named) + (f"; and {more} more" if more > 0 else "")

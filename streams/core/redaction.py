"""Credentials never travel: find fields that look like secrets, and blank them."""

import json
import re
from collections.abc import Iterator
from typing import Final

from pydantic_core import from_json

BLANK: Final = "***"
_BLANK_VALUE: Final = b'"***"'

#: Field names, compared without case and punctuation, that hold a credential.
_EXACT: Final = frozenset(
    {
        "auth",
        "authorization",
        "bearer",
        "cookie",
        "credential",
        "credentials",
        "jwt",
        "mnemonic",
        "passwd",
        "pwd",
        "seedphrase",
        "token",
    }
)
_ENDINGS: Final = (
    "accesskey",
    "accesstoken",
    "apikey",
    "apitoken",
    "authtoken",
    "passphrase",
    "password",
    "privatekey",
    "refreshtoken",
    "secret",
    "secretkey",
    "sessiontoken",
)
_PUNCTUATION: Final = re.compile(r"[^a-z0-9]")

#: `"name": value` in bytes that need not be JSON as a whole; the string may be cut off.
_FIELD: Final = re.compile(
    rb'"([A-Za-z0-9_.\- ]{1,64})"(\s*:\s*)'
    rb'("(?:[^"\\]|\\.)*(?:"|\\?\Z)|[-+.0-9A-Za-z]+(?=[\s,}\]]|\Z))',
    re.DOTALL,
)

#: `"name":` in bytes that are no JSON: with escapes in it, or in the quotes of a Python dict.
_LOOSE_NAME: Final = re.compile(rb"""(["'])((?:\\u[0-9A-Fa-f]{4}|[A-Za-z0-9_.\- ]){1,64})\1\s*:\s*""")

#: What may stand behind such a name: nothing, or nothing any more.
_NO_SECRET: Final = re.compile(rb'(?:(?:null|None|"\*\*\*")\s*(?:[,}\]]|\Z)|\Z)')
_ESCAPE: Final = re.compile(r"\\u([0-9A-Fa-f]{4})")


def is_secret_name(name: str) -> bool:
    """Whether a field of this name would hold a credential."""
    plain = _PUNCTUATION.sub("", name.lower())
    return plain in _EXACT or plain.removesuffix("s").endswith(_ENDINGS)


def blank_secrets(value: bytes) -> bytes | None:
    """The bytes with every secret's value blanked, or None when there is none.

    All other bytes stay as they came, unless a secret hides behind an escaped
    name or is itself an object: then the JSON is written anew. In bytes that are
    no JSON nobody knows where such a secret ends: they end before it.
    """
    blanked = _FIELD.sub(_blank_field, value)
    try:
        tree = from_json(blanked)
    except ValueError:
        blanked = _cut_off(blanked)
        return None if blanked == value else blanked
    if has_secret(tree):
        return json.dumps(_without_secrets(tree), ensure_ascii=False).encode()
    return None if blanked == value else blanked


def has_secret(tree: object) -> bool:
    """Whether parsed JSON has a field, at any depth, that looks like a secret."""
    return any(True for _ in _secrets_in(tree))


def _blank_field(match: re.Match[bytes]) -> bytes:
    name, colon, value = match.groups()
    if not is_secret_name(name.decode()) or value in (b"null", b'""', _BLANK_VALUE):
        return match.group()
    return b'"%s"%s%s' % (name, colon, _BLANK_VALUE)


def _cut_off(malformed: bytes) -> bytes:
    """The bytes up to the first secret that is still there."""
    for match in _LOOSE_NAME.finditer(malformed):
        name = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), match[2].decode())
        if is_secret_name(name) and not _NO_SECRET.match(malformed, match.end()):
            return malformed[: match.end()] + _BLANK_VALUE
    return malformed


def _secrets_in(tree: object) -> Iterator[object]:
    """Every value that stands under a secret's name and is not blank yet."""
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            for name, child in node.items():
                if is_secret_name(name) and child not in (None, "", BLANK):
                    yield child
                left.append(child)
        elif isinstance(node, list):
            left.extend(node)


def _without_secrets(tree: object) -> object:
    if isinstance(tree, dict):
        return {
            name: BLANK if is_secret_name(name) and child is not None else _without_secrets(child)
            for name, child in tree.items()
        }
    if isinstance(tree, list):
        return [_without_secrets(child) for child in tree]
    return tree

"""The connector's file: which keys to check, how often, and where their credentials are."""

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from schemas.check_result import DEFAULT_REQUIRED_PERMISSIONS
from schemas.contract import AccountId, ExchangeId, KeyId
from schemas.vocabulary import Environment, Permission
from streams.connector.check import CHECK_LIMIT_S, Key
from streams.errors import UsageError

_KEY_HEADER: Final = re.compile(r"^[ \t]*\[\[[ \t]*key[ \t]*\]\]")
_TOML_LINE: Final = re.compile(r"\(at line (\d+), column \d+\)$")

_DAY_S: Final = 86_400
Seconds = Annotated[float, Field(gt=0, le=31 * _DAY_S)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reference(_Section):
    """Where a credential is: the name of an environment variable, or a file that holds nothing else."""

    env: Annotated[str, Field(min_length=1)] | None = None
    file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_no_credential(cls, given: object) -> object:
        if isinstance(given, str):
            # TypeError would pass pydantic by. The text must not repeat what was given.
            raise ValueError('credentials do not stand in this file: write { env = "NAME" } or { file = "PATH" }')  # noqa: TRY004
        return given

    @model_validator(mode="after")
    def _names_one_place(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError('name one place: { env = "NAME" } or { file = "PATH" }')
        return self


class Pace(_Section):
    """How the keys of an exchange are checked."""

    interval_s: Seconds = Field(300, description="seconds from one check of a key to the next")
    # Kraken locks accounts out for repeated refusals.
    slow_interval_s: Seconds = Field(3_600, description="the same for a key that is refused again and again")
    jitter: Annotated[float, Field(ge=0, le=0.5)] = Field(0.1, description="part of an interval left to chance")
    checks_per_minute: Annotated[float, Field(gt=0, le=6_000)] = Field(60, description="for all keys together")
    timeout_s: Annotated[float, Field(gt=0, le=300)] = Field(
        CHECK_LIMIT_S, description="for all requests of one check together"
    )
    base_url: Annotated[str, Field(pattern=r"^https?://[^/?#]+")] | None = Field(
        None, description="in place of the exchange's own address (a proxy, a test server)"
    )


class KeyEntry(_Section):
    """One key. ``interval_s`` overrides the exchange's."""

    key_id: KeyId
    exchange: ExchangeId
    environment: Environment = Environment.MAIN
    account_id: AccountId | None = None
    credential_version: Annotated[int, Field(ge=1, le=2**31)] = 1
    required_permissions: Annotated[tuple[Permission, ...], Field(max_length=16)] = DEFAULT_REQUIRED_PERMISSIONS
    interval_s: Seconds | None = None
    api_key: Reference
    secret: Reference
    passphrase: Reference | None = None

    @property
    def key(self) -> Key:
        """The key as a check knows it."""
        return Key(self.key_id, self.environment, self.account_id, self.credential_version, self.required_permissions)


class ConnectorConfig(_Section):
    """The whole file."""

    concurrency: Annotated[int, Field(ge=1, le=1_000)] = 32
    stop_limit_s: Annotated[float, Field(gt=0, le=300)] = 20
    defaults: Pace = Pace()
    exchange: Mapping[str, Pace] = Field(default_factory=dict)
    keys: Annotated[tuple[KeyEntry, ...], Field(alias="key", validate_default=True)] = ()

    @field_validator("keys")
    @classmethod
    def _names_each_key_once(cls, keys: tuple[KeyEntry, ...]) -> tuple[KeyEntry, ...]:
        if not keys:
            raise ValueError("there is no key: write a [[key]] for each")
        names = [entry.key_id for entry in keys]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"more than one key has the key_id {', '.join(twice)}: each key has its own")
        return keys

    def pace(self, exchange: str) -> Pace:
        """The pace of one exchange: what its section does not set is taken from ``[defaults]``."""
        own = self.exchange.get(exchange, self.defaults)
        return self.defaults.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})


class Credentials(_Section):
    """A key's credentials, read from where the file points. Never printed."""

    api_key: SecretStr
    secret: SecretStr
    passphrase: SecretStr | None = None


class HeldKey(_Section):
    """A key with its credentials, ready to be checked."""

    entry: KeyEntry
    credentials: Credentials


def load_config(path: Path) -> tuple[ConnectorConfig, tuple[HeldKey, ...]]:
    """The file and the credentials it points at. Raises UsageError with one line for each fault, all at once."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}: name the connector's file with --config") from None
    try:
        config = ConnectorConfig.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        line = found[1] if (found := _TOML_LINE.search(str(error))) else "1"
        raise UsageError(f"{path}:{line}: not TOML: {error}") from None
    except ValidationError as error:
        lines = _lines_of_keys(text)
        problems = error.errors(include_input=False, include_url=False)
        raise UsageError("\n".join(f"{path}:{_told(problem, lines)}" for problem in problems)) from None
    keys, faults = _read_keys(config, path.parent)
    if faults:
        lines = _lines_of_keys(text)
        raise UsageError("\n".join(f"{path}:{lines[number]}: {fault}" for number, fault in faults))
    return config, keys


def _lines_of_keys(text: str) -> tuple[int, ...]:
    """The line of each ``[[key]]``."""
    return tuple(number for number, line in enumerate(text.splitlines(), start=1) if _KEY_HEADER.match(line))


def _told(problem: Mapping[str, Any], lines: tuple[int, ...]) -> str:
    """Line, field and fault. The value is left out: it may be a credential in the wrong place."""
    location = problem["loc"]
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message = "there is no such setting: see docs/connector.md"
    line = 1
    match location:
        case ("key", int(index), *_) if index < len(lines):
            line = lines[index]
    return f"{line}: {'.'.join(map(str, location)) or 'file'}: {message}"


def _read_keys(config: ConnectorConfig, folder: Path) -> tuple[tuple[HeldKey, ...], list[tuple[int, str]]]:
    """Every key with its credentials; every reference that leads nowhere, with the number of its key."""
    keys: list[HeldKey] = []
    faults: list[tuple[int, str]] = []
    for number, entry in enumerate(config.keys):
        read = {name: _resolve(reference, folder) for name, reference in _references(entry)}
        told = [f"{entry.key_id}: {name}: {value}" for name, value in read.items() if isinstance(value, str)]
        faults += [(number, fault) for fault in told]
        if not told:
            keys.append(HeldKey(entry=entry, credentials=Credentials.model_validate(read)))
    return tuple(keys), faults


def _references(entry: KeyEntry) -> Iterable[tuple[str, Reference]]:
    named = (("api_key", entry.api_key), ("secret", entry.secret), ("passphrase", entry.passphrase))
    return ((name, reference) for name, reference in named if reference is not None)


def _resolve(reference: Reference, folder: Path) -> SecretStr | str:
    """The credential, or what is wrong with the reference."""
    if reference.file is None:
        name = reference.env or ""
        value = os.environ.get(name, "").strip()
        return SecretStr(value) if value else f"the environment variable {name} is not set: set it, or name a file"
    path = folder / reference.file
    try:
        value = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        return f"cannot read {path}: {error.strerror if isinstance(error, OSError) else 'not UTF-8'}: check the path"
    return SecretStr(value) if value else f"{path} is empty: write the credential into it"


def exchanges(keys: Iterable[HeldKey]) -> Iterator[str]:
    """The exchanges that have a key, each once."""
    yield from dict.fromkeys(held.entry.exchange for held in keys)

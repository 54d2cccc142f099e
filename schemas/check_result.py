"""A check result: what one exchange answered about one key at one moment."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self

from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints, WrapValidator, model_validator
from pydantic.config import JsonDict

from schemas.contract import (
    LAST_YEAR,
    SCHEMA_VERSION,
    AccountId,
    Contract,
    EventId,
    ExchangeId,
    GivenMoment,
    KeyId,
    check_is_time,
)
from schemas.vocabulary import CheckTrigger, Environment, Outcome, Permission, ReportedState

#: Exchanges write "never" in these ways (Kraken "0", HTX -1, Bybit -2, CoinEx 0).
NEVER_SENTINELS: Final = (0, -1, -2, "0", "-1", "-2", "")

#: No exchange is older than Bitcoin: an earlier end date (Bybit's 1970) means "never", and so
#: does one that nobody will see (9999).
EXPIRY_YEARS: Final = range(2009, LAST_YEAR + 1)


def _without_sentinel(value: object, validate: Callable[[object], datetime | None]) -> datetime | None:
    if value is None or (not isinstance(value, bool) and value in NEVER_SENTINELS):
        return None
    check_is_time(value)
    moment = validate(value)
    if moment is None or moment.year not in EXPIRY_YEARS:
        return None
    moment = moment.astimezone(UTC)
    return moment if moment.year in EXPIRY_YEARS else None


#: An end date in which every "never" of the exchanges has become null.
#: (Not strict: a wrapped validator sees the JSON string as a Python one.)
ExpiryMoment = Annotated[AwareDatetime | None, Field(strict=False), WrapValidator(_without_sentinel)]

#: Texts of an answer are read up to here; a record is bounded as a whole anyway.
AnswerText = Annotated[str, StringConstraints(max_length=65_536)]


class ExchangeError(Contract):
    """The exchange's error answer, as raw as the connector got it."""

    code: Annotated[str, StringConstraints(max_length=256)] | None = None
    message: AnswerText | None = None
    http_status: Annotated[int, Field(ge=0, le=999)] | None = None
    endpoint: Annotated[str, StringConstraints(max_length=1_024)] | None = None
    ccxt_class: Annotated[str, StringConstraints(max_length=128)] | None = None
    retry_after_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class Permissions(Contract):
    """What the key may do: true, false, or null for "the exchange does not say"."""

    read: bool | None = None
    spot_trade: bool | None = None
    margin_trade: bool | None = None
    futures_trade: bool | None = None
    withdraw: bool | None = None
    internal_transfer: bool | None = None


class Account(Contract):
    """What the exchange says of the account behind the key."""

    suspended: bool | None = None
    kyc_required: bool | None = None
    futures_enabled: bool | None = None


DEFAULT_REQUIRED_PERMISSIONS: Final = (Permission.READ, Permission.SPOT_TRADE)
_NO_PERMISSIONS: Final = Permissions()
_NO_ACCOUNT: Final = Account()


#: `_error_comes_with_error` in the published JSON Schema.
_ERROR_COMES_WITH_ERROR: Final[JsonDict] = {
    "if": {"properties": {"outcome": {"const": Outcome.ERROR.value}}},
    "then": {"required": ["error"], "properties": {"error": {"type": "object"}}},
}


class CheckResult(Contract):
    """The payload of ``apikey.check-results``; its record key equals ``key_id``."""

    model_config = ConfigDict(json_schema_extra=_ERROR_COMES_WITH_ERROR)

    type: Literal["check_result"] = "check_result"
    schema_version: Literal[1] = SCHEMA_VERSION
    event_id: EventId
    key_id: KeyId
    exchange: ExchangeId
    environment: Environment = Environment.MAIN
    account_id: AccountId | None = None
    credential_version: Annotated[int, Field(ge=1, le=2**31)] = 1
    checked_at: GivenMoment
    trigger: CheckTrigger = CheckTrigger.SCHEDULED
    outcome: Outcome
    error: ExchangeError | None = None
    permissions: Permissions = _NO_PERMISSIONS
    required_permissions: Annotated[tuple[Permission, ...], Field(max_length=16)] = DEFAULT_REQUIRED_PERMISSIONS
    ip_restricted: bool | None = None
    expires_at: ExpiryMoment = None
    reported_state: ReportedState | None = None
    account: Account = _NO_ACCOUNT
    check_interval_s: Annotated[int, Field(ge=1, le=31_622_400)] | None = None

    @model_validator(mode="after")
    def _error_comes_with_error(self) -> Self:
        if self.outcome is Outcome.ERROR and self.error is None:
            raise ValueError("outcome is 'error' but the field 'error' is missing")
        return self

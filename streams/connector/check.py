"""One check of one key: ask the exchange, and make a check result of whatever comes back."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, NamedTuple
from uuid import uuid4

from schemas.check_result import DEFAULT_REQUIRED_PERMISSIONS, CheckResult, ExchangeError, Permissions
from schemas.vocabulary import CheckTrigger, Environment, ErrorType, Outcome, Permission
from streams.catalogue import load_rules
from streams.connector.answer import Overheard, as_error, overhearing, timed_out
from streams.connector.balance import BALANCE
from streams.connector.client import Client
from streams.connector.key_info import KEY_INFO
from streams.connector.key_info.reading import part
from streams.connector.key_info.report import NOTHING_TOLD, Call, Given, KeyReport, OwnKey, Question
from streams.core.classify import classify
from streams.core.rules import RuleSet

#: Seconds for all requests of one check together.
CHECK_LIMIT_S: Final = 30.0

#: A question refused in one of these ways may have been refused for its own sake: another one settles it.
_MAY_BE_THE_QUESTION: Final = frozenset(
    {
        ErrorType.PERMISSION_DENIED,
        ErrorType.FUTURES_NOT_ENABLED,
        ErrorType.REQUEST_REJECTED,
        ErrorType.AUTH_FAILED_UNSPECIFIED,
        ErrorType.UNCLASSIFIED,
        # An answer that tells nothing of this key: a list of keys without ours.
        ErrorType.BAD_RESPONSE,
    }
)

#: Binance's client takes -2015 for a temporary ban once a request has succeeded: a revoked key would look like a
#: rate limit for as long as the client lives.
_HIDES_REFUSALS: Final = "hasAlreadyAuthenticatedSuccessfully"


@dataclass(frozen=True, slots=True)
class Key:
    """A customer's key as the platform knows it. Credentials are the client's alone."""

    key_id: str
    environment: Environment = Environment.MAIN
    account_id: str | None = None
    credential_version: int = 1
    required_permissions: tuple[Permission, ...] = DEFAULT_REQUIRED_PERMISSIONS


class _Found(NamedTuple):
    """What one or more questions came to; ``error`` is None when the key works."""

    report: KeyReport
    error: ExchangeError | None


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


@cache
def _packaged_rules() -> RuleSet:
    return load_rules()


async def check_key(
    client: Client,
    key: Key,
    *,
    rules: RuleSet | None = None,
    now: Callable[[], datetime] = utc_now,
    trigger: CheckTrigger = CheckTrigger.SCHEDULED,
    check_interval_s: int | None = None,
    limit_s: float = CHECK_LIMIT_S,
) -> CheckResult:
    """Check one key through its ccxt client (``ccxt.async_support``, credentials set, markets not needed).

    Asks the exchange about the key itself, else for its balance. Every answer is a result, and so is none within
    ``limit_s`` seconds; nothing is raised but a cancellation. ``check_interval_s``: when the next check is due.
    """
    with overhearing(client) as heard:
        examination = _Examination(client, rules or _packaged_rules(), now, heard)
        try:
            async with asyncio.timeout(limit_s):
                found = await examination.run()
        except TimeoutError:
            found = _Found(NOTHING_TOLD, timed_out(heard, client, limit_s))
    report = found.report
    return CheckResult(
        event_id=uuid4().hex,
        key_id=key.key_id,
        exchange=client.id,
        environment=key.environment,
        account_id=key.account_id,
        credential_version=key.credential_version,
        checked_at=now(),
        trigger=trigger,
        outcome=Outcome.OK if found.error is None else Outcome.ERROR,
        error=found.error,
        permissions=report.permissions,
        required_permissions=key.required_permissions,
        ip_restricted=report.ip_restricted,
        expires_at=report.expires_at,
        reported_state=report.reported_state,
        account=report.account,
        check_interval_s=check_interval_s,
    )


@dataclass(slots=True)
class _Examination:
    """The questions of one check, in order."""

    client: Client
    rules: RuleSet
    now: Callable[[], datetime]
    heard: Overheard

    async def run(self) -> _Found:
        """What the exchange tells of the key, and where it tells no rights, whether the key can read its balance."""
        info = KEY_INFO.get(self.client.id)
        told = NOTHING_TOLD
        for question in () if info is None else info.questions:
            found = await self._put(question)
            if found.error is not None and self._is_about_the_key(found.error):
                return found
            if found.error is None and question.proves_read:
                return found
            if found.error is None:
                told = found.report
                break
        balance = await self._balance()
        return _Found(replace(told, permissions=balance.report.permissions), balance.error)

    async def _put(self, question: Question) -> _Found:
        """One question. An answer that tells nothing of the key is no answer."""
        given = {Given.API_KEY: self.client.apiKey or ""}
        if question.user_id is not None:
            answer = await self._request(question.user_id.method, {})
            if isinstance(answer, ExchangeError):
                return _Found(NOTHING_TOLD, answer)
            user_id = part(answer, "data")
            if not isinstance(user_id, int | str):
                return _Found(NOTHING_TOLD, self._as_bad_response())
            given[Given.USER_ID] = str(user_id)
        answer = await self._request(question.call.method, _filled(question.call, given))
        if isinstance(answer, ExchangeError):
            return _Found(NOTHING_TOLD, answer)
        report = question.read(answer, OwnKey(given[Given.API_KEY], self.now()))
        return _Found(report, self._as_bad_response() if report == NOTHING_TOLD else None)

    async def _balance(self) -> _Found:
        """Whether the key can read its balance; that alone is then known of its rights."""
        balance = BALANCE.get(self.client.id)
        if balance is None:
            answer = await self._request("fetch_balance", None)
            is_balance = isinstance(answer, Mapping)
        else:
            answer = await self._request(balance.method, dict(balance.params))
            is_balance = balance.proves(answer)
        if isinstance(answer, ExchangeError):
            return _Found(NOTHING_TOLD, answer)
        if not is_balance:
            return _Found(NOTHING_TOLD, self._as_bad_response())
        return _Found(KeyReport(permissions=Permissions(read=True)), None)

    async def _request(self, method: str, params: dict[str, str] | None) -> Any:  # noqa: ANN401 - any JSON
        """The body of one answer, or the error that it is."""
        self.heard.begin()
        if _HIDES_REFUSALS in self.client.options:
            self.client.options[_HIDES_REFUSALS] = False
        try:
            ask = getattr(self.client, method)
            answer = await (ask() if params is None else ask(params))
        except Exception as error:  # noqa: BLE001 - ccxt raises what it likes, and every answer is a result
            return as_error(self.heard, self.client, error, self.now())
        if isinstance(answer, dict | list):
            return answer
        return self._as_bad_response()

    def _as_bad_response(self) -> ExchangeError:
        """An answer that ccxt took for a good one, but that is none."""
        return as_error(self.heard, self.client, None, self.now())

    def _is_about_the_key(self, error: ExchangeError) -> bool:
        """Whether the refusal is about the key, the exchange or the way there, and not about what was asked."""
        result = CheckResult(
            event_id="-", key_id="-", exchange=self.client.id, checked_at=self.now(), outcome=Outcome.ERROR, error=error
        )
        return classify(result, self.rules).error_type not in _MAY_BE_THE_QUESTION


def _filled(call: Call, given: Mapping[Given, str]) -> dict[str, str]:
    return {name: given.get(value, "") for name, value in call.params.items()}

"""The cases of `cases/*.toml`: raw answers of exchanges, with the rule and the error type that they must get."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict

from schemas.check_result import CheckResult
from schemas.vocabulary import Certainty, ErrorType, Reason, Status
from streams.catalogue import load_rules
from streams.core.rules import CERTAINTY_OF, RuleSet

CASES = Path(__file__).with_name("cases")

#: What an error type says of a key that was never seen before: status and reason, none where it says nothing.
STATUS_OF: Mapping[ErrorType, tuple[Status, Reason] | None] = {
    ErrorType.KEY_NOT_FOUND: (Status.INVALID, Reason.KEY_NOT_FOUND),
    ErrorType.KEY_MALFORMED: (Status.INVALID, Reason.KEY_MALFORMED),
    ErrorType.SIGNATURE_MISMATCH: (Status.INVALID, Reason.SIGNATURE_MISMATCH),
    ErrorType.PASSPHRASE_MISMATCH: (Status.INVALID, Reason.PASSPHRASE_MISMATCH),
    ErrorType.KEY_NOT_ACTIVATED: (Status.INVALID, Reason.KEY_NOT_ACTIVATED),
    ErrorType.KEY_DISABLED: (Status.INVALID, Reason.KEY_DISABLED),
    ErrorType.KEY_EXPIRED: (Status.EXPIRED, Reason.EXCHANGE_REPORTED),
    ErrorType.IP_NOT_ALLOWED: (Status.INCORRECT_PERMISSIONS, Reason.IP_NOT_ALLOWED),
    ErrorType.PERMISSION_DENIED: (Status.INCORRECT_PERMISSIONS, Reason.PERMISSION_DENIED),
    ErrorType.FUTURES_NOT_ENABLED: None,  # unless the customer trades futures
    ErrorType.ACCOUNT_SUSPENDED: (Status.INVALID, Reason.ACCOUNT_SUSPENDED),
    ErrorType.KYC_REQUIRED: (Status.INVALID, Reason.KYC_REQUIRED),
    ErrorType.REGION_RESTRICTED: (Status.INVALID, Reason.REGION_RESTRICTED),
    ErrorType.AUTH_FAILED_UNSPECIFIED: (Status.INVALID, Reason.AUTH_FAILED_UNSPECIFIED),
    ErrorType.RATE_LIMITED: (Status.TEMPORARY_ISSUE, Reason.RATE_LIMITED),
    ErrorType.CLOCK_SKEW: (Status.TEMPORARY_ISSUE, Reason.CLOCK_SKEW),
    ErrorType.NONCE: (Status.TEMPORARY_ISSUE, Reason.NONCE),
    ErrorType.MAINTENANCE: (Status.TEMPORARY_ISSUE, Reason.MAINTENANCE),
    ErrorType.EXCHANGE_UNAVAILABLE: (Status.TEMPORARY_ISSUE, Reason.EXCHANGE_UNAVAILABLE),
    ErrorType.TIMEOUT: (Status.TEMPORARY_ISSUE, Reason.TIMEOUT),
    ErrorType.NETWORK: (Status.TEMPORARY_ISSUE, Reason.NETWORK),
    ErrorType.BAD_RESPONSE: (Status.TEMPORARY_ISSUE, Reason.BAD_RESPONSE),
    ErrorType.EGRESS_BLOCKED: (Status.TEMPORARY_ISSUE, Reason.EGRESS_BLOCKED),
    ErrorType.REQUEST_REJECTED: None,
    ErrorType.UNCLASSIFIED: None,
}


class Case(BaseModel):
    """One `[[case]]`. `near` names a rule that this answer resembles and must not hit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    exchange: str
    code: str | None = None
    http: int | None = None
    message: str | None = None
    endpoint: str | None = None
    ccxt_class: str | None = None
    rule: str
    error_type: ErrorType
    ambiguous: bool = False
    near: str | None = None
    source: Literal["documented", "made up"]

    @property
    def result(self) -> CheckResult:
        """The check result that a connector would publish for this answer."""
        error = {
            "code": self.code,
            "message": self.message,
            "http_status": self.http,
            "endpoint": self.endpoint,
            "ccxt_class": self.ccxt_class,
        }
        fields = {"event_id": "1", "key_id": "k", "exchange": self.exchange, "checked_at": "2026-11-24T07:00:00Z"}
        return CheckResult.model_validate({**fields, "outcome": "error", "error": error}, strict=False)

    @property
    def expected_status(self) -> tuple[Status, Reason] | None:
        """Status and reason of a key that was never seen before and is used for spot alone."""
        return STATUS_OF[self.error_type]

    @property
    def expected(self) -> tuple[str | None, ErrorType, Certainty]:
        """Rule, error type and certainty."""
        certainty = Certainty.AMBIGUOUS if self.ambiguous else CERTAINTY_OF[self.error_type]
        return self.rule or None, self.error_type, certainty


@cache
def all_cases() -> Mapping[str, tuple[Case, ...]]:
    """The cases by file; a case belongs to the file's exchange unless it names another."""
    return {
        path.stem: tuple(
            Case.model_validate({"exchange": path.stem, **table})
            for table in tomllib.loads(path.read_text(encoding="utf-8"))["case"]
        )
        for path in sorted(CASES.glob("*.toml"))
    }


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per case, its file and name as the id."""
    if {"result", "expected", "status"} <= set(metafunc.fixturenames):
        params = [
            pytest.param(case.result, case.expected, case.expected_status, id=f"{file}: {case.name}")
            for file, cases in all_cases().items()
            for case in cases
        ]
        metafunc.parametrize(("result", "expected", "status"), params)


@pytest.fixture(scope="session")
def rules() -> RuleSet:
    """The packaged rules."""
    return load_rules()


@pytest.fixture(scope="session")
def hits() -> frozenset[str]:
    """The ids of the rules that some case expects."""
    return frozenset(case.rule for cases in all_cases().values() for case in cases if case.rule)


@pytest.fixture(scope="session")
def near_misses() -> frozenset[tuple[str, str]]:
    """Each rule that a case must miss, with the rule it gets instead."""
    return frozenset((case.near, case.rule) for cases in all_cases().values() for case in cases if case.near)


@pytest.fixture(scope="session")
def case_names() -> Mapping[str, frozenset[str]]:
    """The names of the cases by file; a name that stands twice in a file is a mistake."""
    names = {file: [case.name for case in cases] for file, cases in all_cases().items()}
    assert {file: len(found) for file, found in names.items()} == {f: len(set(n)) for f, n in names.items()}
    return {file: frozenset(found) for file, found in names.items()}

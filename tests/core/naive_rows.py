"""A second opinion on what one answer says of its key: the decision table once more, in the plainest way.

See ``tests.core.naive_model``, which remembers. Codes are error types (see ``tests.factories.NAMED_RULES``),
``maybe_`` in front makes a definite one ambiguous.
"""

from datetime import datetime, timedelta
from typing import Any

Payload = dict[str, Any]
Key = dict[str, Any]
Sure = bool | None
"""True definite, False ambiguous, None inconclusive."""

Row = tuple[str, str, Sure]
"""Status, reason, and how sure."""

UNUSABLE = ["account_suspended", "kyc_required", "key_disabled", "key_not_activated", "key_malformed"]
DOUBTFUL = ["signature_mismatch", "passphrase_mismatch", "auth_failed_unspecified", "region_restricted"]
TROUBLE = [
    "rate_limited",
    "clock_skew",
    "nonce",
    "maintenance",
    "exchange_unavailable",
    "timeout",
    "network",
    "bad_response",
    "egress_blocked",
]
DEFINITE = [
    *UNUSABLE,
    "key_not_found",
    "key_expired",
    "ip_not_allowed",
    "permission_denied",
    "futures_not_enabled",
]
SUCCESS_WORST_FIRST = [
    "invalid",
    "withdrawal_enabled",
    "expired",
    "incorrect_permissions",
    "inactive_futures",
    "expiring",
    "connected",
]
PERMISSION_POLICY, INACTIVITY_POLICY, AGE_POLICY = ["binance"], ["okx"], ["binance", "bybit"]
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)

# --- what an answer says


def error_of(result: Payload) -> str | None:
    """The error type; '' for one that says nothing about the key."""
    if result["outcome"] == "ok":
        return None
    name = result["error"]["code"].removeprefix("maybe_")
    return name if name in DEFINITE + DOUBTFUL + TROUBLE else ""


def is_sure(result: Payload) -> Sure:
    if result["outcome"] == "ok":
        return True
    code = result["error"]["code"]
    if code in TROUBLE:
        return None
    return code in DEFINITE


def rows_that_hold(result: Payload, key: Key) -> list[Row]:
    """Every status that the facts speak for, the worst first."""
    error = error_of(result)
    if error == "":
        return []
    now, sure = result["checked_at"], is_sure(result)
    end, computed = end_of(result, key)
    ended = end is not None and end <= now
    bound = key["bound"] if result["ip_restricted"] is None else result["ip_restricted"]
    rights = rights_told(result)
    off = rights_off(result)
    return [
        *unusable_rows(result, error, sure),
        *gone_row(result, key, error, sure, ended=ended, bound=bound),
        *withdrawal_row(result, rights),
        *policy_row(result, key, error, off, ended=ended, bound=bound),
        *end_row(result, end, computed=computed),
        *permission_rows(result, error, sure, off),
        *trouble_row(error),
        *working_rows(result, end),
    ]


def rights_told(result: Payload) -> Payload:
    """Rights are believed when the exchange knew the key."""
    readable = error_of(result) in [None, "permission_denied", "futures_not_enabled"]
    return dict(result["permissions"]) if readable else {}


def rights_off(result: Payload) -> list[str]:
    rights = rights_told(result)
    return [right for right in result["required_permissions"] if rights.get(right) is False]


def rights_blamed(reason: str, result: Payload) -> list[str]:
    """The rights that a status with this reason is about; none for the other reasons."""
    off = rights_off(result)
    if reason == "withdrawal_permission":
        return ["withdraw"]
    if reason == "permission_expired_by_policy":
        return [right for right in off if right in ["spot_trade", "margin_trade"]]
    if reason == "missing_permission":
        return [right for right in off if not (result["exchange"] == "binance" and right == "futures_trade")]
    return ["futures_trade"] if reason in ["futures_not_registered", "futures_permission_off"] else []


def end_of(result: Payload, key: Key) -> tuple[datetime | None, bool]:
    """The end date, and whether it is computed.

    A success tells it, or that there is none, or leaves it to the exchange's policy: so many days after the first
    success of a key without addresses. A failure may tell one, else the known one stays.
    """
    end: datetime | None = result["expires_at"]
    if end is not None:
        return end, False
    if result["outcome"] == "error":
        return key["end"], key["computed"]
    bound = key["bound"] if result["ip_restricted"] is None else result["ip_restricted"]
    if result["exchange"] not in AGE_POLICY or bound is not False:
        return None, False
    trades = any(right in ["spot_trade", "margin_trade"] for right in result["required_permissions"])
    if result["exchange"] in PERMISSION_POLICY and not trades:
        return None, False
    end = (key["works_since"] or result["checked_at"]) + 90 * DAY
    return (None, False) if end == key["refuted"] else (end, True)


def unusable_rows(result: Payload, error: str | None, sure: Sure) -> list[Row]:
    """Rows 2 and 3."""
    rows: list[Row] = []
    state, account = result["reported_state"], result["account"]
    if error in UNUSABLE:
        rows.append(("invalid", str(error), sure))
    elif state in ["locked", "disabled"]:
        rows.append(("invalid", "key_disabled", True))
    elif state == "frozen" or account.get("suspended"):
        rows.append(("invalid", "account_suspended", True))
    elif account.get("kyc_required"):
        rows.append(("invalid", "kyc_required", True))
    if error == "key_expired":
        rows.append(("expired", "exchange_reported", sure))
    return rows


def gone_row(result: Payload, key: Key, error: str | None, sure: Sure, *, ended: bool, bound: bool | None) -> list[Row]:
    """Row 4, else row 5."""
    deleted = ended and error in ["key_not_found", "signature_mismatch", "auth_failed_unspecified"]
    if error == "key_not_found" and result["exchange"] in INACTIVITY_POLICY and bound is False and key["worked_at"]:
        deleted = deleted or result["checked_at"] >= key["worked_at"] + 14 * DAY
    if deleted:
        return [("expired", "policy_deleted", True)]
    return [("invalid", str(error), sure)] if error in ["key_not_found", *DOUBTFUL] else []


def withdrawal_row(result: Payload, rights: Payload) -> list[Row]:
    """Row 6."""
    if rights.get("withdraw") and "withdraw" not in result["required_permissions"]:
        return [("withdrawal_enabled", "withdrawal_permission", True)]
    return []


def policy_row(
    result: Payload, key: Key, error: str | None, off: list[str], *, ended: bool, bound: bool | None
) -> list[Row]:
    """Row 7."""
    readable = error in [None, "permission_denied", "futures_not_enabled"]
    trading_off = [right for right in off if right in ["spot_trade", "margin_trade"]]
    was_on = any(right in key["granted"] for right in trading_off)
    by_policy = ended or (result["exchange"] in PERMISSION_POLICY and bound is False and was_on)
    if readable and result["reported_state"] == "expired":
        return [("expired", "exchange_reported", True)]
    if (trading_off or error == "permission_denied") and by_policy:
        return [("expired", "permission_expired_by_policy", True)]
    return []


def end_row(result: Payload, end: datetime | None, *, computed: bool) -> list[Row]:
    """Row 8. A computed end is over a day later, and only if no success came."""
    works = result["outcome"] == "ok"
    shown = works and all(result["permissions"].get(right) for right in result["required_permissions"])
    over = end is not None and end + (DAY if computed else 0 * DAY) <= result["checked_at"]
    return [("expired", "expiry_passed", True)] if over and not (works if computed else shown) else []


def permission_rows(result: Payload, error: str | None, sure: Sure, off: list[str]) -> list[Row]:
    """Rows 9 and 10."""
    rows: list[Row] = []
    at_binance = result["exchange"] == "binance"
    granted_never = [right for right in off if not (at_binance and right == "futures_trade")]
    if error == "ip_not_allowed":
        rows.append(("incorrect_permissions", "ip_not_allowed", sure))
    elif granted_never:
        rows.append(("incorrect_permissions", "missing_permission", True))
    elif error == "permission_denied":
        rows.append(("incorrect_permissions", "permission_denied", sure))
    readable = error in [None, "permission_denied", "futures_not_enabled"]
    if "futures_trade" in result["required_permissions"]:
        status = "inactive_futures" if at_binance else "incorrect_permissions"
        if readable and result["account"].get("futures_enabled") is False:
            rows.append((status, "futures_not_registered", True))
        elif "futures_trade" in off:
            rows.append((status, "futures_permission_off", True))
        elif error == "futures_not_enabled":
            rows.append((status, "futures_not_enabled", sure))
    return rows


def trouble_row(error: str | None) -> list[Row]:
    """Row 11."""
    return [("temporary_issue", str(error), None)] if error in TROUBLE else []


def working_rows(result: Payload, end: datetime | None) -> list[Row]:
    """Rows 12 and 13."""
    if result["outcome"] != "ok":
        return []
    soon = end is not None and timedelta(0) < end - result["checked_at"] <= 30 * DAY
    return [("expiring", "expires_soon", True)] if soon else [("connected", "all_good", True)]

"""A second opinion: ordering, decision table, confirmation and deadlines once more, in the plainest way.

Written from the prose of the reference and the contracts, not from the core: no classes, one dict per key, the whole
history of doubtful answers instead of counters. It is slow and knows nothing of bytes. Codes are error types
(see ``tests.factories.NAMED_RULES``), ``maybe_`` in front makes a definite one ambiguous.
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
PERMISSION_POLICY, INACTIVITY_POLICY = ["binance"], ["okx"]
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


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
    end = end_of(result, key)
    ended = end is not None and end <= now
    bound = key["bound"] if result["ip_restricted"] is None else result["ip_restricted"]
    rights = rights_told(result)
    off = rights_off(result)
    return [
        *unusable_rows(result, error, sure),
        *gone_row(result, key, error, sure, ended=ended, bound=bound),
        *withdrawal_row(result, rights),
        *policy_rows(result, key, error, off, ended=ended, bound=bound),
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


def end_of(result: Payload, key: Key) -> datetime | None:
    """A success tells the end date, or that there is none; a failure may tell one, else the known one stays."""
    end: datetime | None = result["expires_at"]
    if end is None and result["outcome"] == "error":
        end = key["end"]
    return end


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


def policy_rows(
    result: Payload, key: Key, error: str | None, off: list[str], *, ended: bool, bound: bool | None
) -> list[Row]:
    """Rows 7 and 8."""
    rows: list[Row] = []
    readable = error in [None, "permission_denied", "futures_not_enabled"]
    trading_off = [right for right in off if right in ["spot_trade", "margin_trade"]]
    was_on = any(right in key["granted"] for right in trading_off)
    by_policy = ended or (result["exchange"] in PERMISSION_POLICY and bound is False and was_on)
    if readable and result["reported_state"] == "expired":
        rows.append(("expired", "exchange_reported", True))
    elif (trading_off or error == "permission_denied") and by_policy:
        rows.append(("expired", "permission_expired_by_policy", True))
    shown = all(result["permissions"].get(right) for right in result["required_permissions"])
    if ended and not (result["outcome"] == "ok" and shown):
        rows.append(("expired", "expiry_passed", True))
    return rows


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


# --- one key's life


def new_key(version: int, replaced_at: datetime | None = None) -> Key:
    """What is known of a credential that was never checked."""
    return {
        "version": version,
        "replaced_at": replaced_at,
        "end": None,
        "bound": None,
        "granted": set(),
        "worked_at": None,
        "clear_at": None,
        "unconfirmed": None,
        "doubts": [],
    }


def out_of_order(result: Payload, key: Key | None, arrived: datetime, offset: int) -> str | None:
    now = result["checked_at"]
    if now > arrived + 5 * MINUTE:
        return "future"
    if key is None or result["credential_version"] > key["version"]:
        return None
    if result["credential_version"] < key["version"]:
        return "superseded"
    told_up_to = max(key["seen_at"], key["changed_at"] or key["seen_at"])
    seen_before = offset <= key["offset"]
    if now < told_up_to:
        return "replay" if seen_before else "late"
    if now == key["seen_at"]:
        return "duplicate" if result["event_id"] in key["events"] else "replay" if seen_before else None
    return None


def is_believed(row: Row, key: Key, result: Payload) -> str:
    """What becomes of this news: changed, unchanged, pending or inconclusive."""
    status, _, sure = row
    held, error, now = key["status"], error_of(result), result["checked_at"]
    if status == held or leaves_open(status, key, result):
        return "unchanged"
    young = key["replaced_at"] is not None and now < key["replaced_at"] + 10 * MINUTE
    not_yet_there = sure is False or error in ["key_not_found", "key_not_activated"]
    if young and status == "invalid" and not_yet_there:
        return "pending"
    if sure:
        return "changed"
    if sure is False:
        return "changed" if repeated(key["doubts"]) else "pending"
    if held is None:
        return "changed"
    if held not in ["connected", "expiring", "temporary_issue"]:
        return "inconclusive"
    return "changed" if lasting(key, now) else "pending"


def leaves_open(status: str, key: Key, result: Payload) -> bool:
    """A success without worse news, silent about a right that the status is about and that still counts."""
    if result["outcome"] != "ok" or not key["blamed"]:
        return False
    if key["replaced_at"] is not None and key["changed_at"] < key["replaced_at"]:
        return False
    if SUCCESS_WORST_FIRST.index(status) < SUCCESS_WORST_FIRST.index(key["status"]):
        return False
    told = {right for right, on in result["permissions"].items() if on is not None}
    if key["reason"] == "futures_not_registered" and result["account"].get("futures_enabled") is True:
        told.add("futures_trade")
    required = result["required_permissions"]
    if key["reason"] == "withdrawal_permission":
        return "withdraw" not in told and "withdraw" not in required
    return any(right in required and right not in told for right in key["blamed"])


def repeated(doubts: list[Payload]) -> bool:
    """Two ambiguous answers, whatever they point to, a minute to a day apart, with nothing but trouble between."""
    times: list[datetime] = []
    for doubt in doubts:
        if doubt["sure"] is None:
            continue
        if times and doubt["at"] > times[0] + DAY:
            times = []
        times.append(doubt["at"])
    return len(times) >= 2 and times[-1] >= times[0] + MINUTE


def lasting(key: Key, now: datetime) -> bool:
    """Three failed checks in a row, five minutes after the last clear answer, or after the key was replaced."""
    count = 0
    for doubt in reversed(key["doubts"]):
        if doubt["sure"] is not None:
            break
        count += 1
    since = key["clear_at"] or key["replaced_at"]
    return count >= 3 and (since is None or now >= since + 5 * MINUTE)


def check(keys: dict[str, Key], result: Payload, arrived: datetime, offset: int) -> str:
    """One check result; changes ``keys`` and says what became of it."""
    name, now = result["key_id"], result["checked_at"]
    known = keys.get(name)
    why = out_of_order(result, known, arrived, offset)
    if why is not None:
        return why
    life = {
        "status": None,
        "reason": None,
        "sequence": 0,
        "seen_at": now,
        "changed_at": None,
        "events": [],
        "due": None,
        "blamed": [],
    }
    key = {**life, **new_key(result["credential_version"]), **(known or {})}
    if result["credential_version"] > key["version"]:
        key |= new_key(result["credential_version"], now)
        key["events"] = []
    rows = rows_that_hold(result, key)
    if not rows:
        unknown = result["error"]["code"].removeprefix("maybe_") not in [*DEFINITE, "request_rejected"]
        return "unclassified" if unknown else "says_nothing"
    remember(result, key, rows[0], offset)
    news = is_believed(rows[0], key, result)
    key["seen_at"] = max(key["seen_at"], now)
    if news == "changed":
        key |= {"status": rows[0][0], "reason": rows[0][1], "sequence": key["sequence"] + 1}
        key |= {"changed_at": now, "doubts": [], "blamed": rights_blamed(rows[0][1], result)}
    key["due"] = what_falls_due(key, now)
    keys[name] = key
    return news


def remember(result: Payload, key: Key, row: Row, offset: int) -> None:
    now, sure = result["checked_at"], row[2]
    key["end"] = end_of(result, key)
    key["offset"] = offset
    key["events"] = [*(key["events"] if now == key["seen_at"] else []), result["event_id"]]
    if result["ip_restricted"] is not None:
        key["bound"] = result["ip_restricted"]
    if error_of(result) in [None, "permission_denied", "futures_not_enabled"]:
        key["granted"] = key["granted"] | {right for right, on in result["permissions"].items() if on}
    if result["outcome"] == "ok":
        key["worked_at"] = now
    if sure:
        key |= {"doubts": [], "unconfirmed": None, "clear_at": now}
    elif row[0] != key["status"]:
        key["doubts"] = [*key["doubts"], {"status": row[0], "sure": sure, "at": now}]
        if sure is None and key["unconfirmed"] is None:
            key["unconfirmed"] = now
    elif sure is False:
        key["doubts"] = [doubt for doubt in key["doubts"] if doubt["sure"] is None]


def what_falls_due(key: Key, now: datetime) -> tuple[str, datetime] | None:
    end = key["end"]
    if end is None or end <= now or key["status"] in ["expired", "invalid", "withdrawal_enabled"]:
        return None
    if key["status"] == "connected":
        return "expiring", max(now, end - 30 * DAY)
    return "expiry", end


def fall_due(keys: dict[str, Key], deadline: Payload, arrived: datetime) -> str:
    """One deadline record."""
    key = keys.get(deadline["key_id"])
    moment = deadline["due_at"]
    if key is None or key["due"] != (deadline["kind"], moment):
        return "obsolete"
    if moment > arrived + 5 * MINUTE:
        return "future"
    soon = deadline["kind"] == "expiring"
    key["status"], key["reason"] = ("expiring", "expires_soon") if soon else ("expired", "expiry_passed")
    key["sequence"] += 1
    key["changed_at"] = moment
    key["blamed"] = []
    key["due"] = ("expiry", key["end"]) if soon and key["end"] > moment else None
    return "changed"


def remove(keys: dict[str, Key], name: str) -> str:
    return "unknown_key" if keys.pop(name, None) is None else "changed"

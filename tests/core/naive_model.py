"""A second opinion: ordering, decision table, confirmation, time and incidents once more, in the plainest way.

Written from the prose of the reference and the contracts, not from the core: no classes, one dict per key, the whole
history of doubtful answers and of changes instead of counters, and all keys counted anew with every record. It is slow
and knows nothing of bytes. What one answer says by itself stands in ``tests.core.naive_rows``.

A world holds the keys of one partition, the numbers of the policy, and the notices that the last record made, each as
(kind, key or exchange, status, end date, moment).
"""

from datetime import datetime
from typing import Any

from tests.core.naive_rows import (
    DAY,
    DEFINITE,
    MINUTE,
    SECOND,
    SUCCESS_WORST_FIRST,
    Key,
    Payload,
    Row,
    end_of,
    error_of,
    is_sure,
    rights_blamed,
    rows_that_hold,
)

World = dict[str, Any]

ENDED_BY_TIME = [None, "connected", "expiring", "temporary_issue", "incorrect_permissions", "inactive_futures"]
REMINDED = ["connected", "expiring", "temporary_issue", "inactive_futures"]
WORKING = [None, "connected", "expiring", "temporary_issue"]
NUMBERS = {
    "reminder_days": [14, 7, 3, 1, 0],
    "stale_intervals": 3,
    "check_interval_s": None,
    "flapping_changes": 5,
    "incident_keys": 20,
    "incident_few_keys": 5,
}


def new_world(**numbers: object) -> World:
    return {"keys": {}, "numbers": NUMBERS | numbers, "told": []}


# --- one key's life


def new_key(version: int, replaced_at: datetime | None = None) -> Key:
    """What is known of a credential that was never checked."""
    return {
        "version": version,
        "replaced_at": replaced_at,
        "end": None,
        "computed": False,
        "works_since": None,
        "refuted": None,
        "interval": None,
        "reminded": None,
        "changes": [],
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
        if doubt["sure"] is not False:
            continue
        if times and doubt["at"] > times[0] + DAY:
            times = []
        times.append(doubt["at"])
    return len(times) >= 2 and times[-1] >= times[0] + MINUTE


def lasting(key: Key, now: datetime) -> bool:
    """Three failed checks in a row, five minutes after the last clear answer, or after the key was replaced."""
    since = key["clear_at"] or key["replaced_at"]
    return failed_in_a_row(key) >= 3 and (since is None or now >= since + 5 * MINUTE)


def failed_in_a_row(key: Key) -> int:
    count = 0
    for doubt in reversed(key["doubts"]):
        if doubt["sure"] is not None:
            break
        count += 1
    return count


def check(world: World, result: Payload, arrived: datetime, offset: int) -> str:
    """One check result; changes the world and says what became of it."""
    name, now = result["key_id"], result["checked_at"]
    known = world["keys"].get(name)
    why = out_of_order(result, known, arrived, offset)
    if why is not None:
        return why
    key = {**new_life(result), **new_key(result["credential_version"]), **(known or {})}
    if result["credential_version"] > key["version"]:
        key |= new_key(result["credential_version"], now)
        key["events"] = []
    rows = rows_that_hold(result, key)
    if not rows:
        unknown = result["error"]["code"].removeprefix("maybe_") not in [*DEFINITE, "request_rejected"]
        return "unclassified" if unknown else "says_nothing"
    row, incident = rows[0], incident_at(world, result["exchange"])
    if incident and row[2] is False:
        row = ("temporary_issue", "exchange_incident", None)
    key["in_trouble"] = is_sure(result) is None or (is_sure(result) is False and key["status"] in WORKING)
    remember(result, key, rows, row, offset)
    news = is_believed(row, key, result)
    was_stale = key["stale"]
    key |= {"seen_at": max(key["seen_at"], now), "stale": False, "exchange": result["exchange"]}
    if news == "changed":
        begin_anew(result, key)
        commit(world, key, row[0], row[1], now)
        key["blamed"] = rights_blamed(row[1], result)
    tell(world, key, ["fresh"] if was_stale else [], now)
    world["keys"][name] = key
    count_trouble(world, key, incident, now)
    return news


def new_life(result: Payload) -> Key:
    """What is known of a key that was never checked, whatever its credential."""
    return {
        "name": result["key_id"],
        "status": None,
        "reason": None,
        "sequence": 0,
        "seen_at": result["checked_at"],
        "changed_at": None,
        "events": [],
        "due": None,
        "blamed": [],
        "stale": False,
        "flapping": False,
        "incident": None,
    }


def remember(result: Payload, key: Key, rows: list[Row], row: Row, offset: int) -> None:
    now = result["checked_at"]
    key["end"], key["computed"] = end_of(result, key)
    key["offset"] = offset
    key["events"] = [*(key["events"] if now == key["seen_at"] else []), result["event_id"]]
    if result["ip_restricted"] is not None:
        key["bound"] = result["ip_restricted"]
    if result["check_interval_s"] is not None:
        key["interval"] = result["check_interval_s"]
    if error_of(result) in [None, "permission_denied", "futures_not_enabled"]:
        key["granted"] = key["granted"] | {right for right, on in result["permissions"].items() if on}
    if result["outcome"] == "ok":
        remember_success(key, rows, now)
    remember_doubts(key, row, now)


def remember_doubts(key: Key, row: Row, now: datetime) -> None:
    sure = row[2]
    if row[1] == "exchange_incident":
        drop_ambiguous(key)
    if sure:
        key |= {"doubts": [], "unconfirmed": None, "clear_at": now}
    elif row[0] != key["status"]:
        key["doubts"] = [*key["doubts"], {"status": row[0], "reason": row[1], "sure": sure, "at": now}]
        if sure is None and key["unconfirmed"] is None:
            key["unconfirmed"] = now
    elif sure is False:
        drop_ambiguous(key)


def drop_ambiguous(key: Key) -> None:
    """They count no more, but they have been."""
    key["doubts"] = [doubt | {"sure": "dropped"} if doubt["sure"] is False else doubt for doubt in key["doubts"]]


def remember_success(key: Key, rows: list[Row], now: datetime) -> None:
    """Since when the key works without addresses, and whether it has outlived a computed end."""
    key["worked_at"] = now
    if key["bound"]:
        key["works_since"] = key["refuted"] = None
        return
    key["works_since"] = key["works_since"] or now
    taken = any(status == "expired" for status, _, _ in rows)
    if key["computed"] and key["end"] <= now and not taken and key["status"] != "expired":
        key |= {"refuted": key["end"], "end": None, "computed": False}


def begin_anew(result: Payload, key: Key) -> None:
    """An expired key that works again was renewed: the policy counts from now."""
    if key["status"] == "expired" and result["outcome"] == "ok" and not key["bound"]:
        key |= {"works_since": result["checked_at"], "refuted": None}
        key["end"], key["computed"] = end_of(result, key)


def commit(world: World, key: Key, status: str, reason: str, at: datetime) -> None:
    key |= {"status": status, "reason": reason, "sequence": key["sequence"] + 1, "changed_at": at, "doubts": []}
    key["blamed"] = []
    key["changes"] = [*key["changes"], at]
    in_an_hour = [change for change in key["changes"] if at - change <= 60 * MINUTE]
    if len(in_an_hour) > world["numbers"]["flapping_changes"]:
        key["flapping"] = True


# --- time


def what_falls_due(world: World, key: Key, now: datetime) -> tuple[str, datetime] | None:
    """The first of all that the key may wait for; what should have been is due now."""
    waits = [
        *reminder_wait(world, key, now),
        *expiring_wait(key, now),
        *expiry_wait(key, now),
        *lasting_wait(key),
        *stale_wait(world, key),
    ]
    if key["flapping"]:
        waits.append((key["changed_at"] + 30 * MINUTE, "settled"))
    if not waits:
        return None
    first = min(moment for moment, _ in waits)
    return next(kind for moment, kind in waits if moment == first), max(first, now)


def reminder_wait(world: World, key: Key, now: datetime) -> list[tuple[datetime, str]]:
    """A second after the days left have come down to a number of days."""
    end = key["end"]
    if key["flapping"] or key["status"] not in REMINDED or end is None:
        return []
    left = whole_days(end, now)
    days = world["numbers"]["reminder_days"]
    return [(end - (number + 1) * DAY + SECOND, "reminder") for number in days if left > number]


def whole_days(end: datetime, at: datetime) -> int:
    days = 0
    while end - at >= (days + 1) * DAY:
        days += 1
    return days


def expiring_wait(key: Key, now: datetime) -> list[tuple[datetime, str]]:
    if key["status"] != "connected" or key["end"] is None or key["end"] <= now:
        return []
    return [(key["end"] - 30 * DAY, "expiring")]


def expiry_wait(key: Key, now: datetime) -> list[tuple[datetime, str]]:
    if key["status"] not in ENDED_BY_TIME or key["end"] is None:
        return []
    moment = key["end"] + (DAY if key["computed"] else 0 * DAY)
    return [(moment, "expiry")] if moment > now else []


def lasting_wait(key: Key) -> list[tuple[datetime, str]]:
    since = key["clear_at"] or key["replaced_at"]
    if key["status"] not in ["connected", "expiring"] or failed_in_a_row(key) < 3 or since is None:
        return []
    return [(since + 5 * MINUTE, "lasting")]


def stale_wait(world: World, key: Key) -> list[tuple[datetime, str]]:
    interval = key["interval"] or world["numbers"]["check_interval_s"]
    if key["stale"] or interval is None:
        return []
    return [(key["seen_at"] + world["numbers"]["stale_intervals"] * interval * SECOND, "stale")]


def fall_due(world: World, deadline: Payload, arrived: datetime) -> str:
    """One deadline record."""
    key = world["keys"].get(deadline["key_id"])
    kind, moment = deadline["kind"], deadline["due_at"]
    if key is None or key["due"] != (kind, moment):
        return "obsolete"
    if moment > arrived + SECOND:
        return "future"
    kinds = []
    if kind == "expiring":
        commit(world, key, "expiring", "expires_soon", moment)
    elif kind == "expiry":
        commit(world, key, "expired", "expiry_passed", moment)
    elif kind == "lasting":
        commit(world, key, key["doubts"][-1]["status"], key["doubts"][-1]["reason"], moment)
    elif kind == "stale":
        key["stale"] = True
        kinds = ["stale"]
    elif kind == "settled":
        key |= {"flapping": False, "changes": [], "reminded": reminder_now(world, key, moment) or key["reminded"]}
        kinds = ["stale" if key["stale"] else "settled"]
    tell(world, key, kinds, moment)
    return "changed" if kind in ["expiring", "expiry", "lasting"] else "noticed"


def reminder_now(world: World, key: Key, now: datetime) -> tuple[int, datetime] | None:
    """The lowest number of days that is reached, unless it or a lower one was told of this end date or a later one.

    An end date that is later by less than a day is the same.
    """
    end = key["end"]
    if key["status"] not in REMINDED or end is None or end <= now:
        return None
    reached = [days for days in world["numbers"]["reminder_days"] if whole_days(end, now) <= days]
    if not reached:
        return None
    if key["reminded"] is not None:
        days, told_end = key["reminded"]
        if min(reached) >= days and end < told_end + DAY:
            return None
    return min(reached), end


def tell(world: World, key: Key, kinds: list[str], now: datetime) -> None:
    """The notices of a key, and what it waits for now. What a flapping key is not told it counts as told."""
    reminder = reminder_now(world, key, now)
    if reminder is not None:
        key["reminded"] = reminder
        kinds = [*kinds, "expiry_reminder"]
    if not key["flapping"]:
        world["told"] += [(kind, key["name"], key["status"], key["end"], now) for kind in kinds]
    key["due"] = what_falls_due(world, key, now)


# --- trouble of an exchange at large


def incident_at(world: World, exchange: str) -> Payload | None:
    """What the key with the latest result at this exchange says."""
    keys = [key for key in world["keys"].values() if key["exchange"] == exchange]
    incident: Payload | None = max(keys, key=lambda key: int(key["offset"]))["incident"] if keys else None
    return incident


def count_trouble(world: World, key: Key, incident: Payload | None, now: datetime) -> None:
    """Whether the incident begins, goes on, calms down or is over, now that this key was checked."""
    last = half_minute(now)
    lately = [
        other["in_trouble"]
        for other in world["keys"].values()
        if other["exchange"] == key["exchange"] and last - 10 < half_minute(other["seen_at"]) <= last
    ]
    troubled, checked = sum(lately), len(lately)
    numbers = world["numbers"]
    if incident is None:
        many = troubled >= numbers["incident_keys"] and 2 * troubled >= checked
        few = numbers["incident_keys"] > checked >= numbers["incident_few_keys"] and troubled == checked
        key["incident"] = {"opened": now, "calm": None} if many or few else None
    elif 5 * troubled >= checked:
        key["incident"] = incident | {"calm": None}
    elif incident["calm"] is None:
        key["incident"] = incident | {"calm": now}
    else:
        key["incident"] = None if now >= incident["calm"] + 10 * MINUTE else incident
    tell_of_incident(world, key["exchange"], incident, key["incident"], now)


def half_minute(at: datetime) -> int:
    """The five minutes are counted in slots of half a minute."""
    return int(at.timestamp() // 30)


def tell_of_incident(world: World, exchange: str, before: Payload | None, after: Payload | None, now: datetime) -> None:
    if before is None and after is not None:
        world["told"].append(("incident_opened", exchange, None, None, now))
    if before is not None and after is None:
        world["told"].append(("incident_closed", exchange, None, None, now))


def remove(world: World, name: str, arrived: datetime) -> str:
    """What only this key knew of its exchange's trouble is known no more."""
    key = world["keys"].get(name)
    if key is None:
        return "unknown_key"
    before = incident_at(world, key["exchange"])
    del world["keys"][name]
    tell_of_incident(world, key["exchange"], before, incident_at(world, key["exchange"]), arrived)
    return "changed"

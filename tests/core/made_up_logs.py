"""Made-up logs for the tests of what holds for every log, each written as a worker would find it.

The examples are the same in every run (``derandomize``): a failure is a failure of the change that made it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from schemas.key_state import KeyState
from schemas.vocabulary import Permission, ReportedState
from streams.core.decision import Decision
from streams.core.policy import Policy
from streams.core.record import LogRecord
from streams.core.rules import CERTAINTY_OF
from tests.core import naive_rows
from tests.factories import POLICY, START, deadline, fold, ok, record


def examples(count: int) -> settings:
    return settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=count,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


CODES = [*CERTAINTY_OF, *(f"maybe_{error}" for error in naive_rows.DEFINITE), "no rule knows this"]
OFTEN = ["timeout", "signature_mismatch", "key_not_found", "maybe_ip_not_allowed", "permission_denied"]
RUSH = [0, 1, 2, 5, 20]
HURRY = [*RUSH, 30, 60, 240]
STEPS = [0, 0, 1, 30, 59, 60, 61, 240, 299, 300, 600, 3_600, 86_400, 15 * 86_400, 31 * 86_400]
ENDS = [None, None, None, -1, 0, 1, 86_400, 30 * 86_400, 30 * 86_400 + 1, 45 * 86_400]
INTERVALS = [None, None, None, 60, 3_600, 3_600, 86_400]
TRISTATE = [None, True, False]
TRADES = {"read": True, "spot_trade": True}
REQUIRED = [["read", "spot_trade"], ["read"], ["read", "spot_trade", "futures_trade"], ["margin_trade", "withdraw"], []]


class Mood(NamedTuple):
    """What a log is made of: its keys, how its time goes on, how long a deadline is waited for, what fails."""

    keys: Sequence[int] = (0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7)
    steps: Sequence[int] = STEPS
    patience: timedelta = timedelta(days=1_000)
    codes: Sequence[str] = (*OFTEN * 4, *CODES)
    works: float = 0.5


#: Most rules of time need several records of one kind in a short time, which mere chance makes too seldom.
MOODS = (
    Mood(),
    Mood(steps=HURRY, patience=timedelta(minutes=40)),
    Mood(
        (0, 0, 0, 0, 0, 1, 2), RUSH, timedelta(minutes=10), (*["timeout", "nonce"] * 3, "auth_failed_unspecified"), 0.4
    ),
)


def a_check(dice: Random, mood: Mood = MOODS[0]) -> dict[str, Any]:
    """What one check found; its time and its place are given by the log."""
    works = dice.random() < mood.works
    names = dice.sample([name.value for name in Permission], dice.randint(0, 4))
    return {
        "outcome": "ok" if works else "error",
        "error": None if works else {"code": str(dice.choice(mood.codes))},
        "permissions": dice.choice(
            [TRADES] * 3 + [TRADES | {"futures_trade": False}, {name: dice.choice(TRISTATE) for name in names}]
        ),
        "required_permissions": dice.choice(REQUIRED[:1] * 6 + REQUIRED),
        "ip_restricted": dice.choice([None, False, False, True]),
        "check_interval_s": dice.choice(INTERVALS),
        "reported_state": dice.choice([None] * 60 + [state.value for state in ReportedState]),
        "account": dice.choice(
            [{}] * 40
            + [{"suspended": True}, {"kyc_required": True}, {"futures_enabled": False}, {"futures_enabled": True}]
        ),
        "ends_in": dice.choice(ENDS),
        "newer": dice.choice([0] * 20 + [1, -1]),
        "repeats": dice.random() < 0.1,
    }


def an_operation(seed: int, kinds: Sequence[str], mood: Mood) -> dict[str, Any]:
    """One record to come: of which kind, of which key, and how the time goes on before it."""
    dice = Random(seed)
    return {
        "kind": dice.choice(kinds),
        "key": dice.choice(mood.keys),
        "step": dice.choice(mood.steps),
        "back": dice.choice([0] * 16 + [1, 61, 3_600]),
        "ahead": dice.choice([0] * 60 + [300, 301]),
        "patience": mood.patience,
        "check": a_check(dice, mood),
        "which": dice.randint(0, 39),
        "forged": dice.choice([None] * 6 + ["kind", "moment"]),
    }


WITHOUT_REMOVALS = ("check",) * 10 + ("deadline",) * 5 + ("garbage", "again")
ALL_KINDS = (*WITHOUT_REMOVALS, "removal")
WITH_REPLAYS = (*ALL_KINDS, "replay")


class Scene(NamedTuple):
    """Which keys there are, each at its exchange, and by what numbers they are judged."""

    exchange_of: Mapping[str, str]
    policy: Policy = POLICY
    numbers: Mapping[str, object] = {}


#: Four keys that have nothing to do with each other, by the numbers that hold by default.
ALONE = Scene({"key-1": "binance", "key-2": "okx", "key-3": "kraken", "key-4": "bybit"})

#: Few keys make an incident here, and few changes are too many, so that logs of fifty records tell of both.
TOGETHER_NUMBERS = {
    "flapping_changes": 2,
    "incident_keys": 4,
    "incident_few_keys": 2,
    "check_interval_s": 7_200,
    "stale_intervals": 2,
    "reminder_days": (40, 20, 2),
}
TOGETHER = Scene(
    {f"key-{n}": "bybit" if n % 4 == 0 else "binance" for n in range(1, 9)},
    Policy.model_validate(TOGETHER_NUMBERS),
    TOGETHER_NUMBERS,
)
BOTH_SCENES = pytest.mark.parametrize("scene", [ALONE, TOGETHER], ids=["alone", "together"])


class Scribe:
    """Writes a log record by record, deciding each at once, as the worker does: deadlines depend on the states."""

    def __init__(self, scene: Scene = ALONE) -> None:
        self.scene = scene
        self.now = START
        self.log: list[LogRecord] = []
        self.states: dict[bytes | None, KeyState] = {}
        self.decisions: list[Decision] = []
        self.versions = dict.fromkeys(scene.exchange_of, 1)

    def write(self, operation: dict[str, Any]) -> LogRecord | None:
        """The record of this operation, decided; None when there is nothing to write."""
        self.now += timedelta(seconds=operation["step"])
        entry = self._entry(operation)
        if entry is None:
            return None
        self.log.append(entry)
        self.states, made = fold([entry], policy=self.scene.policy, states=self.states)
        self.decisions += made
        return entry

    def _entry(self, operation: dict[str, Any]) -> LogRecord | None:
        name = self._name(operation)
        match operation["kind"]:
            case "check":
                return self._record(name, self._payload(operation), self.now)
            case "deadline":
                return self._deadline(operation)
            case "removal":
                return self._record(name, None, self.now)
            case "garbage":
                return self._record(name, b'{"outcome": "ok"', self.now)
            case "again":
                return self.log[-1]._replace(offset=len(self.log)) if self.log else None
            case _:
                return self.log[operation["which"] % len(self.log)] if self.log else None

    def _name(self, operation: dict[str, Any]) -> str:
        names = list(self.scene.exchange_of)
        return names[operation["key"] % len(names)]

    def _record(self, name: str, payload: dict[str, Any] | bytes | None, at: datetime) -> LogRecord:
        return record(payload, offset=len(self.log), at=at, key=name.encode())

    def _payload(self, operation: dict[str, Any]) -> dict[str, Any]:
        check = dict(operation["check"])
        name = self._name(operation)
        at = self.now - timedelta(seconds=operation["back"]) + timedelta(seconds=operation["ahead"])
        newer, ends_in, repeats = check.pop("newer"), check.pop("ends_in"), check.pop("repeats")
        version = max(1, self.versions[name] + newer)
        self.versions[name] = max(self.versions[name], version)
        end = None if ends_in is None else at + timedelta(seconds=ends_in)
        fields = {
            "key_id": name,
            "exchange": self.scene.exchange_of[name],
            "credential_version": version,
            "expires_at": end,
        }
        event_id = "the same" if repeats else f"event-{len(self.log)}"
        return ok(at, **fields, **check, event_id=event_id)

    def _deadline(self, operation: dict[str, Any]) -> LogRecord | None:
        name = self._name(operation)
        state = self.states.get(name.encode())
        waits = None if state is None else state.progress.next_deadline
        if waits is not None and waits.due_at - self.now > operation["patience"]:
            return None
        if waits is None:
            return self._record(name, deadline("expiry", self.now, key_id=name), self.now)
        kind, due_at = waits.kind.value, waits.due_at
        if operation["forged"] == "kind":
            kind = "expiry" if kind == "expiring" else "expiring"
        elif operation["forged"] == "moment":
            due_at += timedelta(seconds=1)
        elif not operation["back"]:
            self.now = max(self.now, due_at)
        return self._record(name, deadline(kind, due_at, key_id=name), self.now)


def written(operations: list[dict[str, Any]], scene: Scene = ALONE) -> Scribe:
    scribe = Scribe(scene)
    for operation in operations:
        scribe.write(operation)
    return scribe


@st.composite
def logs(draw: st.DrawFn, kinds: Sequence[str]) -> list[dict[str, Any]]:
    """Operations for a log: one number each, so that a failing log can be made shorter quickly."""
    mood, count = draw(st.sampled_from(MOODS)), draw(st.integers(1, 50))
    numbers = draw(st.lists(st.integers(0, 2**32), min_size=count, max_size=count, unique=True))
    return [an_operation(number, kinds, mood) for number in numbers]


LOGS = logs(ALL_KINDS)
LOGS_WITHOUT_REMOVALS = logs(WITHOUT_REMOVALS)
LOGS_WITH_REPLAYS = logs(WITH_REPLAYS)

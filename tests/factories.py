"""Small builders for tests: check results, records, rules, and a fold over a log."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from schemas.check_result import CheckResult
from schemas.key_state import KeyState, Progress
from schemas.notice import Notice
from schemas.vocabulary import Certainty, ErrorType, NoticeKind, Status
from streams.core.classify import Verdict
from streams.core.decide import decide_next
from streams.core.decision import Decision
from streams.core.decision_table import Facts
from streams.core.incidents import Incidents, sighting_of
from streams.core.policy import Policy
from streams.core.record import LogRecord
from streams.core.rule_files import RuleFile, compile_rules
from streams.core.rules import CERTAINTY_OF, Expiry, ExpiryKind, RuleSet

START: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEY: Final = "key-1"
TOPIC: Final = "apikey.check-results"
POLICY: Final = Policy()

#: The policy of an exchange by name, as the test rules have it.
EXPIRY: Final[Mapping[str, Expiry]] = {
    "binance": Expiry(kind=ExpiryKind.PERMISSION_EXPIRY, days=90, source="https://example.com"),
    "bybit": Expiry(kind=ExpiryKind.KEY_EXPIRY, days=90, source="https://example.com"),
    "okx": Expiry(kind=ExpiryKind.INACTIVITY_DELETION, days=14, source="https://example.com"),
}
EXCHANGES: Final = (*EXPIRY, "kraken")


def after(**amount: float) -> datetime:
    """A moment so much later than START; negative amounts are earlier."""
    return START + timedelta(**amount)


def _rule_tables(exchange: str) -> list[dict[str, object]]:
    """Rules whose codes are the error types' own names; ``maybe_`` in front makes a definite one ambiguous."""
    tables: list[dict[str, object]] = []
    for error_type, certainty in CERTAINTY_OF.items():
        named = {"error_type": error_type.value, "meaning": "made up"}
        tables.append({**named, "id": f"{exchange}.{error_type}", "code": error_type.value})
        if certainty is Certainty.DEFINITE:
            maybe = f"maybe_{error_type}"
            tables.append({**named, "id": f"{exchange}.{maybe}", "code": maybe, "ambiguous": True})
    return tables


def _named_rules() -> RuleSet:
    files = []
    for exchange in EXCHANGES:
        head: dict[str, object] = {"exchange": exchange, "source": "https://example.com", "checked": date(2026, 3, 1)}
        if exchange in EXPIRY:
            expiry = EXPIRY[exchange]
            head["expiry"] = {"kind": expiry.kind.value, "days": expiry.days, "source": expiry.source}
        tables = _rule_tables(exchange)
        files.append(RuleFile(f"{exchange}.toml", {**head, "rule": tables}, tuple(range(1, len(tables) + 1))))
    rules, problems = compile_rules(files)
    if problems:
        raise AssertionError(problems)
    return rules


#: Made-up rules, so that a test names the error type it is about: the code *is* the type.
NAMED_RULES: Final = _named_rules()


def ok(at: datetime = START, **fields: Any) -> dict[str, Any]:
    """A check that succeeded, with every default permission."""
    return {
        "event_id": f"event-{at.isoformat()}",
        "key_id": KEY,
        "exchange": "binance",
        "checked_at": at.isoformat(),
        "outcome": "ok",
        "permissions": {"read": True, "spot_trade": True},
        **{name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()},
    }


def failure(code: str, at: datetime = START, **fields: Any) -> dict[str, Any]:
    """A check that the exchange answered with this code; with the test rules the code is the error type."""
    return ok(at, **{"outcome": "error", "permissions": {}, "error": {"code": code}, **fields})


def deadline(kind: str, due_at: datetime, **fields: Any) -> dict[str, Any]:
    """The worker's own record."""
    return {"type": "deadline", "key_id": KEY, "kind": kind, "due_at": due_at.isoformat(), **fields}


def record(
    payload: Mapping[str, Any] | bytes | None,
    *,
    offset: int = 0,
    at: datetime | None = None,
    key: bytes | None = KEY.encode(),
    headers: tuple[tuple[str, bytes], ...] = (),
) -> LogRecord:
    """A record of the source topic; it arrives at the time that its payload tells unless ``at`` says otherwise."""
    told = payload.get("checked_at", payload.get("due_at")) if isinstance(payload, Mapping) else None
    arrived = at or (datetime.fromisoformat(told) if isinstance(told, str) else START)
    value = json.dumps(payload).encode() if isinstance(payload, Mapping) else payload
    return LogRecord(TOPIC, 0, offset, int(arrived.timestamp() * 1_000), key, value, headers)


def facts(
    error: str | None = None,
    *,
    certainty: Certainty | None = None,
    memory: Mapping[str, Any] | None = None,
    expiry: Expiry | None = None,
    policy: Policy = POLICY,
    **fields: Any,
) -> Facts:
    """What the decision table is asked about: one result at START, its error type, and what is remembered."""
    payload = ok(**fields) if error is None else failure(error, **fields)
    error_type = None if error is None else ErrorType(error)
    sure = certainty or (Certainty.DEFINITE if error_type is None else CERTAINTY_OF[error_type])
    result = CheckResult.model_validate_json(json.dumps(payload))
    return Facts(result, Verdict(error_type, sure, None, None), Progress(**(memory or {})), expiry, policy)


def fold(
    records: Iterable[LogRecord],
    rules: RuleSet = NAMED_RULES,
    policy: Policy = POLICY,
    states: Mapping[bytes | None, KeyState] | None = None,
) -> tuple[dict[bytes | None, KeyState], list[Decision]]:
    """Decide the log of one partition in order: the states at its end, and every decision.

    With ``states`` it goes on from them as a worker does that has just recovered.
    """
    held = dict(states or {})
    incidents = Incidents()
    incidents.recall(map(sighting_of, held.values()))
    decisions = []
    for entry in records:
        decision = decide_next(entry, held.get(entry.key), incidents, rules, policy)
        decisions.append(decision)
        if decision.touched and decision.state is None:
            held.pop(entry.key, None)
        elif decision.touched and decision.state is not None:
            held[entry.key] = decision.state
    return held, decisions


@dataclass
class Story:
    """One key's life, told record by record; ``always`` are fields that every check result has."""

    rules: RuleSet = NAMED_RULES
    policy: Policy = POLICY
    always: Mapping[str, Any] = field(default_factory=dict)
    state: KeyState | None = None
    records: list[LogRecord] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    incidents: Incidents = field(default_factory=Incidents)

    def ok(self, at: datetime = START, **fields: Any) -> Decision:
        return self.check(ok(at, **{**self.always, **fields}))

    def fails(self, code: str, at: datetime = START, **fields: Any) -> Decision:
        return self.check(failure(code, at, **{**self.always, **fields}))

    def check(self, payload: Mapping[str, Any], at: datetime | None = None) -> Decision:
        return self.feed(record(payload, offset=len(self.records), at=at))

    def falls_due(self, *, arrives: datetime | None = None, **fields: Any) -> Decision:
        """The deadline that the state waits for; ``fields`` forge another."""
        if self.state is None or self.state.progress.next_deadline is None:
            raise AssertionError("this key waits for no deadline")
        waits = self.state.progress.next_deadline
        payload = deadline(waits.kind.value, waits.due_at) | fields
        return self.feed(record(payload, offset=len(self.records), at=arrives))

    def lives_until(self, moment: datetime) -> None:
        """Every deadline that has come by then falls due, and no result arrives."""
        for _ in range(1_000):
            if self.waits_for is None or self.waits_for[1] > moment:
                return
            self.falls_due()
        raise AssertionError("this key falls due without end")

    def removed(self, at: datetime = START) -> Decision:
        return self.feed(record(None, offset=len(self.records), at=at))

    def feed(self, entry: LogRecord) -> Decision:
        """Decide any record against the state that the one before left."""
        decision = decide_next(entry, self.state, self.incidents, self.rules, self.policy)
        if decision.touched:
            self.state = decision.state
        self.records.append(entry)
        self.decisions.append(decision)
        return decision

    @property
    def status(self) -> str | None:
        return None if self.state is None or self.state.status is None else self.state.status.value

    @property
    def changes(self) -> list[str | None]:
        """The status of every change so far."""
        made = [decision.change for decision in self.decisions if decision.change is not None]
        return [None if change.status is None else change.status.value for change in made]

    @property
    def waits_for(self) -> tuple[str, datetime] | None:
        """The kind and the moment of the next deadline."""
        waits = None if self.state is None else self.state.progress.next_deadline
        return None if waits is None else (waits.kind.value, waits.due_at)

    @property
    def notices(self) -> list[Notice]:
        """Every notice so far."""
        return [notice for decision in self.decisions for notice in decision.notices]

    @property
    def noticed(self) -> list[str]:
        """The kind of every notice so far; a reminder with its days left."""
        return [
            f"{notice.days_left} days" if notice.kind is NoticeKind.EXPIRY_REMINDER else notice.kind.value
            for notice in self.notices
        ]


@dataclass
class Crowd:
    """Many keys of one partition, and what is decided of them; each record comes a second after the one before."""

    policy: Policy = POLICY
    rules: RuleSet = NAMED_RULES
    now: datetime = START
    states: dict[str, KeyState] = field(default_factory=dict)
    incidents: Incidents = field(default_factory=Incidents)
    decisions: list[Decision] = field(default_factory=list)
    first_offset: int = 0

    def check(self, key: int, code: str | None = None, **fields: Any) -> Decision:
        """The next result of a key; without a code it works."""
        self.now += timedelta(seconds=1)
        payload = {"key_id": f"key-{key}", "event_id": f"event-{len(self.decisions)}"} | fields
        return self._decide(
            f"key-{key}", ok(self.now, **payload) if code is None else failure(code, self.now, **payload)
        )

    def all_of(self, keys: Iterable[int], code: str | None = None, **fields: Any) -> None:
        for key in keys:
            self.check(key, code, **fields)

    def remove(self, key: int) -> Decision:
        self.now += timedelta(seconds=1)
        return self._decide(f"key-{key}", None)

    def falls_due(self, key: int) -> Decision:
        """The deadline that the key waits for."""
        waits = self.states[f"key-{key}"].progress.next_deadline
        if waits is None:
            raise AssertionError("this key waits for no deadline")
        self.now = max(self.now, waits.due_at)
        return self._decide(f"key-{key}", deadline(waits.kind.value, waits.due_at, key_id=f"key-{key}"))

    def restarts(self) -> None:
        """As a worker that recovers: nothing is known but the states."""
        self.incidents = Incidents()
        self.incidents.recall(map(sighting_of, self.states.values()))

    def _decide(self, name: str, payload: dict[str, Any] | None) -> Decision:
        offset = self.first_offset + len(self.decisions)
        entry = record(payload, offset=offset, at=self.now, key=name.encode())
        decision = decide_next(entry, self.states.get(name), self.incidents, self.rules, self.policy)
        self.decisions.append(decision)
        if decision.touched and decision.state is not None:
            self.states[name] = decision.state
        elif decision.touched:
            del self.states[name]
        return decision

    @property
    def notices(self) -> list[Notice]:
        """What was told of exchanges, rather than of keys."""
        return [notice for decision in self.decisions for notice in decision.notices if notice.key_id is None]

    @property
    def told(self) -> list[str]:
        """The kind of each of them."""
        return [notice.kind.value for notice in self.notices]

    def status(self, key: int) -> Status | None:
        return self.states[f"key-{key}"].status

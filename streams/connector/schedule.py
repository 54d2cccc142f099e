"""When which key is checked next. Pure: time and chance are handed in, in seconds and as a generator."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from heapq import heappop, heappush
from random import Random
from typing import Final, NamedTuple

from schemas.check_result import CheckResult
from schemas.vocabulary import Certainty, ErrorType, Outcome, ReportedState
from streams.connector.config import Pace
from streams.core.classify import Verdict

#: Doubtful refusals in a row before a key counts as refused: a wrong secret is not told by one answer.
_DOUBTS: Final = 3

#: Seconds of the first pause after an exchange has refused our rate; each further refusal doubles it.
_FIRST_BACK_OFF_S: Final = 30.0
_LONGEST_BACK_OFF_S: Final = 3_600.0

#: An exchange that asks for more patience than a day is asked again after a day.
_LONGEST_PATIENCE_S: Final = 86_400.0

_UNUSABLE_STATES: Final = frozenset(
    {ReportedState.EXPIRED, ReportedState.LOCKED, ReportedState.FROZEN, ReportedState.DISABLED}
)


class Finding(StrEnum):
    """What a check means for the time of the next one."""

    WORKS = "works"
    REFUSED = "refused"
    DOUBTFUL = "doubtful"
    RATE_LIMITED = "rate_limited"
    NO_ANSWER = "no_answer"


_BY_CERTAINTY: Final = {
    Certainty.DEFINITE: Finding.REFUSED,
    Certainty.AMBIGUOUS: Finding.DOUBTFUL,
    Certainty.INCONCLUSIVE: Finding.NO_ANSWER,
    Certainty.IRRELEVANT: Finding.NO_ANSWER,
}


def finding(result: CheckResult, verdict: Verdict) -> Finding:
    """What one result means for the schedule, by the verdict of the catalogue."""
    if verdict.error_type is ErrorType.RATE_LIMITED:
        return Finding.RATE_LIMITED
    if result.reported_state in _UNUSABLE_STATES:
        return Finding.REFUSED
    return Finding.WORKS if result.outcome is Outcome.OK else _BY_CERTAINTY[verdict.certainty]


class _Due(NamedTuple):
    at: float
    key_id: str


@dataclass(slots=True)
class _Watched:
    """What the schedule remembers of a key. ``due`` is None while it is being checked.

    ``slot``: the pause count of the exchange at which it was given a slot at ``due``; None: not yet.
    """

    exchange: str
    interval_s: float | None
    due: float | None = None
    slot: int | None = None
    doubts: int = 0


@dataclass(slots=True)
class _Exchange:
    """An exchange's pace, the next moment that is free in it, and its pauses after it refused our rate."""

    pace: Pace
    keys: int = 0
    free_at: float = 0.0
    paused_until: float = 0.0
    pauses: int = 0
    refusals: int = 0

    @property
    def spacing_s(self) -> float:
        """Seconds from one check to the next, of whatever keys."""
        return 60.0 / self.pace.checks_per_minute

    @property
    def round_s(self) -> float:
        """Seconds that a check of every key takes at this pace."""
        return self.keys * self.spacing_s


class Schedule:
    """The due times of all keys. Times are seconds of any clock that does not jump."""

    def __init__(self, random: Random, first_within_s: float = 60.0) -> None:
        self._random = random
        self._first_within_s = first_within_s
        self._keys: dict[str, _Watched] = {}
        self._exchanges: dict[str, _Exchange] = {}
        self._heap: list[_Due] = []

    def set_pace(self, exchange: str, pace: Pace) -> None:
        """How an exchange's keys are checked from now on. Before its first key is added."""
        known = self._exchanges.get(exchange)
        if known is None:
            self._exchanges[exchange] = _Exchange(pace)
        else:
            known.pace = pace

    def add(self, key_id: str, exchange: str, interval_s: float | None, now: float) -> None:
        """Watch a key. First checks are spread over ``first_within_s`` seconds, or over a shorter interval."""
        watched = self._keys[key_id] = _Watched(exchange, interval_s)
        self._exchanges[exchange].keys += 1
        self._set(key_id, now + self._random.random() * min(self._interval(watched), self._first_within_s))

    def remove(self, key_id: str) -> None:
        """Forget a key."""
        watched = self._keys.pop(key_id, None)
        if watched is not None:
            self._exchanges[watched.exchange].keys -= 1

    def take(self, now: float) -> Iterator[str]:
        """The keys that are due and that their exchange's pace lets through, each taken once."""
        while self._heap and self._heap[0].at <= now:
            due = heappop(self._heap)
            if self._is_current(due) and self._is_let_through(due.key_id, now):
                self._keys[due.key_id].due = None
                yield due.key_id

    def _is_let_through(self, key_id: str, now: float) -> bool:
        """Whether a key that is due may be checked now; if not, it gets a slot of its own later."""
        watched = self._keys[key_id]
        exchange = self._exchanges[watched.exchange]
        if exchange.paused_until > now:
            self._set(key_id, exchange.paused_until)
            return False
        if watched.slot == exchange.pauses:
            return True
        at = max(exchange.free_at, now)
        exchange.free_at = at + exchange.spacing_s
        if at > now:
            self._set(key_id, at, slot=exchange.pauses)
        return at <= now

    def next_at(self) -> float | None:
        """When something is due next; None when every key is being checked or none is watched."""
        while self._heap and not self._is_current(self._heap[0]):
            heappop(self._heap)
        return self._heap[0].at if self._heap else None

    def overloaded(self) -> Iterator[tuple[str, float]]:
        """Exchanges whose pace is too slow for their keys, with the seconds that a round of checks takes."""
        for name, exchange in self._exchanges.items():
            if exchange.round_s > exchange.pace.interval_s:
                yield name, exchange.round_s

    def checked(self, key_id: str, found: Finding, retry_after_s: float | None, now: float) -> float:
        """Set the next check of a watched key by what this one found; returns the seconds until then at most."""
        watched = self._keys[key_id]
        patience_s = min(retry_after_s or 0.0, _LONGEST_PATIENCE_S)
        exchange = self._exchanges[watched.exchange]
        watched.doubts = watched.doubts + 1 if found is Finding.DOUBTFUL else 0
        if found is Finding.RATE_LIMITED:
            _back_off(exchange, patience_s, now)
        elif found is not Finding.NO_ANSWER:
            exchange.refusals = 0
        interval_s = self._interval(watched)
        if found is Finding.REFUSED or watched.doubts >= _DOUBTS:
            interval_s = max(interval_s, exchange.pace.slow_interval_s)
        shortest_s = max(patience_s, exchange.paused_until - now)
        jitter = exchange.pace.jitter
        self._set(key_id, now + max(shortest_s, interval_s * (1 + jitter * (2 * self._random.random() - 1))))
        return max(shortest_s, interval_s * (1 + jitter))

    def _interval(self, watched: _Watched) -> float:
        """The key's interval; never shorter than a round of checks of its exchange takes."""
        exchange = self._exchanges[watched.exchange]
        return max(watched.interval_s or exchange.pace.interval_s, exchange.round_s)

    def _set(self, key_id: str, at: float, *, slot: int | None = None) -> None:
        watched = self._keys[key_id]
        watched.due, watched.slot = at, slot
        heappush(self._heap, _Due(at, key_id))

    def _is_current(self, due: _Due) -> bool:
        watched = self._keys.get(due.key_id)
        return watched is not None and watched.due == due.at


def _back_off(exchange: _Exchange, patience_s: float, now: float) -> None:
    """Leave the whole exchange alone for as long as it says, else twice as long each time.

    Refusals of checks that were under way when the pause began are one refusal. Slots given out before it lapse.
    """
    if exchange.paused_until <= now:
        exchange.refusals += 1
    pause_s = min(_FIRST_BACK_OFF_S * 2.0 ** min(exchange.refusals - 1, 16), _LONGEST_BACK_OFF_S)
    exchange.paused_until = max(exchange.paused_until, now + max(pause_s, patience_s))
    exchange.free_at = exchange.paused_until
    exchange.pauses += 1

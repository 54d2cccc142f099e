"""Trouble of an exchange at large: when many of its keys fail at once, the keys are not to blame.

Seen from one partition, and from its log alone: what is counted here stands in the key
states, so that a restart, or another worker, goes on with the same numbers. Each key counts
once, by its last accepted result.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from schemas.contract import evolve
from schemas.key_state import Incident, KeyState
from schemas.notice import Notice
from schemas.status_change import Evidence
from schemas.vocabulary import Certainty, NoticeKind, Status
from streams.core.changes import evidence_of, notice_id
from streams.core.decision import Decision
from streams.core.ordering import horizon
from streams.core.policy import Policy
from streams.core.record import Record

#: Results are counted in slots of so many seconds; the window of five minutes is ten of them.
_SLOT_S: Final = 30
_SLOTS: Final = 10


class Sighting(NamedTuple):
    """What one key's state says of its exchange: of ``offset``, the place of its last accepted result."""

    exchange: str
    observed_at: datetime
    in_trouble: bool
    incident: Incident | None
    offset: int


def sighting_of(state: KeyState) -> Sighting:
    progress = state.progress
    return Sighting(state.exchange, state.observed_at, progress.in_trouble, progress.incident, progress.offset)


class _Stretch:
    """Offsets from ``start`` on, over which an exchange's incident was the same, and how many keys tell of it."""

    def __init__(self, start: int, incident: Incident | None) -> None:
        self.start = start
        self.incident = incident
        self.keys = 0


class _Exchange:
    """The keys of one exchange, by the slot of their last result.

    What its incident is stands in the state of the key that was checked last. When that key is removed,
    the one before it counts, here as after a recovery; so it is known how far back the others tell what.
    """

    def __init__(self) -> None:
        self._stretches: list[_Stretch] = []
        self._latest: int = -1
        self._checked: Counter[int] = Counter()
        self._in_trouble: Counter[int] = Counter()

    @property
    def is_well(self) -> bool:
        """Whether no key at all was in trouble when it was checked last: nearly always, and cheap to ask."""
        return not self._in_trouble

    @property
    def incident(self) -> Incident | None:
        return self._stretches[-1].incident if self._stretches else None

    def remember(self, offset: int, incident: Incident | None) -> None:
        """The state of a key tells this of the exchange, and no other state is newer."""
        if not self._stretches or self._stretches[-1].incident != incident:
            self._stretches.append(_Stretch(offset, incident))
        self._stretches[-1].keys += 1
        self._latest = offset

    def forget(self, offset: int) -> None:
        """The state that told this is gone, or tells something newer.

        One from after the latest offset is of a log that was replaced by a new one: older than all others.
        """
        place = len(self._stretches) - 1
        is_of_an_older_log = offset > self._latest
        while place and (is_of_an_older_log or self._stretches[place].start > offset):
            place -= 1
        self._stretches[place].keys -= 1
        if not self._stretches[place].keys:
            del self._stretches[place]

    def count(self, observed_at: datetime, step: int, *, in_trouble: bool) -> None:
        slot = int(observed_at.timestamp()) // _SLOT_S
        _add(self._checked, slot, step)
        if in_trouble:
            _add(self._in_trouble, slot, step)

    def lately(self, at: datetime) -> tuple[int, int]:
        """Keys in trouble, and keys checked, within the window before this moment."""
        last = int(at.timestamp()) // _SLOT_S
        return self._keys(self._in_trouble, last), self._keys(self._checked, last)

    @staticmethod
    def _keys(counted: Counter[int], last: int) -> int:
        return sum(counted.get(slot, 0) for slot in range(last - _SLOTS + 1, last + 1))


def _add(counted: Counter[int], slot: int, step: int) -> None:
    """Count, and keep no zero: the slots that there are cost memory, not those that there were."""
    counted[slot] += step
    if not counted[slot]:
        del counted[slot]


class Incidents:
    """The exchanges that are in trouble at large; ``exchange in incidents`` asks for one."""

    def __init__(self) -> None:
        self._exchanges: dict[str, _Exchange] = {}

    def __contains__(self, exchange: object) -> bool:
        watched = self._exchanges.get(str(exchange))
        return watched is not None and watched.incident is not None

    @property
    def open(self) -> list[str]:
        """The exchanges in trouble."""
        return [name for name, watched in self._exchanges.items() if watched.incident is not None]

    def recall(self, sightings: Iterable[Sighting]) -> None:
        """Take over what the states of a recovered partition say."""
        told: dict[str, list[tuple[int, Incident | None]]] = {}
        for sighting in sightings:
            self._of(sighting.exchange).count(sighting.observed_at, +1, in_trouble=sighting.in_trouble)
            told.setdefault(sighting.exchange, []).append((sighting.offset, sighting.incident))
        for exchange, incidents in told.items():
            for offset, incident in sorted(incidents, key=_offset):
                self._of(exchange).remember(offset, incident)

    def follow(self, record: Record, before: KeyState | None, decision: Decision, policy: Policy) -> Decision:
        """Count one decision. The decision comes back with what it means for its exchange."""
        result, state, counted = decision.result, decision.state, before
        if not decision.touched:
            return decision
        if state is None:
            return decision if before is None else self._left(record, before, decision)
        if result is None:
            return decision  # a deadline tells nothing of the exchange
        if before is not None and before.exchange != state.exchange:
            decision, counted = self._left(record, before, decision), None
        watched = self._of(state.exchange)
        was = watched.incident
        if counted is not None:
            watched.count(counted.observed_at, -1, in_trouble=counted.progress.in_trouble)
        in_trouble = _is_in_trouble(before, decision)
        watched.count(state.observed_at, +1, in_trouble=in_trouble)
        incident = _judged(watched, result.checked_at, policy.of(state.exchange))
        watched.remember(record.offset, incident)
        if counted is not None:
            watched.forget(counted.progress.offset)
        progress = evolve(state.progress, {"in_trouble": in_trouble, "incident": incident})
        decision = decision._replace(state=evolve(state, {"progress": progress}))
        return _told(record, decision, was, state.exchange, watched, result.checked_at)

    def _left(self, record: Record, before: KeyState, decision: Decision) -> Decision:
        """A key was removed, or moved to another exchange: what only its state told is known no more."""
        watched = self._of(before.exchange)
        was = watched.incident
        watched.count(before.observed_at, -1, in_trouble=before.progress.in_trouble)
        watched.forget(before.progress.offset)
        at = horizon(before) if decision.change is None else decision.change.changed_at
        return _told(record, decision, was, before.exchange, watched, at)

    def _of(self, exchange: str) -> _Exchange:
        watched = self._exchanges.get(exchange)
        if watched is None:
            watched = self._exchanges[exchange] = _Exchange()
        return watched


def _offset(told: tuple[int, Incident | None]) -> int:
    return told[0]


def _judged(watched: _Exchange, at: datetime, policy: Policy) -> Incident | None:
    """The incident after what was counted: opened, going on, calming down, or over."""
    incident = watched.incident
    if incident is None and watched.is_well:
        return None
    in_trouble, checked = watched.lately(at)
    if incident is None:
        return Incident(opened_at=at, calm_since=None) if _breaks_out(in_trouble, checked, policy) else None
    if in_trouble >= policy.incident_calm_share * checked:
        return incident if incident.calm_since is None else evolve(incident, {"calm_since": None})
    if incident.calm_since is None:
        return evolve(incident, {"calm_since": at})
    over = at - incident.calm_since >= timedelta(seconds=policy.incident_calm_s)
    return None if over else incident


def _breaks_out(in_trouble: int, checked: int, policy: Policy) -> bool:
    """Whether so many keys are in trouble that they cannot be to blame."""
    if in_trouble < policy.incident_keys:
        return checked < policy.incident_keys and in_trouble == checked >= policy.incident_few_keys
    return in_trouble >= policy.incident_share * checked


#: What a refusal of unclear cause says of a key that has to be acted on anyway is no news, and no sign of trouble.
_WORKED: Final = frozenset({None, Status.CONNECTED, Status.EXPIRING, Status.TEMPORARY_ISSUE})


def _is_in_trouble(before: KeyState | None, decision: Decision) -> bool:
    """Whether a key's result may be its exchange's fault."""
    verdict = decision.verdict
    if verdict is None or verdict.certainty is Certainty.DEFINITE:
        return False
    if verdict.certainty is Certainty.INCONCLUSIVE:
        return True
    return before is None or before.status in _WORKED


def _told(
    record: Record, decision: Decision, was: Incident | None, exchange: str, watched: _Exchange, at: datetime
) -> Decision:
    """The decision, with word of an incident that was opened or closed by it."""
    if (was is None) is (watched.incident is None):
        return decision
    evidence = evidence_of(record, decision.result, decision.verdict)
    return decision._replace(notices=(*decision.notices, _notice(exchange, watched, at, evidence)))


def _notice(exchange: str, watched: _Exchange, at: datetime, evidence: Evidence) -> Notice:
    """Word that an incident was opened or closed; its record key is the exchange."""
    kind = NoticeKind.INCIDENT_CLOSED if watched.incident is None else NoticeKind.INCIDENT_OPENED
    in_trouble, checked = watched.lately(at)
    return Notice(
        notice_id=notice_id(exchange, kind, evidence),
        key_id=None,
        account_id=None,
        exchange=exchange,
        kind=kind,
        status=None,
        expires_at=None,
        days_left=None,
        keys_in_trouble=in_trouble,
        keys_checked=checked,
        noticed_at=at,
        evidence=evidence,
    )

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


class _Exchange:
    """The keys of one exchange, by the slot of their last result."""

    def __init__(self) -> None:
        self.incident: Incident | None = None
        self.decided_at: int = -1
        self._checked: Counter[int] = Counter()
        self._in_trouble: Counter[int] = Counter()

    def count(self, sighting: Sighting, step: int) -> None:
        slot = int(sighting.observed_at.timestamp()) // _SLOT_S
        _add(self._checked, slot, step)
        if sighting.in_trouble:
            _add(self._in_trouble, slot, step)

    def lately(self, at: datetime) -> tuple[int, int]:
        """Keys in trouble, and keys checked, within the window before this moment."""
        last = int(at.timestamp()) // _SLOT_S
        if not self._in_trouble and self.incident is None:
            return 0, 0  # nearly always: nothing to judge, so nothing to count
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
        for sighting in sightings:
            watched = self._of(sighting.exchange)
            watched.count(sighting, +1)
            if sighting.offset > watched.decided_at:
                watched.decided_at, watched.incident = sighting.offset, sighting.incident

    def follow(self, record: Record, before: KeyState | None, decision: Decision, policy: Policy) -> Decision:
        """Count one decision. The decision comes back with what it means for its exchange."""
        if not decision.touched:
            return decision
        result, state = decision.result, decision.state
        if result is None:
            if state is None and before is not None:
                self._of(before.exchange).count(sighting_of(before), -1)
            return decision
        if state is None:
            return decision
        if before is not None:
            self._of(before.exchange).count(sighting_of(before), -1)
        watched = self._of(state.exchange)
        progress = evolve(state.progress, {"in_trouble": _is_in_trouble(before, decision)})
        state = evolve(state, {"progress": progress})
        watched.count(sighting_of(state), +1)
        was, at = watched.incident, result.checked_at
        watched.incident, watched.decided_at = _judged(watched, at, policy.of(state.exchange)), record.offset
        if watched.incident is not progress.incident:
            state = evolve(state, {"progress": evolve(progress, {"incident": watched.incident})})
        decision = decision._replace(state=state)
        if (was is None) is (watched.incident is None):
            return decision
        evidence = evidence_of(record, result, decision.verdict)
        return decision._replace(notices=(*decision.notices, _notice(state.exchange, watched, at, evidence)))

    def _of(self, exchange: str) -> _Exchange:
        watched = self._exchanges.get(exchange)
        if watched is None:
            watched = self._exchanges[exchange] = _Exchange()
        return watched


def _judged(watched: _Exchange, at: datetime, policy: Policy) -> Incident | None:
    """The incident after what was counted: opened, going on, calming down, or over."""
    incident = watched.incident
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

"""The worker without Kafka: lines in, the outputs that they would make out.

A pretended log gives every line a partition and an offset, as Kafka would, so that the
outputs (ids and evidence too) are those of a worker that reads the same records. Time is
what the lines tell: a deadline that has come by then stands in the log before them.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from pydantic_core import from_json

from schemas.check_result import CheckResult
from schemas.deadline import Deadline
from schemas.key_state import KeyState
from schemas.notice import Notice
from schemas.status_change import KeyStatusChanged
from streams.core.decide import decide_next
from streams.core.decision import DeadLetter, Decision
from streams.core.decode import decode
from streams.core.incidents import Incidents
from streams.core.policy import Policy
from streams.core.record import LogRecord, moment_of
from streams.core.rules import RuleSet
from streams.deadline_heap import DeadlineHeap
from streams.kafka import partition_of
from streams.publisher import RecordLine, read_line
from streams.topics import Topics
from streams.worker.outputs import dead_letter_headers

#: Lines come at no time of their own: the log's clock is unknown, as in a log without timestamps.
_NO_TIME: Final = -1


class Output(NamedTuple):
    """One record that the worker would write; ``value`` is JSON, ``headers`` a dead letter's."""

    topic: str
    key: str | None
    value: str
    headers: tuple[tuple[str, str], ...] = ()

    def as_line(self) -> str:
        """The output as a line of JSON."""
        headers = f',"headers":{_json(dict(self.headers))}' if self.headers else ""
        return f'{{"topic":{_json(self.topic)},"key":{_json(self.key)},"value":{self.value}{headers}}}'


class Simulation:
    """A worker that owns every partition of a log which exists only here."""

    def __init__(self, rules: RuleSet, policy: Policy, topics: Topics, partitions: int) -> None:
        self._rules = rules
        self._policy = policy
        self._topics = topics
        self._ends = [0] * partitions
        self._states: dict[bytes, KeyState] = {}
        self._incidents = [Incidents() for _ in range(partitions)]
        self._deadlines = DeadlineHeap()

    def feed(self, line: bytes) -> list[Output]:
        """Append one line to the log, after the deadlines that have come by its time, and decide them.

        What a line may be stands in ``streams.publisher.read_line``. A blank line is none.
        """
        line = line.strip()
        if not line:
            return []
        read = read_line(line)
        now = self._moment_of(read) if self._deadlines else None
        outputs = [] if now is None else self.let_pass(now)
        return outputs + self._append(read.key, read.value, read.timestamp)

    def replay(self, line: bytes) -> list[Output]:
        """Append one line of a log that holds its deadlines already, as a worker left it, and decide it."""
        read = read_line(line)
        return self._append(read.key, read.value, read.timestamp)

    def let_pass(self, until: datetime) -> list[Output]:
        """Append the deadlines that have come by then, in the order in which they fall due, and decide them."""
        outputs: list[Output] = []
        while (due := next(self._deadlines.fall_due(until), None)) is not None:
            payload = Deadline(key_id=due.key.decode(), kind=due.kind, due_at=due.due_at)
            outputs += self._append(due.key, payload.model_dump_json().encode(), _NO_TIME)
        return outputs

    def _moment_of(self, line: RecordLine) -> datetime | None:
        """The time that a line tells: its arrival, else its check; None for rubbish and removals without one."""
        if line.timestamp >= 0:
            return moment_of(line.timestamp)
        payload = decode(LogRecord(self._topics.check_results, 0, 0, line.timestamp, line.key, line.value))
        return payload.checked_at if isinstance(payload, CheckResult) else None

    def _append(self, key: bytes | None, value: bytes | None, timestamp: int) -> list[Output]:
        partition = partition_of(key, len(self._ends))
        record = LogRecord(self._topics.check_results, partition, self._ends[partition], timestamp, key, value)
        self._ends[partition] += 1
        state = None if key is None else self._states.get(key)
        decision = decide_next(record, state, self._incidents[partition], self._rules, self._policy)
        if decision.touched and key is not None:
            self._put(key, decision.state)
        return list(_outputs(record, decision, self._topics))

    def _put(self, key: bytes, state: KeyState | None) -> None:
        self._deadlines.wait(key, None if state is None else state.progress.next_deadline)
        if state is None:
            self._states.pop(key, None)
        else:
            self._states[key] = state


def _outputs(record: LogRecord, decision: Decision, topics: Topics) -> Sequence[Output]:
    """What the worker would write, but for the state."""
    outputs = [] if decision.change is None else [_output(topics.status_changes, decision.change)]
    outputs += [_output(topics.notices, notice) for notice in decision.notices]
    if decision.dead_letter is not None:
        outputs.append(_dead_letter(record, decision.dead_letter, topics))
    return outputs


def _output(topic: str, payload: KeyStatusChanged | Notice) -> Output:
    return Output(topic, payload.key_id or payload.exchange, payload.model_dump_json())


def _dead_letter(record: LogRecord, letter: DeadLetter, topics: Topics) -> Output:
    headers = tuple((name, content.decode(errors="replace")) for name, content in dead_letter_headers(record, letter))
    key = None if letter.key is None else letter.key.decode(errors="replace")
    return Output(topics.dead_letters, key, _readable(letter.value), headers)


def _readable(value: bytes | None) -> str:
    """The value as JSON: itself if it is JSON, else a string of its text."""
    if value is None:
        return "null"
    try:
        return _json(from_json(value))
    except ValueError:
        return _json(value.decode(errors="replace"))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

"""What the topics must hold: the simulation, fed with the source log as it was read back."""

import json
from collections import Counter

from aiokafka import ConsumerRecord

from streams.catalogue import load_rules
from streams.core.policy import Policy
from streams.settings import Settings
from streams.simulate import Simulation
from streams.topics import Topics
from tests.worker.log import read_all

#: Outputs of one topic and key, in order. A dead letter's value is readable text, its
#: headers are those that tell the fault.
Told = dict[tuple[str, str | None], list[tuple[str, dict[str, str]]]]


async def told_by_the_simulation(settings: Settings) -> Told:
    """What `keystatus simulate` prints for the records of the source topic, deadlines of the workers included."""
    topics = Topics.named(settings.topic_prefix)
    simulation = Simulation(load_rules(), Policy(), topics, settings.partitions)
    told: Told = {}
    for record in await read_all(settings, topics.check_results):
        for output in simulation.replay(_as_line(record)):
            told.setdefault((output.topic, output.key), []).append((output.value, dict(output.headers)))
    return told


async def told_by_the_topics(settings: Settings, isolation: str = "read_committed") -> Told:
    """What a reader finds in the topics of changes, notices and dead letters."""
    topics = Topics.named(settings.topic_prefix)
    told: Told = {}
    for topic in (topics.status_changes, topics.notices, topics.dead_letters):
        for record in await read_all(settings, topic, isolation):
            key = None if record.key is None else record.key.decode()
            headers = _fault_headers(record) if topic == topics.dead_letters else {}
            value = _readable(record.value) if topic == topics.dead_letters else record.value.decode()
            told.setdefault((topic, key), []).append((value, headers))
    return told


async def keys_by_status(settings: Settings) -> Counter[tuple[str, str]]:
    """The distribution that the compacted topic tells: its last value of every key."""
    last = {}
    for record in await read_all(settings, Topics.named(settings.topic_prefix).status):
        last[record.key] = record.value
    states = [json.loads(value) for value in last.values() if value is not None]
    return Counter((state["exchange"], state["status"] or "pending") for state in states)


def _as_line(record: ConsumerRecord) -> bytes:
    """A record as `simulate` reads it; bytes that are not text have no other form than themselves."""
    try:
        value = None if record.value is None else record.value.decode()
    except UnicodeDecodeError:
        assert record.key is None, "the simulation's lines cannot say this"
        return record.value
    key = None if record.key is None else record.key.decode()
    return json.dumps({"key": key, "value": value, "timestamp": record.timestamp}).encode()


def _fault_headers(record: ConsumerRecord) -> dict[str, str]:
    return {name: content.decode() for name, content in record.headers}


def _readable(value: bytes) -> str:
    try:
        return json.dumps(json.loads(value), ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return json.dumps(value.decode(errors="replace"), ensure_ascii=False)


def sizes(told: Told) -> Counter[str]:
    """How many outputs each topic got, for a message that can be read."""
    return Counter({topic: 0 for topic, _ in told}) + Counter(
        topic for (topic, _), outputs in told.items() for _ in outputs
    )


def first_difference(expected: Told, found: Told) -> str:
    """The first key that was told otherwise, or an empty string."""
    for place in sorted(expected.keys() | found.keys(), key=str):
        if expected.get(place) != found.get(place):
            return f"{place}: expected {expected.get(place)}, found {found.get(place)}"
    return ""

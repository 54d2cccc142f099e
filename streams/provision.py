"""Create the five topics, and tell whether they are as they have to be.

The worker never creates a topic: it verifies them at start and refuses on a mismatch.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from streams.errors import TopicsError
from streams.kafka import REQUEST_LIMIT_MS, connection, start_within_limit, unreachable
from streams.settings import Settings
from streams.topics import CONFIG, Role, Topics

_VISIBLE_LIMIT_S: Final = 10.0
_VISIBLE_PAUSE_S: Final = 0.02


class TopicState(NamedTuple):
    """One topic as it is; ``partitions`` is 0 when it does not exist."""

    role: Role
    name: str
    partitions: int
    config: dict[str, str]


@asynccontextmanager
async def admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client. Raises BrokerUnreachableError when no broker answers."""
    client = AIOKafkaAdminClient(**connection(settings), request_timeout_ms=REQUEST_LIMIT_MS)
    try:
        await start_within_limit(client.start(), settings)
        yield client
    except (KafkaError, TimeoutError) as error:
        raise unreachable(settings, error) from None
    finally:
        await client.close()


async def describe(settings: Settings) -> list[TopicState]:
    """The five topics as they are now."""
    async with admin(settings) as client:
        return await _describe(client, settings)


async def apply(settings: Settings) -> list[str]:
    """Create the topics that are missing, and wait until they can be used; returns their names.

    Raises:
        TopicsError: a topic cannot be created, or one that exists is not as it has to be.
    """
    async with admin(settings) as client:
        before = await _describe(client, settings)
        missing = [state for state in before if not state.partitions]
        _refuse([state for state in before if state.partitions], settings.partitions if missing else None)
        await _create(client, settings, missing)
        await _until_visible(client, settings)
    return [state.name for state in missing]


async def partitions_of(settings: Settings, role: Role) -> int:
    """The partition count of one topic.

    Raises:
        TopicsError: it does not exist.
    """
    name = Topics.named(settings.topic_prefix).by_role()[role]
    async with admin(settings) as client:
        count = (await _partition_counts(client, [name]))[name]
    if not count:
        raise TopicsError(f"no such topic: {name}: create the topics with `keystatus topics apply`")
    return count


async def check(settings: Settings) -> int:
    """The partition count that all five topics share.

    Raises:
        TopicsError: a topic is missing, has another count or another cleanup policy.
    """
    states = await describe(settings)
    missing = [state.name for state in states if not state.partitions]
    if missing:
        raise TopicsError(f"no such topic: {', '.join(missing)}: create the topics with `keystatus topics apply`")
    _refuse(states, None)
    return states[0].partitions


def faults(states: Sequence[TopicState], partitions: int) -> list[str]:
    """What is wrong with these existing topics, in words; empty when all is well."""
    return [
        f"{state.name} has {state.partitions} partitions, not {partitions}"
        for state in states
        if state.partitions != partitions
    ] + [
        f"{state.name} has cleanup.policy={policy}, but needs {wanted}"
        for state in states
        if (policy := state.config.get("cleanup.policy")) != (wanted := CONFIG[state.role]["cleanup.policy"])
    ]


def _refuse(states: Sequence[TopicState], partitions: int | None) -> None:
    """Raise TopicsError for topics that differ from ``partitions``, or without it from the first of them."""
    if not states:
        return
    problems = faults(states, partitions or states[0].partitions)
    if problems:
        raise TopicsError(
            "; ".join(problems) + ": set KEYSTATUS_PARTITIONS to what is there, "
            "alter the topics with Kafka's own tools, or choose another KEYSTATUS_TOPIC_PREFIX"
        )


async def _describe(client: AIOKafkaAdminClient, settings: Settings) -> list[TopicState]:
    names = Topics.named(settings.topic_prefix).by_role()
    counts = await _partition_counts(client, list(names.values()))
    configs = await _configs(client, [name for name in names.values() if counts[name]])
    return [TopicState(role, name, counts[name], configs.get(name, {})) for role, name in names.items()]


async def _create(client: AIOKafkaAdminClient, settings: Settings, missing: Sequence[TopicState]) -> None:
    wanted = [
        NewTopic(state.name, settings.partitions, settings.replication_factor, topic_configs=dict(CONFIG[state.role]))
        for state in missing
    ]
    if not wanted:
        return
    response = await client.create_topics(wanted)
    for name, code, *rest in response.topic_errors:
        error = for_code(code)
        # Somebody else may have created it a moment ago: that is as good.
        if code and error is not TopicAlreadyExistsError:
            raise TopicsError(f"topic {name} cannot be created: {rest[0] if rest and rest[0] else error.__name__}")


async def _until_visible(client: AIOKafkaAdminClient, settings: Settings) -> None:
    """A created topic is there at once, but brokers learn of it a moment later."""
    names = list(Topics.named(settings.topic_prefix))
    try:
        async with asyncio.timeout(_VISIBLE_LIMIT_S):
            while any(not codes or any(codes) for codes in (await _error_codes(client, names)).values()):  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(_VISIBLE_PAUSE_S)
    except TimeoutError:
        raise TopicsError(
            f"the topics do not show {_VISIBLE_LIMIT_S:.0f} s after their creation: see to Kafka"
        ) from None


async def _partition_counts(client: AIOKafkaAdminClient, names: list[str]) -> dict[str, int]:
    return {name: len(codes) for name, codes in (await _error_codes(client, names)).items()}


async def _error_codes(client: AIOKafkaAdminClient, names: list[str]) -> dict[str, list[int]]:
    """For each topic one code for each partition, 0 when all is well; none for a topic that does not exist."""
    # To describe a topic that does not exist would create it, on a broker that allows that.
    there = set(await client.list_topics()).intersection(names)
    found = await client.describe_topics(sorted(there)) if there else []
    codes = {topic["topic"]: [partition["error_code"] for partition in topic["partitions"]] for topic in found}
    return {name: codes.get(name, []) for name in names}


async def _configs(client: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    responses = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for response in responses
        for resource in response.resources
    }

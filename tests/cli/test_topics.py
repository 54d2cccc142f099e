"""``keystatus topics`` against a real Kafka."""

import asyncio
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.localkafka import LocalKafka
from streams.topics import Topics
from tests.cli.command import environment, error_line, run

pytestmark = pytest.mark.kafka


def make(name: str, kafka: LocalKafka, partitions: int, **config: str) -> None:
    """One topic by hand."""

    async def create() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config)])
        finally:
            await admin.close()

    asyncio.run(create())


@pytest.fixture
def blank(kafka: LocalKafka) -> dict[str, str]:
    """The environment of an installation that has no topics yet."""
    return environment(
        KEYSTATUS_KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap_servers,
        KEYSTATUS_TOPIC_PREFIX=f"test-{uuid4().hex[:12]}",
        KEYSTATUS_PARTITIONS="3",
    )


def test_from_nothing_to_in_order(blank: dict[str, str]) -> None:
    prefix = blank["KEYSTATUS_TOPIC_PREFIX"]
    missing = run("topics", "check", env=blank)
    assert missing.returncode == 1
    assert "keystatus topics apply" in error_line(missing)
    assert run("topics", "describe", env=blank).stdout.count(b"does not exist") == 5

    created = run("topics", "apply", env=blank)
    assert created.stdout.decode().splitlines() == [f"created {name}" for name in Topics.named(prefix)]
    again = run("topics", "apply", env=blank)
    assert again.stdout.decode().splitlines() == [f"exists {name}" for name in Topics.named(prefix)]
    assert (created.returncode, again.returncode) == (0, 0)

    checked = run("topics", "check", env=blank)
    assert (checked.returncode, checked.stdout) == (0, b"the topics are in order: 3 partitions each\n")
    described = run("topics", "describe", env=blank).stdout.decode()
    assert "cleanup.policy=compact" in described
    assert described.count("3 partitions") == 5


def test_another_partition_count(blank: dict[str, str], kafka: LocalKafka) -> None:
    """What is missing would not fit what is there: nothing is created."""
    name = f"{blank['KEYSTATUS_TOPIC_PREFIX']}.check-results"
    make(name, kafka, partitions=2)
    refused = run("topics", "apply", env=blank)
    assert refused.returncode == 1
    assert f"{name} has 2 partitions, not 3" in error_line(refused)
    assert run("topics", "describe", env=blank).stdout.count(b"does not exist") == 4
    assert run("topics", "apply", env=blank | {"KEYSTATUS_PARTITIONS": "2"}).returncode == 0


def test_another_cleanup_policy(blank: dict[str, str], kafka: LocalKafka) -> None:
    name = f"{blank['KEYSTATUS_TOPIC_PREFIX']}.status"
    make(name, kafka, partitions=3, **{"cleanup.policy": "delete"})
    refused = run("topics", "apply", env=blank)
    assert refused.returncode == 1
    assert f"{name} has cleanup.policy=delete, but needs compact" in error_line(refused)

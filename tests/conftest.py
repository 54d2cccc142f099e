"""A real Apache Kafka for every test that wants one, and topics of its own for each."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import pytest

from streams import provision
from streams.localkafka import LocalKafka
from streams.settings import Settings


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    """One broker for the whole session, on a free port."""
    with LocalKafka(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def settings(kafka: LocalKafka) -> Settings:
    """Settings with topics and a group that no other test uses; the topics exist."""
    name = f"test-{uuid4().hex[:12]}"
    chosen = Settings(
        kafka_bootstrap_servers=kafka.bootstrap_servers, topic_prefix=name, group_id=name, partitions=4, web_port=0
    )
    asyncio.run(provision.apply(chosen))
    return chosen

"""The local Kafka, for real: it starts, keeps what it was given through a crash, and ends with its owner."""

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.localkafka import LocalKafka, LocalKafkaError
from streams.localkafka.ports import free_port, kafka_answers

pytestmark = pytest.mark.kafka

ROOT = Path(__file__).parents[2]
LIMIT_S = 30.0  # for what takes a second or two
SILENCE_S = 0.5  # long enough to notice an answer or an end that must not come

OWNER = """
import sys
from pathlib import Path
from streams.localkafka import LocalKafka
kafka = LocalKafka(Path(sys.argv[1]))
kafka.start()
print(kafka.pid, kafka.port, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    # a directory name that Kafka could not take in its settings
    with LocalKafka(tmp_path_factory.mktemp("kafka") / "a, b é") as kafka:
        yield kafka


def ends_within(pid: int, timeout_s: float) -> bool:
    """Whether the process, which need not be a child of ours, ends in that time."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], timeout_s)[0])
    finally:
        os.close(descriptor)


def start_owner(data_dir: Path) -> tuple["subprocess.Popen[str]", int, int]:
    """Start another process that owns a Kafka; return it, and Kafka's process id and port."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, data_dir], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    pid, port = map(int, owner.stdout.readline().split())
    return owner, pid, port


async def create_topic(kafka: LocalKafka, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    await admin.close()


async def send_in_transactions(kafka: LocalKafka, topic: str) -> None:
    """Commit the values `first` and `last`, abort one in between."""
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, transactional_id=topic) as producer:
        async with producer.transaction():
            await producer.send(topic, b"first", partition=0)
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"aborted", partition=0)
        await producer.abort_transaction()
        async with producer.transaction():
            await producer.send(topic, b"last", partition=0)


async def read_committed(kafka: LocalKafka, topic: str) -> list[bytes]:
    """Read the topic up to the value `last`."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    values: list[bytes] = []
    async with consumer:
        consumer.assign([TopicPartition(topic, 0)])
        while b"last" not in values:
            values.append((await consumer.getone()).value)
    return values


async def test_a_read_committed_consumer_sees_committed_transactions_only(kafka: LocalKafka) -> None:
    await create_topic(kafka, "transactions")
    await send_in_transactions(kafka, "transactions")
    assert await read_committed(kafka, "transactions") == [b"first", b"last"]


async def test_a_kafka_killed_and_started_again_has_its_records_port_and_cluster(kafka: LocalKafka) -> None:
    await create_topic(kafka, "crash")
    await send_in_transactions(kafka, "crash")
    address, cluster = kafka.bootstrap_servers, (kafka.data_dir / "data/meta.properties").read_text()
    kafka.kill()
    assert kafka.pid is None
    assert not kafka_answers(kafka.port, LIMIT_S)
    kafka.start()
    assert kafka.bootstrap_servers == address
    assert (kafka.data_dir / "data/meta.properties").read_text() == cluster
    assert await read_committed(kafka, "crash") == [b"first", b"last"]


@pytest.mark.parametrize("attempt", range(3))  # without fencing two of three hang
async def test_a_transaction_committed_right_before_a_crash_can_be_read_after_it(
    kafka: LocalKafka, attempt: int
) -> None:
    topic = f"committed-{attempt}"
    await create_topic(kafka, topic)
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, transactional_id=topic) as producer:
        async with producer.transaction():
            await producer.send(topic, b"last", partition=0)
        kafka.kill()
    kafka.start()
    async with asyncio.timeout(LIMIT_S):
        assert await read_committed(kafka, topic) == [b"last"]


def test_a_kafka_that_crashed_before_it_was_ready_starts_again(tmp_path: Path) -> None:
    with LocalKafka(tmp_path) as kafka:
        pass
    (tmp_path / "data/.kafka_cleanshutdown").unlink()  # as a crash early in the next start leaves it
    with kafka:
        assert kafka_answers(kafka.port, LIMIT_S)


def test_a_topic_is_not_made_by_asking_for_it(kafka: LocalKafka) -> None:
    assert "auto.create.topics.enable=false" in (kafka.data_dir / "server.properties").read_text()


def test_a_paused_kafka_keeps_its_connections_and_answers_when_it_goes_on(kafka: LocalKafka) -> None:
    kafka.pause()
    assert not kafka_answers(kafka.port, SILENCE_S)
    assert kafka.pid is not None
    kafka.resume()
    assert kafka_answers(kafka.port, LIMIT_S)


def test_a_kafka_that_runs_cannot_be_started_twice(kafka: LocalKafka) -> None:
    with pytest.raises(LocalKafkaError, match="runs already"):
        kafka.start()
    assert kafka_answers(kafka.port, LIMIT_S)


def test_ctrl_c_in_the_terminal_does_not_reach_kafka(kafka: LocalKafka) -> None:
    assert kafka.pid is not None
    assert os.getsid(kafka.pid) != os.getsid(0)


def test_a_kafka_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    kafka = LocalKafka(tmp_path)
    thread = threading.Thread(target=kafka.start)
    thread.start()
    thread.join()
    assert kafka.pid is not None
    try:
        assert not ends_within(kafka.pid, SILENCE_S)
        assert kafka_answers(kafka.port, LIMIT_S)
    finally:
        kafka.stop()


def test_a_paused_kafka_can_be_stopped_in_good_order(tmp_path: Path) -> None:
    kafka = LocalKafka(tmp_path)
    kafka.start()
    kafka.pause()
    kafka.stop()
    assert kafka.pid is None
    assert "Transition from SHUTTING_DOWN to SHUTDOWN" in kafka.log_file.read_text()


def test_a_kafka_dies_with_an_owner_that_is_killed(tmp_path: Path) -> None:
    owner, pid, _ = start_owner(tmp_path)
    with owner:
        owner.kill()
    assert owner.returncode == -signal.SIGKILL
    assert ends_within(pid, LIMIT_S)


def test_a_kafka_ends_in_good_order_when_its_owner_forgets_to_stop_it(tmp_path: Path) -> None:
    owner, pid, _ = start_owner(tmp_path)
    owner.communicate()
    assert owner.returncode == 0
    assert ends_within(pid, 0)
    assert "Transition from SHUTTING_DOWN to SHUTDOWN" in (tmp_path / "server.log").read_text()


def test_a_taken_port_is_an_error_that_names_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(LocalKafkaError, match=f"port {port} of 127.0.0.1 is taken by another program"):
            LocalKafka(tmp_path, port).start()


def test_a_port_that_cannot_be_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(LocalKafkaError, match="cannot listen on port 70000"):
        LocalKafka(tmp_path, 70_000).start()


def test_a_named_port_is_the_one_it_listens_on(tmp_path: Path) -> None:
    port = free_port()
    with LocalKafka(tmp_path, port) as kafka:
        assert kafka.bootstrap_servers == f"127.0.0.1:{port}"
        assert kafka_answers(port, LIMIT_S)


def test_a_data_directory_in_use_is_refused_and_left_alone(kafka: LocalKafka) -> None:
    settings = (kafka.data_dir / "server.properties").read_text()
    with pytest.raises(LocalKafkaError, match="another Kafka runs on the data directory"):
        LocalKafka(kafka.data_dir).start()
    assert (kafka.data_dir / "server.properties").read_text() == settings
    assert kafka_answers(kafka.port, LIMIT_S)


def test_a_kafka_that_dies_at_its_start_is_an_error_with_the_end_of_the_log(tmp_path: Path) -> None:
    with LocalKafka(tmp_path) as kafka:
        pass
    (tmp_path / "data/meta.properties").write_text("version=1\ncluster.id=other\nnode.id=2\n")
    with pytest.raises(LocalKafkaError, match=r"(?s)Kafka did not start \(exit code 1\).*Stored node id 2"):
        kafka.start()
    assert kafka.pid is None


def test_a_setting_that_kafka_refuses_is_an_error_with_the_end_of_the_log(tmp_path: Path) -> None:
    with pytest.raises(LocalKafkaError, match=r"(?s)could not format.*num.io.threads"):
        LocalKafka(tmp_path, properties={"num.io.threads": "many"}).start()


def test_a_start_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.localkafka.broker.kafka_answers", lambda *_: False)
    monkeypatch.setattr("streams.localkafka.broker._START_LIMIT_S", 3.0)  # formatting takes 0.6 s of it
    kafka = LocalKafka(tmp_path)
    with pytest.raises(LocalKafkaError, match="did not end or answer in time"):
        kafka.start()
    assert kafka.pid is None


def test_a_cluster_id_may_begin_with_a_dash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uuid.uuid4", lambda: uuid.UUID(bytes=b"\xf8" * 16))
    with LocalKafka(tmp_path):
        assert "cluster.id=-Pj4" in (tmp_path / "data/meta.properties").read_text()


def test_a_format_that_was_interrupted_is_done_again(tmp_path: Path) -> None:
    with LocalKafka(tmp_path) as kafka:
        pass
    (tmp_path / "data/meta.properties").unlink()
    with LocalKafka(tmp_path) as kafka:
        assert kafka_answers(kafka.port, LIMIT_S)


def test_a_data_directory_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocalKafkaError, match=r"cannot write to the data directory .*/file"):
        LocalKafka(tmp_path / "file").start()

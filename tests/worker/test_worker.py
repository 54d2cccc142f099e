"""One worker on a real Kafka: bad input, its endpoints, its start and its end."""

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewPartitions

from streams import provision
from streams.errors import Exit
from streams.localkafka import LocalKafka
from streams.settings import Settings
from streams.topics import Topics
from tests.worker.expected import first_difference, told_by_the_simulation, told_by_the_topics
from tests.worker.log import publish, read_all, wait_until_done
from tests.worker.processes import WorkerProcess, problems, wait_until

pytestmark = pytest.mark.kafka

GOOD = {
    "event_id": "e1",
    "key_id": "good",
    "exchange": "binance",
    "checked_at": "2026-03-01T12:00:00Z",
    "outcome": "ok",
}
SECRET = "hunter2-hunter2"  # noqa: S105 - looked for in everything that the worker writes


def good(**fields: object) -> bytes:
    return json.dumps(GOOD | fields).encode()


#: Key, value, and the reason of the dead letter that it must become.
BAD_INPUT: dict[str, tuple[bytes | None, bytes, str]] = {
    "broken JSON": (b"good", b'{"event_id": ', "malformed_json"),
    "invalid UTF-8": (b"good", b'{"event_id": "\xff\xfe"}', "malformed_json"),
    "deep nesting": (b"good", b"[" * 60_000, "malformed_json"),
    "a megabyte of nesting": (b"good", b"[" * 1_000_000, "too_large"),
    "a wrong type": (b"good", good(credential_version="one"), "invalid"),
    "an unknown enum value": (b"good", good(outcome="perhaps"), "invalid"),
    "a missing field": (b"good", b'{"key_id": "good"}', "invalid"),
    "a null key": (None, good(), "key_mismatch"),
    "another key": (b"better", good(), "key_mismatch"),
    "a newer version": (b"good", good(schema_version=2), "unsupported_version"),
    "a secret": (b"good", good(api_secret=SECRET), "secret_in_payload"),
}


async def test_every_bad_record_becomes_a_dead_letter_with_its_bytes_and_the_next_one_is_decided(
    settings: Settings, tmp_path: Path
) -> None:
    with WorkerProcess(settings, tmp_path, "worker") as worker:
        worker.wait_until_ready()
        await publish(settings, [(key, value) for key, value, _ in BAD_INPUT.values()] + [(b"good", good())])
        await wait_until_done(settings)
        letters = await read_all(settings, Topics.named(settings.topic_prefix).dead_letters)
        found = Counter(
            (dict(letter.headers)["keystatus.reason"].decode(), letter.key, letter.value) for letter in letters
        )
        blanked = json.dumps(GOOD | {"api_secret": "***"}).encode()
        assert found == Counter(
            (reason, key, blanked if SECRET.encode() in value else value) for key, value, reason in BAD_INPUT.values()
        )
        changes = await read_all(settings, Topics.named(settings.topic_prefix).status_changes)
        assert [json.loads(change.value)["status"] for change in changes] == ["connected"]
        counted = worker.metrics() or {}
        assert {
            dict(labels)["reason"]: value
            for (name, labels), value in counted.items()
            if name == "keystatus_dead_letters_total" and value
        } == {"invalid": 3, "key_mismatch": 2, "malformed_json": 3, "secret_in_payload": 1, "too_large": 1,
              "unsupported_version": 1}  # fmt: skip
        assert SECRET not in worker.log + worker.get("/metrics")[1]


async def test_a_result_from_the_future_is_ignored_and_counted(settings: Settings, tmp_path: Path) -> None:
    with WorkerProcess(settings, tmp_path, "worker") as worker:
        worker.wait_until_ready()
        await publish(settings, [(b"good", good(checked_at="2099-01-01T00:00:00Z"))])
        await wait_until_done(settings)
        counted = worker.metrics() or {}
        assert counted["keystatus_ignored_records_total", frozenset({("reason", "future")})] == 1
        assert await read_all(settings, Topics.named(settings.topic_prefix).status_changes) == []


async def test_a_null_value_removes_the_key(settings: Settings, tmp_path: Path) -> None:
    with WorkerProcess(settings, tmp_path, "worker") as worker:
        worker.wait_until_ready()
        await publish(settings, [(b"good", good()), (b"good", None), (b"good", good(event_id="e2"))])
        await wait_until_done(settings)
        changes = await read_all(settings, Topics.named(settings.topic_prefix).status_changes)
        assert [json.loads(change.value)["status"] for change in changes] == ["connected", None, "connected"]
        assert sum((worker.keys() or {}).values()) == 1
    expected, found = await told_by_the_simulation(settings), await told_by_the_topics(settings)
    assert first_difference(expected, found) == ""


async def test_a_record_that_only_compressed_was_small_enough_does_not_stop_its_partition(
    settings: Settings, tmp_path: Path
) -> None:
    """The broker measures what is sent, and we send uncompressed: a letter must be cut then."""
    topics, bomb = Topics.named(settings.topic_prefix), b"[" * 5_000_000
    with WorkerProcess(settings, tmp_path, "worker") as worker:
        worker.wait_until_ready()
        producer = AIOKafkaProducer(
            bootstrap_servers=settings.kafka_bootstrap_servers, compression_type="gzip", max_request_size=10_000_000
        )
        async with producer:
            await producer.send_and_wait(topics.check_results, bomb, key=b"good", partition=0)
            await producer.send_and_wait(topics.check_results, good(), key=b"good", partition=0)
        await wait_until_done(settings)
        (letter,) = await read_all(settings, topics.dead_letters)
        headers = dict(letter.headers)
        assert (letter.key, headers["keystatus.reason"]) == (b"good", b"too_large")
        assert bomb.startswith(letter.value)
        assert headers["keystatus.original.length"] == b"5000000"
        assert headers["keystatus.original.sha256"].decode() == sha256(bomb).hexdigest()
        assert len(await read_all(settings, topics.status_changes)) == 1


async def test_a_transaction_that_a_connector_left_open_is_no_lag(settings: Settings, tmp_path: Path) -> None:
    """Nobody may read past it: a worker that took it for a lag would end itself, again and again."""
    topic = Topics.named(settings.topic_prefix).check_results
    with WorkerProcess(settings, tmp_path, "worker") as worker:
        worker.wait_until_ready()
        connector = AIOKafkaProducer(
            bootstrap_servers=settings.kafka_bootstrap_servers, transactional_id=f"{settings.group_id}-connector"
        )
        async with connector:
            await connector.begin_transaction()
            await connector.send_and_wait(topic, good(), key=b"good", partition=0)
            # Behind it in the same partition, and as unreadable as it is.
            await publish(settings, [(b"other", good(key_id="other"))], partition=0)
            await publish(settings, [(b"elsewhere", good(key_id="elsewhere"))], partition=1)
            await asyncio.to_thread(wait_until, lambda: counted(worker, "connected") == 1, 15, "the readable one is in")
            samples = worker.metrics() or {}
            assert samples["keystatus_lag_records", frozenset()] == 0
            await connector.commit_transaction()
        await asyncio.to_thread(wait_until, lambda: counted(worker, "connected") == 3, 15, "the others are in too")


async def test_a_key_expires_at_its_moment_with_no_result_arriving(settings: Settings, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    ends = now + timedelta(seconds=4)
    with WorkerProcess(settings, tmp_path, "worker") as worker:
        worker.wait_until_ready()
        await publish(settings, [(b"good", good(checked_at=now.isoformat(), expires_at=ends.isoformat()))])
        await asyncio.to_thread(wait_until, lambda: counted(worker, "expired") == 1, 15, "the key has expired")
        assert datetime.now(UTC) - ends < timedelta(seconds=2)
        topics = Topics.named(settings.topic_prefix)
        changes = [json.loads(change.value) for change in await read_all(settings, topics.status_changes)]
        assert [(change["status"], change["trigger"]) for change in changes] == [
            ("expiring", "check"),
            ("expired", "deadline"),
        ]
        assert datetime.fromisoformat(changes[1]["changed_at"]) == ends
        written = [json.loads(record.value) for record in await read_all(settings, topics.check_results)]
        assert [payload.get("type") for payload in written] == [None, "deadline"]


def counted(worker: WorkerProcess, status: str) -> float:
    """How many Binance keys the worker counts in a status."""
    return (worker.keys() or {}).get(("binance", status), 0)


async def test_probes_say_whether_the_worker_lives_and_is_ready(settings: Settings, tmp_path: Path) -> None:
    with WorkerProcess(settings, tmp_path, "worker") as worker:
        worker.wait_until_serving()
        assert worker.address.startswith("http://127.0.0.1:")
        worker.wait_until_ready()
        assert [worker.get(path)[0] for path in ("/livez", "/readyz", "/metrics")] == [200, 200, 200]
        assert problems(worker.get("/readyz")[1]) == []


async def test_a_worker_that_is_asked_to_stop_commits_and_ends_with_zero(settings: Settings, tmp_path: Path) -> None:
    with WorkerProcess(settings, tmp_path, "worker") as worker:
        worker.wait_until_ready()
        await publish(settings, [(f"k{n}".encode(), good(key_id=f"k{n}")) for n in range(2_000)])
        worker.terminate()
        assert worker.wait(20) == Exit.OK
        worker.start().wait_until_ready()
        await wait_until_done(settings)
        changes = await read_all(settings, Topics.named(settings.topic_prefix).status_changes)
        assert len(changes) == len({change.key for change in changes}) == 2_000


async def test_metrics_beyond_loopback_need_the_token(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a-token-of-the-test\n")
    env = {"KEYSTATUS_WEB_HOST": "0.0.0.0", "KEYSTATUS_WEB_TOKEN_FILE": str(tmp_path / "token")}  # noqa: S104
    with WorkerProcess(settings, tmp_path, "worker", **env) as worker:
        worker.wait_until_serving()
        assert worker.get("/metrics")[0] == 401
        assert worker.get("/livez")[0] == 200
        asked = Request(f"{worker.address}/metrics", headers={"Authorization": "Bearer a-token-of-the-test"})
        with urlopen(asked, timeout=5) as answer:
            assert answer.status == 200


def ends_with(worker: WorkerProcess) -> tuple[int, str]:
    """The exit code, and the one line that says what to do."""
    code = worker.wait(30)
    lines = [line for line in worker.log.splitlines() if line.startswith("keystatus: ")]
    assert len(lines) == 1, worker.log
    assert "Traceback" not in worker.log
    return code, lines[0]


def test_without_a_broker_the_worker_says_so(tmp_path: Path) -> None:
    settings = Settings(kafka_bootstrap_servers="127.0.0.1:1", web_port=0)
    with WorkerProcess(settings, tmp_path, "worker") as worker:
        code, line = ends_with(worker)
    assert code == Exit.BROKER_UNREACHABLE
    assert "127.0.0.1:1" in line
    assert "KEYSTATUS_KAFKA_BOOTSTRAP_SERVERS" in line


def test_without_topics_the_worker_names_them_and_the_command(kafka: LocalKafka, tmp_path: Path) -> None:
    settings = Settings(kafka_bootstrap_servers=kafka.bootstrap_servers, topic_prefix="nowhere", web_port=0)
    with WorkerProcess(settings, tmp_path, "worker") as worker:
        code, line = ends_with(worker)
    assert code == Exit.TOPICS_WRONG
    assert "nowhere.check-results" in line
    assert "keystatus topics apply" in line


async def test_on_another_partition_count_the_worker_refuses(settings: Settings, tmp_path: Path) -> None:
    name = Topics.named(settings.topic_prefix).status_changes
    async with provision.admin(settings) as admin:
        await admin.create_partitions({name: NewPartitions(total_count=6)})
    with WorkerProcess(settings, tmp_path, "worker") as worker:
        code, line = ends_with(worker)
    assert code == Exit.TOPICS_WRONG
    assert f"{name} has 6 partitions" in line


def test_on_a_bad_setting_the_worker_names_the_variable(tmp_path: Path) -> None:
    with WorkerProcess(Settings(), tmp_path, "worker", KEYSTATUS_WEB_PORT="eighty") as worker:
        code, line = ends_with(worker)
    assert code == Exit.USAGE
    assert "KEYSTATUS_WEB_PORT" in line


def test_beyond_loopback_the_worker_asks_for_a_token_file(tmp_path: Path) -> None:
    with WorkerProcess(Settings(), tmp_path, "worker", KEYSTATUS_WEB_HOST="0.0.0.0") as worker:  # noqa: S104
        code, line = ends_with(worker)
    assert code == Exit.USAGE
    assert "KEYSTATUS_WEB_TOKEN_FILE" in line


@pytest.mark.parametrize("content", [None, "", "\n"], ids=["missing", "empty", "blank"])
def test_a_token_file_without_a_token_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "token").write_text(content)
    env = {"KEYSTATUS_WEB_HOST": "0.0.0.0", "KEYSTATUS_WEB_TOKEN_FILE": str(tmp_path / "token")}  # noqa: S104
    with WorkerProcess(Settings(), tmp_path, "worker", **env) as worker:
        code, line = ends_with(worker)
    assert code == Exit.USAGE
    assert "KEYSTATUS_WEB_TOKEN_FILE" in line


async def test_on_a_taken_port_the_worker_says_so(settings: Settings, tmp_path: Path) -> None:
    with WorkerProcess(settings, tmp_path, "first") as first:
        port = first.wait_until_serving().address.rsplit(":", 1)[1]
        with WorkerProcess(settings, tmp_path, "second", KEYSTATUS_WEB_PORT=port) as second:
            code, line = ends_with(second)
    assert code == Exit.WEB_FAILED
    assert "KEYSTATUS_WEB_PORT" in line


def fatal_line(worker: WorkerProcess) -> tuple[int, str]:
    """The exit code of a worker that ended itself, and its last words."""
    code = worker.wait(60)
    (line,) = [line for line in worker.log.splitlines() if " CRITICAL " in line]
    return code, line


async def test_a_state_that_cannot_be_read_ends_the_worker_with_one_line(settings: Settings, tmp_path: Path) -> None:
    topic = Topics.named(settings.topic_prefix).status
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers) as producer:
        await producer.send_and_wait(topic, b'{"status":"a status of tomorrow"}', key=b"k", partition=0)
    with WorkerProcess(settings, tmp_path, "worker") as worker:
        code, line = fatal_line(worker)
    assert code == Exit.RECOVERY_FAILED
    assert "partition 0" in line
    assert "a status of tomorrow" in line


def test_a_session_that_the_broker_refuses_ends_the_worker_with_its_name(tmp_path: Path) -> None:
    with LocalKafka(tmp_path / "strict", properties={"group.min.session.timeout.ms": "6000"}) as strict:
        settings = Settings(kafka_bootstrap_servers=strict.bootstrap_servers, kafka_session_timeout_s=2, web_port=0)
        asyncio.run(provision.apply(settings))
        with WorkerProcess(settings, tmp_path, "worker") as worker:
            code, line = fatal_line(worker)
    assert code == Exit.BROKER_UNREACHABLE
    assert "KEYSTATUS_KAFKA_SESSION_TIMEOUT_S" in line

"""The commands that talk to Kafka, against a real one."""

import asyncio
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.kafka import partition_of
from streams.localkafka import LocalKafka
from streams.settings import Settings
from streams.subscriber import follow, last_value
from streams.topics import Role, Topics
from tests.cli.command import (
    as_lines,
    check_result,
    environment,
    error_line,
    hear,
    interrupt,
    objects,
    run,
    running,
    say,
)

pytestmark = pytest.mark.kafka

Written = tuple[str, bytes | None]


def topic(settings: Settings, role: Role) -> str:
    return Topics.named(settings.topic_prefix).by_role()[role]


async def write(
    settings: Settings, role: Role, records: Sequence[Written], *, commit: bool = True, shift: int = 0
) -> None:
    """Write in a transaction, as the worker does; ``shift`` puts records into another partition."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers, transactional_id=f"test-{uuid4().hex}"
    )
    await producer.start()
    try:
        await producer.begin_transaction()
        for key, value in records:
            partition = (partition_of(key.encode(), settings.partitions) + shift) % settings.partitions
            await producer.send(topic(settings, role), value, key=key.encode(), partition=partition)
        await producer.flush()
        await (producer.commit_transaction() if commit else producer.abort_transaction())
    finally:
        await producer.stop()


async def read(settings: Settings, role: Role, count: int) -> list[tuple[int, bytes | None, bytes | None]]:
    """So many records of a topic, with their partitions; waits for them."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic(settings, role), number) for number in range(settings.partitions)])
        found: list[tuple[int, bytes | None, bytes | None]] = []
        async with asyncio.timeout(30):
            while len(found) < count:
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    found += [(record.partition, record.key, record.value) for record in batch]
        return found
    finally:
        await consumer.stop()


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


class TestTopics:
    def test_from_nothing_to_in_order(self, blank: dict[str, str]) -> None:
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

    def test_another_partition_count(self, blank: dict[str, str], kafka: LocalKafka) -> None:
        """What is missing would not fit what is there: nothing is created."""
        name = f"{blank['KEYSTATUS_TOPIC_PREFIX']}.check-results"
        make(name, kafka, partitions=2)
        refused = run("topics", "apply", env=blank)
        assert refused.returncode == 1
        assert f"{name} has 2 partitions, not 3" in error_line(refused)
        assert run("topics", "describe", env=blank).stdout.count(b"does not exist") == 4
        assert run("topics", "apply", env=blank | {"KEYSTATUS_PARTITIONS": "2"}).returncode == 0

    def test_another_cleanup_policy(self, blank: dict[str, str], kafka: LocalKafka) -> None:
        name = f"{blank['KEYSTATUS_TOPIC_PREFIX']}.status"
        make(name, kafka, partitions=3, **{"cleanup.policy": "delete"})
        refused = run("topics", "apply", env=blank)
        assert refused.returncode == 1
        assert f"{name} has cleanup.policy=delete, but needs compact" in error_line(refused)


class TestPublish:
    def test_good_lines_bad_lines_and_a_removal(self, settings: Settings) -> None:
        good = [check_result(key_id=f"key-{number}") for number in range(5)]
        deadline = {"type": "deadline", "key_id": "k", "kind": "expiry", "due_at": "2026-11-24T12:00:00Z"}
        lines = as_lines(
            "rubbish", *good, {"key": "key-1", "value": None}, deadline, check_result() | {"secret": "hunter2"}
        )
        done = run("publish", "-", given=lines, env=environment(settings))
        assert done.returncode == 1
        told = done.stderr.decode().splitlines()
        assert [line.partition(":")[0] for line in told] == [
            "line 1",
            "line 8",
            "line 9",
            "records sent",
        ]
        assert told[-1] == "records sent: 6, lines refused: 3"
        assert b"hunter2" not in done.stdout + done.stderr

        found = asyncio.run(read(settings, Role.CHECK_RESULTS, 6))
        assert {key: value for _, key, value in found if value} == {
            result["key_id"].encode(): json.dumps(result).encode() for result in good if result["key_id"] != "key-1"
        } | {b"key-1": json.dumps(good[1]).encode()}
        assert [key for _, key, value in found if value is None] == [b"key-1"]
        assert all(partition == partition_of(key, settings.partitions) for partition, key, _ in found)

    def test_raw_sends_all(self, settings: Settings) -> None:
        done = run("publish", "--raw", "-", given=as_lines("rubbish", "", {"key_id": "k"}), env=environment(settings))
        assert (done.returncode, done.stderr) == (0, b"records sent: 2, lines refused: 0\n")
        found = asyncio.run(read(settings, Role.CHECK_RESULTS, 2))
        assert sorted((key or b"", value) for _, key, value in found) == [(b"", b"rubbish"), (b"k", b'{"key_id": "k"}')]

    def test_sends_before_the_input_ends(self, settings: Settings) -> None:
        with running("publish", "-", env=environment(settings)) as process:
            say(process, json.dumps(check_result()))
            assert len(asyncio.run(read(settings, Role.CHECK_RESULTS, 1))) == 1
            assert process.poll() is None

    def test_ctrl_c_while_it_waits(self, settings: Settings) -> None:
        """The count is told all the same. (Of what was acknowledged: a record shows a moment before that.)"""
        with running("publish", "-", env=environment(settings)) as process:
            say(process, json.dumps(check_result()))
            asyncio.run(read(settings, Role.CHECK_RESULTS, 1))
            assert interrupt(process) == 130
            assert process.stderr is not None
            assert re.fullmatch(rb"records sent: [01], lines refused: 0\n", process.stderr.read())

    def test_hundred_thousand_lines_in_order(self, settings: Settings, tmp_path: Path) -> None:
        file = tmp_path / "results.jsonl"
        results = (check_result(key_id=f"key-{number % 100}", event_id=f"{number}") for number in range(100_000))
        file.write_bytes(as_lines(*results))
        done = run("publish", str(file), env=environment(settings))
        assert (done.returncode, done.stderr) == (0, b"records sent: 100000, lines refused: 0\n")
        seen: dict[bytes | None, list[int]] = {}
        for _, key, value in asyncio.run(read(settings, Role.CHECK_RESULTS, 100_000)):
            seen.setdefault(key, []).append(int(json.loads(value or b"")["event_id"]))
        assert all(numbers == sorted(numbers) for numbers in seen.values())
        assert (
            sum(map(len, seen.values())) == len({number for numbers in seen.values() for number in numbers}) == 100_000
        )

    def test_a_line_that_no_broker_takes(self, settings: Settings) -> None:
        huge = check_result(error={"message": "x" * 1_100_000})
        done = run("publish", "--raw", "-", given=as_lines(huge, check_result()), env=environment(settings))
        assert done.returncode == 1
        assert done.stderr.decode().splitlines()[-1] == "records sent: 1, lines refused: 1"


def change(**fields: Any) -> bytes:
    payload = {
        "change_id": "c",
        "key_id": "binance-001",
        "exchange": "binance",
        "previous_status": "connected",
        "status": "expired",
        "reason": "permission_expired_by_policy",
        "severity": "critical",
        "remedy": "reenable_permissions",
        "changed_at": "2026-11-24T13:03:04+01:00",
    }
    return json.dumps(payload | fields).encode()


NOTICE = json.dumps(
    {
        "notice_id": "n",
        "key_id": "okx-7",
        "exchange": "okx",
        "kind": "expiry_reminder",
        "days_left": 7,
        "noticed_at": "2026-11-24T12:00:00Z",
    }
).encode()


class TestTail:
    def test_lines_for_people(self, settings: Settings) -> None:
        with running("tail", "--limit", "2", env=environment(settings)) as process:
            assert process.stderr is not None
            assert hear(process.stderr).startswith("following ")
            asyncio.run(write(settings, Role.STATUS_CHANGES, [("never-committed", change())], commit=False))
            asyncio.run(write(settings, Role.STATUS_CHANGES, [("binance-001", change())]))
            assert hear(process.stdout) == (
                "12:03:04 binance-001 binance: connected → expired "
                "(the exchange took the permission away by its policy): re-enable the permissions at the exchange"
            )
            asyncio.run(write(settings, Role.NOTICES, [("okx-7", NOTICE)]))
            assert hear(process.stdout) == "12:00:00 okx-7 okx: reminder: 7 days left"
            assert process.wait(30) == 0

    def test_json_from_the_beginning(self, settings: Settings) -> None:
        asyncio.run(write(settings, Role.STATUS_CHANGES, [("binance-001", change())]))
        asyncio.run(write(settings, Role.NOTICES, [("okx-7", NOTICE)]))
        done = run("tail", "--json", "--from-beginning", "--limit", "2", env=environment(settings))
        assert done.returncode == 0
        assert sorted(done.stdout.splitlines()) == sorted([change(), NOTICE])

    def test_only_what_comes_from_now_on(self, settings: Settings) -> None:
        asyncio.run(write(settings, Role.STATUS_CHANGES, [("old", change(key_id="old"))]))
        with running("tail", env=environment(settings)) as process:
            assert process.stderr is not None
            hear(process.stderr)
            asyncio.run(write(settings, Role.STATUS_CHANGES, [("new", change(key_id="new"))]))
            assert " new " in hear(process.stdout)
            assert interrupt(process) == 130
            assert process.stderr.read() == b""

    def test_removals_unknown_values_and_rubbish(self, settings: Settings) -> None:
        removal = change(status=None, severity="ok", reason="removed", remedy="none", previous_status=None)
        unknown = change(status="hibernating", severity="mild", reason="winter", remedy="sleep", changed_at="soon")
        values: list[Written] = [("k", removal), ("k", unknown), ("k", b"rubbish"), ("k", None)]
        asyncio.run(write(settings, Role.STATUS_CHANGES, values))
        done = run("tail", "--from-beginning", "--limit", "4", env=environment(settings))
        assert done.stdout.decode().splitlines() == [
            "12:03:04 binance-001 binance: removed (the owner removed the key)",
            "soon binance-001 binance: connected → hibernating (winter): sleep",
            "rubbish",
            "",
        ]

    def test_a_reader_who_leaves(self, settings: Settings) -> None:
        asyncio.run(write(settings, Role.STATUS_CHANGES, [("k", change())] * 100))
        for options in ((), ("--json",)):
            with running("tail", "--from-beginning", *options, env=environment(settings)) as process:
                hear(process.stdout)
                assert process.stdout is not None
                process.stdout.close()
                assert process.stderr is not None
                hear(process.stderr)
                asyncio.run(write(settings, Role.STATUS_CHANGES, [("k", change())]))
                assert process.wait(30) == 0
                assert process.stderr.read() == b""


def state(**fields: Any) -> bytes:
    payload = {
        "key_id": "binance-001",
        "account_id": "customer-1",
        "exchange": "binance",
        "environment": "main",
        "status": "expiring",
        "reason": "expires_soon",
        "issues": [
            {"status": "expiring", "reason": "expires_soon", "permissions": []},
            {"status": "incorrect_permissions", "reason": "missing_permission", "permissions": ["spot_trade"]},
        ],
        "severity": "warning",
        "remedy": "bind_ip",
        "since": "2026-11-24T12:00:00Z",
        "observed_at": "2026-11-25T12:00:00Z",
        "stale": False,
        "expires_at": "2026-12-01T00:00:00Z",
        "days_left": 6,
        "progress": {"expires_at": (datetime.now(UTC) + timedelta(days=12, hours=1)).isoformat()},
    }
    return json.dumps(payload | fields).encode()


class TestShow:
    def test_in_english_and_dutch(self, settings: Settings) -> None:
        """Days left count from now to the end date that is known now."""
        states = [("binance-001", state(status="connected")), ("other", state()), ("binance-001", state())]
        asyncio.run(write(settings, Role.STATUS, states))
        english = run("show", "binance-001", env=environment(settings))
        assert (english.returncode, english.stderr) == (0, b"")
        text = english.stdout.decode()
        for part in (
            "binance-001 (binance main, customer-1)",
            "Expires in 12 days",
            "2026-11-24 12:00:00 UTC",
            "bind the key to the platform's IP addresses",
            "a required permission is off (spot_trade)",
            "12 days left",
        ):
            assert part in text
        dutch = run("show", "binance-001", "--lang", "nl", env=environment(settings)).stdout.decode()
        assert "Vervalt over 12 dagen" in dutch
        assert "koppel de sleutel bij de beurs" in dutch

    def test_json_is_the_public_part(self, settings: Settings) -> None:
        written = state()
        asyncio.run(write(settings, Role.STATUS, [("binance-001", written)]))
        (shown,) = objects(run("show", "binance-001", "--json", env=environment(settings)).stdout)
        known = json.loads(written)
        progress = known.pop("progress")
        assert shown == known | {"expires_at": progress["expires_at"], "days_left": 12}

    @pytest.mark.parametrize("last", [None, b"rubbish"])
    def test_removed_or_unreadable(self, settings: Settings, last: bytes | None) -> None:
        asyncio.run(write(settings, Role.STATUS, [("binance-001", state()), ("binance-001", last)]))
        done = run("show", "binance-001", env=environment(settings))
        assert (done.returncode, done.stdout) == (1, b"")
        assert "binance-001" in error_line(done)

    def test_never_seen(self, settings: Settings) -> None:
        done = run("show", "nobody", env=environment(settings))
        assert done.returncode == 1
        assert "nobody" in error_line(done)

    def test_no_status_yet_and_stale(self, settings: Settings) -> None:
        first = state(
            status=None, reason=None, remedy=None, severity=None, since=None, issues=[], stale=True, progress={}
        )
        asyncio.run(write(settings, Role.STATUS, [("binance-001", first)]))
        text = run("show", "binance-001", env=environment(settings)).stdout.decode()
        assert "No status yet" in text
        assert "stale" in text
        assert "Since" not in text

    def test_a_key_in_a_partition_of_the_connectors_choice(self, settings: Settings) -> None:
        asyncio.run(write(settings, Role.STATUS, [("binance-001", state())], shift=1))
        assert run("show", "binance-001", env=environment(settings)).returncode == 0

    async def test_what_is_not_committed_is_not_there(self, settings: Settings) -> None:
        """Nor does an open transaction, or one that ended in nothing, keep the reader waiting."""
        await write(settings, Role.STATUS, [("k", b"first")])
        await write(settings, Role.STATUS, [("k", b"aborted")], commit=False)
        producer = AIOKafkaProducer(
            bootstrap_servers=settings.kafka_bootstrap_servers, transactional_id=f"test-{uuid4().hex}"
        )
        await producer.start()
        await producer.begin_transaction()
        await producer.send_and_wait(
            topic(settings, Role.STATUS), b"open", key=b"k", partition=partition_of(b"k", settings.partitions)
        )
        async with asyncio.timeout(10):
            assert await last_value(settings, Role.STATUS, b"k") == b"first"
        await producer.abort_transaction()
        await producer.stop()


async def test_follow_says_when_it_is_ready(settings: Settings) -> None:
    ready = asyncio.Event()
    records = follow(settings, [Role.NOTICES], from_beginning=False, when_ready=ready.set)
    first = asyncio.ensure_future(anext(records))
    async with asyncio.timeout(30):
        await ready.wait()
        await write(settings, Role.NOTICES, [("k", b"value")])
        assert (await first).value == b"value"
    await records.aclose()


def test_the_worker_writes_what_simulate_prints(settings: Settings) -> None:
    """The same keys, values and order for each key: ids, partitions and offsets too."""
    refused = {"outcome": "error", "error": {"code": "-2015", "message": "Invalid API-key, IP, or permissions."}}
    lines = as_lines(
        *(
            check_result(
                key_id=f"key-{number % 20}",
                event_id=f"e-{number}",
                checked_at=f"2026-03-01T{number // 60:02}:{number % 60:02}:00Z",
                **(refused if number % 7 < 3 else {}),
            )
            for number in range(400)
        )
    )
    env = environment(settings, KEYSTATUS_WEB_PORT="0")
    expected = objects(run("simulate", given=lines, env=env).stdout)
    assert len({line["value"]["status"] for line in expected}) > 1
    with running("worker", env=env) as worker:
        assert run("publish", "-", given=lines, env=env).returncode == 0
        limit = str(len(expected))
        written = objects(run("tail", "--json", "--from-beginning", "--limit", limit, env=env).stdout)
        assert interrupt(worker) == 0
    place = "{partition}/{offset}".format_map
    assert {place(value["evidence"]): value for value in written} == {
        place(line["value"]["evidence"]): line["value"] for line in expected
    }

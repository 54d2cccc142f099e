"""``keystatus publish`` against a real Kafka."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from streams.kafka import partition_of
from streams.settings import Settings
from streams.topics import Role
from tests.cli.command import as_lines, check_result, environment, interrupt, run, running, say
from tests.cli.kafka_records import read

pytestmark = pytest.mark.kafka


def test_good_lines_bad_lines_and_a_removal(settings: Settings) -> None:
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


def test_raw_sends_all(settings: Settings) -> None:
    done = run("publish", "--raw", "-", given=as_lines("rubbish", "", {"key_id": "k"}), env=environment(settings))
    assert (done.returncode, done.stderr) == (0, b"records sent: 2, lines refused: 0\n")
    found = asyncio.run(read(settings, Role.CHECK_RESULTS, 2))
    assert sorted((key or b"", value) for _, key, value in found) == [(b"", b"rubbish"), (b"k", b'{"key_id": "k"}')]


def test_sends_before_the_input_ends(settings: Settings) -> None:
    with running("publish", "-", env=environment(settings)) as process:
        say(process, json.dumps(check_result()))
        assert len(asyncio.run(read(settings, Role.CHECK_RESULTS, 1))) == 1
        assert process.poll() is None


def test_ctrl_c_while_it_waits(settings: Settings) -> None:
    """The count is told all the same. (Of what was acknowledged: a record shows a moment before that.)"""
    with running("publish", "-", env=environment(settings)) as process:
        say(process, json.dumps(check_result()))
        asyncio.run(read(settings, Role.CHECK_RESULTS, 1))
        assert interrupt(process) == 130
        assert process.stderr is not None
        assert re.fullmatch(rb"records sent: [01], lines refused: 0\n", process.stderr.read())


def test_hundred_thousand_lines_in_order(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    results = (check_result(key_id=f"key-{number % 100}", event_id=f"{number}") for number in range(100_000))
    file.write_bytes(as_lines(*results))
    done = run("publish", str(file), env=environment(settings))
    assert (done.returncode, done.stderr) == (0, b"records sent: 100000, lines refused: 0\n")
    seen: dict[bytes | None, list[int]] = {}
    for _, key, value in asyncio.run(read(settings, Role.CHECK_RESULTS, 100_000)):
        seen.setdefault(key, []).append(int(json.loads(value or b"")["event_id"]))
    assert all(numbers == sorted(numbers) for numbers in seen.values())
    assert sum(map(len, seen.values())) == len({number for numbers in seen.values() for number in numbers}) == 100_000


def test_a_line_that_no_broker_takes(settings: Settings) -> None:
    huge = check_result(error={"message": "x" * 1_100_000})
    done = run("publish", "--raw", "-", given=as_lines(huge, check_result()), env=environment(settings))
    assert done.returncode == 1
    assert done.stderr.decode().splitlines()[-1] == "records sent: 1, lines refused: 1"

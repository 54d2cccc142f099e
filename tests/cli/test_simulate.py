"""``keystatus simulate``: what the worker would write, without Kafka."""

import json
from pathlib import Path
from typing import Any

from schemas.dead_letter import DeadLetterHeaders
from schemas.notice import Notice
from schemas.status_change import KeyStatusChanged
from streams.kafka import partition_of
from tests.cli.command import as_lines, check_result, environment, error_line, hear, objects, run, running, say

ENDS = "2027-01-10T00:00:00Z"


def changes(output: bytes) -> list[dict[str, Any]]:
    return [line["value"] for line in objects(output) if line["topic"] == "apikey.status-changes"]


def notices(output: bytes) -> list[dict[str, Any]]:
    return [line["value"] for line in objects(output) if line["topic"] == "apikey.notices"]


def test_connected_expiring_expired() -> None:
    """Time alone does it; each change says so, and when."""
    done = run("simulate", "--until", "2027-02-01T00:00:00Z", given=as_lines(check_result(expires_at=ENDS)))
    assert (done.returncode, done.stderr) == (0, b"")
    assert [(c["previous_status"], c["status"], c["trigger"], c["changed_at"]) for c in changes(done.stdout)] == [
        (None, "connected", "check", "2026-11-24T12:00:00Z"),
        ("connected", "expiring", "deadline", "2026-12-11T00:00:00Z"),
        ("expiring", "expired", "deadline", ENDS),
    ]


def test_the_owner_is_reminded_five_times_in_between() -> None:
    done = run("simulate", "--until", "2027-02-01T00:00:00Z", given=as_lines(check_result(expires_at=ENDS)))
    assert [(notice["kind"], notice["days_left"], notice["noticed_at"]) for notice in notices(done.stdout)] == [
        ("expiry_reminder", 14, "2026-12-26T00:00:01Z"),
        ("expiry_reminder", 7, "2027-01-02T00:00:01Z"),
        ("expiry_reminder", 3, "2027-01-06T00:00:01Z"),
        ("expiry_reminder", 1, "2027-01-08T00:00:01Z"),
        ("expiry_reminder", 0, "2027-01-09T00:00:01Z"),
    ]
    for notice in notices(done.stdout):
        Notice.model_validate_json(json.dumps(notice))


def test_a_notice_about_an_exchange_has_that_as_its_key() -> None:
    refused = {"outcome": "error", "error": {"code": "-2015", "message": "Invalid API-key, IP, or permissions."}}
    lines = as_lines(*(check_result(key_id=f"key-{number}", **refused) for number in range(5)))
    (line,) = objects(run("simulate", "--partitions", "1", given=lines).stdout)
    assert (line["topic"], line["key"]) == ("apikey.notices", "binance")
    assert (line["value"]["kind"], line["value"]["key_id"]) == ("incident_opened", None)
    Notice.model_validate_json(json.dumps(line["value"]))


def test_until_stops_time_in_between() -> None:
    """A deadline fires at its moment, not before."""
    line = as_lines(check_result(expires_at=ENDS))
    before = run("simulate", "--until", "2026-12-10T23:59:59Z", given=line)
    at = run("simulate", "--until", "2026-12-11T01:00:00+01:00", given=line)
    assert len(changes(before.stdout)) == 1
    assert len(changes(at.stdout)) == 2


def test_without_until_time_ends_with_the_last_line() -> None:
    assert len(changes(run("simulate", given=as_lines(check_result(expires_at=ENDS))).stdout)) == 1


def test_another_key_lets_time_pass() -> None:
    """The deadlines of one key take their places in the log before the later result of another."""
    later = check_result(key_id="other", checked_at="2027-01-01T00:00:00Z")
    told = objects(run("simulate", given=as_lines(check_result(expires_at=ENDS), later)).stdout)
    assert [(line["key"], line["value"].get("kind"), line["value"]["status"]) for line in told] == [
        ("binance-001", None, "connected"),
        ("binance-001", None, "expiring"),
        ("binance-001", "expiry_reminder", "expiring"),
        ("other", None, "connected"),
    ]


def test_removal_and_a_life_after_it() -> None:
    removal = {"key": "binance-001", "value": None}
    again = check_result(event_id="e-2", checked_at="2026-11-24T13:00:00Z")
    told = changes(run("simulate", given=as_lines(check_result(), removal, again)).stdout)
    assert [(change["status"], change["reason"]) for change in told] == [
        ("connected", "all_good"),
        (None, "removed"),
        ("connected", "all_good"),
    ]


def test_a_removed_key_has_no_deadlines() -> None:
    lines = as_lines(check_result(expires_at=ENDS), {"key": "binance-001", "value": None})
    told = changes(run("simulate", "--until", "2028-01-01T00:00:00Z", given=lines).stdout)
    assert [change["reason"] for change in told] == ["all_good", "removed"]


def test_lines_are_what_the_worker_writes() -> None:
    """Topic, key and value; the value is the contract's, with its place in the log."""
    lines = [check_result(key_id=f"key-{number}") for number in range(40)]
    done = run("simulate", "--partitions", "3", "--topic-prefix", "mine", given=as_lines(*lines))
    offsets = [0, 0, 0]
    for line in objects(done.stdout):
        assert line.keys() == {"topic", "key", "value"}
        assert line["topic"] == "mine.status-changes"
        change = KeyStatusChanged.model_validate_json(json.dumps(line["value"]))
        partition = partition_of(line["key"].encode(), 3)
        assert (change.evidence.topic, change.evidence.partition, change.evidence.offset) == (
            "mine.check-results",
            partition,
            offsets[partition],
        )
        offsets[partition] += 1
    assert sum(offsets) == 40


def test_settings_give_prefix_and_partitions() -> None:
    env = environment(KEYSTATUS_TOPIC_PREFIX="ours", KEYSTATUS_PARTITIONS="1")
    lines = as_lines(check_result(key_id="a"), check_result(key_id="b"))
    told = objects(run("simulate", given=lines, env=env).stdout)
    assert [line["topic"] for line in told] == ["ours.status-changes"] * 2
    assert [line["value"]["evidence"]["offset"] for line in told] == [0, 1]


def test_dead_letters() -> None:
    """Value and key as they came, and the contract's headers; JSON shows as JSON."""
    lines = as_lines(
        "not json",
        '{"key_id": "cut-off", "exch',
        {"key_id": "binance-001"},
        {"key": "another", "value": check_result()},
        {"key": "binance-001", "value": "{broken"},
        check_result(apiSecret="hunter2"),
        [1, 2],
    )
    done = run("simulate", given=lines)
    letters = objects(done.stdout)
    assert [(letter["key"], letter["headers"]["keystatus.reason"]) for letter in letters] == [
        (None, "malformed_json"),
        ("cut-off", "malformed_json"),
        ("binance-001", "invalid"),
        ("another", "key_mismatch"),
        ("binance-001", "malformed_json"),
        ("binance-001", "secret_in_payload"),
        (None, "invalid"),
    ]
    assert [letters[index]["value"] for index in (0, 2, 4, 6)] == [
        "not json",
        {"key_id": "binance-001"},
        "{broken",
        [1, 2],
    ]
    assert {letter["topic"] for letter in letters} == {"apikey.dead-letters"}
    assert b"hunter2" not in done.stdout
    for letter in letters:
        DeadLetterHeaders.model_validate_json(json.dumps(letter["headers"]))


def test_the_arrival_time_of_a_line() -> None:
    """With it a result from the future is told, and a removal has its moment."""
    arrived = 1_795_521_600_000  # 2026-11-24T12:00:00Z
    future = check_result(checked_at="2026-11-25T12:00:00Z")
    lines = as_lines(
        {"key": "binance-001", "value": future, "timestamp": arrived},
        {"key": "binance-001", "value": check_result(), "timestamp": arrived},
        {"key": "binance-001", "value": None, "timestamp": arrived + 60_000},
    )
    told = changes(run("simulate", given=lines).stdout)
    assert [(change["status"], change["changed_at"]) for change in told] == [
        ("connected", "2026-11-24T12:00:00Z"),
        (None, "2026-11-24T12:01:00Z"),
    ]


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    """From a file and through a pipe, whatever the hash seed."""
    lines = [
        check_result(
            key_id=f"key-{number % 50}",
            event_id=f"e-{number}",
            checked_at=f"2026-{number % 12 + 1:02}-03T12:00:{number % 60:02}Z",
            expires_at=None if number % 3 else f"2026-{number % 12 + 1:02}-25T00:00:00Z",
            outcome="error" if number % 7 == 0 else "ok",
            error={"code": "-2015", "message": "Invalid API-key, IP, or permissions for action."},
        )
        for number in range(2_000)
    ]
    file = tmp_path / "results.jsonl"
    file.write_bytes(as_lines(*lines, "rubbish", {"key": "key-1", "value": None}))
    until = ("--until", "2027-06-01T00:00:00Z")
    first = run("simulate", str(file), *until, env=environment(PYTHONHASHSEED="1"))
    second = run("simulate", *until, given=file.read_bytes(), env=environment(PYTHONHASHSEED="2"))
    assert first.stdout
    assert first.stdout == second.stdout


def test_answers_before_the_input_ends() -> None:
    with running("simulate") as process:
        for number in range(3):
            say(process, json.dumps(check_result(key_id=f"key-{number}")))
            assert json.loads(hear(process.stdout))["key"] == f"key-{number}"


def test_hundred_thousand_lines() -> None:
    """Every tenth line is of a key that was not there before."""
    lines = (
        json.dumps(check_result(key_id=f"key-{number // 10}", event_id=f"e-{number}")) for number in range(100_000)
    )
    done = run("simulate", given="\n".join(lines).encode())
    assert len(done.stdout.splitlines()) == 10_000


def test_a_time_that_is_none() -> None:
    for text in ("tomorrow", "2027-01-01", "2027-01-01T00:00:00"):
        done = run("simulate", "--until", text)
        assert done.returncode == 2
        assert text in error_line(done)
        assert done.stdout == b""

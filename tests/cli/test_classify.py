"""``keystatus classify``: one answer a line, at once, whatever the line is."""

import json
from pathlib import Path

import pytest

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

REFUSED = {"outcome": "error", "error": {"code": "-2015", "message": "Invalid API-key, IP, or permissions for action."}}


def test_success_and_error() -> None:
    done = run("classify", given=as_lines(check_result(), check_result(**REFUSED)))
    assert (done.returncode, done.stderr) == (0, b"")
    success, error = objects(done.stdout)
    assert success == {
        "key_id": "binance-001",
        "status": "connected",
        "reason": "all_good",
        "error_type": None,
        "rule": None,
        "definite": True,
    }
    assert error["status"] == "invalid"
    assert error["reason"] == error["error_type"]
    assert error["rule"].startswith("binance.")
    assert error["definite"] is False


def test_an_answer_that_says_nothing() -> None:
    unknown = check_result(outcome="error", error={"code": "no such code", "message": "no such text"})
    (answer,) = objects(run("classify", given=as_lines(unknown)).stdout)
    assert answer == {
        "key_id": "binance-001",
        "status": None,
        "reason": None,
        "error_type": "unclassified",
        "rule": None,
        "definite": False,
    }


def test_each_line_is_judged_for_itself() -> None:
    """The second line would be "expired" with the first one remembered."""
    lost = check_result(event_id="e-2", permissions={"read": True, "spot_trade": False})
    _, alone = objects(run("classify", given=as_lines(check_result(), lost)).stdout)
    assert alone["status"] == "incorrect_permissions"


BAD_LINES = {
    "malformed_json": "{not json",
    "invalid": {"key_id": "binance-001"},
    "unsupported_version": check_result(schema_version=2),
    "secret_in_payload": check_result() | {"api_secret": "hunter2"},
    "too_large": check_result(error={"message": "x" * 70_000}),
    "key_mismatch": {"key": "another", "value": check_result()},
}


@pytest.mark.parametrize("reason", BAD_LINES)
def test_bad_line_is_told_and_the_rest_goes_on(reason: str) -> None:
    done = run("classify", given=as_lines("", BAD_LINES[reason], check_result()))
    bad, good = objects(done.stdout)
    assert bad.keys() == {"line", "error"}
    assert bad["line"] == 2
    assert bad["error"].startswith(f"{reason}: ")
    assert good["status"] == "connected"
    assert done.returncode == 0
    assert b"hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "line",
    [
        {"type": "deadline", "key_id": "k", "kind": "expiry", "due_at": "2026-11-24T12:00:00Z"},
        {"key": "binance-001", "value": None},
    ],
)
def test_deadlines_and_removals_are_no_check_results(line: dict[str, object]) -> None:
    (answer,) = objects(run("classify", given=as_lines(line)).stdout)
    assert answer["error"].startswith("invalid: not a check result")


def test_answers_before_the_input_ends() -> None:
    with running("classify") as process:
        for number in range(3):
            say(process, json.dumps(check_result(key_id=f"key-{number}")))
            assert json.loads(hear(process.stdout))["key_id"] == f"key-{number}"


def test_hundred_thousand_lines(tmp_path: Path) -> None:
    """All are answered, in order, and the last one too without a line end."""
    lines = [json.dumps(check_result(key_id=f"key-{number}")) for number in range(100_000)]
    file = tmp_path / "results.jsonl"
    file.write_text("\n".join(lines))
    answers = objects(run("classify", str(file)).stdout)
    assert [answer["key_id"] for answer in answers] == [f"key-{number}" for number in range(100_000)]


def test_windows_line_ends_and_byte_order_mark() -> None:
    given = b"\xef\xbb\xbf" + as_lines(check_result()).replace(b"\n", b"\r\n")
    assert [answer["status"] for answer in objects(run("classify", given=given).stdout)] == ["connected"]


def test_no_input_is_no_output() -> None:
    done = run("classify")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_missing_file() -> None:
    done = run("classify", "no/such/file")
    assert done.returncode == 2
    assert "no/such/file" in error_line(done)


def test_ctrl_c_while_it_waits() -> None:
    with running("classify") as process:
        say(process, json.dumps(check_result()))
        hear(process.stdout)
        assert interrupt(process) == 130
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_a_policy_of_ones_own(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text("expiring_window_days = 3\n")
    line = as_lines(check_result(expires_at="2026-12-01T00:00:00Z"))
    assert objects(run("classify", given=line).stdout)[0]["status"] == "expiring"
    own = run("classify", given=line, env=environment(KEYSTATUS_POLICY_FILE=str(policy)))
    assert objects(own.stdout)[0]["status"] == "connected"

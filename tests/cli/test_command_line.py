"""What all commands share: help, version, exit codes, one line for every fault; and the small ones."""

import json
import signal
import socket
from pathlib import Path
from typing import Final

import pytest

from streams.cli.app import app
from streams.settings import Settings
from tests.cli.command import check_result, environment, error_line, hear, objects, run, running, say

BROKER_COMMANDS: Final = (
    ("topics", "apply"),
    ("topics", "check"),
    ("topics", "describe"),
    ("publish", "-"),
    ("tail",),
    ("show", "some-key"),
)


@pytest.fixture
def closed_port() -> str:
    """An address where nobody listens."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{server.getsockname()[1]}"


def test_version_and_help() -> None:
    assert run("--version").stdout.startswith(b"keystatus ")
    for arguments in ((), ("--help",)):
        done = run(*arguments)
        assert done.returncode == 0
        assert b"classify" in done.stdout


def test_every_command_has_help() -> None:
    names = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    groups = [group.name for group in app.registered_groups if group.name]
    for name in (*names, *groups):
        done = run(name, "--help")
        assert (done.returncode, done.stderr) == (0, b""), name


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-command",),
        ("--no-such-option",),
        ("topics",),
        ("topics", "burn"),
        ("publish",),
        ("show",),
        ("show", "k", "--lang", "fr"),
        ("tail", "--limit", "0"),
        ("simulate", "--partitions", "0"),
        ("broker", "--port", "70000"),
        ("rules", "list", "--exchange", "mtgox"),
    ],
)
def test_usage_errors(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    error_line(done)


@pytest.mark.parametrize("arguments", BROKER_COMMANDS)
def test_no_broker(arguments: tuple[str, ...], closed_port: str) -> None:
    done = run(*arguments, env=environment(KEYSTATUS_KAFKA_BOOTSTRAP_SERVERS=closed_port))
    assert (done.returncode, done.stdout) == (1, b"")
    assert "keystatus broker" in error_line(done)


def test_the_worker_without_a_broker(closed_port: str) -> None:
    """It ends with the same line, but with a code that tells a supervisor why."""
    done = run("worker", env=environment(KEYSTATUS_KAFKA_BOOTSTRAP_SERVERS=closed_port))
    assert done.returncode == 70
    assert b"Traceback" not in done.stderr
    assert done.stderr.decode().splitlines()[-1].startswith(f"keystatus: no Kafka answers at {closed_port}")


def test_a_broker_that_does_not_answer() -> None:
    """It takes the connection and says nothing: a person does not wait for the client's 40 s."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        done = run("topics", "check", env=environment(KEYSTATUS_KAFKA_BOOTSTRAP_SERVERS=address))
    assert done.returncode == 1
    error_line(done)


BAD_SETTINGS: Final = (
    ({"KEYSTATUS_PARTITIONS": "many"}, "KEYSTATUS_PARTITIONS"),
    ({"KEYSTATUS_KAFKA_BOOTSTRAP_SERVERS": "host:port"}, "KEYSTATUS_KAFKA_BOOTSTRAP_SERVERS"),
    ({"KEYSTATUS_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "KEYSTATUS_KAFKA_SASL_PLAIN_USERNAME"),
    ({"KEYSTATUS_WEB_HOST": "0.0.0.0"}, "KEYSTATUS_WEB_TOKEN_FILE"),  # noqa: S104 - it is refused
)


@pytest.mark.parametrize(("variables", "named"), BAD_SETTINGS)
def test_bad_settings(variables: dict[str, str], named: str) -> None:
    done = run("settings", env=environment(**variables))
    assert done.returncode == 2
    assert named in error_line(done)


@pytest.mark.parametrize("text", ["expiring_window_days = -1", "no_such_number = 1", "not TOML"])
def test_bad_policy_file(text: str, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(text)
    done = run("classify", env=environment(KEYSTATUS_POLICY_FILE=str(policy)))
    assert done.returncode == 2
    assert str(policy) in error_line(done)


def test_certificates_that_are_not_there() -> None:
    env = environment(KEYSTATUS_KAFKA_SECURITY_PROTOCOL="SSL", KEYSTATUS_KAFKA_SSL_CAFILE="no/such/file")
    done = run("topics", "check", env=env)
    assert done.returncode == 2
    assert "KEYSTATUS_KAFKA_SSL_" in error_line(done)


@pytest.mark.parametrize("command", ["classify", "simulate"])
def test_a_reader_who_leaves(command: str) -> None:
    """As `| head -1` does: the command ends with its next line, and quietly."""
    with running(command) as process:
        say(process, json.dumps(check_result()))
        hear(process.stdout)
        assert process.stdout is not None
        process.stdout.close()
        say(process, json.dumps(check_result(key_id="another")))
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


class TestSettings:
    def test_every_setting_with_meaning(self) -> None:
        rows = objects(run("settings", "--json").stdout)
        assert [row["variable"] for row in rows] == [f"KEYSTATUS_{name.upper()}" for name in Settings.model_fields]
        assert all(row["meaning"] for row in rows)
        assert {row["variable"]: row["value"] for row in rows}["KEYSTATUS_PARTITIONS"] == 8

    def test_values_are_those_of_the_environment_and_secrets_are_masked(self) -> None:
        env = environment(KEYSTATUS_KAFKA_SASL_PLAIN_PASSWORD="hunter2", KEYSTATUS_GROUP_ID="mine")  # noqa: S106 - made up
        for options in ((), ("--json",)):
            shown = run("settings", *options, env=env).stdout
            assert b"mine" in shown
            assert b"***" in shown
            assert b"hunter2" not in shown

    def test_a_row_is_a_line(self) -> None:
        """Also in a pipe, which has no width."""
        assert len(run("settings").stdout.splitlines()) == len(Settings.model_fields) + 1


class TestRules:
    def test_the_packaged_rules_are_in_order(self) -> None:
        done = run("rules", "lint")
        assert done.returncode == 0
        assert done.stdout.endswith(b"are in order\n")

    def test_faults_are_told_with_file_and_line(self, tmp_path: Path) -> None:
        (tmp_path / "broken.toml").write_text('exchange = "broken"\n[[rule]]\nid = "broken.x"\n')
        done = run("rules", "lint", str(tmp_path))
        assert done.returncode == 1
        assert b"broken.toml:2: " in done.stdout

    def test_list(self) -> None:
        everything = run("rules", "list").stdout.decode().splitlines()
        kraken = run("rules", "list", "--exchange", "kraken").stdout.decode().splitlines()
        assert {line.split()[0].partition(".")[0] for line in kraken[1:]} == {"kraken", "defaults"}
        assert set(kraken[1:]) != set(everything[1:])
        assert len(kraken) < len(everything)


@pytest.mark.kafka
class TestBroker:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_runs_until_it_is_told_to_stop(self, tmp_path: Path, number: signal.Signals) -> None:
        with running("broker", "--data", str(tmp_path), "--port", "0") as process:
            address = hear(process.stdout)
            assert address.startswith("127.0.0.1:")
            env = environment(KEYSTATUS_KAFKA_BOOTSTRAP_SERVERS=address)
            assert run("topics", "apply", env=env).returncode == 0
            process.send_signal(number)
            assert process.wait(30) == 0
        with socket.socket() as client:
            host, _, port = address.partition(":")
            assert client.connect_ex((host, int(port))) != 0

    def test_a_port_that_is_taken(self, tmp_path: Path) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            done = run("broker", "--data", str(tmp_path), "--port", str(port))
        assert (done.returncode, done.stdout) == (1, b"")
        assert str(port) in error_line(done)

    def test_a_directory_that_is_none(self, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.write_text("")
        done = run("broker", "--data", str(file), "--port", "0")
        assert done.returncode == 1
        assert str(file) in error_line(done)

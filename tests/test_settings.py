"""Secrets in files: read when the settings are loaded, and told as wrong use before anything is asked or started."""

from pathlib import Path
from typing import Final

import pytest

from streams.errors import UsageError
from streams.settings import load_settings
from tests.cli.command import environment, error_line, run

FILES: Final = ("KEYSTATUS_WEB_TOKEN_FILE", "KEYSTATUS_KAFKA_SASL_PASSWORD_FILE")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    return tmp_path / "secret"


@pytest.mark.parametrize("variable", FILES)
@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe"], ids=["empty", "blank", "not text"])
def test_a_file_without_a_secret(variable: str, content: bytes, secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret.write_bytes(content)
    monkeypatch.setenv(variable, str(secret))
    with pytest.raises(UsageError, match=f"^{variable} names {secret}, which "):
        load_settings()


@pytest.mark.parametrize("variable", FILES)
def test_a_file_that_is_missing_or_cannot_be_read(variable: str, secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, str(secret))
    with pytest.raises(UsageError, match=variable):
        load_settings()
    secret.mkdir()  # also root, whom no file mode stops, cannot read that
    with pytest.raises(UsageError, match=variable):
        load_settings()


def test_the_secret_is_the_file_without_its_line_end(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret.write_text("of-the-file\n")
    for variable in FILES:
        monkeypatch.setenv(variable, str(secret))
    monkeypatch.setenv("KEYSTATUS_KAFKA_SASL_PLAIN_PASSWORD", "of-the-environment")
    settings = load_settings()
    assert (settings.web_token, settings.sasl_password) == ("of-the-file", "of-the-file")


@pytest.mark.parametrize("variable", FILES)
@pytest.mark.parametrize("command", [("worker",), ("topics", "check")], ids=" ".join)
def test_it_is_told_before_kafka_is_asked(command: tuple[str, ...], variable: str, secret: Path) -> None:
    """Nobody listens at that address: a command that asks first would end with another code and line."""
    secret.touch()
    env = environment(KEYSTATUS_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", **{variable: str(secret)})
    done = run(*command, env=env)
    assert (done.returncode, done.stdout) == (2, b"")
    assert variable in error_line(done)

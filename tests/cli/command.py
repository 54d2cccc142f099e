"""Run ``keystatus`` as its users do: a process with arguments, standard input and an environment."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from streams.settings import Settings

ROOT: Final = Path(__file__).parents[2]

#: More than any command takes, even on a busy machine.
LIMIT_S: Final = 60.0

Finished = subprocess.CompletedProcess[bytes]
Running = subprocess.Popen[bytes]


def environment(settings: Settings | None = None, **variables: str) -> dict[str, str]:
    """This process's environment without its own KEYSTATUS_ variables, and with these settings."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("KEYSTATUS_")}
    own |= {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    if settings is not None:
        own |= {
            "KEYSTATUS_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
            "KEYSTATUS_TOPIC_PREFIX": settings.topic_prefix,
            "KEYSTATUS_GROUP_ID": settings.group_id,
            "KEYSTATUS_PARTITIONS": str(settings.partitions),
        }
    return own | variables


def run(*arguments: str, given: bytes = b"", env: Mapping[str, str] | None = None) -> Finished:
    """One command from start to end."""
    return subprocess.run(
        [sys.executable, "-m", "streams", *arguments],
        input=given,
        capture_output=True,
        timeout=LIMIT_S,
        env=dict(env or environment()),
        check=False,
    )


@contextmanager
def running(*arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Running]:
    """A command that is spoken to while it runs; it does not outlive the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "streams", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env=dict(env or environment()),
    )
    with process:  # which waits for its end
        try:
            yield process
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
            process.wait(LIMIT_S)
        finally:
            process.kill()


def say(process: Running, line: str) -> None:
    """Write one line to the command; its input stays open."""
    assert process.stdin is not None
    process.stdin.write(line.encode() + b"\n")


def hear(pipe: Any) -> str:
    """The next line that the command writes, without its end."""
    until = time.monotonic() + LIMIT_S
    heard = b""
    while not heard.endswith(b"\n"):
        ready, _, _ = select.select([pipe], [], [], max(0.0, until - time.monotonic()))
        assert ready, f"no line within {LIMIT_S:.0f} s, only {heard!r}"
        byte = pipe.read(1)
        assert byte, f"the command ended after {heard!r}"
        heard += byte
    return heard.decode().removesuffix("\n")


def interrupt(process: Running) -> int:
    """Ctrl-C; returns the exit code."""
    process.send_signal(signal.SIGINT)
    return process.wait(LIMIT_S)


def objects(output: bytes) -> list[dict[str, Any]]:
    """Lines of JSON as objects."""
    return [json.loads(line) for line in output.splitlines()]


def error_line(finished: Finished) -> str:
    """The one line on standard error. There is no traceback, and nothing beside it."""
    lines = finished.stderr.decode().splitlines()
    assert len(lines) == 1, finished.stderr.decode()
    assert lines[0].startswith("keystatus: ")
    return lines[0]


def check_result(**fields: Any) -> dict[str, Any]:
    """A check result that says "connected", with these fields replaced."""
    return {
        "event_id": "e-1",
        "key_id": "binance-001",
        "exchange": "binance",
        "checked_at": "2026-11-24T12:00:00Z",
        "outcome": "ok",
        "permissions": {"read": True, "spot_trade": True, "withdraw": False},
        "ip_restricted": False,
    } | fields


def as_lines(*payloads: object) -> bytes:
    """Payloads as JSON lines; a string is a line as it is."""
    return "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in payloads).encode()

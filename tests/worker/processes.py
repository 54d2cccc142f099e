"""A worker as a process of its own, to be watched, stopped, paused and killed."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Self
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from streams.settings import Settings

_SERVING = re.compile(r"serving .* at (http://\S+)")

#: Seconds until a worker must have joined and recovered; a rebalance waits for a dead member.
READY_LIMIT_S = 40.0


def wait_until(condition: Callable[[], bool], limit_s: float, what: str) -> None:
    """Wait for a condition, asked every few milliseconds; fail with what was waited for."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit_s:.0f} s: {what}")
        time.sleep(0.02)


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The environment of a process with these settings."""
    return {
        **os.environ,
        "KEYSTATUS_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "KEYSTATUS_TOPIC_PREFIX": settings.topic_prefix,
        "KEYSTATUS_GROUP_ID": settings.group_id,
        "KEYSTATUS_KAFKA_SESSION_TIMEOUT_S": str(settings.kafka_session_timeout_s),
        "KEYSTATUS_WEB_PORT": "0",
        **more,
    }


class WorkerProcess:
    """One worker. Its log is kept and shown when a test fails."""

    def __init__(
        self, settings: Settings, folder: Path, name: str, command: list[str] | None = None, **env: str
    ) -> None:
        self.name = name
        self._env = environment(settings, **env)
        self._command = command or [sys.executable, "-m", "streams", "worker"]
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.is_running:
            self.resume()
            self.kill()

    def start(self) -> Self:
        """Start the process, its log anew."""
        self._starts += 1
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, env=self._env, stdout=log, stderr=log)
        return self

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def address(self) -> str | None:
        """Where it serves; None before it says so."""
        found = _SERVING.search(self.log)
        return None if found is None else found[1]

    def wait_until_serving(self) -> Self:
        wait_until(lambda: self.address is not None or not self.is_running, 20, f"{self.name} serves")
        assert self.is_running, self.log
        return self

    def wait_until_ready(self) -> Self:
        """Joined, recovered, confirmed."""
        self.wait_until_serving()
        wait_until(lambda: self.is_ready or not self.is_running, READY_LIMIT_S, f"{self.name} is ready: {self.log}")
        assert self.is_running, self.log
        return self

    @property
    def is_ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    def get(self, path: str, timeout_s: float = 5.0) -> tuple[int, str]:
        """Status and body; status 0 when nobody answers."""
        address = self.address
        if address is None:
            return 0, ""
        try:
            with urlopen(f"{address}{path}", timeout=timeout_s) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()
        except (URLError, OSError, HTTPException):
            return 0, ""

    def metrics(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float] | None:
        """All samples; None when nobody answers."""
        status, body = self.get("/metrics", timeout_s=1.0)
        if status != 200:
            return None
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(body)
            for sample in family.samples
        }

    def keys(self) -> Mapping[tuple[str, str], float] | None:
        """Keys by exchange and status, as this worker counts them."""
        samples = self.metrics()
        if samples is None:
            return None
        return {
            (dict(labels)["exchange"], dict(labels)["status"]): value
            for (name, labels), value in samples.items()
            if name == "keystatus_keys"
        }

    def kill(self) -> None:
        """As the kernel's out-of-memory killer would."""
        self._signal(signal.SIGKILL)
        self.wait(10)

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def wait(self, limit_s: float) -> int:
        """The exit code."""
        assert self._process is not None
        return self._process.wait(limit_s)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)


def problems(body: str) -> list[str]:
    """What a probe's answer complains about."""
    return json.loads(body)["problems"]

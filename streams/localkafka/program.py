"""Kafka's programs (the server, StorageTool) as child processes, and what they log."""

import contextlib
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from streams.localkafka.child import Child, spawn
from streams.localkafka.errors import LocalKafkaError

_POLL_INTERVAL_S = 0.02
_LOG_LINES_SHOWN = 15


@dataclass(frozen=True)
class Program:
    """A program that was started, and its part of the log: what stands behind the first `log_start` bytes."""

    process: Child
    log_file: Path
    log_start: int

    def wait_for(self, condition: Callable[[], bool], deadline: float) -> bool:
        """Return True when the condition holds, False when the program ended or the (monotonic) deadline passed."""
        while not condition():
            if time.monotonic() > deadline or self.ends_within(_POLL_INTERVAL_S):
                return False
        return True

    def ends_within(self, timeout_s: float) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout_s)
        return self.process.returncode is not None

    def log(self) -> str:
        with self.log_file.open("rb") as file:
            file.seek(self.log_start)
            return file.read().decode(errors="replace")

    def end(self, timeout_s: float) -> None:
        """End it in good order (SIGTERM), when that takes too long by force (SIGKILL)."""
        self.process.terminate()
        if not self.ends_within(timeout_s):
            self.process.kill()
            self.process.wait()

    def failure(self, what: str) -> LocalKafkaError:
        """An error that says what failed, how the program ended, and the last warnings and errors it logged."""
        status = self.process.poll()
        how = "it did not end or answer in time" if status is None else f"exit code {status}"
        telling = [line for line in self.log().splitlines() if " INFO " not in line and not line.startswith("\tat ")]
        lines = [f"{what} ({how}): the cause is in {self.log_file}, at its end:", *telling[-_LOG_LINES_SHOWN:]]
        return LocalKafkaError("\n".join(lines))


@dataclass(frozen=True)
class Launcher:
    """Starts Kafka's programs in one directory; `java` is the command line up to the main class.

    The programs inherit the file descriptor `lock`, so that the lock lasts as long as they do.
    """

    java: tuple[str, ...]
    directory: Path
    log_file: Path
    lock: int

    def start(self, main: str, *arguments: str, options: Sequence[str] = ()) -> Program:
        """Start the program of this main class, with more options for Java.

        Raises LocalKafkaError when that is impossible.
        """
        log_start = self.log_file.stat().st_size if self.log_file.exists() else 0
        command = [*self.java, *options, main, *arguments]
        try:
            process = spawn(command, directory=self.directory, log=self.log_file, inherited=self.lock)
        except OSError as error:
            raise LocalKafkaError(f"cannot start Kafka ({error}): look into the directory {self.directory}") from error
        return Program(process, self.log_file, log_start)

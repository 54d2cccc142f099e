"""One Apache Kafka on this machine: broker and KRaft controller in a child process on 127.0.0.1."""

import atexit
import base64
import contextlib
import fcntl
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import IO, Self

from streams.localkafka.child import Child
from streams.localkafka.errors import LocalKafkaError
from streams.localkafka.jars import ensure_jars
from streams.localkafka.java import find_java
from streams.localkafka.ports import LOOPBACK, free_port, is_free, kafka_answers
from streams.localkafka.program import Launcher
from streams.localkafka.settings import (
    FENCING_OPTIONS,
    broker_is_fenced,
    broker_properties,
    fencing_properties,
    java_options,
)

# Measured on 2 cores with Java 17, records of 300 bytes, transactions of 5,000: 460,000/s into 8 partitions with 7 %
# of the time in garbage collection, 182 MB resident. 64 MB: 371,000/s and 18 %; 128 MB: no faster. With batches of
# 1 MB it takes 690,000/s from 8 producers and still 400,000/s from 64 at once.
DEFAULT_HEAP_MB = 96

_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 20.0  # a stop takes 0.2 to 1 s; this much means that it hangs
_PROBE_TIMEOUT_S = 1.0
_LOG_LIMIT_BYTES = 10_000_000  # some hundred starts; the log begins anew at the next start

_SERVER = "kafka.Kafka"
_BROKER_PROPERTIES = "server.properties"
_FENCING_PROPERTIES = "fencing.properties"


class LocalKafka:
    """A Kafka of one process whose records survive restarts; a context manager.

    `data_dir` holds its records, settings and log (`server.log`) and is formatted at the first start. `port` 0 picks a
    free one; ports stay the same over restarts of one object. `heap_mb` is Java's heap in MiB. `properties` are broker
    settings that replace those of this package, unchecked. Any thread may call any method, one at a time. When this
    process ends, so does Kafka: at its normal end in good order, at any other (on Linux) killed by the kernel.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int = 0,
        *,
        heap_mb: int = DEFAULT_HEAP_MB,
        properties: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.port = port or free_port()
        self.heap_mb = heap_mb
        self._controller_port = free_port(besides=self.port)
        self._properties = dict(properties)
        self._process: Child | None = None

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients, `127.0.0.1:<port>`."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def log_file(self) -> Path:
        return self.data_dir / "server.log"

    @property
    def pid(self) -> int | None:
        """The process id of the running broker, or None."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start Kafka and return when it answers: after 1.5 s, the first time 2 s, after a crash 3 s.

        Raises LocalKafkaError when the jars or Java are missing, a port or the directory is taken, or Kafka ends or
        takes 60 s.
        """
        if self.pid is not None:
            raise LocalKafkaError(f"Kafka runs already at {self.bootstrap_servers}: stop it before you start it again")
        java = find_java()
        classpath = os.pathsep.join(map(str, ensure_jars()))
        command = (str(java.path), *java_options(java, self.heap_mb), "-cp", classpath)
        self._make_directory()
        with self._lock() as lock:
            self._check_ports()
            self._write_properties()
            self._launch(Launcher(command, self.data_dir, self.log_file, lock.fileno()))

    def stop(self) -> None:
        """End Kafka in good order (SIGTERM), after 20 s by force; does nothing when it does not run.

        End the transactional clients first: Kafka 4.3 may drop the commit marker of a transaction that commits in the
        moment in which its partitions lose their leader (KAFKA-20734). `kill` is safe in this respect.
        """
        if self._process is None:
            return
        self._process.terminate()
        self.resume()  # a paused process would not notice
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_LIMIT_S)
        self.kill()

    def kill(self) -> None:
        """End Kafka at once (SIGKILL), as a crash would; does nothing when it does not run."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None
        atexit.unregister(self._stop_at_exit)

    def pause(self) -> None:
        """Freeze the process (SIGSTOP): its connections stay open and nobody answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _stop_at_exit(self, owner: int) -> None:
        if os.getpid() == owner:  # a forked copy of this process has this handler too
            self.stop()

    def _launch(self, launcher: Launcher) -> None:
        deadline = time.monotonic() + _START_LIMIT_S
        if not (self.data_dir / "data/meta.properties").exists():  # the last file that formatting writes
            _format(launcher, deadline)
        elif not (self.data_dir / "data/.kafka_cleanshutdown").exists():  # Kafka's mark of a stop in good order
            _fence_crashed_broker(launcher, deadline)
        server = launcher.start(_SERVER, _BROKER_PROPERTIES)
        self._process = server.process
        atexit.register(self._stop_at_exit, os.getpid())
        started = False
        try:
            started = server.wait_for(lambda: kafka_answers(self.port, _PROBE_TIMEOUT_S), deadline) and bool(self.pid)
            failure = None if started else server.failure("Kafka did not start")
        finally:
            if not started:  # also after Ctrl-C
                self.kill()
        if failure is not None:
            raise failure

    def _make_directory(self) -> None:
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._not_writable(error) from error

    @contextlib.contextmanager
    def _lock(self) -> Iterator[IO[bytes]]:
        """Lock the data directory. Kafka inherits the open file, so the lock ends with it, however it ends.

        Kafka has a lock of its own but takes it late: by then its controller has spoilt the other one's log.
        """
        try:
            file = (self.data_dir / "lock").open("wb")
        except OSError as error:
            raise self._not_writable(error) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise LocalKafkaError(
                    f"another Kafka runs on the data directory {self.data_dir}: stop it, or name another directory"
                ) from error
            yield file

    def _check_ports(self) -> None:
        for port in (self.port, self._controller_port):
            try:
                free = is_free(port)
            except (OSError, OverflowError) as error:
                raise LocalKafkaError(f"cannot listen on port {port} ({error}): name another, or 0 for any") from error
            if not free:
                raise LocalKafkaError(
                    f"port {port} of {LOOPBACK} is taken by another program: end it, or name another port, or 0 for any"
                )

    def _write_properties(self) -> None:
        broker = broker_properties(self.port, self._controller_port, self._properties)
        try:
            if self.log_file.exists() and self.log_file.stat().st_size > _LOG_LIMIT_BYTES:
                self.log_file.unlink()
            (self.data_dir / _BROKER_PROPERTIES).write_text(broker, encoding="ascii")
            (self.data_dir / _FENCING_PROPERTIES).write_text(
                fencing_properties(self._controller_port), encoding="ascii"
            )
        except OSError as error:
            raise self._not_writable(error) from error

    def _not_writable(self, error: OSError) -> LocalKafkaError:
        return LocalKafkaError(
            f"cannot write to the data directory {self.data_dir} ({error.strerror}): name one you may write to"
        )


def _format(launcher: Launcher, deadline: float) -> None:
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    tool = launcher.start(
        "kafka.tools.StorageTool",
        "format",
        f"--cluster-id={cluster_id}",  # one word, for it may begin with a dash
        f"--config={_BROKER_PROPERTIES}",
    )
    if not tool.ends_within(deadline - time.monotonic()):
        tool.end(_STOP_LIMIT_S)
    if tool.process.returncode != 0:
        raise tool.failure("Kafka could not format its data directory")


def _fence_crashed_broker(launcher: Launcher, deadline: float) -> None:
    """Run the controller alone until it has noticed that the broker is gone; see `fencing_properties`."""
    controller = launcher.start(_SERVER, _FENCING_PROPERTIES, options=FENCING_OPTIONS)
    try:
        if not controller.wait_for(lambda: broker_is_fenced(controller.log()), deadline):
            raise controller.failure("Kafka could not be prepared for a start after a crash")
    finally:
        controller.end(_STOP_LIMIT_S)

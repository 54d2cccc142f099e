"""``keystatus broker``: a local Kafka in the foreground."""

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import typer

from streams.cli.lines import remark, write_lines
from streams.errors import KeystatusError
from streams.localkafka import LocalKafka, LocalKafkaError
from streams.localkafka.jars import cache_dir

DEFAULT_PORT: Final = 9092

#: How soon it is noticed that Kafka has ended by itself.
_LOOK_EVERY_S: Final = 0.5

Data = Annotated[
    Path | None, typer.Option(metavar="DIR", help="its records and log [default: in the user's cache directory]")
]
Port = Annotated[int, typer.Option(min=0, max=65_535, help="port on 127.0.0.1; 0: any free one")]


class _StoppedError(Exception):
    """SIGTERM or SIGINT came."""


def broker(data: Data = None, port: Port = DEFAULT_PORT) -> None:
    """Run a local Apache Kafka.

    For trying things out and for tests: one process, on 127.0.0.1 only. Prints its address
    when it is ready, and runs until Ctrl-C or SIGTERM. Records survive: the next start with
    the same directory finds them.
    """
    kafka = LocalKafka(data or cache_dir().parent / "broker", port)
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if not stopping.is_set():
            stopping.set()
            raise _StoppedError

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        kafka.start()
        write_lines([kafka.bootstrap_servers])
        remark(f"Kafka runs on {kafka.bootstrap_servers}, its records are in {kafka.data_dir}: Ctrl-C stops it")
        _watch(kafka, stopping)
    except _StoppedError:
        remark("stopping Kafka")
    except LocalKafkaError as error:
        raise KeystatusError(str(error)) from None
    finally:
        kafka.stop()


def _watch(kafka: LocalKafka, stopping: threading.Event) -> None:
    """Return when it is to stop; raise when Kafka ends by itself."""
    while not stopping.wait(_LOOK_EVERY_S):
        if kafka.pid is None:
            raise KeystatusError(f"Kafka has ended by itself: the cause is in {kafka.log_file}")

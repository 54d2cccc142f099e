"""Ports: which are free, and whether the server behind one is a Kafka."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.localkafka import LocalKafkaError
from streams.localkafka.ports import free_port, is_free, kafka_answers


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_port_is_free_until_somebody_listens(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    assert not is_free(port)
    listener.close()
    assert is_free(port)


def test_a_free_port_is_none_that_the_kernel_gives_to_outgoing_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel_range = tmp_path / "range"
    kernel_range.write_text("10300\t60999\n")
    monkeypatch.setattr("streams.localkafka.ports._EPHEMERAL_RANGE", kernel_range)
    for _ in range(50):
        port = free_port()
        assert 10_240 <= port < 10_300
        assert is_free(port)


def test_a_second_free_port_is_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel_range = tmp_path / "range"
    kernel_range.write_text("10241\t60999\n")  # leaves 10240 only
    monkeypatch.setattr("streams.localkafka.ports._EPHEMERAL_RANGE", kernel_range)
    monkeypatch.setattr("streams.localkafka.ports.is_free", lambda _: True)
    assert free_port() == 10_240
    with pytest.raises(LocalKafkaError, match="no free port"):
        free_port(besides=10_240)


def test_when_every_port_is_taken_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.localkafka.ports.is_free", lambda _: False)
    with pytest.raises(LocalKafkaError, match="name one that is free"):
        free_port()


@pytest.mark.parametrize(
    ("answer", "is_kafka"),
    [
        (b"\x00\x00\x00\x0a\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00", True),
        (b"\x00\x00\x00\x0a\x00\x00\x00\x01\x00\x23\x00\x00\x00\x00", False),  # error code 35
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", False),
        (b"\x00", False),
        (b"", False),
    ],
)
def test_only_a_server_that_answers_as_kafka_does_is_one(
    listener: socket.socket, answer: bytes, *, is_kafka: bool
) -> None:
    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    assert kafka_answers(listener.getsockname()[1], timeout_s=10) is is_kafka
    thread.join()


def test_a_server_that_says_nothing_is_no_kafka(listener: socket.socket) -> None:
    assert not kafka_answers(listener.getsockname()[1], timeout_s=0.05)


def test_where_nobody_listens_is_no_kafka() -> None:
    assert not kafka_answers(free_port(), timeout_s=10)

"""Free TCP ports of the loopback address, and whether a Kafka answers on one."""

import errno
import random
import socket
import struct
from pathlib import Path

from streams.localkafka.errors import LocalKafkaError

LOOPBACK = "127.0.0.1"

_LOWEST = 10_240  # below are the well-known services
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_EPHEMERAL_LOWEST = 32_768  # Linux's default; other systems begin at 49,152
_TRIES = 100  # nearly all ports of the range are free on any machine

_API_VERSIONS = 18  # the request that every Kafka answers before all others; version 0 has no body
_CORRELATION_ID = 1
_CLIENT_ID = b"keystatus"


def free_port(besides: int | None = None) -> int:
    """Return a port, not `besides`, that nobody listens on and that the kernel gives to no outgoing connections.

    The kernel's own choice (port 0) would be one it may hand out again while the broker is down: a client that tries
    to reconnect can even be connected to itself there, and the broker could not come back.
    """
    candidates = range(_LOWEST, max(_ephemeral_lowest(), _LOWEST + 1))
    for port in random.sample(candidates, k=min(_TRIES, len(candidates))):
        if port != besides and is_free(port):
            return port
    raise LocalKafkaError(f"no free port from {candidates.start} to {candidates.stop - 1}: name one that is free")


def _ephemeral_lowest() -> int:
    try:
        return int(_EPHEMERAL_RANGE.read_text(encoding="ascii").split()[0])
    except OSError:
        return _EPHEMERAL_LOWEST


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now. Raises OSError when it may not (below 1024)."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Kafka does: closed connections do not count
        try:
            server.bind((LOOPBACK, port))
            server.listen()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def kafka_answers(port: int, timeout_s: float) -> bool:
    """Whether the server on this loopback port answers Kafka's ApiVersions request within `timeout_s` seconds.

    A broker opens its port to requests as the last step of its start.
    """
    body = struct.pack(">hhih", _API_VERSIONS, 0, _CORRELATION_ID, len(_CLIENT_ID)) + _CLIENT_ID
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout_s) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            answer = connection.recv(10, socket.MSG_WAITALL)
    except OSError:
        return False
    if len(answer) < 10:
        return False
    _, correlation_id, error_code = struct.unpack(">iih", answer)
    return bool(correlation_id == _CORRELATION_ID and error_code == 0)

"""What the local Kafka runs with: the content of its properties files and Java's command line."""

import json
from collections.abc import Mapping
from types import MappingProxyType

from streams.localkafka.java import Java
from streams.localkafka.ports import LOOPBACK

NODE_ID = 1

_COMMON = MappingProxyType(
    {
        "node.id": str(NODE_ID),
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": "data",  # relative to the working directory, so that any directory name will do
    }
)
_BROKER = MappingProxyType(
    {
        "process.roles": "broker,controller",
        # one broker: nothing can be replicated, and one partition of each internal topic is enough
        "offsets.topic.num.partitions": "1",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "auto.create.topics.enable": "false",  # a mistyped topic name must show
        "group.initial.rebalance.delay.ms": "0",  # the default waits 3 s for more members of a new group
        "group.min.session.timeout.ms": "1000",  # the default of 6 s makes tests of dead workers slow
        "log.cleaner.dedupe.buffer.size": "8388608",  # the default of 128 MB does not fit the heap
        # Nobody can take over from the only broker, so it need not be given up when it is paused or starved. The
        # default is 9 s; see `fencing_properties` for the harm it does.
        "broker.session.timeout.ms": "30000",
    }
)
_FENCING = MappingProxyType(
    {
        "process.roles": "controller",
        "broker.session.timeout.ms": "100",
        "broker.heartbeat.interval.ms": "50",  # must be below the session
        "controller.quorum.append.linger.ms": "0",
    }
)

FENCING_OPTIONS = ("-Dorg.slf4j.simpleLogger.log.org.apache.kafka.controller.QuorumController=debug",)
_FENCED = f"Fencing broker {NODE_ID} at epoch"
_NOTHING_PENDING = (
    "because the purgatory is empty"  # a look at the sessions changed nothing, earlier changes are stored
)
# The controller looks every 12 ms (an eighth of the session). A broker that was not fenced after this many looks, which
# are four sessions, was fenced before it crashed.
_LOOKS_WITHOUT_FENCING = 32


def broker_properties(port: int, controller_port: int, overrides: Mapping[str, str]) -> str:
    """The properties file of broker and controller in one process, `overrides` last."""
    address = f"PLAINTEXT://{LOOPBACK}:{port}"
    listeners = {"listeners": f"{address},{_controller(controller_port)}", "advertised.listeners": address}
    return _render({**_COMMON, **_quorum(controller_port), **_BROKER, **listeners, **overrides})


def fencing_properties(controller_port: int) -> str:
    """The properties file of a controller that runs for a moment after a crash, until it has fenced the broker.

    Without it the new broker is refused until the session of the crashed one ends, but leads its partitions meanwhile
    and tries to complete its transactions. When the session ends, its partitions have no leader for a moment; Kafka
    4.3 takes those for deleted and drops their commit markers (KAFKA-20734): their `read_committed` readers wait for
    ever. Once it is fenced, the broker is accepted at once and leads nothing before.
    """
    listeners = {"listeners": _controller(controller_port)}
    return _render({**_COMMON, **_quorum(controller_port), **_FENCING, **listeners})


def broker_is_fenced(log: str) -> bool:
    """Whether the controller's log says that the broker is fenced, and that this is stored."""
    _, fenced, rest = log.rpartition(_FENCED)
    return rest.count(_NOTHING_PENDING) >= (1 if fenced else _LOOKS_WITHOUT_FENCING)


def java_options(java: Java, heap_mb: int) -> list[str]:
    """Java's options: a small and quick process that logs to its standard output."""
    log = "-Dorg.slf4j.simpleLogger."
    options = [
        f"-Xmx{heap_mb}m",
        "-XX:+UseSerialGC",  # the least memory, and on few cores no slower
        "-XX:TieredStopAtLevel=1",  # a quick start
        "-XX:+ExitOnOutOfMemoryError",  # dead is better than half alive
        "-XX:-UsePerfData",  # no files in the system's temporary directory
        f"{log}logFile=System.out",
        f"{log}showDateTime=true",
        f"{log}dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
        f"{log}log.org.apache.kafka.common.config=warn",  # 300 lines of settings at every start
    ]
    if java.major >= 24:  # from then on they are warned about; the jars use both
        options += ["--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED"]
    return options


def _controller(port: int) -> str:
    return f"CONTROLLER://{LOOPBACK}:{port}"


def _quorum(controller_port: int) -> dict[str, str]:
    return {"controller.quorum.voters": f"{NODE_ID}@{LOOPBACK}:{controller_port}"}


def _render(properties: Mapping[str, str]) -> str:
    # JSON's escapes are those of Java's properties format, which is not UTF-8
    return "".join(f"{name}={json.dumps(value)[1:-1]}\n" for name, value in properties.items())

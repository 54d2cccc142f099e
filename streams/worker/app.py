"""The Faust app: the place where settings, core, table, agent and transport meet."""

from functools import partial
from typing import Any, cast

import faust
from faust.tables.manager import TableManager
from faust.types import TransportT
from faust.types.auth import SASLMechanism
from mode import CrashingSupervisor
from prometheus_client import CollectorRegistry

from streams.core.decide import decide_next
from streams.core.policy import Policy
from streams.core.rules import RuleSet
from streams.kafka import connection
from streams.settings import Settings
from streams.topics import Topics
from streams.worker.agent import add_agent
from streams.worker.distribution import OwnedKeys
from streams.worker.metrics import Metrics
from streams.worker.ownership import Ownership
from streams.worker.table import RECOVERY_BUFFER_BATCHES, BatchSchema, StateStore, StatusTable
from streams.worker.transport import Consumer, Transport

#: Polls waiting between Faust and the agent. The agent passes them on at once and the
#: partitions hold fetching back by themselves, so this is a corridor and not a store.
_POLLS_BUFFERED = 64

#: A day: Faust counts waiting for a buffer as idling and would be thrown out of the group.
_MAX_POLL_INTERVAL_S = 86_400


class KeystatusApp(faust.App):
    """A Faust app that knows its topics and owned partitions."""

    topic_names: Topics
    ownership: Ownership
    source: faust.TopicT
    status_table: StatusTable

    def _new_transport(self) -> TransportT:
        return Transport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """Nothing of ours is on disk."""

    def on_rebalance_end(self) -> None:
        """The assigned partitions are recovered, and their flow is about to go on."""
        super().on_rebalance_end()
        tables = cast(TableManager, self.tables)
        self.ownership.recovered(tables.recovery._generation_id)


def create_app(
    settings: Settings, partitions: int, rules: RuleSet, policy: Policy, registry: CollectorRegistry
) -> KeystatusApp:
    """Wire the worker together. ``partitions`` is the count that all topics share."""
    app = KeystatusApp(settings.group_id, **_faust_settings(settings, partitions))
    app.topic_names = Topics.named(settings.topic_prefix)
    app.source = app.topic(app.topic_names.check_results, schema=BatchSchema(), partitions=partitions)
    app.status_table = cast(
        StatusTable,
        app.Table(
            "status",
            changelog=app.topic_names.status,
            schema=BatchSchema(),
            key_type=bytes,
            value_type=bytes,
            partitions=partitions,
            recovery_buffer_size=RECOVERY_BUFFER_BATCHES,
        ),
    )
    metrics = Metrics(registry, rules.exchanges)
    app.ownership = Ownership(
        settings,
        app.topic_names,
        partial(decide_next, rules=rules, policy=policy),
        metrics,
        consumer=lambda: cast(Consumer, app.consumer),
        store=lambda: cast(StateStore, app.status_table.data),
    )
    registry.register(OwnedKeys(app.ownership, metrics))
    add_agent(app, app.source, app.ownership)
    return app


def _faust_settings(settings: Settings, partitions: int) -> dict[str, Any]:
    session = settings.kafka_session_timeout_s
    return {
        "broker": [f"kafka://{server.strip()}" for server in settings.kafka_bootstrap_servers.split(",")],
        "broker_credentials": _credentials(settings),
        "broker_session_timeout": session,
        "broker_heartbeat_interval": session * 0.3,
        "broker_request_timeout": max(30.0, session),
        "broker_max_poll_interval": _MAX_POLL_INTERVAL_S,
        "consumer_auto_offset_reset": "earliest",
        "stream_buffer_maxsize": _POLLS_BUFFERED,
        "agent_supervisor": CrashingSupervisor,
        "Table": StatusTable,
        "store": "memory://",
        "table_standby_replicas": 0,
        "topic_partitions": partitions,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "web_enabled": False,
        "worker_redirect_stdouts": False,
    }


def _credentials(settings: Settings) -> faust.auth.Credentials | None:
    given = connection(settings)
    context = given.get("ssl_context")
    if settings.kafka_security_protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=given["sasl_plain_username"],
            password=given["sasl_plain_password"],
            mechanism=SASLMechanism(given["sasl_mechanism"]),
            ssl_context=context,
        )
    return faust.SSLCredentials(context=context) if context is not None else None

"""The Faust table: its changelog is the public topic of key states."""

from collections.abc import Callable, Iterable
from typing import Any, cast

import faust
from faust.stores.memory import Store
from faust.types import TP, AppT, EventT, StoreT

from streams.errors import Exit
from streams.worker.batch import RecordBatch
from streams.worker.fatal import fatal
from streams.worker.states import PartitionStates

#: Changelog batches that Faust gathers before they are applied. Each already holds thousands
#: of records, so few; not 1, which Faust takes as the wish to go on reading for ever.
RECOVERY_BUFFER_BATCHES = 2


class BatchSchema(faust.Schema):
    """Hands record batches through as they are: the core decodes, not Faust."""

    def compile(self, app: AppT, **_kwargs: object) -> Callable[..., Any]:
        """The function that makes an event of a message."""
        create_event = app.create_event

        async def as_it_is(message: Any, *, propagate: bool = False) -> EventT:  # noqa: ANN401, ARG001
            return create_event(None, message.value, message.headers, message)

        return as_it_is


class StateStore(Store[bytes, bytes]):
    """The states by partition, so that a lost partition takes its keys and counts along.

    The signatures are those of Faust's stores.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.partitions: dict[int, PartitionStates] = {}

    def partition(self, number: int) -> PartitionStates:
        """The states of a partition, which is empty until it is recovered."""
        return self.partitions.setdefault(number, PartitionStates())

    def persisted_offset(self, tp: TP) -> int | None:
        """The last changelog offset that is in memory: what a rebalance kept is not read again."""
        states = self.partitions.get(tp.partition)
        return None if states is None or states.position is None else states.position - 1

    def apply_changelog_batch(
        self,
        batch: Iterable[EventT],
        to_key: Callable[[Any], Any],  # noqa: ARG002
        to_value: Callable[[Any], Any],  # noqa: ARG002
    ) -> None:
        """Take over changelog batches. A gap ends the process: the restart reads anew."""
        for event in batch:
            polled = cast(RecordBatch, event.message.value)
            if not self.partition(polled.partition).recover(polled):
                fatal(
                    Exit.RECOVERY_FAILED,
                    f"changelog partition {polled.partition} came with a gap before offset {polled.start}",
                )

    async def on_rebalance(
        self,
        assigned: set[TP],  # noqa: ARG002
        revoked: set[TP],
        newly_assigned: set[TP],  # noqa: ARG002
        generation_id: int = 0,  # noqa: ARG002
    ) -> None:
        """Forget the partitions that now belong to somebody else."""
        for tp in revoked:
            if tp.topic == self.table.changelog_topic.get_topic_name():
                self.partitions.pop(tp.partition, None)

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Nothing to clean up: what is not ours was dropped with its partition."""


class StatusTable(faust.Table):
    """The table of key states; ``changelog`` is the name of the topic that holds them."""

    def __init__(self, app: AppT, *, changelog: str, **faust_arguments: Any) -> None:  # noqa: ANN401 - Faust's
        self._changelog = changelog
        super().__init__(app, **faust_arguments)

    def _changelog_topic_name(self) -> str:
        return self._changelog

    def _new_store(self) -> StoreT[bytes, bytes]:
        return StateStore(
            "memory://",
            self.app,
            self,
            table_name=self.name,
            key_type=self.key_type,
            value_type=self.value_type,
            loop=self.loop,
        )

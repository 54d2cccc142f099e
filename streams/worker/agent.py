"""The Faust agent: hands each poll to the partition that owns it."""

from typing import TYPE_CHECKING, cast

from faust import Stream
from faust.types import EventT, StreamT

from streams.errors import Exit
from streams.worker.batch import RecordBatch
from streams.worker.fatal import fatal

if TYPE_CHECKING:
    from streams.worker.app import KeystatusApp


def add_agent(app: "KeystatusApp") -> None:
    """Register the one agent of the source topic. One at a time: order is everything here."""

    async def decide_check_results(stream: StreamT) -> None:
        try:
            async for event in cast(Stream, stream).noack().events():
                await _pass_on(app, event)
        except Exception as error:  # noqa: BLE001 - Faust would acknowledge the batch and go on
            fatal(Exit.AGENT_FAILED, f"the agent failed: {type(error).__name__}: {error}")

    app.agent(app.source, name="check-results", concurrency=1)(decide_check_results)


async def _pass_on(app: "KeystatusApp", event: EventT) -> None:
    batch = cast(RecordBatch, event.value)
    partition = app.ownership[batch.partition]
    if partition is None:  # taken away meanwhile; its next owner reads it
        event.ack()
        return
    await partition.take(batch, event)

"""The Faust agent: hands each poll to the partition that owns it."""

import logging
from typing import cast

import faust
from faust.types import EventT, StreamT, TopicT

from streams.errors import Exit
from streams.worker.batch import RecordBatch
from streams.worker.fatal import fatal
from streams.worker.ownership import Ownership
from streams.worker.states import UnreadableStateError

logger = logging.getLogger("keystatus.worker")


def add_agent(app: faust.App, source: TopicT, ownership: Ownership) -> None:
    """Register the one agent of the source topic. One at a time: order is everything here."""

    async def decide_check_results(stream: StreamT) -> None:
        try:
            async for event in cast(faust.Stream, stream).noack().events():
                await _pass_on(ownership, event)
        except UnreadableStateError as error:
            fatal(Exit.RECOVERY_FAILED, str(error))
        except Exception as error:
            logger.exception("the agent failed")
            fatal(Exit.AGENT_FAILED, f"the agent failed: {type(error).__name__}: {error}")

    app.agent(source, name="check-results", concurrency=1)(decide_check_results)


async def _pass_on(ownership: Ownership, event: EventT) -> None:
    batch = cast(RecordBatch, event.value)
    partition = ownership[batch.partition]
    if partition is None:  # taken away meanwhile; its next owner reads it
        event.ack()
        return
    await partition.take(batch, event)

"""Crash-only: the one way in which a worker ends by itself."""

import asyncio
import logging
import os
from typing import NoReturn

from streams.errors import Exit

logger = logging.getLogger("keystatus.worker")


def fatal(code: Exit, message: str) -> NoReturn:
    """Log one line and end the process at once; a supervisor starts it anew.

    Nothing is flushed or committed on the way: what counts is committed already, and a
    stop that tidies up is where streams lose data. Recovery reads only what is committed.
    """
    logger.critical("%s: %s (exit code %d; restart the worker)", code.name.lower(), message, code)
    logging.shutdown()
    os._exit(code)


def watch_over(task: asyncio.Task[None]) -> None:
    """End the process when a task that runs for ever fails: nobody awaits it."""
    task.add_done_callback(_end_if_failed)


def _end_if_failed(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        logger.error("task %s failed", task.get_name(), exc_info=error)
        fatal(Exit.AGENT_FAILED, f"task {task.get_name()} failed: {type(error).__name__}: {error}")

"""Logs: one event a line on standard error, without the noise of the libraries."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from streams.settings import Settings

#: Faust and aiokafka tell of every start, stop and retry; what matters of it we tell ourselves.
_NOISY: Final = ("faust", "mode", "aiokafka", "streams.worker")

#: Warns of each retry. With a transaction per poll one is normal: the broker answers "not enough
#: replicas" while it still writes the markers of the transaction before.
_RETRIES: Final = "aiokafka.producer.sender"


def configure(settings: Settings) -> None:
    """Send everything from the chosen level on to standard error."""
    logging.basicConfig(
        stream=sys.stderr,
        level=settings.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        force=True,
    )
    if settings.log_level != "debug":
        for name in _NOISY:
            logging.getLogger(name).setLevel(logging.WARNING)
        logging.getLogger(_RETRIES).setLevel(logging.ERROR)


@contextmanager
def only_our_own() -> Iterator[None]:
    """Leave it to us to say what is wrong with Kafka: aiokafka's line for it says not what to do."""
    library = logging.getLogger("aiokafka")
    level = library.level
    library.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        library.setLevel(level)

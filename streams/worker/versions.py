"""Refuse to start on libraries whose private methods we have not been tested with."""

from importlib.metadata import version
from typing import Final

import faust.streams
import faust.transport.conductor

from streams.errors import VersionsError

_TESTED: Final = {"faust-streaming": "0.15.3", "mode-streaming": "0.7.1", "aiokafka": "0.14.0"}


def verify() -> None:
    """Raise VersionsError unless Faust, mode and aiokafka are the pinned versions.

    Faust's pure Python stream acknowledges what it skips in a rebalance, its compiled one
    does not: without the compiled parts records could be lost.
    """
    wrong = [
        f"{name} is {found}, not {wanted}" for name, wanted in _TESTED.items() if (found := version(name)) != wanted
    ]
    if wrong:
        raise VersionsError(f"{'; '.join(wrong)}: install keystatus with its pinned dependencies")
    if faust.streams._CStreamIterator is None or faust.transport.conductor.ConductorHandler is None:
        raise VersionsError("faust-streaming was installed without its compiled parts: unset NO_CYTHON, reinstall it")

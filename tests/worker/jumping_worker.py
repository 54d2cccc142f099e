"""A worker whose wall clock is wrong, and jumps back and forth by an hour every second.

Started in place of the worker; ``CLOCK_STARTS_AT_S`` is how far it is off at the start.
"""

import os
import sys
import time

_wall, _began_at = time.time, time.monotonic()
_first_s = float(os.environ["CLOCK_STARTS_AT_S"])
_JUMPS_S = (_first_s, 3_600.0, -3_600.0)


def jumping() -> float:
    """The time of a wall clock that cannot be relied upon."""
    return _wall() + _JUMPS_S[int(time.monotonic() - _began_at) % len(_JUMPS_S)]


if __name__ == "__main__":
    time.time = jumping  # before anything takes a name of its own for it
    from streams.settings import load_settings
    from streams.worker.run import run_worker

    sys.exit(run_worker(load_settings()))

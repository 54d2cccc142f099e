"""Start a process that does not outlive this one, however this one ends."""

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

Child = subprocess.Popen[bytes]

# Runs in the new process before it becomes the command; done there and not in `preexec_fn`, which may deadlock
# when other threads run. The parent-death signal survives exec. A parent that died before it was set has been
# replaced by another one: then there is nobody to work for. Other systems than Linux have no such signal.
_LAUNCHER = """
import os, signal, sys
parent, command = int(sys.argv[1]), sys.argv[2:]
if sys.platform == "linux":
    import ctypes
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != parent:
        sys.exit("the parent process is gone")
os.execv(command[0], command)
"""


def spawn(command: Sequence[str], *, directory: Path, log: Path, inherited: int) -> Child:
    """Start `command` in `directory`, its output appended to `log`; the kernel kills it when this process ends.

    The file descriptor `inherited` stays open in it. It gets a session of its own, so that Ctrl-C in the terminal
    reaches this process only. Raises OSError when it cannot be started.
    """

    def start() -> Child:
        launch = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command]
        with log.open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - the command is ours
                launch,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[inherited],
                start_new_session=True,
            )

    return _spawner().run(start)


class _Spawner:
    """A thread that lasts as long as the process and starts its children.

    Linux sends the parent-death signal when the thread that forked ends, not when its process does: a child
    started by a passing thread (of a pool, say) would die with that thread.
    """

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._starts: queue.SimpleQueue[tuple[Callable[[], Child], Future[Child]]] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="child-spawner", daemon=True).start()

    def run(self, start: Callable[[], Child]) -> Child:
        answer: Future[Child] = Future()
        self._starts.put((start, answer))
        return answer.result()

    def _serve(self) -> None:
        while True:
            start, answer = self._starts.get()
            try:
                answer.set_result(start())
            except OSError as error:
                answer.set_exception(error)


_lock = threading.Lock()
_current: _Spawner | None = None


def _spawner() -> _Spawner:
    global _current
    with _lock:
        if _current is None or _current.pid != os.getpid():  # a fork copies the object but not its thread
            _current = _Spawner()
        return _current

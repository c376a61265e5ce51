"""The maker's end of its watchdog: a process that takes the maker's orders off the venue when nobody else would.

It is a child of the maker in a session of its own, at the other end of a pair of sockets. The kernel closes that with
the maker, whatever ends it; while it lives, beats say that its loop turns. So the watchdog needs neither the supervisor
nor the bus, and outlives both. What it does: nodes/maker/watching.py.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from desk.run_dir import WATCHDOG, NodeError, holder_pid
from desk.template import CLI_FILE

BEAT, STOPPING, OUT, READY = b".", b"s", b"o", b"r"
READY_S_MAX: Final = 30.0
END_S_MAX: Final = 5.0
LOOK_S: Final = 0.01


class Watchdog:
    """A watchdog over this process, which watches from the first beat on.

    Args:
        prefix: with which the ids of our orders start.

    Attributes:
        has_failed: whether it has ended, or takes no beats any more.

    Raises:
        OSError: if it cannot be started.
    """

    def __init__(self, run_dir: Path, prefix: str) -> None:
        self.has_failed = False
        self._line, its_end = socket.socketpair()
        with its_end:
            self._process = subprocess.Popen(  # noqa: S603 - our own command line
                [sys.executable, str(CLI_FILE), "watchdog", prefix, "--run-dir", str(run_dir)],
                stdin=its_end.fileno(),
                start_new_session=True,  # no signal to the maker's group is for it
            )

    def await_ready(self) -> None:
        """Wait until it can watch.

        Raises:
            NodeError: if it does not come up.
        """
        self._line.settimeout(READY_S_MAX)
        with contextlib.suppress(OSError):  # told just below
            if self._line.recv(1) == READY:
                self._line.setblocking(False)
                return
        raise NodeError("the watchdog does not start: no quotes without it")

    def beat(self) -> bool:
        """Say that we live; return whether it hears that."""
        self._say(BEAT)
        return not self.has_failed

    def stopping(self) -> None:
        """Say that we stop: for that we have the time that a stop has."""
        self._say(STOPPING)

    def release(self) -> None:
        """Say that surely no order of ours is anywhere, and wait until it has ended."""
        self._say(OUT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S_MAX)
        self.close()

    def close(self) -> None:
        """Hang up; if it has been told nothing else, it takes our orders away."""
        self._line.close()

    def _say(self, what: bytes) -> None:
        try:
            self._line.send(what)
        except OSError:  # it is gone, or has read nothing for so long that no more goes in
            self.has_failed = True


def end_earlier(run_dir: Path) -> bool:
    """End the watchdog of an earlier maker of this desk; return whether there was one.

    It may be at work still. Whoever ends it takes over what it does.
    """
    path, was_there = run_dir / f"{WATCHDOG}.lock", False
    while (pid := holder_pid(path)) is not None:
        was_there = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        time.sleep(LOOK_S)
    path.unlink(missing_ok=True)
    return was_there

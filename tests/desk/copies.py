"""Nodes without a desk that begin as a desk's do: as copies of a template, of which each process of tests has one.

A Python of its own, as systemd runs it, takes two seconds of a processor to import what a node needs. Both ways are
compared in test_template.
"""

import atexit
import contextlib
import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from desk.template import Beginner, Process
from tests.desk.desk_process import CLI, PATIENCE_S, environment, until

KINDS = ("engine", "gateway")
TITLE_LENGTH = 100
LOOK_S = 0.01


class NodeProcess:
    """A node's process, with what of subprocess.Popen its tests need."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.pid = process.pid

    def poll(self) -> int | None:
        """Return its exit code once it has ended; of one that was killed the negative number of the signal."""
        return self._process.poll()

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait until it has ended, and return its exit code."""
        deadline = time.monotonic() + timeout_s
        while (code := self.poll()) is None:
            assert time.monotonic() < deadline, "it does not end"
            time.sleep(LOOK_S)
        return code


def begin(kind: str, variables: Mapping[str, str], log: Path) -> NodeProcess:
    """Begin the node of a kind, which logs behind what is in `log`, in an environment without other settings.

    With a PYTHONPATH of its own it is a Python of its own.
    """
    words = ["node", kind]
    with log.open("ab") as output, Path(os.devnull).open("rb") as nothing:
        if "PYTHONPATH" in variables:
            command = [sys.executable, str(CLI), *words]
            plain = subprocess.Popen(command, env=environment(**variables), stdin=nothing, stdout=output, stderr=output)
            return NodeProcess(plain)
        descriptors = nothing.fileno(), output.fileno()
        return NodeProcess(_beginner().begin(words, [kind], variables, *descriptors, has_secrets=False))


@functools.cache
def _beginner() -> Beginner:
    with contextlib.chdir("/"):
        one = Beginner(environment(), KINDS, TITLE_LENGTH, print)  # without a template each is a Python of its own
    atexit.register(one.end)
    until("the template has imported all", functools.partial(_is_loaded, one))
    return one


def _is_loaded(beginner: Beginner) -> bool:
    beginner.look()
    return beginner.is_ready(KINDS)

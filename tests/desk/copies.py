"""Desks, and nodes without a desk, that begin as copies of a template, of which each process of tests has one.

A Python of its own takes two seconds of a processor to import what a node needs, a desk four. Both ways are compared in
test_template; tests of how a desk starts and ends begin theirs as a person does, `PlainDesk`.
"""

import atexit
import contextlib
import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO
from unittest import mock

from desk import template
from desk.kinds import KINDS
from desk.template import Beginner, Process
from market.clock import NS_PER_SECOND
from tests.desk.desk_process import CLI, PATIENCE_S, ROOT, environment, until

OF_DESKS = ROOT / "tests" / "desk" / "desk_template.py"
ROOM = {"TEMPLATE_ROOM": "." * 200}  # see desk_template.py
TITLE_LENGTH = 1_000
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


class DeskProcess(NodeProcess):
    """A desk's process; all that it prints comes through a pipe, as text."""

    def __init__(self, process: Process, stdout: TextIO) -> None:
        super().__init__(process)
        self.stdout = stdout
        self._printed: list[str] = []

    @property
    def returncode(self) -> int | None:
        """Its exit code, once it has ended."""
        return self.poll()

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """Wait until it has ended; return all that it printed.

        Raises:
            subprocess.TimeoutExpired: if it takes longer, s.
        """
        reading = threading.Thread(target=self._read, daemon=True)
        reading.start()
        reading.join(timeout)
        if reading.is_alive():
            raise subprocess.TimeoutExpired("up", timeout or 0.0)
        self.stdout.close()
        self.wait()
        return "".join(self._printed), None

    def _read(self) -> None:
        self._printed.append(self.stdout.read())


def begin_desk(words: list[str], cwd: Path, variables: Mapping[str, str]) -> DeskProcess | None:
    """Begin a desk, there and with those variables; None if they need a Python of their own.

    Args:
        words: of `cli.py up`.
        cwd: the folder.
        variables: the whole environment.
    """
    common = {name: value for name, value in variables.items() if not name.startswith("TICKBUS_")}
    if common != environment():
        return None
    ours, theirs = os.pipe()
    with Path(os.devnull).open("rb") as nothing, os.fdopen(theirs, "wb") as output:
        more = {**variables, "PWD": str(cwd)}
        process = _beginner().begin(words, [], more, nothing.fileno(), output.fileno(), has_secrets=False)
    return DeskProcess(process, os.fdopen(ours, encoding="utf-8"))


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
    kinds = [each.name for each in KINDS]
    with contextlib.ExitStack() as undone:
        undone.enter_context(contextlib.chdir("/"))
        undone.enter_context(mock.patch.object(template, "CLI_FILE", OF_DESKS))
        undone.enter_context(mock.patch.object(template, "LOAD_NS_MAX", int(PATIENCE_S) * NS_PER_SECOND))
        one = Beginner({**environment(), **ROOM}, kinds, TITLE_LENGTH, print)
    atexit.register(one.end)
    until("the template has imported all", functools.partial(_is_loaded, one, kinds))
    return one


def _is_loaded(beginner: Beginner, kinds: Sequence[str]) -> bool:
    beginner.look()
    return beginner.is_ready(kinds)

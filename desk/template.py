"""How the processes of a desk begin: as copies of a template, or, where there is none, each as a Python of its own.

The template (nodes/template.py) is a process that has imported what the nodes of this desk need, which is most of what
a start costs, and forks. It is told no secret and not even which node a copy becomes: that the supervisor tells the
copy, over a line of its own. A copy is a child of the supervisor like any other process, so the template may end, stop
or be killed at any moment: the nodes live on, and the next one begins without it.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

import msgpack

from desk.sections import SECRET_KEYS
from desk.settings import environment_name
from market.clock import NS_PER_SECOND, monotonic_ns

CLI_FILE: Final = Path(__file__).resolve().parent.parent / "cli.py"
SECRETS: Final = frozenset(map(environment_name, SECRET_KEYS))
LOAD_NS_MAX: Final = 60 * NS_PER_SECOND  # for all that it imports; it takes 3 s of a processor
ANSWER_S_MAX: Final = 5.0  # for a copy; it takes some 20 ms, or half a second while more is imported
WORD_BYTES_MAX: Final = 512  # of the template's word on a kind
_PID_BYTES_MAX: Final = 16
_PR_SET_CHILD_SUBREAPER: Final = 36


class Process(Protocol):
    """A process that we have begun and wait for, as subprocess.Popen has it."""

    pid: int

    def poll(self) -> int | None:
        """Return its exit code once it has ended; of one that was killed the negative number of the signal."""

    def terminate(self) -> None:
        """Send SIGTERM, if it has not ended."""

    def kill(self) -> None:
        """Send SIGKILL, if it has not ended."""


class Copy:
    """A copy of a template."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Return its exit code once it has ended; of one that was killed the negative number of the signal."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def terminate(self) -> None:
        """Send SIGTERM, if it has not ended."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL, if it has not ended."""
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if self.poll() is None:  # until we have waited for it, its pid is nobody else's
            os.kill(self.pid, number)


class Template:
    """A template that runs.

    Args:
        environment: of it and its copies, without secrets.
        kinds: of the nodes, in the order in which they are needed.
        title_length: of the longest words that a copy shows as its command line.

    Raises:
        OSError: if it cannot be started.
    """

    def __init__(self, environment: Mapping[str, str], kinds: Collection[str], title_length: int) -> None:
        self._line, end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._said = os.memfd_create("template")
        with end:
            words = ["template", str(end.fileno()), ",".join(kinds), "." * title_length]
            self._process = subprocess.Popen(  # noqa: S603 - our own command line
                [sys.executable, str(CLI_FILE), *words],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                pass_fds=[end.fileno()],
                start_new_session=True,
            )
        self._line.setblocking(False)
        self._awaited = list(kinds)
        self._deadline_ns = monotonic_ns() + LOAD_NS_MAX
        self.pid = self._process.pid
        self.loaded = set[str]()
        self.has_copied = False

    def hear(self) -> Iterator[str]:
        """Take its word on kinds, which are then `loaded`; yield a line for each that cannot be."""
        with suppress(BlockingIOError, ConnectionResetError):
            while self._awaited and (word := self._line.recv(WORD_BYTES_MAX).decode(errors="replace")):
                kind = self._awaited.pop(0)
                if word == kind:
                    self.loaded.add(kind)
                else:
                    yield f"{kind}: {word}"

    @property
    def is_loading(self) -> bool:
        """Whether there are kinds that it has not told of."""
        return bool(self._awaited)

    def fault(self) -> str:
        """Return what is wrong with it, empty if nothing is."""
        code = self._process.poll()
        if code is None:
            is_late = self.is_loading and monotonic_ns() > self._deadline_ns
            return "does not get on" if is_late else ""
        lines = os.pread(self._said, os.fstat(self._said).st_size, 0).decode(errors="replace").splitlines()
        last = f": {lines[-1]}" if lines else ""
        return f"was killed by {signal_name(-code)}" if code < 0 else f"ended with exit code {code}{last}"

    def copy(self, words: Sequence[str], variables: Mapping[str, str], stdin: int, output: int) -> Copy | None:
        """Have a copy run `cli.py` with these words, and variables beside the template's; None if none comes."""
        ours, theirs = socket.socketpair()
        with ours, _adopting():
            with theirs, suppress(OSError):
                socket.send_fds(self._line, [b"copy"], [theirs.fileno(), stdin, output])
            ours.settimeout(ANSWER_S_MAX)
            try:
                told = ours.recv(_PID_BYTES_MAX)  # it is our child when it says so
            except OSError:
                told = b""
            if not told:
                return None
            self.has_copied = True
            with suppress(OSError):  # it has ended, and whoever waits for it hears so
                ours.sendall(msgpack.packb([list(words), dict(variables)]))
            return Copy(int(told))

    def end(self) -> None:
        """End it, whatever it does; its copies live on."""
        self._process.kill()
        self._process.wait()
        self._line.close()
        os.close(self._said)


class Beginner:
    """Begins the processes of a desk.

    A template that has made a node, and is gone, is replaced; one that has not is done without.

    Args:
        environment: of all processes, secrets too, which only those get that are to have them.
        kinds: as a template has them.
        title_length: likewise.
        tell: is given lines for people.
    """

    def __init__(
        self, environment: Mapping[str, str], kinds: Collection[str], title_length: int, tell: Callable[[str], None]
    ) -> None:
        self._secrets = {name: value for name, value in environment.items() if name.upper() in SECRETS}
        self._environment = {name: value for name, value in environment.items() if name not in self._secrets}
        self._kinds = kinds
        self._title_length = title_length
        self._tell = tell
        self._template: Template | None = None
        self._is_first = True
        self._make()

    def _make(self) -> None:
        try:
            self._template = Template(self._environment, self._kinds, self._title_length)
        except OSError as error:
            self._tell(f"nodes start without a template: {error}")

    def look(self) -> None:
        """Look after the template; to be called all the time."""
        if self._template is None:
            return
        for why in self._template.hear():
            self._tell(f"the template lacks {why}")
        if fault := self._template.fault():
            self._drop(fault)

    def _drop(self, why: str) -> None:
        assert self._template is not None, "there is no template"
        self._template.end()
        is_replaced, self._template, self._is_first = self._template.has_copied, None, False
        self._tell(f"the template {why}: {'another one is made' if is_replaced else 'nodes start without one'}")
        if is_replaced:
            self._make()

    def is_ready(self, kinds: Collection[str]) -> bool:
        """Return whether a process of nodes of these kinds can begin: at the start it is worth waiting for a copy."""
        template = self._template
        return template is None or not (self._is_first and template.is_loading) or template.loaded.issuperset(kinds)

    def begin(
        self,
        words: Sequence[str],
        kinds: Collection[str],
        variables: Mapping[str, str],
        stdin: int,
        output: int,
        *,
        has_secrets: bool,
    ) -> Process:
        """Begin a process that runs `cli.py` with these words, in a session of its own.

        Args:
            words: of the command line.
            kinds: of its nodes.
            variables: of its environment, beside the desk's.
            stdin: its standard input.
            output: its standard output and error.
            has_secrets: whether the desk's secrets are in its environment.

        Raises:
            OSError: if it cannot be started.
        """
        more = {**variables, **(self._secrets if has_secrets else {})}
        if self._template is not None and self._template.loaded.issuperset(kinds):
            if (copy := self._template.copy(words, more, stdin, output)) is not None:
                return copy
            self._drop(self._template.fault() or "does not answer")
        return subprocess.Popen(  # noqa: S603 - our own command line
            [sys.executable, str(CLI_FILE), *words],
            env={**self._environment, **more},
            stdin=stdin,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for the supervisor, which stops the nodes in order
        )

    def end(self) -> None:
        """End the template; nothing can begin any more."""
        if self._template is not None:
            self._template.end()
            self._template = None


def signal_name(number: int) -> str:
    """Return what a signal is called."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"  # a real-time one


@contextmanager
def _adopting() -> Iterator[None]:
    """Be the parent, meanwhile, of a grandchild whose parent ends; else that would be init."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)

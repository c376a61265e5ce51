"""A template of whole desks, a program of its own: its copies run `cli.py up`, or a node, without importing anything.

A supervisor that a person begins takes a second of a processor to import what it needs, and its template three more.
Here both are copies of this process, made and told as desk/template.py makes and tells them. A desk's own template is
forked before the desk is there, so that it has nothing of it.
"""

import contextlib
import ctypes
import importlib
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, NoReturn
from unittest import mock

sys.path[0] = str(Path(__file__).resolve().parent.parent.parent)  # before the imports below, as cli.py has it

import cli  # noqa: E402
from desk import template  # noqa: E402
from nodes.template import leave, serve  # noqa: E402

IMPORTED: Final = ("commands.app", "commands.actions.desk_start", "screens.desk")
ROOM: Final = "TEMPLATE_ROOM"  # of the environment: a desk's nodes show their run directory in its place
_BYTES_MAX: Final = 1 << 16
_popen: Final = subprocess.Popen


class OwnTemplate:
    """The template of a desk, forked before the desk begins."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._pid = os.fork()
        if not self._pid:
            self._line.close()
            _be_template(theirs)
        theirs.close()

    def begin(self, command: Sequence[str], **options: Any) -> Any:
        """Begin a process as subprocess.Popen does, but for the first template: that is this one."""
        if command[2] != "template" or not self._pid:
            return _popen(command, **options)
        process, self._pid = _Waited(self._pid), 0
        variables = [f"{name}={value}" for name, value in options["env"].items()]
        words = "\0".join([command[4], *variables]).encode()
        with self._line:
            socket.send_fds(self._line, [words], [*options["pass_fds"], options["stdout"]])
        return process


class _Waited(template.Copy):
    def wait(self) -> int:
        """Wait until it has ended, and return its exit code."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def main() -> None:
    """Be the template; arguments as `cli.py template` has them."""
    _show_head()
    for name in IMPORTED:
        importlib.import_module(name)
    _serve(int(sys.argv[2]), sys.argv[3])


def _serve(descriptor: int, kinds: str) -> NoReturn:
    """Be a template, and in each copy what that is to be."""
    words = serve(descriptor, kinds.split(","))
    if words is None:
        os._exit(0)
    leave(_exit_code(words))


def _exit_code(words: Sequence[str]) -> int:
    """Run `cli.py` with these words; return its exit code."""
    sys.argv[0] = str(template.CLI_FILE)
    with contextlib.ExitStack() as undone:
        if words[0] == "up":
            os.chdir(os.environ["PWD"])
            begun = SimpleNamespace(Popen=OwnTemplate().begin, DEVNULL=subprocess.DEVNULL)
            undone.enter_context(mock.patch.object(template, "subprocess", begun))
        try:
            cli.main()
        except SystemExit as end:
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
            return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _be_template(line: socket.socket) -> NoReturn:
    """Be the template of a desk, once that begins it."""
    told, descriptors, _, _ = socket.recv_fds(line, _BYTES_MAX, 2)
    line.close()
    if not told:
        os._exit(0)  # the desk has not come so far
    kinds, *variables = told.decode().split("\0")
    end, said = descriptors
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.close(said)
    os.setsid()
    os.environ.clear()
    os.environ.update((name, value) for name, _, value in (each.partition("=") for each in variables))
    _show_run_dir()
    _serve(end, kinds)


def _show_head() -> None:
    """Have `ps` and /proc show this process and its copies as `python cli.py`; nodes.template shows the other words."""
    shown = Path("/proc/self/cmdline").read_bytes()
    python, _, *words = shown.split(b"\0")
    _overwrite(45, 0, b"\0".join([python, bytes(template.CLI_FILE), *words]).ljust(len(shown), b"\0")[: len(shown)])


def _show_run_dir() -> None:
    """Have /proc show the desk's run directory among the variables, by which tests know its processes."""
    shown = Path("/proc/self/environ").read_bytes()
    room = next(each for each in shown.split(b"\0") if each.startswith(f"{ROOM}=".encode()))
    variable = f"TICKBUS_RUN_DIR={os.environ['TICKBUS_RUN_DIR']}".encode()
    _overwrite(47, shown.index(room), variable.ljust(len(room), b"\0"))


def _overwrite(field: int, offset: int, content: bytes) -> None:
    """Write over what exec was given; the field of /proc/self/stat behind the name tells where that begins."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    ctypes.memmove(int(fields[field]) + offset, content, len(content))


if __name__ == "__main__":
    main()

"""The template: it imports what nodes need, once, and forks for each node that its supervisor asks for.

It runs no thread, opens no socket of the bus and knows no secret, so that a copy is as good as a Python that has just
imported the same. What a copy is to be, and its environment, only the copy is told: desk/template.py. (numpy's OpenBLAS
has a thread, which it ends itself before a fork, and begins anew in whoever calculates.)
"""

import atexit
import ctypes
import gc
import importlib
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

import msgpack

from desk.kinds import KINDS
from desk.template import WORD_BYTES_MAX

_VENUE: Final = ("venues.binance", "venues.binance_sockets")
_LATER: Final = {  # what they import only once they run, since commands import the same modules and have no time for it
    "flow": ("flow.synthetic",),
    "maker": (*_VENUE, "venues.socket_line"),
    "tracker": (*_VENUE, "venues.watching_line", "nodes.tracker.historian", "history.database"),
}
_WITH_KERNELS: Final = ("engine", "gateway")
_PR_SET_PDEATHSIG: Final = 1
_LOOK_S: Final = 0.000_2
_BYTES_MAX: Final = 1 << 16


def serve(descriptor: int, kinds: Collection[str]) -> list[str] | None:
    """Be the template of nodes of these kinds, in the order in which they are needed, until the supervisor is gone.

    Args:
        descriptor: of the line to the supervisor.
        kinds: of the nodes.

    Returns:
        None at its end; in each copy the words that it is to run `cli.py` with.
    """
    supervisor = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # also while it imports, or is stopped
    _show(["template"])
    gc.disable()  # what modules are made of stays
    with socket.socket(fileno=descriptor) as line:
        for own, stdin, output in _requests(line, kinds):
            gc.freeze()
            with socket.socket(fileno=own) as answer:
                if _forked():
                    words = _told(answer, supervisor)
                    os.dup2(stdin, 0)
                    os.dup2(output, 1)
                    os.dup2(output, 2)
                else:
                    words = None
            os.close(stdin)
            os.close(output)
            if words is not None:
                return words
    return None


def leave(code: int) -> NoReturn:
    """End this copy as Python ends, but for taking modules to pieces.

    That would write to all memory that copies have in common, and cost each 0.2 s. So do forks of
    multiprocessing.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _requests(line: socket.socket, kinds: Collection[str]) -> Iterator[list[int]]:
    """Import all, and yield the descriptors of each request for a copy: to answer on, its input and its output."""
    for kind in kinds:
        why = ""
        for load in _loads(kind):
            why = why or _failure(load)
            yield from _waiting(line)
        try:
            line.send((why or kind).encode()[:WORD_BYTES_MAX])
        except BrokenPipeError:
            return
    while descriptors := _request(line):
        yield descriptors


def _waiting(line: socket.socket) -> Iterator[list[int]]:
    while select.select([line], [], [], 0)[0] and (descriptors := _request(line)):
        yield descriptors


def _request(line: socket.socket) -> list[int]:
    return socket.recv_fds(line, 1, 3)[1]


def _loads(kind: str) -> Iterator[Callable[[], object]]:
    """Yield, piece by piece, what imports all that a node of this kind needs."""
    module = next(each.module for each in KINDS if each.name == kind)
    for name in (module, *_LATER.get(kind, ())):
        yield partial(importlib.import_module, name)
    if kind in _WITH_KERNELS:
        from desk.warm import load_kernels

        yield load_kernels


def _failure(load: Callable[[], object]) -> str:
    try:
        load()
    except Exception as error:  # noqa: BLE001 - the node itself meets it, too, and says it in its own way
        return f"{type(error).__name__}: {error}"
    return ""


def _forked() -> bool:
    """Fork; return whether this is the copy: a grandchild, whose parent is soon the supervisor."""
    try:
        between = os.fork()
    except OSError:
        return False  # the line to the copy ends, which says so
    if between:
        os.waitpid(between, 0)
        return False
    try:
        between = os.getpid()
        if os.fork():
            os._exit(0)
    except OSError:
        os._exit(1)
    while os.getppid() == between:
        time.sleep(_LOOK_S)
    return True


def _told(answer: socket.socket, supervisor: int) -> list[str]:
    """Say that this copy is there, be told what it is, and become that; end if nobody waits for it any more."""
    try:
        if os.getppid() != supervisor:
            os._exit(1)
        answer.sendall(str(os.getpid()).encode())
        order = b"".join(iter(lambda: answer.recv(_BYTES_MAX), b""))
        words, variables = msgpack.unpackb(order)
    except (OSError, ValueError):
        os._exit(1)
    os.setsid()
    os.environ.update(variables)
    sys.argv[1:] = words
    _show(words)
    if (numpy_random := sys.modules.get("numpy.random")) is not None:
        numpy_random.seed()  # the dice of the module itself, which two copies would share; `random` sees to its own
    gc.enable()
    return list(words)


def _show(words: Sequence[str]) -> None:
    """Have `ps` and /proc show this process as `python cli.py` with these words."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    begin, end = int(fields[45]), int(fields[46])  # of what was given to exec
    head = Path("/proc/self/cmdline").read_bytes().split(b"\0")[:2]
    title = b"\0".join([*head, *map(os.fsencode, words)])[: end - begin - 1]
    ctypes.memmove(begin, title.ljust(end - begin, b"\0"), end - begin)

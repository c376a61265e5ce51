"""Every process of a desk held still for an instant: what its files say then is of one moment, as a kill leaves it.

A desk whose processes are all killed at once goes on from its files, which is proved elsewhere. So a copy of the files
as they are while all processes stand still is a copy that a desk goes on from.
"""

import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from desk.client import DESK_LOCK
from desk.run_dir import WATCHDOG, holder_pid
from market.clock import monotonic_ns
from market.mendable import MendableError

STILL_S_MAX: Final = 0.5  # then they go on whatever becomes of us; a maker's watchdog acts after more than that
_LOOK_S: Final = 0.000_2
_OTHERS: Final = (DESK_LOCK, f"{WATCHDOG}.lock")  # they keep nothing that nodes go on from


class NotStillError(MendableError):
    """A node went on, ended or began before all was seen; it can be tried again."""


class Standstill:
    """What has become of it.

    Attributes:
        lasted_ns: how long the nodes stood still, known at the end.
        has_nodes: whether there are any.
    """

    lasted_ns: int = 0
    has_nodes: bool = False


@contextmanager
def standstill(run_dir: Path) -> Iterator[Standstill]:
    """Hold every node of a run directory still meanwhile; none, if none runs.

    Whatever becomes of this process, they go on after `STILL_S_MAX`: a process of its own sees to it. One that somebody
    has stopped before stays so.

    Raises:
        NotStillError: at the end, if not all of them stood still all the time: nothing that was seen may be used.
    """
    pids = node_pids(run_dir)
    told = Standstill()
    if not pids:
        yield told
        if node_pids(run_dir):
            raise NotStillError("a node has started meanwhile")
        return
    told.has_nodes = True
    held = frozenset(pid for pid in pids if not _is_still(pid))
    guardian, lifeline = _guardian_of(held)
    started_ns = monotonic_ns()
    try:
        for pid in held:
            _signal(pid, signal.SIGSTOP)
        _wait_until_still(pids)
        yield told
        if node_pids(run_dir) != pids or not all(map(_is_still, pids)):
            raise NotStillError("a node has started, ended or gone on meanwhile")
    finally:
        for pid in held:
            _signal(pid, signal.SIGCONT)
        told.lasted_ns = monotonic_ns() - started_ns
        os.close(lifeline)
        os.waitpid(guardian, 0)


def node_pids(run_dir: Path) -> frozenset[int]:
    """Return the processes of the nodes that run in a directory, asked of their locks."""
    locks = (path for path in run_dir.glob("*.lock") if path.name not in _OTHERS)
    return frozenset(pid for path in locks if (pid := holder_pid(path)) is not None)


def _guardian_of(pids: frozenset[int]) -> tuple[int, int]:
    """Start the process that lets them go on; return its pid, and the descriptor whose end it waits for."""
    end, lifeline = os.pipe()
    guardian = os.fork()
    if guardian == 0:
        with suppress(BaseException):  # nothing of ours may go on in this copy of the process
            os.setsid()  # Ctrl-C is not for it
            os.close(lifeline)
            select.select([end], [], [], STILL_S_MAX)
            for pid in pids:
                _signal(pid, signal.SIGCONT)
        os._exit(0)
    os.close(end)
    return guardian, lifeline


def _wait_until_still(pids: frozenset[int]) -> None:
    deadline_ns = monotonic_ns() + int(STILL_S_MAX * 1e9)
    while not all(map(_is_still, pids)):
        if monotonic_ns() > deadline_ns:
            raise NotStillError(f"not all of the processes {', '.join(map(str, sorted(pids)))} can be held still")
        time.sleep(_LOOK_S)


def _is_still(pid: int) -> bool:
    """Return whether every thread of a process is stopped."""
    try:
        states = [_state(thread) for thread in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return False
    return bool(states) and all(state == "T" for state in states)


def _state(thread: Path) -> str:
    text = (thread / "stat").read_text()
    return text[text.rindex(")") + 2]  # the name before it may hold anything


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)

"""The stop of a maker whose venue hangs in the middle of it: its quotes are cancelled, or the command says that not."""

import os
import signal
import subprocess

import pytest

from desk.client import ask_desk
from tests.desk.desk_process import LEAN, PATIENCE_S, Desk, node_processes, until
from tests.desk.test_endings import _open_orders, _quoting
from tests.desk.test_venue_faults import arm, armed


def _down(desk: Desk) -> subprocess.CompletedProcess[str]:
    """Stop the desk, which may end as it likes."""
    assert desk.process is not None
    down = desk.cli("down")
    desk.process.communicate(timeout=PATIENCE_S)
    assert desk.process.returncode == down.returncode, "who waits for `up` is told the same"
    desk.process = None
    until("no node is left", lambda: node_processes(desk.run_dir) == [])
    return down


@pytest.mark.parametrize("hangs_ms", [2_000, 10_000])
def test_a_stop_gets_over_a_cancel_that_hangs(desk: Desk, hangs_ms: int) -> None:
    """Shorter than the venue's time-out, and longer: then it is tried again, or who cleans up after the maker does."""
    desk.start(*LEAN)
    _quoting(desk.run_dir)
    arm(desk, "delay", method="DELETE", ms=hangs_ms)
    down = _down(desk)
    assert (down.returncode, down.stderr) == (0, "")
    assert _open_orders(desk.run_dir) == []


def test_a_stop_that_leaves_quotes_says_so(desk: Desk) -> None:
    """The venue never answers a cancel: `down` said `stopped`, as if there were nothing left."""
    desk.environment["TICKBUS_VENUE__TIMEOUT_MS"] = "1000"
    desk.start(*LEAN)
    _quoting(desk.run_dir)
    arm(desk, "delay", method="DELETE", ms=60_000, count=None)
    down = _down(desk)
    assert (down.returncode, down.stdout) == (1, "")
    assert "is stopped, but: maker: own orders" in down.stderr
    assert "may be left at the venue" in down.stderr


@pytest.mark.parametrize("is_killed", [False, True], ids=["stop", "kill"])
def test_nothing_cuts_short_what_cancels_for_a_killed_maker(desk: Desk, is_killed: bool) -> None:
    """Told to start again meanwhile, and the desk to stop: whoever cancels for it was ended by the stop's signal."""
    desk.start(*LEAN)
    assert desk.process is not None
    _quoting(desk.run_dir)
    pid = desk.node("maker")["pid"]
    # Before the kill: the watchdog is quick. Its cancel is the first one; whoever relieves it makes the second.
    arm(desk, "delay", method="DELETE", ms=2_000, count=2)
    os.kill(pid, signal.SIGKILL)
    ask_desk(desk.run_dir, b"stop", b"maker")
    until("the first cancel hangs", lambda: not armed(desk))
    if is_killed:
        desk.process.kill()
        desk.process.communicate()
        desk.process = None
    else:
        ask_desk(desk.run_dir, b"start", b"maker")
        assert _down(desk).returncode == 0
    until("no node is left", lambda: node_processes(desk.run_dir) == [])
    assert _open_orders(desk.run_dir) == []

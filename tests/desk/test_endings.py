"""Every way in which a desk can end: nothing is left of it, least of all an order of the maker's.

`ENDINGS=all` tries every way; without it one of each kind.
"""

import os
import pty
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bus.end_signals import END_SIGNALS
from desk.client import DeskError, desk_pid, desk_status
from tests.desk.desk_process import CLI, FREE_PORTS, LEAN, PATIENCE_S, Desk, node_processes, until

ALL = os.environ.get("ENDINGS") == "all"
SIGNALS = END_SIGNALS if ALL else (signal.SIGRTMIN,)
NODES_STARTED = () if ALL else LEAN
NODES = ("engine", "gateway", "paper", "flow", "api", "maker", "tracker") if ALL else ("maker",)


def _open_orders(run_dir: Path) -> list[tuple[str, str]]:
    """Return side and status of the account's open orders, as the exchange's ledger holds them."""
    with closing(sqlite3.connect(f"file:{run_dir / 'paper' / 'ledger.sqlite3'}?mode=ro", uri=True)) as ledger:
        return ledger.execute(
            "SELECT side, status FROM orders WHERE status IN ('PENDING_NEW', 'NEW', 'PARTIALLY_FILLED') AND account = 1"
        ).fetchall()


def _is_quoting(run_dir: Path) -> bool:
    try:
        return len(_open_orders(run_dir)) == 2
    except sqlite3.OperationalError:
        return False  # the exchange has not made it yet


def _is_ready(run_dir: Path) -> bool:
    try:
        return bool(desk_status(run_dir)["is_ready"])
    except DeskError:
        return False  # it answers later: it draws, and we are to read on


def _quoting(run_dir: Path) -> None:
    until("both quotes are open", lambda: _is_quoting(run_dir))


def _assert_nothing_is_left(run_dir: Path, files: frozenset[str] = frozenset()) -> None:
    until("no node is left", lambda: node_processes(run_dir) == [])
    assert _open_orders(run_dir) == []
    left = {path.name for path in run_dir.iterdir() if path.suffix in (".ipc", ".lock")}
    assert left <= files


@pytest.mark.parametrize("number", SIGNALS, ids=[f"signal {int(number)}" for number in SIGNALS])
def test_any_signal_is_an_ordered_stop(desk: Desk, number: int) -> None:
    """SIGHUP and the real-time signals ended the supervisor where it stood, and the exchange before the maker."""
    desk.start(*NODES_STARTED)
    _quoting(desk.run_dir)
    desk.stop(number)
    _assert_nothing_is_left(desk.run_dir)


def test_ctrl_c_with_a_reader_that_is_gone_is_an_ordered_stop(desk: Desk) -> None:
    """`up | tee file`: Ctrl-C ends both, and the first line of the stop had nobody to read it."""
    desk.start(*LEAN)
    assert desk.process is not None
    assert desk.process.stdout is not None
    _quoting(desk.run_dir)
    desk.process.stdout.close()
    desk.process.send_signal(signal.SIGINT)
    assert desk.process.wait(PATIENCE_S) == 0
    desk.process = None
    _assert_nothing_is_left(desk.run_dir)


@pytest.mark.parametrize("is_ignored", [False, True], ids=["hang-up", "nohup"])
def test_a_closed_terminal_is_an_ordered_stop_and_under_nohup_none(desk: Desk, is_ignored: bool) -> None:
    """The window is closed, `tmux kill-server`: SIGHUP, and a terminal that answers every write with EIO."""
    master, slave = pty.openpty()
    # What we were started under, nohup perhaps, is no matter of the desk's.
    handler = signal.signal(signal.SIGHUP, signal.SIG_IGN if is_ignored else signal.SIG_DFL)
    try:
        process = subprocess.Popen(
            ["setsid", "--ctty", sys.executable, str(CLI), "up", "--run-dir", str(desk.run_dir), *FREE_PORTS, *LEAN],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**desk.environment, "TERM": "xterm"},
        )
    finally:
        signal.signal(signal.SIGHUP, handler)
    try:
        os.close(slave)
        until("it draws", lambda: _read(master))
        until("the desk is ready", lambda: _read(master) is not None and desk_pid(desk.run_dir) == process.pid)
        until("it quotes", lambda: _read(master) is not None and _is_quoting(desk.run_dir))
        until("every node is ready", lambda: _read(master) is not None and _is_ready(desk.run_dir))
        os.close(master)
        if is_ignored:
            desk.kill("flow")  # it says so, and nobody hears it
            assert desk.cli("down").returncode == 0
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()
    _assert_nothing_is_left(desk.run_dir)


def _read(master: int) -> bytes:
    return os.read(master, 1 << 16)


def test_a_killed_supervisor_leaves_no_order_and_the_next_start_waits_for_its_nodes(desk: Desk) -> None:
    """kill -9: every node hears of it at once, and the exchange must wait until the maker has cancelled.

    A start at once found their locks and ports taken, and they removed its sockets when they ended.
    """
    desk.start(*NODES_STARTED)
    assert desk.process is not None
    _quoting(desk.run_dir)
    desk.process.kill()
    desk.process.communicate()
    desk.start(*NODES_STARTED)
    _quoting(desk.run_dir)
    desk.process.kill()
    desk.process.communicate()
    desk.process = None
    _assert_nothing_is_left(desk.run_dir, frozenset({"desk.lock", "control.ipc"}))


@pytest.mark.parametrize("name", NODES)
def test_a_stop_right_after_a_node_was_killed_leaves_nothing(desk: Desk, name: str) -> None:
    """Whoever is killed with -9 and not back yet when the stop comes: the maker's orders are cancelled for it."""
    desk.start(*NODES_STARTED)
    _quoting(desk.run_dir)
    os.kill(desk.node(name)["pid"], signal.SIGKILL)
    until("its supervisor knows", lambda: desk.node(name)["state"] != "ready")
    assert desk.cli("down").returncode == 0
    assert desk.process is not None
    desk.process.communicate(timeout=PATIENCE_S)
    desk.process = None
    _assert_nothing_is_left(desk.run_dir)

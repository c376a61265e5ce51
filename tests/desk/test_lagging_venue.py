"""A desk at a venue whose answers lag and whose news get lost: one quote a side, and a stop that leaves nothing."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from typing import Final

import pytest

from tests.desk.desk_process import CLI, LEAN, Desk, until
from tests.desk.test_endings import _open_orders, _quoting
from tests.desk.test_hanging_venue import _down
from tests.desk.test_venue_faults import ask_admin

WATCHED_S: Final = 20.0
ANSWERED_S: Final = 0.1  # in which the maker has the answer, most times
AFTER_S: Final = 10.0  # a restart, and more than a lag

SCENARIO: Final = """
seed = 7
rows = [
    { at_s = 0, switch = "late_visibility", value = { ms = 3000 }, for_s = 60 },
    { at_s = 3, switch = "drop_event", value = { streams = "account", percent = 30 }, for_s = 57 },
    { at_s = 6, switch = "silent_cancel", value = { count = 2 } },
    { at_s = 13, switch = "silent_cancel", value = { count = 1 } },
]
"""


def test_a_lagging_venue_gets_no_second_quote_and_a_stop_in_the_midst_of_it_leaves_none(desk: Desk) -> None:
    """One side's intention was filled three times, and `down` said `stopped` of a maker whose orders stayed."""
    desk.environment |= {
        "TICKBUS_MAKER__HALF_SPREAD": "0.0002",
        "TICKBUS_MAKER__REQUOTE_TOLERANCE": "0.00005",
        "TICKBUS_MAKER__NOTIONAL": "100",
    }
    desk.start(*LEAN)
    _quoting(desk.run_dir)
    scenario = desk.run_dir / "lag.toml"
    scenario.write_text(SCENARIO, encoding="utf-8")
    placed_before = desk.node("maker")["figures"]["placed"]
    command = [sys.executable, str(CLI), "faults", "run", str(scenario), "--run-dir", str(desk.run_dir)]
    with subprocess.Popen(command, cwd=desk.run_dir.parent, env=desk.environment, stdout=subprocess.PIPE) as faults:
        until_s = time.monotonic() + WATCHED_S
        while time.monotonic() < until_s:
            sides = Counter(side for side, _ in _open_orders(desk.run_dir))
            assert max(sides.values(), default=0) <= 1, f"two orders of a side: {sides}"
            time.sleep(0.02)
        assert faults.poll() is None, "the faults are set still"
        assert desk.node("maker")["figures"]["placed"] > placed_before + 4, "it has moved"
        down = _down(desk)
        faults.terminate()  # it waits for the exchange, to clear what it has set
    assert (down.returncode, down.stderr) == (0, "")
    assert _open_orders(desk.run_dir) == []


@pytest.mark.parametrize("is_stopped", [False, True], ids=["restart", "stop"])
def test_a_maker_killed_just_after_an_order_was_taken_leaves_none_that_nobody_knows(
    desk: Desk, is_stopped: bool
) -> None:
    """No list shows it yet: the successor quoted beside it, watchdog and `down` said that nothing was left."""
    desk.environment |= {"TICKBUS_MAKER__HALF_SPREAD": "0.0002", "TICKBUS_MAKER__REQUOTE_TOLERANCE": "0.00002"}
    desk.start(*LEAN)
    _quoting(desk.run_dir)
    pid = desk.node("maker")["pid"]
    ask_admin(desk, {"kind": "late_visibility", "ms": 3_000})
    newest = _newest_open(desk)
    until("an order is taken", lambda: _newest_open(desk) > newest)
    time.sleep(ANSWERED_S)
    os.kill(pid, signal.SIGKILL)
    if is_stopped:
        assert _down(desk).returncode == 0
        assert _open_orders(desk.run_dir) == []
        return
    until_s = time.monotonic() + AFTER_S
    while time.monotonic() < until_s:
        sides = Counter(side for side, _ in _open_orders(desk.run_dir))
        assert max(sides.values(), default=0) <= 1, f"two orders of a side: {sides}"
        time.sleep(0.01)
    until(
        "it quotes again", lambda: desk.node("maker")["pid"] not in (None, pid) and len(_open_orders(desk.run_dir)) == 2
    )


def _newest_open(desk: Desk) -> int:
    with closing(sqlite3.connect(f"file:{desk.run_dir / 'paper' / 'ledger.sqlite3'}?mode=ro", uri=True)) as ledger:
        newest = ledger.execute("SELECT max(order_id) FROM orders WHERE status = 'NEW' AND account = 1").fetchone()
    return int(newest[0] or 0)

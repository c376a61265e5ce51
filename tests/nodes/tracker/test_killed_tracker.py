"""A tracker that is killed at any moment: nothing is lost, nothing is doubled, every file can be read."""

import os
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from desk.decisions_file import last_decisions
from reports.folder import ReportsFolder
from tests.nodes.tracker.killed_tracker import step, tracker, venue_of
from tests.reliability import FaultRow
from tests.reports.fills import DAY

KILLS = 20 if os.environ.get("KILLS") == "all" else 4


def test_loses_and_doubles_nothing_when_it_is_killed(tmp_path: Path, fault_row: FaultRow) -> None:
    """Guards the transactions: what was read, and how far it was read, are kept together or not at all."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    dice = random.Random(seed)
    for _ in range(KILLS):
        words = [
            sys.executable,
            "-m",
            "tests.nodes.tracker.killed_tracker",
            str(tmp_path),
            str(dice.randrange(1 << 32)),
        ]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stderr is not None
            first = child.stdout.readline()
            assert first == "stepped\n", first + child.stderr.read()
            time.sleep(dice.uniform(0, 0.3))
            child.kill()
            told = child.stdout.read().splitlines(), child.stderr.read()
        assert set(told[0][:-1]) <= {"stepped"}, told
        assert told[1] == ""
        assert ReportsFolder(tmp_path / "reports").read(DAY) is not None
    _settle(tmp_path)
    venue = venue_of(int((tmp_path / "venue").read_text()))
    with sqlite3.connect(tmp_path / "reports" / "history.sqlite3") as connection:
        trades = connection.execute("SELECT trade_id, order_id, price FROM trades ORDER BY trade_id").fetchall()
        orders = connection.execute("SELECT order_id, status FROM orders ORDER BY CAST(order_id AS INTEGER)").fetchall()
        decisions = connection.execute("SELECT client_order_id FROM decisions ORDER BY id").fetchall()
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert trades == [(one.trade_id, one.order_id, f"{one.price:f}") for one in venue.trades_of_all]
    assert orders == [(one.order_id, one.status) for one in venue.orders_of_all]
    assert [row[0] for row in decisions] == [each["client_order_id"] for each in last_decisions(tmp_path, 1_000_000)]
    document = ReportsFolder(tmp_path / "reports").read(DAY)
    assert document is not None
    assert document["total_trades"] == len(venue.trades_of_all)
    fault_row("tracker dies", "SIGKILL while it reads and writes, at random", KILLS)


def _settle(folder: Path) -> None:
    """Let a tracker that nobody kills read what is left."""
    books, historian = tracker(folder, venue_of(int((folder / "venue").read_text())))
    assert step(folder, books, historian) == ()
    historian.close()

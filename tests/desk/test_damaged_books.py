"""A paper exchange whose money does not add up: it stays away until a person acts."""

import os
import resource
import signal
import sqlite3

from desk.run_dir import STAYS_DOWN
from tests.desk.desk_process import Desk, until

ONE_UNIT_MORE = "UPDATE balances SET free = free + 1 WHERE account = 1 AND asset = 'ADA'"


def test_an_exchange_whose_books_do_not_add_up_stays_down(desk: Desk) -> None:
    """It was restarted every few seconds for ever; clients saw it come and go with money that nobody had earned."""
    desk.start(*(word for node in ("engine", "api", "paper") for word in ("--only", node)))
    pid = desk.node("paper")["pid"]
    with sqlite3.connect(desk.run_dir / "paper" / "ledger.sqlite3") as books:
        books.execute(ONE_UNIT_MORE)
    books.close()
    os.kill(pid, signal.SIGKILL)
    until("the exchange stays down", lambda: desk.node("paper")["state"] == "failed")
    row = desk.node("paper")
    assert (row["pid"], row["restarts"]) == (None, 1)
    assert desk.node("engine")["state"] == desk.node("api")["state"] == "ready"
    assert "do not add up: money was made or lost: 0.00000001 ADA" in desk.log("paper")
    assert "paper needs a person and stays down: the books of" in " ".join(desk.stop().split())
    result = desk.cli("node", "paper")
    assert result.returncode == STAYS_DOWN


def test_an_exchange_whose_disk_is_full_says_so_in_one_line(desk: Desk) -> None:
    """It ended with tracebacks, as if by a bug of ours; what it could not save it has told nobody, and is not there."""
    desk.start(*(word for node in ("engine", "api", "paper") for word in ("--only", node)))
    until("the exchange is ready", lambda: desk.node("paper")["state"] == "ready")
    written = (desk.run_dir / "paper" / "ledger.sqlite3-wal").stat().st_size
    resource.prlimit(desk.node("paper")["pid"], resource.RLIMIT_FSIZE, (written, written))
    order = desk.cli("place", "buy", "0.001", "50000")
    assert order.returncode != 0, order.stdout
    until("the exchange is back", lambda: (desk.node("paper")["restarts"], desk.node("paper")["state"]) == (1, "ready"))
    log = desk.log("paper")
    assert "ledger.sqlite3 cannot be saved or read: disk I/O error" in log
    assert "Traceback" not in log
    assert "bug of ours" not in log
    assert desk.cli("orders", "--json").returncode == 0

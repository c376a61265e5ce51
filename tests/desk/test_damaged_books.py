"""A paper exchange whose money does not add up: it stays away until a person acts."""

import os
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

"""A paper exchange whose disk takes no more: it says so in one line, and nobody is told what is not saved."""

import resource

import pytest

from market.codes import Side
from tests.desk.desk_process import BTCUSDT, Desk, until
from venues.venue import VenueError

ORDERS_MAX = 2_000  # some 4 MB of the write-ahead log


def test_what_the_disk_does_not_take_is_told_to_nobody(desk: Desk) -> None:
    """It ended with a traceback and the exit code of a bug; what it had confirmed is there when there is room again."""
    desk.start(*(word for node in ("engine", "paper") for word in ("--only", node)))
    venue, before = desk.venue(), desk.node("paper")
    log = desk.run_dir / "paper" / "ledger.sqlite3-wal"
    size = log.stat().st_size
    resource.prlimit(before["pid"], resource.RLIMIT_FSIZE, (size, size))  # no file of its grows beyond that any more
    confirmed: list[str] = []

    def place_until_refused() -> None:
        for number in range(ORDERS_MAX):
            venue.place(BTCUSDT, Side.BUY, 5_000_000 + number, 1_000, f"order-{number}")
            confirmed.append(f"order-{number}")

    with pytest.raises(VenueError):
        place_until_refused()

    def is_back() -> bool:
        row = desk.node("paper")
        return bool(row["state"] == "ready" and row["restarts"] > before["restarts"])

    until("the exchange is back", is_back)
    log_text = desk.log("paper")
    assert "Traceback" not in log_text
    assert "bug of ours" not in log_text
    assert f"why='{log.parent / 'ledger.sqlite3'}: cannot be written: " in log_text
    assert [order.client_order_id for order in desk.venue().open_orders(BTCUSDT)] == confirmed

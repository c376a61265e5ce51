"""kill -9 and SIGTERM of each node, and of the whole desk: what must survive.

`ENDINGS=all` sends each node SIGTERM, too; without it those that others live by.
"""

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bus.topology import Source, source_of_order
from market.codes import Side
from tests.desk.desk_process import BTCUSDT, Desk, short_directory, until
from venues.binance import BinanceVenue
from venues.venue import VenueError

NODES = ("tracker", "maker", "api", "flow", "paper", "gateway", "engine")
ENDED = NODES if os.environ.get("ENDINGS") == "all" else ("maker", "paper", "engine")  # with SIGTERM
FAST_FILLS = {
    "TICKBUS_MAKER__HALF_SPREAD": "0.0002",
    "TICKBUS_FLOW__OPENING_S": "0",
    "TICKBUS_TRACKER__INTERVAL_S": "1",
}


def _account(desk: Desk) -> tuple[Any, Any]:
    """Return balances and trades as the venue holds them."""
    venue = desk.venue()
    return venue.balances(), venue.trades(BTCUSDT)


def _answer(ask: Callable[[], Any]) -> Any:
    """Return the venue's answer, or None while it has none."""
    try:
        return ask()
    except VenueError:
        return None


@pytest.fixture(scope="module")
def module_desk() -> Iterator[Desk]:
    """One desk for the tests below, each of which leaves it whole or stopped."""
    with short_directory() as path:
        desk = Desk(path / "run", **FAST_FILLS)
        yield desk
        desk.end()


@pytest.fixture
def trading_desk(module_desk: Desk) -> Desk:
    """A running desk whose maker has traded."""
    if module_desk.process is None:
        module_desk.start()
    venue = module_desk.venue()
    until("the maker has traded", lambda: venue.trades(BTCUSDT), 60)
    return module_desk


@pytest.mark.parametrize(("number", "nodes"), [(signal.SIGTERM, ENDED), (signal.SIGKILL, NODES)], ids=["15", "9"])
def test_each_node_may_end_and_comes_back(trading_desk: Desk, number: int, nodes: tuple[str, ...]) -> None:
    """After each, the others go on, the node is restarted, and books and balances still agree."""
    venue = trading_desk.venue()
    for name in nodes:
        before = [trade.trade_id for trade in venue.trades(BTCUSDT)]
        trading_desk.kill(name, number)
        after = until("the venue answers", lambda: _answer(lambda: venue.trades(BTCUSDT)))
        assert [trade.trade_id for trade in after][: len(before)] == before, f"after {name} died"
    until("the maker quotes both sides", lambda: _sides(venue) == [Side.BUY, Side.SELL])
    until("the api is live", lambda: trading_desk.get("/api/health").get("status") == "ok")
    report = trading_desk.cli("report")
    assert report.returncode == 0, report.stdout + report.stderr
    assert sum(row["restarts"] for row in trading_desk.status()["nodes"]) >= len(nodes)


def _sides(venue: BinanceVenue) -> list[Side]:
    return sorted(order.side for order in _answer(lambda: venue.open_orders(BTCUSDT)) or ())


def test_engine_and_venue_go_on_while_the_tracker_is_stopped(trading_desk: Desk) -> None:
    """A node that hangs, for which SIGSTOP stands, holds up nobody else, and is called silent."""
    pid = trading_desk.node("tracker")["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        sequence = trading_desk.get("/api/orderbook?depth=1")["sequence"]
        until("the book moves on", lambda: trading_desk.get("/api/orderbook?depth=1")["sequence"] > sequence)
        until("status says that it is silent", lambda: trading_desk.node("tracker")["state"] == "silent")
    finally:
        os.kill(pid, signal.SIGCONT)
    until("it is back", lambda: trading_desk.node("tracker")["state"] == "ready")


def test_book_is_called_stale_while_the_engine_is_silent(trading_desk: Desk) -> None:
    """Market data is never silently stale: the api refuses, the venue keeps the account, orders are refused."""
    pid = trading_desk.node("engine")["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        until("the api calls the book stale", lambda: trading_desk.get("/api/orderbook").get("status") == 503)
        assert trading_desk.get("/api/health")["status"] == "stale"
        assert trading_desk.venue().balances()["BTC"].total > 0
    finally:
        os.kill(pid, signal.SIGCONT)
    until("the api is live again", lambda: trading_desk.get("/api/health")["status"] == "ok")
    venue = trading_desk.venue()
    until("the maker quotes again", lambda: _sides(venue) == [Side.BUY, Side.SELL])


def test_restarted_desk_has_the_account_of_before(trading_desk: Desk) -> None:
    """Balances, trades and reports survive the whole desk."""
    nodes = ("--only", "engine", "--only", "paper", "--only", "tracker")
    trading_desk.stop()
    trading_desk.start(*nodes)
    first = _account(trading_desk)
    assert first[1]
    assert not trading_desk.venue().open_orders(BTCUSDT), "the maker's orders were to be cancelled on stop"
    day = trading_desk.cli_json("report")["day"]
    trading_desk.stop()
    trading_desk.start(*nodes)
    assert _account(trading_desk) == first
    again = trading_desk.cli_json("report")["day"]
    for key in ("balances", "trades", "total_trades", "trade_history", "opening"):
        assert again[key] == day[key]
    trading_desk.stop()


def test_killed_desk_gives_back_open_orders_in_the_book(trading_desk: Desk) -> None:
    """kill -9 of everything at once: what the venue had accepted is open again, in the venue and in the book."""
    venue = trading_desk.venue()
    until("two open orders", lambda: _sides(venue) == [Side.BUY, Side.SELL])
    for name in ("maker", "flow"):  # so that nothing cancels or fills them
        os.kill(trading_desk.node(name)["pid"], signal.SIGSTOP)
    before, total = venue.open_orders(BTCUSDT), venue.balances()["BTC"].total
    pids = [row["pid"] for row in trading_desk.status()["nodes"]]
    assert trading_desk.process is not None
    trading_desk.process.kill()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    trading_desk.process.communicate()
    trading_desk.start("--only", "engine", "--only", "paper", "--only", "api")
    venue = trading_desk.venue()
    after = venue.open_orders(BTCUSDT)
    assert after == before
    assert venue.balances()["BTC"].total == total

    def ids_in_book(source: Source) -> set[int]:
        book = trading_desk.get("/api/orderbook")
        ids = {order["id"] for side in ("bids", "asks") for level in book[side] for order in level["orders"]}
        return {order_id for order_id in ids if source_of_order(order_id) == source}

    assert {int(order.order_id) for order in after} == ids_in_book(Source.PAPER)
    assert len(ids_in_book(Source.FLOW)) > 100, "the journal brings everybody's orders back"
    trading_desk.stop()

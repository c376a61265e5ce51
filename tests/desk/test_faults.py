"""kill -9 and SIGTERM of each node, of two at once, and of the whole desk: what must survive.

`ENDINGS=all` sends each node SIGTERM, too, and kills every pair of nodes; without it those that others live by.
"""

import os
import signal
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import pytest

from bus.topology import Source, source_of_order
from market.codes import Side
from tests.desk.desk_process import BTCUSDT, Desk, short_directory, until
from tests.reliability import FaultRow
from venues.binance import BinanceVenue
from venues.venue import VenueError

NODES = ("tracker", "maker", "api", "flow", "paper", "gateway", "engine")
ENDED = NODES if os.environ.get("ENDINGS") == "all" else ("maker", "paper", "engine")  # with SIGTERM
# Two that keep the same thing, each in its own store.
PAIRS = (
    tuple(combinations(NODES, 2))
    if os.environ.get("ENDINGS") == "all"
    else (("paper", "engine"), ("maker", "paper"), ("gateway", "engine"))
)
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
    until("the maker has traded", lambda: venue.trades(BTCUSDT))
    return module_desk


@pytest.mark.parametrize(("number", "nodes"), [(signal.SIGTERM, ENDED), (signal.SIGKILL, NODES)], ids=["15", "9"])
def test_each_node_may_end_and_comes_back(
    trading_desk: Desk, number: int, nodes: tuple[str, ...], fault_row: FaultRow
) -> None:
    """After each, the others go on, the node is restarted, and books and balances still agree."""
    venue, back_s = trading_desk.venue(), {}
    for name in nodes:
        before = [trade.trade_id for trade in venue.trades(BTCUSDT)]
        back_s[name] = trading_desk.kill(name, number=number)
        after = until("the venue answers", lambda: _answer(lambda: venue.trades(BTCUSDT)))
        assert [trade.trade_id for trade in after][: len(before)] == before, f"after {name} died"
    until("the maker quotes both sides", lambda: _sides(venue) == [Side.BUY, Side.SELL])
    until("the api is live", lambda: trading_desk.get("/api/health").get("status") == "ok")
    report = trading_desk.cli("report")
    assert report.returncode == 0, report.stdout + report.stderr
    assert sum(row["restarts"] for row in trading_desk.status()["nodes"]) >= len(nodes)
    for name, took_s in back_s.items():
        fault_row(
            f"{name} of a running desk ends", f"{signal.Signals(number).name}; back when it is ready", 1, [took_s]
        )


def test_two_nodes_may_die_at_once(trading_desk: Desk, fault_row: FaultRow) -> None:
    """Whatever two stores know of each other: no trade is lost, and the book has what the exchange holds open."""
    venue, back_s = trading_desk.venue(), []
    for pair in PAIRS:
        before = [
            trade.trade_id for trade in until("the venue answers", lambda: _answer(lambda: venue.trades(BTCUSDT)))
        ]
        back_s.append(trading_desk.kill(*pair))
        after = until("the venue answers", lambda: _answer(lambda: venue.trades(BTCUSDT)))
        ids = [trade.trade_id for trade in after]
        assert ids[: len(before)] == before, f"after {pair} died"
        assert len(set(ids)) == len(ids), f"after {pair} died"
        until("the maker quotes both sides", lambda: _sides(venue) == [Side.BUY, Side.SELL])
        until(f"book and exchange agree after {pair} died", lambda: _is_one_book(trading_desk, venue))
    report = trading_desk.cli("report")
    assert report.returncode == 0, report.stdout + report.stderr
    fault_row("two nodes of a running desk die at once", "SIGKILL of each pair", len(PAIRS), back_s)


def _is_one_book(desk: Desk, venue: BinanceVenue) -> bool:
    """Return whether the book of the engine has the exchange's open orders; between two looks one may have moved."""
    orders = _answer(lambda: venue.open_orders(BTCUSDT))
    return orders is not None and {int(order.order_id) for order in orders} == _ids_in_book(desk, Source.PAPER)


def _ids_in_book(desk: Desk, source: Source) -> set[int]:
    book = desk.get("/api/orderbook")
    levels = [level for side in ("bids", "asks") for level in book.get(side, ())]
    ids = {order["id"] for level in levels for order in level["orders"]}
    return {order_id for order_id in ids if source_of_order(order_id) == source}


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


def test_killed_desk_gives_back_open_orders_in_the_book(trading_desk: Desk, fault_row: FaultRow) -> None:
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
    assert {int(order.order_id) for order in after} == _ids_in_book(trading_desk, Source.PAPER)
    assert len(_ids_in_book(trading_desk, Source.FLOW)) > 100, "the journal brings everybody's orders back"
    trading_desk.stop()
    fault_row("all of a desk dies", "SIGKILL of every process at once", 1)

"""The exchange of a simulated desk is the paper exchange, down to what only some of its clients ask for."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path

from desk.settings import load_settings
from market.clock import NS_PER_SECOND
from market.codes import CancelReason, OrderType, Side
from market.commands import NewOrder
from market.events import Canceled, Executed
from paper.access.accounts import FIRST_ACCOUNT
from paper.exchange.public_market import Touched
from paper.exchange.tape import PublicTrade
from paper.units import Symbol
from simulation.desk import SimulatedDesk
from tests.simulation.test_desk import START_NS

SOMEBODY = 3
IDS = count(1 << 40)


class KeptBook:
    """A client that keeps a book from what changes of it; a MarketListener."""

    def __init__(self, desk: SimulatedDesk) -> None:
        self.desk = desk
        self.sides: tuple[dict[int, int], dict[int, int]] = {}, {}
        self.update_count = 0

    def on_trades(self, symbol: Symbol, trades: Sequence[PublicTrade]) -> None:
        """Keep no trades."""

    def on_book(self, symbol: Symbol, touched: Touched) -> None:
        if symbol.symbol_id != 0:
            return
        self.update_count += 1
        for side, levels in zip(self.sides, self.desk.exchange.exchange.market.levels(symbol, touched), strict=True):
            side.update(levels)
            for price in [price for price, lots in side.items() if not lots]:
                del side[price]


def desk_of(folder: Path) -> SimulatedDesk:
    return SimulatedDesk(load_settings({"run_dir": folder}).settings, START_NS, folder / "reports")


def test_book_of_its_streams_is_the_engines(tmp_path: Path) -> None:
    """Each time that somebody looks; what was asked of a simulated book was an error of ours."""
    desk = desk_of(tmp_path)
    kept = KeptBook(desk)
    desk.exchange.exchange.market.listeners.append(kept)
    for second in range(1, 20):
        desk.run(START_NS + second * NS_PER_SECOND)
        desk.exchange.exchange.market.on_book()
        depth = desk.market.engine.depth(0, 100_000)
        assert kept.sides == (dict(depth.bids), dict(depth.asks))
    assert kept.update_count > 10


def test_no_taker_trades_beyond_twice_the_reference_price(tmp_path: Path) -> None:
    """As on a real desk, whose exchange tells its engines the range."""
    desk = desk_of(tmp_path)
    desk.run(START_NS + 20 * NS_PER_SECOND)
    market = desk.market
    mid_ticks = (market.engine.depth(0, 1).mid_ticks_x2 or 0) // 2
    far = NewOrder(next(IDS), 0, Side.SELL, 5 * mid_ticks // 2, 10, OrderType.LIMIT, owner=SOMEBODY)
    taker = NewOrder(next(IDS), 0, Side.BUY, 3 * mid_ticks, 1_000_000_000, OrderType.LIMIT, owner=SOMEBODY + 1)
    events = market.submit([far, taker])
    traded = [event.price_ticks for event in events if isinstance(event, Executed)]
    assert traded
    assert max(traded) < 2.1 * mid_ticks
    (ended,) = (event for event in events if isinstance(event, Canceled) and event.order_id == taker.order_id)
    assert ended.reason == CancelReason.PRICE_RANGE


def test_an_order_that_trades_counts_no_more(tmp_path: Path) -> None:
    """Only orders that have not traded do; here all did, and a maker that was filled seemed near a limit."""
    given = {"run_dir": tmp_path, "maker.half_spread": "0.0002", "maker.notional": "100"}
    desk = SimulatedDesk(load_settings(given).settings, START_NS, tmp_path / "reports")
    desk.run(START_NS + 60 * NS_PER_SECOND)
    documents = desk.exchange.usage.documents(None, FIRST_ACCOUNT, desk.heap.now_ns // NS_PER_SECOND)
    (counted,) = (each["count"] for each in documents if each["interval"] == "DAY")
    orders = desk.account.orders(load_settings(given).settings.instrument)
    traded = sum(order.filled_qty > 0 for order in orders)
    assert traded
    assert counted == len(orders) - traded

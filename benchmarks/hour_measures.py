"""What `benchmarks.hour` measures of a desk, real or simulated: its market, its orders, its fills, its position."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import log
from statistics import fmean, pstdev
from typing import Final, NamedTuple

from benchmarks.parity_records import OURS
from market.clock import NS_PER_SECOND
from market.codes import Side
from market.depth import Depth
from market.events import Accepted, Canceled, Event, Executed
from market.instrument import Instrument
from paper.exchange.news import AccountNews, ExecutionType
from paper.exchange.news import OrderNews as ExchangeNews
from paper.exchange.public_market import Touched
from paper.exchange.tape import PublicTrade
from paper.units import Symbol

LOOK_NS: Final = NS_PER_SECOND
_BPS: Final = 1e4


class Look(NamedTuple):
    """What stood in the book at a time; prices in ticks, the spreads in bps, None without a quote on both sides."""

    mid_ticks: float
    spread_bps: float
    own_spread_bps: float | None
    position_lots: int


class Tally:
    """What has happened on a desk so far. Own orders and fills come as events, or as news of the account.

    Args:
        instrument: what it trades.
    """

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self.looks: list[Look] = []
        self._open: dict[int, tuple[Side, int]] = {}
        self._counts: Counter[str] = Counter()
        self._lots: Counter[Side] = Counter()
        self._traded_lots = 0

    def take(self, events: Sequence[Event]) -> None:
        """Take all events of an engine."""
        for event in events:
            match event:
                case Executed() if event.symbol_id == self._instrument.symbol_id:
                    self._trade(event.qty_lots)
                    self._fill(event.maker_order_id, event.qty_lots, event.maker_leaves_lots)
                case Accepted() if event.owner in OURS:
                    self._enter(event.order_id, Side(event.side), event.price_ticks)
                case Canceled() if event.owner in OURS:
                    self._open.pop(event.order_id, None)

    def hear(self, said: AccountNews) -> None:
        """Take what the exchange tells its account."""
        if not isinstance(said, ExchangeNews):
            return
        order = said.order
        if said.execution is ExecutionType.NEW:
            self._enter(order.order_id, order.side, order.price_ticks)
        elif said.trade is not None:
            self._fill(order.order_id, said.trade.qty_lots, order.leaves_lots)
        elif not order.status.is_open:
            self._open.pop(order.order_id, None)

    def on_trades(self, symbol: Symbol, trades: Sequence[PublicTrade]) -> None:
        """Take trades of the market, as `paper.exchange.public_market` tells them."""
        if symbol.symbol_id == self._instrument.symbol_id:
            for trade in trades:
                self._trade(trade.qty_lots)

    def on_book(self, symbol: Symbol, touched: Touched) -> None:
        """Do nothing: the book is looked at once a second."""

    def look(self, depth: Depth) -> None:
        """Take the book as it is, if it has two sides."""
        if not depth.bids or not depth.asks:
            return
        best = depth.bids[0].price_ticks, depth.asks[0].price_ticks
        own_bids, own_asks = ([price for side, price in self._open.values() if side == each] for each in Side)
        own = _spread_bps(max(own_bids), min(own_asks)) if own_bids and own_asks else None
        self.looks.append(Look(sum(best) / 2, _spread_bps(*best), own, self._lots[Side.BUY] - self._lots[Side.SELL]))

    def measures(self) -> dict[str, float]:
        """Return what is compared, by name and unit."""
        minutes = len(self.looks) * LOOK_NS / (60 * NS_PER_SECOND)
        size = float(self._instrument.lots_to_qty(1))
        base = self._instrument.base
        moves = [_BPS * log(after.mid_ticks / before.mid_ticks) for before, after in pairwise(self.looks)]
        own = [look.own_spread_bps for look in self.looks if look.own_spread_bps is not None]
        position = [look.position_lots * size for look in self.looks]
        return {
            "market: trades/min": self._counts["trade"] / minutes,
            f"market: {base} traded/min": self._traded_lots * size / minutes,
            "market: volatility, bps in a second": pstdev(moves),
            "market: spread, bps": fmean(look.spread_bps for look in self.looks),
            "own: orders/min": self._counts["order"] / minutes,
            "own: fills/min": self._counts["fill"] / minutes,
            f"own: {base} bought": self._lots[Side.BUY] * size,
            f"own: {base} sold": self._lots[Side.SELL] * size,
            "own: quotes on both sides, % of the time": 100 * len(own) / len(self.looks),
            "own: spread, bps": fmean(own) if own else 0.0,
            f"own: position at the end, {base}": position[-1],
            f"own: position at most, {base}": max(map(abs, position)),
            f"own: position on average, {base}": fmean(position),
        }

    def apart(self, other: "Tally") -> tuple[float, float]:
        """Return how far two runs of one market are apart on average: the mids in bps, the positions in base units."""
        pairs = list(zip(self.looks, other.looks, strict=False))
        mids = fmean(abs(log(one.mid_ticks / two.mid_ticks)) for one, two in pairs)
        lots = fmean(abs(one.position_lots - two.position_lots) for one, two in pairs)
        return _BPS * mids, lots * float(self._instrument.lots_to_qty(1))

    def _enter(self, order_id: int, side: Side, price_ticks: int) -> None:
        self._counts["order"] += 1
        self._open[order_id] = side, price_ticks

    def _trade(self, qty_lots: int) -> None:
        self._counts["trade"] += 1
        self._traded_lots += qty_lots

    def _fill(self, order_id: int, qty_lots: int, leaves_lots: int) -> None:
        """Count a fill if the order is ours: a maker's, for we enter post-only orders alone."""
        if order_id in self._open:
            self._counts["fill"] += 1
            self._lots[self._open[order_id][0]] += qty_lots
            if not leaves_lots:
                del self._open[order_id]


def look_times(start_ns: int, end_ns: int) -> Iterator[int]:
    """Yield when to look."""
    return iter(range(start_ns + LOOK_NS, end_ns + 1, LOOK_NS))


def _spread_bps(bid_ticks: int, ask_ticks: int) -> float:
    return _BPS * (ask_ticks - bid_ticks) * 2 / (ask_ticks + bid_ticks)

"""What everybody sees of the market: the book, the trades, and what is computed from them."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from typing import Final, NamedTuple, Protocol

from market.codes import Side
from market.depth import Depth, Level
from market.feed_messages import BookTrade
from paper.exchange.filters import AVERAGE_MINUTES
from paper.exchange.price_range import ANY_PRICE, PriceRange, ReferencePrice, TradeMean
from paper.exchange.tape import Bar, PublicTrade, Tape
from paper.intervals import MINUTE_MS, SECOND_MS, Interval
from paper.money.kept_bars import KeptBar
from paper.money.ledger import Ledger
from paper.units import Symbol

_SIDES: Final = tuple(Side)


class Touched(NamedTuple):
    """The prices, in ticks, of levels that may have changed."""

    bids: set[int]
    asks: set[int]

    def __bool__(self) -> bool:
        return bool(self.bids or self.asks)


class BookView(Protocol):
    """What the exchange sees of the public book; it may lag behind the engine."""

    def depth(self, symbol_id: int, level_count: int) -> Depth:
        """Return the best `level_count` levels of each side, best price first."""

    def level_lots(self, symbol_id: int, side: Side, price_ticks: int) -> int:
        """Return what `depth` shows at a price; 0 where it shows nothing."""

    def take_touched(self, symbol_id: int) -> Touched:
        """Return every level that was another at any time since the last call, be it the same again now.

        What the other methods show changes only together with what the next call of this one returns.
        """


class MarketListener(Protocol):
    """Who hears at once what happens on the market."""

    def on_trades(self, symbol: Symbol, trades: Sequence[PublicTrade]) -> None:
        """Hear of trades, oldest first."""

    def on_book(self, symbol: Symbol, touched: Touched) -> None:
        """Hear which levels of a book may have changed."""


class PublicMarket:
    """The book and the tape of every symbol.

    Changes of the books are numbered without a step back. Clients keep a book by these numbers, so they count what
    everybody sees, not what an engine does: a new engine, which counts from 1 again, and a silence, in which the book
    is empty, move them forward like any other change.

    Args:
        ledger: numbers the trades.
        view: of the books.
        first_update_id: what every book begins with; above all that was told before, if it is to last over restarts.

    Attributes:
        symbols: what is traded, by the venue's spelling.
        tapes: the public trades, by symbol id.
        listeners: who hears of news.
    """

    def __init__(self, ledger: Ledger, view: BookView, first_update_id: int) -> None:
        self.symbols: Mapping[str, Symbol] = ledger.symbols
        known = {symbol: _known_bars(ledger, symbol) for symbol in self.symbols.values()}
        self.tapes: Final = {symbol.symbol_id: Tape(bars) for symbol, bars in known.items()}
        self._saved_ids = {symbol_id: tape.last_id for symbol_id, tape in self.tapes.items()}
        self.listeners: list[MarketListener] = []
        self._ledger = ledger
        self._view = view
        self._symbols_by_id = {symbol.symbol_id: symbol for symbol in self.symbols.values()}
        self._update_ids = dict.fromkeys(self._symbols_by_id, first_update_id)
        self._means = {symbol.symbol_id: _known_mean(symbol, bars) for symbol, bars in known.items()}

    def on_trades(self, epoch: int, symbol_id: int, trades: Sequence[BookTrade], time_ns: int) -> None:
        """Add trades of the book feed, oldest first, to the tape; those that it has are passed over.

        Each has the time that its engine tells, but none is before the one before it, and none after now.

        Args:
            epoch: the life of the engine in which they are numbered.
            symbol_id: of all of them.
            trades: oldest first.
            time_ns: now, ns since 1970 UTC: that of trades whose engine tells none.
        """
        symbol, tape, told = self._symbols_by_id[symbol_id], self.tapes[symbol_id], []
        known_id, traded_ns = tape.last_id, tape.trades[-1].time_ns if tape.trades else 0
        for each in trades:
            trade_id = self._ledger.trade_id(epoch, each.trade_id)
            traded_ns = min(time_ns, max(each.time_ns or time_ns, traded_ns))
            told.append(PublicTrade(trade_id, each.price_ticks, each.qty_lots, _SIDES[each.taker_side], traded_ns))
        if fresh := tape.add(told):
            mean = self._means[symbol_id]
            for trade in fresh:
                if trade.trade_id <= known_id:
                    continue  # told again: the mean has its second
                mean.add(trade.price_ticks * symbol.tick_units, trade.time_ms)
            for listener in self.listeners:
                listener.on_trades(symbol, fresh)

    def save_bars(self) -> None:
        """Keep what tickers and bars are made of, as far as it has changed since the last time.

        Raises:
            LedgerError: if the disk does not take it; it can be tried again.
        """
        for symbol in self.symbols.values():
            tape, saved_id = self.tapes[symbol.symbol_id], self._saved_ids[symbol.symbol_id]
            if tape.last_id > saved_id:
                changed = tape.bars_after(saved_id)
                rows = [KeptBar(length, bar.open_ms, astuple(bar)) for length, bars in changed.items() for bar in bars]
                self._ledger.bars.write(symbol.name, rows, tape.first_open_ms())
                self._saved_ids[symbol.symbol_id] = tape.last_id

    def on_book(self) -> None:
        """Number what has changed in the books of the feed, and pass it on.

        Call it whenever the view of them may show others, before anybody else looks.
        """
        for symbol in self.symbols.values():
            if touched := self._view.take_touched(symbol.symbol_id):
                self._update_ids[symbol.symbol_id] += len(touched.bids) + len(touched.asks)
                for listener in self.listeners:
                    listener.on_book(symbol, touched)

    def depth(self, symbol: Symbol, level_count: int) -> Depth:
        """Return the best levels of the book."""
        return self._view.depth(symbol.symbol_id, level_count)

    def levels(self, symbol: Symbol, touched: Touched) -> Depth:
        """Return some levels as they are now, best price first, with quantity 0 where there is none."""
        bids, asks = (
            tuple(Level(price, self._view.level_lots(symbol.symbol_id, side, price)) for price in prices)
            for side, prices in ((Side.BUY, sorted(touched.bids, reverse=True)), (Side.SELL, sorted(touched.asks)))
        )
        return Depth(bids, asks)

    def update_id(self, symbol: Symbol) -> int:
        """Return the number of the last change that `depth` shows."""
        return self._update_ids[symbol.symbol_id]

    def reference_price(self, symbol: Symbol, now_ms: int) -> ReferencePrice | None:
        """Return the mean price of the last minutes' trades, or None if the symbol never had a reference price."""
        return self._means[symbol.symbol_id].at(now_ms)

    def price_range(self, symbol: Symbol, now_ms: int) -> PriceRange:
        """Return the prices at which takers may trade now: all of them while there is no reference price."""
        reference = self.reference_price(symbol, now_ms)
        if reference is None or reference.price_units is None:
            return ANY_PRICE
        return PriceRange.around(symbol, reference.price_units)

    def filter_ticks(self, symbol: Symbol, now_ms: int) -> int | None:
        """Return what filters compare a price with: the reference price where there is one, else the average."""
        reference = self.reference_price(symbol, now_ms)
        if reference is not None and reference.price_units is not None:
            return reference.price_units // symbol.tick_units
        return self.average_ticks(symbol, now_ms)

    def average_ticks(self, symbol: Symbol, now_ms: int) -> int | None:
        """Return the average price of the last five minutes, else the last price, else the mid, else None."""
        average = self.tapes[symbol.symbol_id].average_ticks(now_ms, AVERAGE_MINUTES * MINUTE_MS)
        if average is not None:
            return average
        mid_x2 = self.depth(symbol, 1).mid_ticks_x2
        return mid_x2 // 2 if mid_x2 is not None else None

    def last_ticks(self, symbol: Symbol, now_ms: int) -> int:
        """Return the last price, before the first trade the mid, else 0."""
        last = self.tapes[symbol.symbol_id].last_known_ticks
        return last if last is not None else self.average_ticks(symbol, now_ms) or 0

    def last_qty_lots(self, symbol: Symbol) -> int:
        """Return the quantity of the last trade, 0 before the first."""
        trades = self.tapes[symbol.symbol_id].trades
        return trades[-1].qty_lots if trades else 0

    def window(self, symbol: Symbol, now_ms: int, length_ms: int) -> Bar:
        """Return what has traded from the minute on in which the last `length_ms` began, flat if nothing has."""
        open_ms = (now_ms - length_ms) // MINUTE_MS * MINUTE_MS
        bar = self.tapes[symbol.symbol_id].window(now_ms, length_ms)
        return self._flat(symbol, open_ms, now_ms) if bar is None else replace(bar, open_ms=open_ms)

    def current_bar(self, symbol: Symbol, interval: Interval, now_ms: int) -> Bar:
        """Return the bar of an interval that now belongs to, flat if nothing has traded in it."""
        bars = self.tapes[symbol.symbol_id].bars_since(interval, now_ms, now_ms)
        return bars[-1] if bars else self._flat(symbol, interval.open_of(now_ms), now_ms)

    def day(self, symbol: Symbol, now_ms: int) -> Bar:
        """Return the last 24 hours as one bar, flat if nothing traded."""
        return self.tapes[symbol.symbol_id].day(now_ms) or self._flat(symbol, now_ms, now_ms)

    def _flat(self, symbol: Symbol, open_ms: int, now_ms: int) -> Bar:
        return Bar.flat(open_ms, self.last_ticks(symbol, now_ms))


def _known_bars(ledger: Ledger, symbol: Symbol) -> Mapping[int, Sequence[Bar]]:
    known: dict[int, list[Bar]] = {}
    for length_ms, _, figures in ledger.bars.read(symbol.name):
        known.setdefault(length_ms, []).append(Bar(*figures))
    return known


def _known_mean(symbol: Symbol, known: Mapping[int, Sequence[Bar]]) -> TradeMean:
    mean = TradeMean()
    for second in known.get(SECOND_MS, ()):
        price_units = second.notional_ticks_lots * symbol.tick_units // second.qty_lots
        mean.add(price_units, second.open_ms, second.count)
    return mean

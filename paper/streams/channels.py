"""The market streams: what each one tells, and when. Each lives from its first subscriber to its last."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from market.depth import Depth
from paper.calls import documents
from paper.exchange.public_market import PublicMarket, Touched
from paper.exchange.tape import PublicTrade, aggregated
from paper.intervals import HOUR_MS, INTERVALS, STREAMED_WINDOWS, WINDOWS_MS, Interval
from paper.streams import documents as stream_documents
from paper.streams.documents import Document
from paper.units import Symbol

FAST_MS: Final = 100
SLOW_MS: Final = 1_000

_NAME = re.compile(
    r"(?P<symbol>[a-z0-9]{2,20})@(?:(?P<plain>trade|aggTrade|bookTicker|miniTicker|ticker|avgPrice|referencePrice)"
    r"|depth(?P<levels>5|10|20)?(?P<speed>@100ms|@1000ms)?"
    rf"|ticker_(?P<window>{'|'.join(STREAMED_WINDOWS)})"
    rf"|kline_(?P<interval>{'|'.join(INTERVALS)})(?P<zone>@\+08:00)?)",
    re.ASCII,
)
_NAME_OF_ALL = re.compile(
    rf"!(?:miniTicker@arr(?:@(?P<period>1000|3000)ms)?|ticker_(?P<window>{'|'.join(STREAMED_WINDOWS)})@arr)", re.ASCII
)
_ZONE_MS: Final = 8 * HOUR_MS  # the only one that bars are streamed in, beside UTC


class Stream:
    """One stream; what its methods yield goes to its subscribers.

    Attributes:
        symbol: whose trades and book it hears of, if it does.
        period_ms: how often `tick` is called, a multiple of FAST_MS; 0 for never.
    """

    symbol: Symbol | None = None
    period_ms = 0

    def on_subscriber(self) -> None:
        """Hear that one more client listens."""

    def on_trades(self, trades: Sequence[PublicTrade]) -> Iterable[Document]:  # noqa: ARG002
        """Take trades."""
        return ()

    def on_book(self, touched: Touched) -> Iterable[Document]:  # noqa: ARG002
        """Look at the book, in which levels may have changed."""
        return ()

    def tick(self, now_ms: int) -> Iterable[Document | list[Document]]:  # noqa: ARG002
        """Tell what has gathered since the last tick."""
        return ()


class _SymbolStream(Stream):
    """A stream of one symbol."""

    def __init__(self, market: PublicMarket, symbol: Symbol) -> None:
        self._market = market
        self.symbol: Symbol = symbol


def open_stream(name: str, market: PublicMarket) -> Stream | None:
    """Return the stream of that name, or None if there is no such stream or symbol."""
    match = _NAME_OF_ALL.fullmatch(name)
    if match is not None:
        return _of_all(market, match["window"], int(match["period"] or SLOW_MS))
    match = _NAME.fullmatch(name)
    symbol = market.symbols.get(match["symbol"].upper()) if match is not None else None
    if match is None or symbol is None:
        return None
    if match["interval"] is not None:
        return Klines(market, symbol, INTERVALS[match["interval"]].in_zone(_ZONE_MS if match["zone"] else 0))
    if match["window"] is not None:
        return WindowTicker(market, symbol, match["window"])
    if match["plain"] is not None:
        return _PLAIN[match["plain"]](market, symbol)
    period_ms = FAST_MS if match["speed"] == "@100ms" else SLOW_MS
    if match["levels"] is not None:
        return PartialDepth(market, symbol, int(match["levels"]), period_ms)
    return DepthUpdates(market, symbol, period_ms)


def _of_all(market: PublicMarket, window: str | None, period_ms: int) -> Stream:
    symbols = market.symbols.values()
    if window is not None:
        return AllTickers([WindowTicker(market, symbol, window) for symbol in symbols], period_ms)
    return AllTickers([MiniTicker(market, symbol) for symbol in symbols], period_ms)


class Trades(_SymbolStream):
    """Every trade, as it happens."""

    def on_trades(self, trades: Sequence[PublicTrade]) -> Iterator[Document]:
        return (stream_documents.trade(self.symbol, trade) for trade in trades)


class AggregateTrades(_SymbolStream):
    """The trades, those of one moment, price and direction as one."""

    def on_trades(self, trades: Sequence[PublicTrade]) -> Iterator[Document]:
        return (stream_documents.aggregate_trade(self.symbol, group) for group in aggregated(trades))


class BookTicker(_SymbolStream):
    """The best prices, whenever they change."""

    _told: Depth | None = None

    def on_book(self, touched: Touched) -> Iterator[Document]:  # noqa: ARG002
        """Tell the best prices if they are others than those told last."""
        best = self._market.depth(self.symbol, 1)
        if best != self._told:
            self._told = best
            yield stream_documents.book_ticker(self.symbol, best, self._market.update_id(self.symbol))


class DepthUpdates(_SymbolStream):
    """The levels that were touched; each update begins where the last one ended, whatever happens to the engine.

    Also a level that is the same again is told, with quantity 0 if it is gone again: a client may have taken a snapshot
    in between, and without a word of it would keep what that one has shown.
    """

    def __init__(self, market: PublicMarket, symbol: Symbol, period_ms: int) -> None:
        super().__init__(market, symbol)
        self.period_ms = period_ms
        self._told_id = market.update_id(symbol)
        self._touched = Touched(set(), set())

    def on_book(self, touched: Touched) -> Iterable[Document]:
        self._touched.bids.update(touched.bids)
        self._touched.asks.update(touched.asks)
        return ()

    def tick(self, now_ms: int) -> Iterator[Document]:
        """Tell what was touched since the last tick, as it is now."""
        if not self._touched:
            return
        touched, self._touched = self._touched, Touched(set(), set())
        first_id, self._told_id = self._told_id + 1, self._market.update_id(self.symbol)
        levels = self._market.levels(self.symbol, touched)
        yield stream_documents.depth_update(self.symbol, levels, first_id, self._told_id, now_ms)


class PartialDepth(_SymbolStream):
    """The best levels, whole, whenever the book has changed or somebody new listens."""

    def __init__(self, market: PublicMarket, symbol: Symbol, level_count: int, period_ms: int) -> None:
        super().__init__(market, symbol)
        self._level_count, self.period_ms = level_count, period_ms
        self._told_id = -1

    def on_subscriber(self) -> None:
        """Tell it to the new one, too: a quiet book has nothing else to say."""
        self._told_id = -1

    def tick(self, now_ms: int) -> Iterator[Document]:  # noqa: ARG002
        update_id = self._market.update_id(self.symbol)
        if update_id != self._told_id:
            self._told_id = update_id
            yield documents.depth(self.symbol, self._market.depth(self.symbol, self._level_count), update_id)


class Ticker(_SymbolStream):
    """The last 24 hours, whenever something traded or the book has changed."""

    period_ms = SLOW_MS
    _is_mini = False
    _told: tuple[int, int] | None = None

    def on_subscriber(self) -> None:
        self._told = None

    def tick(self, now_ms: int) -> Iterator[Document]:
        market, symbol = self._market, self.symbol
        day = market.day(symbol, now_ms)
        state = day.last_trade_id, 0 if self._is_mini else market.update_id(symbol)
        if state == self._told:
            return
        self._told = state
        if self._is_mini:
            yield stream_documents.mini_ticker(symbol, day, now_ms)
        else:
            best = market.depth(symbol, 1)
            yield stream_documents.day_ticker(symbol, day, market.last_qty_lots(symbol), best, now_ms)


class MiniTicker(Ticker):
    """The short form, which tells nothing of the book."""

    _is_mini = True


class WindowTicker(_SymbolStream):
    """What has traded of late, whenever something did or has become too old."""

    period_ms = SLOW_MS

    def __init__(self, market: PublicMarket, symbol: Symbol, window: str) -> None:
        super().__init__(market, symbol)
        self._window = window
        self._told: tuple[int, int] | None = None  # the first and the last trade of what was told last

    def on_subscriber(self) -> None:
        self._told = None

    def tick(self, now_ms: int) -> Iterator[Document]:
        bar = self._market.window(self.symbol, now_ms, WINDOWS_MS[self._window])
        if self._told != (bar.first_trade_id, bar.last_trade_id):
            self._told = bar.first_trade_id, bar.last_trade_id
            yield stream_documents.window_ticker(self.symbol, self._window, bar, now_ms)


class AllTickers(Stream):
    """The tickers of all symbols that have changed, as one array."""

    def __init__(self, tickers: Sequence[Stream], period_ms: int) -> None:
        self._tickers = tickers
        self.period_ms = period_ms

    def on_subscriber(self) -> None:
        for ticker in self._tickers:
            ticker.on_subscriber()

    def tick(self, now_ms: int) -> Iterator[list[Any]]:
        changed = [document for ticker in self._tickers for document in ticker.tick(now_ms)]
        if changed:
            yield changed


class AveragePrice(_SymbolStream):
    """The average price of the last minutes, whenever it is another or something traded."""

    period_ms = SLOW_MS
    _told: tuple[int, int] | None = None

    def on_subscriber(self) -> None:
        self._told = None

    def tick(self, now_ms: int) -> Iterator[Document]:
        trades = self._market.tapes[self.symbol.symbol_id].trades
        average = self._market.average_ticks(self.symbol, now_ms) or 0, trades[-1].time_ms if trades else 0
        if average != self._told:
            self._told = average
            yield stream_documents.average_price(self.symbol, *average, now_ms)


class ReferencePrices(_SymbolStream):
    """The reference price, whenever it is another; nothing before there is one."""

    period_ms = SLOW_MS
    _told: tuple[int | None] | None = None

    def on_subscriber(self) -> None:
        self._told = None

    def tick(self, now_ms: int) -> Iterator[Document]:
        reference = self._market.reference_price(self.symbol, now_ms)
        if reference is not None and (reference.price_units,) != self._told:
            self._told = (reference.price_units,)
            yield stream_documents.reference_price(self.symbol, reference)


class Klines(_SymbolStream):
    """The current bar of an interval whenever it has changed, and once more when it is closed."""

    period_ms = SLOW_MS

    def __init__(self, market: PublicMarket, symbol: Symbol, interval: Interval) -> None:
        super().__init__(market, symbol)
        self._interval = interval
        self._told: tuple[int, int] | None = None  # when the bar told last began, and its count of trades

    def on_subscriber(self) -> None:
        """Tell the current bar to the new one, too, and leave out none."""
        if self._told is not None:
            self._told = self._told[0], -1

    def tick(self, now_ms: int) -> Iterator[Document]:
        """Tell the bars that have ended since the last tick, and the current one."""
        since_ms = now_ms if self._told is None else self._told[0]
        for bar in self._market.tapes[self.symbol.symbol_id].bars_since(self._interval, since_ms, now_ms):
            end_ms = self._interval.end_of(bar.open_ms)
            is_closed = end_ms <= now_ms
            if is_closed or self._told != (bar.open_ms, bar.count):
                self._told = (end_ms, -1) if is_closed else (bar.open_ms, bar.count)
                yield stream_documents.kline(self.symbol, self._interval.name, bar, end_ms, now_ms, is_closed=is_closed)


_PLAIN: Final[Mapping[str, type[_SymbolStream]]] = {
    "trade": Trades,
    "aggTrade": AggregateTrades,
    "bookTicker": BookTicker,
    "miniTicker": MiniTicker,
    "ticker": Ticker,
    "avgPrice": AveragePrice,
    "referencePrice": ReferencePrices,
}

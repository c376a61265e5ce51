"""The market streams: what each one tells, and when. Each lives from its first subscriber to its last."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from market.depth import Depth
from paper.calls import documents
from paper.exchange.public_book import Touched
from paper.exchange.public_market import PublicMarket
from paper.exchange.tape import PublicTrade, aggregated
from paper.intervals import INTERVALS
from paper.streams import documents as stream_documents
from paper.streams.documents import Document
from paper.units import Symbol

FAST_MS: Final = 100
SLOW_MS: Final = 1_000

_NAME = re.compile(
    r"(?P<symbol>[a-z0-9]{2,20})@(?:(?P<plain>trade|aggTrade|bookTicker|miniTicker|ticker)"
    r"|depth(?P<levels>5|10|20)?(?P<speed>@100ms|@1000ms)?"
    rf"|kline_(?P<interval>{'|'.join(INTERVALS)}))",
    re.ASCII,
)
_NAME_OF_ALL = re.compile(r"!miniTicker@arr(?:@(?P<period>1000|3000)ms)?", re.ASCII)


class Stream:
    """One stream; what its methods yield goes to its subscribers.

    Attributes:
        period_ms: how often `tick` is called, a multiple of FAST_MS; 0 for never.
    """

    period_ms = 0

    def on_trades(self, symbol: Symbol, trades: Sequence[PublicTrade]) -> Iterable[Document]:  # noqa: ARG002
        """Take trades of a symbol."""
        return ()

    def on_subscriber(self) -> None:
        """Hear that one more client listens."""

    def on_book(self, symbol: Symbol, touched: Touched) -> Iterable[Document]:  # noqa: ARG002
        """Look at the book of a symbol, in which levels may have changed."""
        return ()

    def tick(self, now_ms: int) -> Iterable[Document | list[Document]]:  # noqa: ARG002
        """Tell what has gathered since the last tick."""
        return ()


def open_stream(name: str, market: PublicMarket) -> Stream | None:
    """Return the stream of that name, or None if there is no such stream or symbol."""
    match = _NAME_OF_ALL.fullmatch(name)
    if match is not None:
        return AllMiniTickers(market, int(match["period"] or SLOW_MS))
    match = _NAME.fullmatch(name)
    symbol = market.symbols.get(match["symbol"].upper()) if match is not None else None
    if match is None or symbol is None:
        return None
    if match["interval"] is not None:
        return Klines(market, symbol, match["interval"])
    period_ms = FAST_MS if match["speed"] == "@100ms" else SLOW_MS
    if match["levels"] is not None:
        return PartialDepth(market, symbol, int(match["levels"]), period_ms)
    match match["plain"]:
        case "trade":
            return Trades(symbol)
        case "aggTrade":
            return AggregateTrades(symbol)
        case "bookTicker":
            return BookTicker(market, symbol)
        case "miniTicker" | "ticker" as kind:
            return Ticker(market, symbol, is_mini=kind == "miniTicker")
        case _:
            return DepthUpdates(market, symbol, period_ms)


class Trades(Stream):
    """Every trade, as it happens."""

    def __init__(self, symbol: Symbol) -> None:
        self._symbol = symbol

    def on_trades(self, symbol: Symbol, trades: Sequence[PublicTrade]) -> Iterator[Document]:
        """Tell trades of our symbol."""
        if symbol is self._symbol:
            for trade in trades:
                yield stream_documents.trade(symbol, trade)


class AggregateTrades(Stream):
    """The trades, those of one moment, price and direction as one."""

    def __init__(self, symbol: Symbol) -> None:
        self._symbol = symbol

    def on_trades(self, symbol: Symbol, trades: Sequence[PublicTrade]) -> Iterator[Document]:
        """Tell trades of our symbol."""
        if symbol is self._symbol:
            for group in aggregated(trades):
                yield stream_documents.aggregate_trade(symbol, group)


class BookTicker(Stream):
    """The best prices, whenever they change."""

    def __init__(self, market: PublicMarket, symbol: Symbol) -> None:
        self._market, self._symbol = market, symbol
        self._told: Depth | None = None

    def on_book(self, symbol: Symbol, touched: Touched) -> Iterator[Document]:  # noqa: ARG002
        """Tell the best prices if they are others than those told last."""
        if symbol is not self._symbol:
            return
        best = self._market.depth(symbol, 1)
        if best != self._told:
            self._told = best
            yield stream_documents.book_ticker(symbol, best, self._market.update_id(symbol))


class DepthUpdates(Stream):
    """The levels that were touched; each update begins where the last one ended, whatever happens to the engine.

    Also a level that is the same again is told, with quantity 0 if it is gone again: a client may have taken a snapshot
    in between, and without a word of it would keep what that one has shown.
    """

    def __init__(self, market: PublicMarket, symbol: Symbol, period_ms: int) -> None:
        self._market, self._symbol, self.period_ms = market, symbol, period_ms
        self._told_id = market.update_id(symbol)
        self._touched = Touched(set(), set())

    def on_book(self, symbol: Symbol, touched: Touched) -> Iterable[Document]:
        """Gather what was touched."""
        if symbol is self._symbol:
            self._touched.bids.update(touched.bids)
            self._touched.asks.update(touched.asks)
        return ()

    def tick(self, now_ms: int) -> Iterator[Document]:
        """Tell what was touched since the last tick, as it is now."""
        if not self._touched:
            return
        touched, self._touched = self._touched, Touched(set(), set())
        first_id, self._told_id = self._told_id + 1, self._market.update_id(self._symbol)
        levels = self._market.levels(self._symbol, touched)
        yield stream_documents.depth_update(self._symbol, levels, first_id, self._told_id, now_ms)


class PartialDepth(Stream):
    """The best levels, whole, whenever the book has changed or somebody new listens."""

    def __init__(self, market: PublicMarket, symbol: Symbol, level_count: int, period_ms: int) -> None:
        self._market, self._symbol, self._level_count, self.period_ms = market, symbol, level_count, period_ms
        self._told_id = -1

    def on_subscriber(self) -> None:
        """Tell it to the new one, too: a quiet book has nothing else to say."""
        self._told_id = -1

    def tick(self, now_ms: int) -> Iterator[Document]:  # noqa: ARG002
        """Tell the best levels."""
        update_id = self._market.update_id(self._symbol)
        if update_id != self._told_id:
            self._told_id = update_id
            yield documents.depth(self._symbol, self._market.depth(self._symbol, self._level_count), update_id)


class Ticker(Stream):
    """The last 24 hours, whenever something traded or, for the long form, the book has changed."""

    period_ms = SLOW_MS

    def __init__(self, market: PublicMarket, symbol: Symbol, *, is_mini: bool) -> None:
        self._market, self._symbol, self._is_mini = market, symbol, is_mini
        self._told: tuple[int, int] | None = None

    def on_subscriber(self) -> None:
        """Tell it to the new one, too."""
        self._told = None

    def tick(self, now_ms: int) -> Iterator[Document]:
        """Tell the 24 hours that end now."""
        market, symbol = self._market, self._symbol
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


class AllMiniTickers(Stream):
    """The short tickers of all symbols that have changed, as one array."""

    def __init__(self, market: PublicMarket, period_ms: int) -> None:
        self._tickers = [Ticker(market, symbol, is_mini=True) for symbol in market.symbols.values()]
        self.period_ms = period_ms

    def on_subscriber(self) -> None:
        """Tell all to the new one, too."""
        for ticker in self._tickers:
            ticker.on_subscriber()

    def tick(self, now_ms: int) -> Iterator[list[Document]]:
        """Tell those that changed."""
        changed = [document for ticker in self._tickers for document in ticker.tick(now_ms)]
        if changed:
            yield changed


class Klines(Stream):
    """The current bar of an interval whenever it has changed, and once more when it is closed."""

    period_ms = SLOW_MS

    def __init__(self, market: PublicMarket, symbol: Symbol, interval: str) -> None:
        self._market, self._symbol, self._interval = market, symbol, INTERVALS[interval]
        self._told: tuple[int, int] | None = None  # when the bar told last began, and its count of trades

    def on_subscriber(self) -> None:
        """Tell the current bar to the new one, too, and leave out none."""
        if self._told is not None:
            self._told = self._told[0], -1

    def tick(self, now_ms: int) -> Iterator[Document]:
        """Tell the bars that have ended since the last tick, and the current one."""
        since_ms = now_ms if self._told is None else self._told[0]
        for bar in self._market.tapes[self._symbol.symbol_id].bars_since(self._interval, since_ms, now_ms):
            end_ms = self._interval.end_of(bar.open_ms)
            is_closed = end_ms <= now_ms
            if is_closed or self._told != (bar.open_ms, bar.count):
                self._told = (end_ms, -1) if is_closed else (bar.open_ms, bar.count)
                yield stream_documents.kline(
                    self._symbol, self._interval.name, bar, end_ms, now_ms, is_closed=is_closed
                )

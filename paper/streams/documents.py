"""The JSON documents of the market streams, with Binance's one-letter names; prices and quantities are decimal text."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from market.codes import Side
from market.depth import Depth
from paper.calls import documents
from paper.exchange.filters import AVERAGE_MINUTES
from paper.exchange.price_range import ReferencePrice
from paper.exchange.tape import Bar, PublicTrade
from paper.units import Symbol

Document = dict[str, Any]

# What the calls' documents call what a letter stands for; of a bar, in the order of its cells.
_BAR_LETTERS: Final = "tohlcvTqnVQB"
_BEST_LETTERS: Final = {"b": "bidPrice", "B": "bidQty", "a": "askPrice", "A": "askQty"}
_MINI_TICKER_LETTERS: Final = {
    "c": "lastPrice", "o": "openPrice", "h": "highPrice", "l": "lowPrice", "v": "volume", "q": "quoteVolume",
}  # fmt: skip
_TICKER_LETTERS: Final = {
    **_MINI_TICKER_LETTERS, "p": "priceChange", "P": "priceChangePercent", "w": "weightedAvgPrice",
    "O": "openTime", "C": "closeTime", "F": "firstId", "L": "lastId", "n": "count",
}  # fmt: skip
_DAY_TICKER_LETTERS: Final = {**_TICKER_LETTERS, **_BEST_LETTERS, "x": "prevClosePrice", "Q": "lastQty"}


def trade(symbol: Symbol, trade: PublicTrade) -> Document:
    """Return one trade."""
    return {
        **_head("trade", symbol, trade.time_ms),
        "t": trade.trade_id,
        "p": symbol.price_text(trade.price_ticks),
        "q": symbol.qty_text(trade.qty_lots),
        "T": trade.time_ms,
        "m": trade.taker_side is Side.SELL,
        "M": True,
    }


def aggregate_trade(symbol: Symbol, trades: Sequence[PublicTrade]) -> Document:
    """Return trades of one moment, price and direction as one."""
    return {**_head("aggTrade", symbol, trades[0].time_ms), **documents.aggregate_trade(symbol, trades)}


def book_ticker(symbol: Symbol, book: Depth, update_id: int) -> Document:
    """Return the best prices; a side without orders has price and quantity 0."""
    return {"u": update_id, "s": symbol.name, **in_letters(_BEST_LETTERS, documents.book_ticker(symbol, book))}


def depth_update(symbol: Symbol, changes: Depth, first_id: int, last_id: int, now_ms: int) -> Document:
    """Return the levels that changed with the updates `first_id` to `last_id`; a quantity of 0 removes one."""
    bids, asks = (documents.levels(symbol, side) for side in changes)
    return {**_head("depthUpdate", symbol, now_ms), "U": first_id, "u": last_id, "b": bids, "a": asks}


def kline(symbol: Symbol, interval: str, bar: Bar, end_ms: int, now_ms: int, *, is_closed: bool) -> Document:
    """Return a bar as it stands."""
    cells = dict(zip(_BAR_LETTERS, documents.kline(symbol, bar, end_ms), strict=True))
    ids = {"f": bar.first_trade_id, "L": bar.last_trade_id}
    return {
        **_head("kline", symbol, now_ms),
        "k": {**cells, "s": symbol.name, "i": interval, **ids, "x": is_closed},
    }


def mini_ticker(symbol: Symbol, day: Bar, now_ms: int) -> Document:
    """Return the last 24 hours in short."""
    whole = documents.mini_ticker(symbol, day, now_ms)
    return {**_head("24hrMiniTicker", symbol, now_ms), **in_letters(_MINI_TICKER_LETTERS, whole)}


def day_ticker(symbol: Symbol, day: Bar, last_qty_lots: int, book: Depth, now_ms: int) -> Document:
    """Return the last 24 hours and the best prices."""
    whole = documents.day_ticker(symbol, day, last_qty_lots, book, now_ms)
    return {**_head("24hrTicker", symbol, now_ms), **in_letters(_DAY_TICKER_LETTERS, whole)}


def window_ticker(symbol: Symbol, window: str, bar: Bar, now_ms: int) -> Document:
    """Return what has traded in a window that ends now."""
    whole = documents.ticker(symbol, bar, now_ms)
    return {**_head(f"{window}Ticker", symbol, now_ms), **in_letters(_TICKER_LETTERS, whole)}


def average_price(symbol: Symbol, average_ticks: int, traded_ms: int, now_ms: int) -> Document:
    """Return the average price of the last minutes, and when the last trade was."""
    average = {"i": f"{AVERAGE_MINUTES}m", "w": symbol.price_text(average_ticks), "T": traded_ms}
    return {**_head("avgPrice", symbol, now_ms), **average}


def reference_price(symbol: Symbol, reference: ReferencePrice) -> Document:
    """Return the reference price at a time, null while nothing has traded for some minutes."""
    return {"e": "referencePrice", "s": symbol.name, "r": reference.price_text, "t": reference.time_ms}


def in_letters(letters: Mapping[str, str], whole: Document) -> Document:
    """Return some of a call's document under the letters that streams have for its names."""
    return {letter: whole[name] for letter, name in letters.items()}


def _head(name: str, symbol: Symbol, now_ms: int) -> Document:
    return {"e": name, "E": now_ms, "s": symbol.name}

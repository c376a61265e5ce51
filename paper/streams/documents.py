"""The JSON documents of the market streams, with Binance's one-letter names; prices and quantities are decimal text."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from market.codes import Side
from market.depth import Depth, Level
from paper.calls import documents
from paper.exchange.tape import Bar, PublicTrade
from paper.units import Symbol, format_units

Document = dict[str, Any]

_NO_LEVEL: Final = Level(0, 0)


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
    bid, ask = (side[0] if side else _NO_LEVEL for side in book)
    return {
        "u": update_id,
        "s": symbol.name,
        "b": symbol.price_text(bid.price_ticks),
        "B": symbol.qty_text(bid.qty_lots),
        "a": symbol.price_text(ask.price_ticks),
        "A": symbol.qty_text(ask.qty_lots),
    }


def depth_update(symbol: Symbol, changes: Depth, first_id: int, last_id: int, now_ms: int) -> Document:
    """Return the levels that changed with the updates `first_id` to `last_id`; a quantity of 0 removes one."""
    return {
        **_head("depthUpdate", symbol, now_ms),
        "U": first_id,
        "u": last_id,
        "b": _levels(symbol, changes.bids),
        "a": _levels(symbol, changes.asks),
    }


def kline(symbol: Symbol, interval: str, bar: Bar, end_ms: int, now_ms: int, *, is_closed: bool) -> Document:
    """Return a bar as it stands."""
    open_ms, first, high, low, last, qty, close_ms, quote, count, bought, bought_quote, _ = documents.kline(
        symbol, bar, end_ms
    )
    return {
        **_head("kline", symbol, now_ms),
        "k": {
            "t": open_ms,
            "T": close_ms,
            "s": symbol.name,
            "i": interval,
            "f": bar.first_trade_id,
            "L": bar.last_trade_id,
            "o": first,
            "c": last,
            "h": high,
            "l": low,
            "v": qty,
            "n": count,
            "x": is_closed,
            "q": quote,
            "V": bought,
            "Q": bought_quote,
            "B": "0",
        },
    }


def mini_ticker(symbol: Symbol, day: Bar, now_ms: int) -> Document:
    """Return the last 24 hours in short."""
    return {
        **_head("24hrMiniTicker", symbol, now_ms),
        "c": symbol.price_text(day.close_ticks),
        "o": symbol.price_text(day.open_ticks),
        "h": symbol.price_text(day.high_ticks),
        "l": symbol.price_text(day.low_ticks),
        "v": symbol.qty_text(day.qty_lots),
        "q": format_units(day.notional_ticks_lots * symbol.notional_units),
    }


def day_ticker(symbol: Symbol, day: Bar, last_qty_lots: int, book: Depth, now_ms: int) -> Document:
    """Return the last 24 hours and the best prices."""
    whole = documents.day_ticker(symbol, day, last_qty_lots, book, now_ms)
    return {
        **mini_ticker(symbol, day, now_ms),
        "e": "24hrTicker",
        "p": whole["priceChange"],
        "P": whole["priceChangePercent"],
        "w": whole["weightedAvgPrice"],
        "x": whole["prevClosePrice"],
        "Q": whole["lastQty"],
        "b": whole["bidPrice"],
        "B": whole["bidQty"],
        "a": whole["askPrice"],
        "A": whole["askQty"],
        "O": whole["openTime"],
        "C": whole["closeTime"],
        "F": whole["firstId"],
        "L": whole["lastId"],
        "n": whole["count"],
    }


def _head(name: str, symbol: Symbol, now_ms: int) -> Document:
    return {"e": name, "E": now_ms, "s": symbol.name}


def _levels(symbol: Symbol, side: Iterable[Level]) -> list[list[str]]:
    return [[symbol.price_text(price), symbol.qty_text(qty)] for price, qty in side]

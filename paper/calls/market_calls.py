"""The public calls: what is traded, the book, the trades, the tickers."""

from typing import Any, Final

from paper.access.usage import LIMITS, LIMITS_OF_SOCKET
from paper.calls import documents
from paper.calls.call import Call
from paper.calls.documents import Document
from paper.errors import ErrorKind, ExchangeError
from paper.exchange.filters import AVERAGE_MINUTES
from paper.exchange.tape import aggregated_whole
from paper.intervals import INTERVALS

DEPTH_LIMIT_DEFAULT: Final = 100
_DEPTH_LIMIT_MAX: Final = 5_000
_PERMISSIONS: Final = frozenset({"SPOT"})


async def ping(_: Call) -> Document:
    """Say that the exchange is there."""
    return {}


async def server_time(call: Call) -> Document:
    """Tell the exchange's time."""
    return {"serverTime": call.now_ms}


async def exchange_info(call: Call) -> Document:
    """Tell what is traded, by which rules."""
    permissions = call.get("permissions", _PERMISSIONS)
    if "permissions" in call.values and call.values.keys() & {"symbol", "symbols"}:
        raise ExchangeError(ErrorKind.BAD_COMBINATION)
    symbols = call.symbols if permissions & _PERMISSIONS else []
    has_sets = call.get("showPermissionSets", True)
    limits = LIMITS_OF_SOCKET if call.is_on_socket else LIMITS
    return documents.exchange_info(symbols, limits, call.now_ms, call.exchange.halted, has_permission_sets=has_sets)


async def depth(call: Call) -> Document:
    """Tell the price levels of the book."""
    limit = min(call.get("limit", DEPTH_LIMIT_DEFAULT), _DEPTH_LIMIT_MAX)
    (symbol,) = call.symbols
    return documents.depth(symbol, call.exchange.market.depth(symbol, limit), call.exchange.market.update_id(symbol))


async def trades(call: Call) -> list[Document]:
    """Tell the latest trades, oldest first."""
    tape = call.exchange.market.tapes[call.symbol.symbol_id]
    return [documents.public_trade(call.symbol, trade) for trade in list(tape.trades)[-call.limit :]]


async def aggregate_trades(call: Call) -> list[Document]:
    """Tell the trades, those of one moment, price and direction as one."""
    from_id, start_ms, end_ms = call.get("fromId"), call.get("startTime"), call.get("endTime")
    if from_id is not None and (start_ms is not None or end_ms is not None):
        raise ExchangeError(ErrorKind.BAD_COMBINATION)
    tape = call.exchange.market.tapes[call.symbol.symbol_id]
    groups = [
        group
        for group in aggregated_whole(tape.trades)
        if (from_id is None or group[0].trade_id >= from_id)
        and (start_ms is None or group[0].time_ms >= start_ms)
        and (end_ms is None or group[0].time_ms <= end_ms)
    ]
    is_from_the_end = from_id is None and start_ms is None
    wanted = groups[-call.limit :] if is_from_the_end else groups[: call.limit]
    return [documents.aggregate_trade(call.symbol, group) for group in wanted]


async def klines(call: Call) -> list[list[Any]]:
    """Tell the bars of an interval, oldest first."""
    interval = call.values["interval"]
    tape = call.exchange.market.tapes[call.symbol.symbol_id]
    bars = tape.bars(interval, call.now_ms, call.get("startTime"), call.get("endTime"), call.limit)
    return [documents.kline(call.symbol, bar, INTERVALS[interval].end_of(bar.open_ms)) for bar in bars]


async def average_price(call: Call) -> Document:
    """Tell the average price of the last five minutes."""
    tape = call.exchange.market.tapes[call.symbol.symbol_id]
    return {
        "mins": AVERAGE_MINUTES,
        "price": call.symbol.price_text(call.exchange.market.average_ticks(call.symbol, call.now_ms) or 0),
        "closeTime": tape.trades[-1].time_ms if tape.trades else 0,
    }


async def day_ticker(call: Call) -> Document | list[Document]:
    """Tell the last 24 hours of one, several or all symbols."""
    is_mini = call.get("type") == "MINI"
    market, now_ms = call.exchange.market, call.now_ms
    answers = []
    for symbol in call.symbols:
        day = market.day(symbol, now_ms)
        answers.append(
            documents.mini_ticker(symbol, day, now_ms)
            if is_mini
            else documents.day_ticker(symbol, day, market.last_qty_lots(symbol), market.depth(symbol, 1), now_ms)
        )
    return _one_or_many(call, answers)


async def price_ticker(call: Call) -> Document | list[Document]:
    """Tell the last price of one, several or all symbols."""
    market = call.exchange.market
    prices = [
        {"symbol": symbol.name, "price": symbol.price_text(market.last_ticks(symbol, call.now_ms))}
        for symbol in call.symbols
    ]
    return _one_or_many(call, prices)


async def book_ticker(call: Call) -> Document | list[Document]:
    """Tell the best prices of one, several or all symbols."""
    market = call.exchange.market
    return _one_or_many(call, [documents.book_ticker(symbol, market.depth(symbol, 1)) for symbol in call.symbols])


def _one_or_many(call: Call, answers: list[Document]) -> Document | list[Document]:
    return answers[0] if "symbol" in call.values else answers

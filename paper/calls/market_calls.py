"""The public calls: what is traded, the book, the trades, the tickers."""

from collections.abc import Callable
from typing import Any, Final

from paper.access.usage import LIMITS, LIMITS_OF_SOCKET
from paper.calls import documents
from paper.calls.call import Call
from paper.calls.documents import Document
from paper.errors import ErrorKind, ExchangeError
from paper.exchange.filters import AVERAGE_MINUTES
from paper.exchange.price_range import BUCKET_COUNT, BUCKET_WIDTH_MS, CALCULATION_TYPE, RULE, ReferencePrice
from paper.exchange.tape import Bar, aggregated_whole
from paper.intervals import DAY_MS, INTERVALS
from paper.units import Symbol

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


async def historical_trades(call: Call) -> list[Document]:
    """Tell the trades from an id on, oldest first, or the latest, as far as they are kept."""
    if "fromId" not in call.values:
        return await trades(call)
    tape = call.exchange.market.tapes[call.symbol.symbol_id]
    wanted = [trade for trade in tape.trades if trade.trade_id >= call.values["fromId"]]
    return [documents.public_trade(call.symbol, trade) for trade in wanted[: call.limit]]


async def block_trades(call: Call) -> list[Document]:
    """Tell that there are none: nobody trades but in the book."""
    call.check_symbol()
    return []


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
    interval = call.values["interval"].in_zone(call.get("timeZone", 0))
    tape = call.exchange.market.tapes[call.symbol.symbol_id]
    bars = tape.bars(interval, call.now_ms, call.get("startTime"), call.get("endTime"), call.limit)
    return [documents.kline(call.symbol, bar, interval.end_of(bar.open_ms)) for bar in bars]


async def chart_klines(call: Call) -> list[list[Any]]:
    """Tell the bars of an interval for a chart, which are no others."""
    return await klines(call)


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


async def window_ticker(call: Call) -> Document | list[Document]:
    """Tell what has traded of late, of one or several symbols."""
    market, length_ms = call.exchange.market, call.get("windowSize", DAY_MS)
    tell = _ticker_of(call)
    answers = [tell(each, market.window(each, call.now_ms, length_ms), call.now_ms) for each in _named(call)]
    return _one_or_many(call, answers)


async def trading_day_ticker(call: Call) -> Document | list[Document]:
    """Tell what has traded since midnight somewhere, of one or several symbols."""
    market, day = call.exchange.market, INTERVALS["1d"].in_zone(call.get("timeZone", 0))
    tell, end_ms = _ticker_of(call), day.end_of(day.open_of(call.now_ms))
    answers = [tell(each, market.current_bar(each, day, call.now_ms), end_ms - 1) for each in _named(call)]
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


async def execution_rules(call: Call) -> Document:
    """Tell between which multiples of the reference price symbols trade."""
    if len(call.values) > 1:
        raise ExchangeError(ErrorKind.BAD_COMBINATION)
    return {"symbolRules": [{"symbol": symbol.name, "rules": [RULE]} for symbol in call.symbols]}


async def reference_price(call: Call) -> Document:
    """Tell the reference price of a symbol; null while nothing has traded for some minutes."""
    reference = _reference(call, call.symbol)
    return {
        "symbol": call.symbol.name,
        "referencePrice": reference.price_text,
        "timestamp": reference.time_ms,
    }


async def reference_price_calculation(call: Call) -> Document:
    """Tell how the reference price of a symbol comes about."""
    (symbol,) = call.symbols
    _reference(call, symbol)
    return {
        "symbol": symbol.name,
        "calculationType": CALCULATION_TYPE,
        "bucketCount": BUCKET_COUNT,
        "bucketWidthMs": BUCKET_WIDTH_MS,
    }


def _reference(call: Call, symbol: Symbol) -> ReferencePrice:
    reference = call.exchange.market.reference_price(symbol, call.now_ms)
    if reference is None:
        raise ExchangeError(ErrorKind.NO_REFERENCE_PRICE)
    return reference


def _named(call: Call) -> list[Symbol]:
    """Return the symbols of a call that must name them."""
    if not call.values.keys() & {"symbol", "symbols"}:
        raise ExchangeError(ErrorKind.EITHER_PARAMETER, first="symbol", second="symbols")
    return call.symbols


def _ticker_of(call: Call) -> Callable[[Symbol, Bar, int], Document]:
    return documents.mini_ticker if call.get("type") == "MINI" else documents.ticker


def _one_or_many(call: Call, answers: list[Document]) -> Document | list[Document]:
    return answers[0] if "symbol" in call.values else answers

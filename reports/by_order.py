"""What the fills of each level, model and rule have realized: made of a day's document when somebody asks.

A fill realizes what it closes, by FIFO, so its result goes to the order that closed a lot and not to the one that
opened it; a fill that only opens realizes nothing.
"""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from market.exact_json import JsonObject
from reports.exact import EXACT, figure
from reports.performance import book_of, day_of
from reports.pnl import FifoBook
from reports.trade_history import FillDetail, HistoryRow, fee_value

BY: Final = ("level", "model", "rule")
_ZERO: Final = Fraction(0)


def realized_by_order(document: JsonObject) -> JsonObject:
    """Return what fills have realized, by symbol and by `level`, `model` and `rule` of the orders that they filled.

    Returns:
        under each of the three rows with `symbol`, the level, model or rule (null where it is not known, last), how
        many `fills`, and in quote `volume` and `pnl`, after the fees of both legs. The `pnl` of a symbol's rows add up
        to the symbol's in the document to the last unit: a row is what it adds to the rounded sum of those before it,
        so that it may differ by a unit of the 12th decimal from what it would be rounded by itself. No rows where the
        document has no `trade_history`.
    """
    realized = list(_realized(document)) if "trade_history" in document else []
    return {name: _rows(realized, name) for name in BY}


def _realized(document: JsonObject) -> Iterator[tuple[HistoryRow, Fraction]]:
    """Yield the day's fills, oldest first, each with what it has realized."""
    book = book_of(day_of(document), document)
    lots = {symbol: FifoBook(one.base) for symbol, one in book.instruments.items()}
    for symbol, one in lots.items():
        for lot in book.carried.of(symbol):
            one.carry(lot)
    for row in book.rows:
        symbol = row.trade.symbol
        yield row, lots[symbol].apply(row.trade, fee_value(row, book.instruments[symbol]))


def _rows(realized: list[tuple[HistoryRow, Fraction]], name: str) -> list[JsonObject]:
    sums: dict[tuple[str, Any], tuple[int, Fraction, Fraction]] = {}
    for row, pnl in realized:
        key = row.trade.symbol, getattr(row.detail or FillDetail(), name)
        count, volume, before = sums.get(key, (0, _ZERO, _ZERO))
        sums[key] = count + 1, volume + Fraction(row.trade.quote_qty), before + pnl
    found = []
    passed: dict[str, Fraction] = {}
    for symbol, value in sorted(sums, key=lambda key: (key[0], key[1] is None, key[1] or 0)):
        count, volume, pnl = sums[symbol, value]
        before = passed.get(symbol, _ZERO)
        passed[symbol] = before + pnl
        added: Decimal = EXACT.subtract(figure(passed[symbol]), figure(before))
        found.append(
            {"symbol": symbol, name: value, "fills": count, "volume": figure(volume), "pnl": figure(Fraction(added))}
        )
    return found

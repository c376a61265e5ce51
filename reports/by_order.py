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
from reports.fifo_again import fills_and_books
from reports.trade_history import FillDetail, HistoryRow, fee_value

BY: Final = ("level", "model", "rule")
_ZERO: Final = Fraction(0)
_NOTHING: Final = Decimal(0)

_Sums = dict[tuple[str, int | None, str | None, str | None], tuple[int, Decimal, Fraction]]


def realized_by_order(document: JsonObject) -> JsonObject:
    """Return what fills have realized, by symbol and by `level`, `model` and `rule` of the orders that they filled.

    Returns:
        under each of the three rows with `symbol`, the level, model or rule (null where it is not known, last), how
        many `fills`, and in quote `volume` and `pnl`, after the fees of both legs. The `pnl` of a symbol's rows add up
        to the symbol's in the document to the last unit: a row is what it adds to the rounded sum of those before it,
        so that it may differ by a unit of the 12th decimal from what it would be rounded by itself. No rows where the
        document has no `trade_history`.
    """
    by_all = _summed(_realized(document)) if "trade_history" in document else {}
    return {name: _rows(by_all, name) for name in BY}


def _realized(document: JsonObject) -> Iterator[tuple[HistoryRow, Fraction]]:
    """Yield the day's fills, oldest first, each with what it has realized."""
    rows, instruments, books = fills_and_books(document)
    for row in rows:
        symbol = row.trade.symbol
        yield row, books[symbol].apply(row.trade, fee_value(row, instruments[symbol]))


def _summed(realized: Iterator[tuple[HistoryRow, Fraction]]) -> _Sums:
    """Return how many fills, their volume and what they realized, by symbol, level, model and rule together."""
    sums: _Sums = {}
    for row, pnl in realized:
        detail = row.detail or FillDetail()
        key = row.trade.symbol, detail.level, detail.model, detail.rule
        count, volume, before = sums.get(key, (0, _NOTHING, _ZERO))
        sums[key] = count + 1, EXACT.add(volume, row.trade.quote_qty), before + pnl if pnl else before
    return sums


def _rows(by_all: _Sums, name: str) -> list[JsonObject]:
    sums: dict[tuple[str, Any], tuple[int, Decimal, Fraction]] = {}
    for (symbol, *values), (more, traded, earned) in by_all.items():
        key = symbol, values[BY.index(name)]
        count, volume, before = sums.get(key, (0, _NOTHING, _ZERO))
        sums[key] = count + more, EXACT.add(volume, traded), before + earned
    found = []
    passed: dict[str, Fraction] = {}
    for symbol, value in sorted(sums, key=lambda key: (key[0], key[1] is None, key[1] or 0)):
        count, volume, pnl = sums[symbol, value]
        before = passed.get(symbol, _ZERO)
        passed[symbol] = before + pnl
        added: Decimal = EXACT.subtract(figure(passed[symbol]), figure(before))
        found.append(
            {
                "symbol": symbol,
                name: value,
                "fills": count,
                "volume": figure(Fraction(volume)),
                "pnl": figure(Fraction(added)),
            }
        )
    return found

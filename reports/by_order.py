"""What the fills of each level, model and rule have realized: made of a day's document when somebody asks.

A fill realizes what it closes, by FIFO, so its result goes to the order that closed a lot and not to the one that
opened it; a fill that only opens realizes nothing.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from market.exact_json import JsonObject
from reports.day_book import DayBook
from reports.exact import EXACT, figure
from reports.exact_sum import ExactSum
from reports.performance import book_of, day_of
from reports.trade_history import FillDetail

BY: Final = ("level", "model", "rule")
_ZERO: Final = Fraction(0)
_NOTHING: Final = Decimal(0)

_NOT_KNOWN: Final = FillDetail()


class _Part:
    """What some fills come to."""

    __slots__ = ("fills", "pnl", "volume")

    def __init__(self) -> None:
        self.fills, self.volume, self.pnl = 0, _NOTHING, ExactSum()

    def take(self, other: "_Part") -> None:
        """Add others."""
        self.fills += other.fills
        self.volume = EXACT.add(self.volume, other.volume)
        self.pnl.add_sum(other.pnl)


_Parts = dict[tuple[str, int | None, str | None, str | None], _Part]


def realized_by_order(document: JsonObject, book: DayBook | None = None, symbol: str | None = None) -> JsonObject:
    """Return what fills have realized, by symbol and by `level`, `model` and `rule` of the orders that they filled.

    Args:
        book: of the document, from whom has it at hand: it is made anew otherwise.
        symbol: the only one that is told of.

    Returns:
        under each of the three rows with `symbol`, the level, model or rule (null where it is not known, last), how
        many `fills`, and in quote `volume` and `pnl`, after the fees of both legs. The `pnl` of a symbol's rows add up
        to the symbol's in the document to the last unit: a row is what it adds to the rounded sum of those before it,
        so that it may differ by a unit of the 12th decimal from what it would be rounded by itself. No rows where the
        document has no `trade_history`.
    """
    if "trade_history" not in document:
        return {name: [] for name in BY}
    parts = _parts(book or book_of(day_of(document), document))
    if symbol is not None:
        parts = {key: part for key, part in parts.items() if key[0] == symbol}
    return {name: _rows(parts, name) for name in BY}


def _parts(book: DayBook) -> _Parts:
    """Return the fills of a day by symbol, level, model and rule together."""
    parts: _Parts = {}
    for index, row in enumerate(book.rows):
        detail = row.detail or _NOT_KNOWN
        key = row.trade.symbol, detail.level, detail.model, detail.rule
        part = parts.get(key)
        if part is None:
            part = parts[key] = _Part()
        part.fills += 1
        part.volume = EXACT.add(part.volume, row.trade.quote_qty)
        book.realized.add_to(part.pnl, index)
    return parts


def _rows(parts: _Parts, name: str) -> list[JsonObject]:
    sums: dict[tuple[str, Any], _Part] = {}
    for (symbol, *values), part in parts.items():
        sums.setdefault((symbol, values[BY.index(name)]), _Part()).take(part)
    found = []
    passed: dict[str, Fraction] = {}
    for symbol, value in sorted(sums, key=lambda key: (key[0], key[1] is None, key[1] or 0)):
        part = sums[symbol, value]
        before = passed.get(symbol, _ZERO)
        passed[symbol] = before + part.pnl.value
        added: Decimal = EXACT.subtract(figure(passed[symbol]), figure(before))
        found.append(
            {
                "symbol": symbol,
                name: value,
                "fills": part.fills,
                "volume": figure(Fraction(part.volume)),
                "pnl": figure(Fraction(added)),
            }
        )
    return found

"""The day's metrics: each with how many things it was made of, and null with the reason where there are too few.

Amounts are in the quote asset of the day's symbols; docs/reports.md has every formula.
"""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final

from market.exact_json import JsonObject
from reports.day_book import DayBook
from reports.exact import figure, rounded
from reports.statistics import share_interval
from reports.symbol_book import SymbolBook

_ZERO = Fraction(0)
_RATIO_PLACES: Final = 6
_NO_TRIPS: Final = "no round trip was closed"
_NO_TRADES: Final = "there are no trades"


def metrics(book: DayBook, marks: Mapping[str, Decimal], equity: JsonObject, quoting: JsonObject | None) -> JsonObject:
    """Return the day's metrics by name.

    Args:
        marks: the mids at the last sight.
        equity: of the daily document.
        quoting: of the daily document; None where no maker has kept it.
    """
    traded = [one for one in book.symbols.values() if one.count]
    if len({one.instrument.quote for one in traded}) > 1:
        return dict.fromkeys(_NAMES, _missing("there are several quote assets"))
    count = len(book.rows)
    found = {
        **_attribution(traded, marks),
        "fees": _value(sum((one.fifo.paid_fees for one in traded), _ZERO), count),
        "picked_off_cost": _picked_off(quoting),
        **_round_trips(traded),
        "max_drawdown": _drawdown(book, marks),
        **_ratios(book, traded),
        **_of_orders(book, quoting),
        "presence": _presence(quoting),
        "hold_benchmark": _held(equity),
    }
    return {name: found[name] for name in _NAMES}


_NAMES: Final = (
    "spread_capture",
    "inventory_pnl",
    "fees",
    "picked_off_cost",
    "win_rate",
    "profit_factor",
    "expectancy",
    "max_drawdown",
    "maker_ratio",
    "fill_ratio",
    "order_to_trade",
    "turnover",
    "presence",
    "hold_benchmark",
)


def _attribution(traded: list[SymbolBook], marks: Mapping[str, Decimal]) -> JsonObject:
    """Return what came of the spread and of the inventory: together they are the day's result before fees.

    Marked to the mid just before each fill, a fill brings its part of the spread, and what is held changes its worth
    from mid to mid. A fill of which the mid is not known is marked at its own price: all of it counts as inventory.
    """
    count, marked = sum(one.count for one in traded), sum(one.spread.count for one in traded)
    if not marked:
        why = "no mid is known before any fill" if count else _NO_TRADES
        return dict.fromkeys(("spread_capture", "inventory_pnl"), _missing(why, missing=count))
    capture = sum((one.spread.capture for one in traded), _ZERO)
    found = {"spread_capture": _value(capture, marked, missing=count - marked)}
    if all(one.has_opening and one.instrument.symbol in marks for one in traded):
        paid = sum((one.fifo.paid_fees for one in traded), _ZERO)
        whole = sum((one.worth(marks[one.instrument.symbol]) for one in traded), _ZERO)
        found["inventory_pnl"] = _value(whole + paid - capture, marked, missing=count - marked)
    else:
        found["inventory_pnl"] = _missing("the mid at the opening or at the last sight is not known")
    return found


def _picked_off(quoting: JsonObject | None) -> JsonObject:
    if quoting is None:
        return _missing("no maker of this desk has kept its quoting")
    late = quoting["picked_off"]
    if late["count"] and late["markout_bps"] is None:
        return _missing("the mid after the fills is not known", n=late["count"])
    return _value(-Fraction(late["markout"]), late["count"])


def _round_trips(traded: list[SymbolBook]) -> JsonObject:
    count = sum(one.fifo.round_trips for one in traded)
    undecided = sum(one.fifo.undecided for one in traded)
    wins, decided = sum(one.fifo.wins for one in traded), count - undecided
    if undecided or not decided:
        why = "the fees of some round trips have no price" if undecided else _NO_TRIPS
        return dict.fromkeys(("win_rate", "profit_factor", "expectancy"), _missing(why, n=decided))
    won, lost = (sum((getattr(one.fifo, name) for one in traded), _ZERO) for name in ("won", "lost"))
    low, high = share_interval(wins, decided)
    rate = _ratio(Fraction(wins, decided), decided)
    interval = {"low": rounded(Fraction(low), _RATIO_PLACES), "high": rounded(Fraction(high), _RATIO_PLACES)}
    return {
        "win_rate": rate | interval,
        "profit_factor": _ratio(won / lost, decided) if lost else _missing("no round trip has lost", n=decided),
        "expectancy": _value((won - lost) / decided, decided),
    }


def _drawdown(book: DayBook, marks: Mapping[str, Decimal]) -> JsonObject:
    if not book.curve.count:
        return _missing("no mid is known before any fill" if book.rows else _NO_TRADES)
    return _value(book.curve.drawdown(marks), book.curve.count)


def _ratios(book: DayBook, traded: list[SymbolBook]) -> JsonObject:
    count = len(book.rows)
    if not count:
        return dict.fromkeys(("maker_ratio", "turnover"), _missing(_NO_TRADES))
    volumes = [volume for one in traded for volume in one.volumes.values()]
    made, volume = (sum((getattr(one, name) for one in volumes), _ZERO) for name in ("maker_quote", "quote"))
    found = {"maker_ratio": _ratio(made / volume, count) if volume else _missing("nothing was paid")}
    return found | {"turnover": _turnover(traded)}


def _of_orders(book: DayBook, quoting: JsonObject | None) -> JsonObject:
    """Return what became of the orders that the maker has placed on the day, in the pair that it quotes."""
    if quoting is None or "orders_filled" not in quoting:
        why = "how many orders were placed is not known" if book.rows else _NO_TRADES  # as files of before have it
        return dict.fromkeys(("fill_ratio", "order_to_trade"), _missing(why))
    placed, filled = quoting["orders"], quoting["orders_filled"]
    if not placed:
        return dict.fromkeys(("fill_ratio", "order_to_trade"), _missing("no order is known to have been placed"))
    fills = sum(row.trade.symbol == quoting["symbol"] for row in book.rows)
    found = {"fill_ratio": _ratio(Fraction(filled, placed), placed)}
    return found | {"order_to_trade": _ratio(Fraction(placed, fills), fills) if fills else _missing(_NO_TRADES)}


def _turnover(traded: list[SymbolBook]) -> JsonObject:
    """Return the traded quantity / the time-mean of the absolute inventory, from the first fill to the last."""
    if len(traded) != 1:
        return _missing("there are several symbols")
    found = traded[0].spread
    if not found.position_ms:
        return _missing("there was no inventory between the fills")
    qty = sum((volume.base for volume in traded[0].volumes.values()), _ZERO)
    return _ratio(qty * found.span_ms / found.position_ms, traded[0].count)


def _presence(quoting: JsonObject | None) -> JsonObject:
    if quoting is None:
        return _missing("no maker of this desk has kept its quoting")
    return _ratio(Fraction(quoting["presence"]), quoting["minutes"])


def _held(equity: JsonObject) -> JsonObject:
    """Return what the account of the start would be worth at the end, had nothing been traded."""
    if equity["end"] is None:
        return _missing(equity["why"])
    parts = equity["balances"].values()
    return _value(sum((Fraction(one["start"]) * Fraction(one["end_price"]) for one in parts), _ZERO), len(parts))


def _value(value: Fraction, n: int, **more: int) -> JsonObject:
    return {"value": figure(value), "n": n, **more}


def _ratio(value: Fraction, n: int) -> JsonObject:
    return {"value": rounded(value, _RATIO_PLACES), "n": n}


def _missing(why: str, n: int = 0, **more: int) -> JsonObject:
    return {"value": None, "n": n, **more, "why": why}

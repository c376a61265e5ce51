"""Round trips as the daily document tells them: the last ones of the day, and how many there were."""

from collections.abc import Iterable
from decimal import Decimal

from market.exact_json import JsonObject
from reports.exact import FIGURE_PLACES, figure_of_units
from reports.exact_sum import UNIT, ExactSum
from reports.pnl import TRIPS_KEPT, Ended, FifoBook


def trip_to_json(ended: Ended) -> JsonObject:
    """Return a lot that was closed to the last unit: in quote what it brought, in base how much it was."""
    lot, closed_ms = ended
    gross, fees, net = lot.gross_sum, lot.fees_sum, lot.gross_sum
    net.add_sum(fees, -1)
    return {
        "opened_ms": lot.trade.time_ms,
        "closed_ms": closed_ms,
        "symbol": lot.trade.symbol,
        "side": lot.side.name,
        "qty": _figure(ExactSum(lot.opened_units * UNIT)),
        "gross": _figure(gross),
        "fees": _figure(fees),
        "net": _figure(net),
    }


def _figure(total: ExactSum) -> Decimal:
    """Return what `figure` makes of a sum, without a fraction of it."""
    return figure_of_units(total.nearest(FIGURE_PLACES)[0])


def last_trips(books: Iterable[FifoBook]) -> JsonObject:
    """Return `n`, how many round trips ended, and `rows`: the last `TRIPS_KEPT` of all symbols, in order of ending."""
    every = list(books)
    ended = sorted((each for book in every for each in book.ended), key=lambda each: each.closed_ms)
    return {"n": sum(book.round_trips for book in every), "rows": list(map(trip_to_json, ended[-TRIPS_KEPT:]))}

"""All round trips of a day, one by one: made of its document when somebody asks, for the file holds the last ones."""

from collections.abc import Iterable

from market.exact_json import JsonObject
from reports.fifo_again import fills_and_books
from reports.lots import fill_units
from reports.trade_history import HistoryRow, fee_value
from reports.trips import trip_to_json


def round_trips(document: JsonObject, rows: Iterable[HistoryRow] | None = None) -> list[JsonObject]:
    """Return the lots that the day of a document has closed, by FIFO, oldest first by when they were closed.

    Args:
        rows: its fills, from whom has read them.

    Returns:
        of each `opened_ms`, `closed_ms`, `symbol`, `side` (SELL: it was a short), `qty`, and in quote `gross`, `fees`
        and `net`, of all its matches, on days of before, too; none where the document has no `trade_history`.
    """
    if "trade_history" not in document:
        return []
    fills, instruments, told = fills_and_books(document, None, rows)
    for row in fills:
        symbol = row.trade.symbol
        told[symbol].take(row.trade, fill_units(row.trade, fee_value(row, instruments[symbol])))
    ended = sorted((each for one in told.values() for each in one.ended), key=lambda each: each.closed_ms)
    return list(map(trip_to_json, ended))

"""All round trips of a day, one by one: made of its document when somebody asks, for the file holds the last ones."""

from market.exact_json import JsonObject
from reports.performance import book_of, day_of
from reports.pnl import FifoBook
from reports.trade_history import fee_value
from reports.trips import trip_to_json


def round_trips(document: JsonObject) -> list[JsonObject]:
    """Return the lots that the day of a document has closed, by FIFO, oldest first by when they were closed.

    Returns:
        of each `opened_ms`, `closed_ms`, `symbol`, `side` (SELL: it was a short), `qty`, and in quote `gross`, `fees`
        and `net`, of all its matches, on days of before, too; none where the document has no `trade_history`.
    """
    if "trade_history" not in document:
        return []
    book = book_of(day_of(document), document)
    told = {symbol: FifoBook(one.base, trips_kept=None) for symbol, one in book.instruments.items()}
    for symbol, one in told.items():
        for lot in book.carried.of(symbol):
            one.carry(lot)
    for row in book.rows:
        symbol = row.trade.symbol
        told[symbol].apply(row.trade, fee_value(row, book.instruments[symbol]))
    ended = sorted((each for one in told.values() for each in one.ended), key=lambda each: each.closed_ms)
    return list(map(trip_to_json, ended))

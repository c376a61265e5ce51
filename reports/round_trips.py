"""All round trips of a day, one by one: for who asks, for the file holds the last ones."""

from collections.abc import Iterator

from market.exact_json import JsonObject
from reports.day_book import DayBook
from reports.trips import trip_to_json


def round_trips(book: DayBook, symbol: str | None = None) -> Iterator[JsonObject]:
    """Yield the lots that a day has closed, by FIFO, oldest first by when they were closed.

    Args:
        book: one that keeps all of its round trips.
        symbol: the only one that is told of.

    Yields:
        of each `opened_ms`, `closed_ms`, `symbol`, `side` (SELL: it was a short), `qty`, and in quote `gross`, `fees`
        and `net`, of all its matches, on days of before, too.
    """
    told = (one.fifo for name, one in book.symbols.items() if symbol in (None, name))
    ended = sorted((each for one in told for each in one.ended), key=lambda each: each.closed_ms)
    return map(trip_to_json, ended)

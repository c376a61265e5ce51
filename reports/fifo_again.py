"""A day's fills matched once more, of its document alone: what asks for more than the file tells begins here."""

from collections.abc import Iterable

from market.exact_json import JsonObject
from market.instrument import Instrument
from reports.carried import Carried, carried_from_json
from reports.performance import history_of, instruments_of
from reports.pnl import TRIPS_KEPT, FifoBook
from reports.trade_history import HistoryRow


def fills_and_books(
    document: JsonObject, trips_kept: int | None = TRIPS_KEPT, rows: Iterable[HistoryRow] | None = None
) -> tuple[list[HistoryRow], dict[str, Instrument], dict[str, FifoBook]]:
    """Return the fills of a day, oldest first, and by symbol its instruments, and books that hold the carried lots.

    Args:
        document: one that has `trade_history`.
        trips_kept: how many of the last round trips each book keeps, None: all.
        rows: the day's fills, from whom has read them; those in other symbols are left out.
    """
    instruments = instruments_of(document)
    carried = carried_from_json(document["symbols"], instruments) if "symbols" in document else Carried()
    books = {symbol: FifoBook(one.base, trips_kept) for symbol, one in instruments.items()}
    for symbol, book in books.items():
        for lot in carried.of(symbol):
            book.carry(lot)
    known = history_of(document) if rows is None else [row for row in rows if row.trade.symbol in instruments]
    return sorted(known, key=lambda row: row.order), instruments, books

"""The round trips of a day, one by one: made of its document when somebody asks, for the file holds their fills."""

from market.account import VenueTrade
from market.exact_json import JsonObject
from reports.exact import figure
from reports.performance import book_of, day_of
from reports.pnl import FifoBook, Lot
from reports.trade_history import fee_value


class _ToldBook(FifoBook):
    """A book that keeps its round trips as a document would tell them."""

    def __init__(self, base: str) -> None:
        super().__init__(base)
        self.trips: list[JsonObject] = []

    def _end_trip(self, lot: Lot, last: VenueTrade) -> None:
        super()._end_trip(lot, last)
        self.trips.append(
            {
                "opened_ms": lot.trade.time_ms,
                "closed_ms": last.time_ms,
                "symbol": lot.trade.symbol,
                "side": lot.side.name,
                "qty": figure(lot.opened),
                "gross": figure(lot.gross),
                "fees": figure(lot.fees),
                "net": figure(lot.gross - lot.fees),
            }
        )


def round_trips(document: JsonObject) -> list[JsonObject]:
    """Return the lots that the day of a document has closed, by FIFO, oldest first by when they were closed.

    Returns:
        of each `opened_ms`, `closed_ms`, `symbol`, `side` (SELL: it was a short), `qty`, and in quote `gross`, `fees`
        and `net`, of all its matches, on days of before, too; none where the document has no `trade_history`.
    """
    if "trade_history" not in document:
        return []
    book = book_of(day_of(document), document)
    told = {symbol: _ToldBook(one.base) for symbol, one in book.instruments.items()}
    for symbol, one in told.items():
        for lot in book.carried.of(symbol):
            one.carry(lot)
    for row in book.rows:
        symbol = row.trade.symbol
        told[symbol].apply(row.trade, fee_value(row, book.instruments[symbol]))
    return sorted((trip for one in told.values() for trip in one.trips), key=lambda trip: int(trip["closed_ms"]))

"""A book of fills, and by how much they changed the account's worth, told without any lots."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction

from market.account import VenueTrade
from market.codes import Side
from reports.lots import Lot, fee_in_quote
from reports.pnl import FifoBook


class ToldBook(FifoBook):
    """A book that keeps the lots of its round trips, in the order in which they were closed."""

    def __init__(self, base: str) -> None:
        super().__init__(base)
        self.trips: list[Lot] = []

    def _end_trip(self, lot: Lot, last: VenueTrade) -> None:
        super()._end_trip(lot, last)
        self.trips.append(lot)

    @property
    def trip_nets(self) -> list[Fraction]:
        """What each round trip earned; before those of its fees that have no value."""
        return [lot.gross - lot.fees for lot in self.trips]


def fifo_pnl(
    trades: Iterable[VenueTrade], base: str, quote: str, mids: Mapping[str, Decimal] | None = None
) -> ToldBook:
    """Return the book of the `trades` of one symbol, in the order given; `mids` as in `fee_in_quote`."""
    book = ToldBook(base)
    for trade in trades:
        book.apply(trade, fee_in_quote(trade, base, quote, mids or {}))
    return book


def equity_change(
    trades: Iterable[VenueTrade], base: str, quote: str, mark: Decimal, mids: Mapping[str, Decimal] | None = None
) -> Fraction:
    """Return by how much `trades` changed the account's worth in quote, from what moved alone, base valued at `mark`.

    Third-asset fees count as in `fee_in_quote`, those without a mid as nothing.
    """
    cash = position = Fraction(0)
    for trade in trades:
        sign = 1 if trade.side is Side.BUY else -1
        position += sign * Fraction(trade.qty)
        cash -= sign * Fraction(trade.quote_qty)
        if trade.fee_asset == base:
            position -= Fraction(trade.fee)
        else:
            cash -= fee_in_quote(trade, base, quote, mids or {}) or Fraction(0)
    return cash + position * Fraction(mark)


def identity_gap(
    trades: Iterable[VenueTrade], base: str, quote: str, mark: Decimal, mids: Mapping[str, Decimal] | None = None
) -> Fraction:
    """Return (realized net + unrealized - fees on open lots) - change of equity: 0, or the books are wrong."""
    kept = tuple(trades)
    return fifo_pnl(kept, base, quote, mids).marked(mark) - equity_change(kept, base, quote, mark, mids)

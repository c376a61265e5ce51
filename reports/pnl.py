"""Realized profit and loss by FIFO, exactly.

Each fill is matched against the oldest open lots of the other side; what is left opens a lot of its own, so that a sell
without inventory is a short lot which a later buy closes. For a match of m units the gross is m x (sell price - buy
price); the fees of both legs go with it in proportion to the quantity. Every quantity, price and fee is a `Fraction`:
a share of a fee is exact, and the shares of a fill add up to its fee, to the last unit. (Their denominators cancel as
lots close, since only the oldest lot can be half closed: the totals stay small however long the day.)

Fees: in the quote asset they are what they are. In the base asset they also change the quantity, so that the lot is
what arrived in the account, and cost the fill's own price. In a third asset they cost what the caller says, its mid at
that time; without a value they stay out of the result and are named beside it, and a round trip that would have won
without them is neither won nor lost: nobody knows.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from market.account import VenueTrade
from market.codes import Side

_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Lot:
    """What is still open of a fill; `fees` is the share of its fee that belongs to the open part, in quote."""

    trade_id: int
    side: Side
    qty: Fraction
    price: Fraction
    fees: Fraction
    time_ms: int


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """A lot from the fill that opened it to the fill that closed the last of it; `fees` are those of both, in quote."""

    side: Side
    qty: Fraction
    opened_trade_id: int
    closed_trade_id: int
    opened_ms: int
    closed_ms: int
    gross: Fraction
    fees: Fraction
    has_unvalued_fees: bool = False

    @property
    def net(self) -> Fraction:
        """What the round trip earned; before those of its fees that have no value."""
        return self.gross - self.fees

    @property
    def is_win(self) -> bool:
        """Whether it earned something after all its fees; a tie is no win."""
        return self.net > 0 and not self.has_unvalued_fees

    @property
    def is_undecided(self) -> bool:
        """Whether fees of unknown value may have taken what it earned."""
        return self.net > 0 and self.has_unvalued_fees


@dataclass(frozen=True, slots=True)
class Pnl:
    """The result of a series of fills of one symbol, in its quote asset.

    Attributes:
        realized_gross: the matches, before fees.
        realized_fees: the fees of what was matched.
        open_lots: what is not matched yet, oldest first; all of one side.
        round_trips: the lots closed to the last unit, in the order of their closing.
        unvalued_fees: fees in third assets of unknown price, by asset and in it; in no other figure.
    """

    realized_gross: Fraction
    realized_fees: Fraction
    open_lots: tuple[Lot, ...]
    round_trips: tuple[RoundTrip, ...]
    unvalued_fees: dict[str, Fraction]

    @property
    def realized_net(self) -> Fraction:
        """The matches, after the fees of both legs."""
        return self.realized_gross - self.realized_fees

    @property
    def open_fees(self) -> Fraction:
        """The fees already paid for the open lots."""
        return sum((lot.fees for lot in self.open_lots), _ZERO)

    @property
    def position(self) -> Fraction:
        """The signed open quantity, in base."""
        return sum((lot.qty if lot.side is Side.BUY else -lot.qty for lot in self.open_lots), _ZERO)

    @property
    def wins(self) -> int:
        """How many round trips earned something after all their fees; a tie is no win."""
        return sum(trip.is_win for trip in self.round_trips)

    def unrealized(self, mark: Decimal) -> Fraction:
        """Return what the open lots would earn at the price `mark`, before any fee."""
        at = Fraction(mark)
        gains = (lot.qty * (at - lot.price if lot.side is Side.BUY else lot.price - at) for lot in self.open_lots)
        return sum(gains, _ZERO)

    def marked(self, mark: Decimal) -> Fraction:
        """Return realized net + unrealized - fees on open lots: by how much the fills changed the equity."""
        return self.realized_net + self.unrealized(mark) - self.open_fees


def fifo_pnl(trades: Iterable[VenueTrade], base: str, quote: str, mids: Mapping[str, Decimal] | None = None) -> Pnl:
    """Return the profit and loss of the `trades` of one symbol, in the order given.

    Args:
        mids: the price in quote of third assets that fees are paid in, by asset.
    """
    book = FifoBook(base, quote)
    for trade in trades:
        book.apply(trade, fee_in_quote(trade, base, quote, mids or {}))
    return book.pnl()


def fee_in_quote(trade: VenueTrade, base: str, quote: str, mids: Mapping[str, Decimal]) -> Fraction | None:
    """Return what the fee of `trade` cost in quote, or None for a third asset without a mid."""
    if trade.fee_asset == quote or not trade.fee:
        return Fraction(trade.fee)
    if trade.fee_asset == base:
        return Fraction(trade.fee) * _unit_price(trade)
    mid = mids.get(trade.fee_asset)
    return None if mid is None else Fraction(trade.fee) * Fraction(mid)


def equity_change(
    trades: Iterable[VenueTrade], base: str, quote: str, mark: Decimal, mids: Mapping[str, Decimal] | None = None
) -> Fraction:
    """Return by how much `trades` changed the account's worth in quote, from what moved alone, base valued at `mark`.

    Third-asset fees count as in `fee_in_quote`, those without a mid as nothing.
    """
    cash = position = _ZERO
    for trade in trades:
        sign = 1 if trade.side is Side.BUY else -1
        position += sign * Fraction(trade.qty)
        cash -= sign * Fraction(trade.quote_qty)
        if trade.fee_asset == base:
            position -= Fraction(trade.fee)
        else:
            cash -= fee_in_quote(trade, base, quote, mids or {}) or _ZERO
    return cash + position * Fraction(mark)


def identity_gap(
    trades: Iterable[VenueTrade], base: str, quote: str, mark: Decimal, mids: Mapping[str, Decimal] | None = None
) -> Fraction:
    """Return (realized net + unrealized - fees on open lots) - change of equity: 0, or the books are wrong."""
    kept = tuple(trades)
    return fifo_pnl(kept, base, quote, mids).marked(mark) - equity_change(kept, base, quote, mark, mids)


class _OpenLot:
    """A lot while it is being closed: what is left of it, and what its closed part has brought so far."""

    __slots__ = ("fee_per_unit", "fees", "gross", "is_unvalued", "left", "price", "qty", "side", "time_ms", "trade_id")

    def __init__(self, fill: "_Fill", qty: Fraction) -> None:
        self.trade_id, self.time_ms, self.side = fill.trade.trade_id, fill.trade.time_ms, fill.side
        self.qty, self.left, self.price = qty, qty, fill.price
        self.fee_per_unit, self.is_unvalued = fill.fee_per_unit, fill.is_unvalued
        self.gross = self.fees = _ZERO


@dataclass(frozen=True, slots=True)
class _Fill:
    """A fill on its way into the book; `qty` is what arrived in the account, or left it."""

    trade: VenueTrade
    side: Side
    qty: Fraction
    price: Fraction
    fee_per_unit: Fraction
    is_unvalued: bool


class FifoBook:
    """The open lots of one symbol and what the closed ones earned, fill by fill; its sums cost the same at any length.

    Attributes:
        realized_gross, realized_fees, unvalued_fees: as in `Pnl`.
        open_fees: the fees already paid for the open lots.
        round_trips: the lots closed to the last unit; `wins` and `undecided` count among them.
    """

    def __init__(self, base: str, quote: str) -> None:
        """Begin flat; `base` and `quote` are the symbol's assets."""
        self._base = base
        self._quote = quote
        self._lots: deque[_OpenLot] = deque()
        self._open_qty = self._open_cost = _ZERO  # of the open lots, all of one side
        self._cash = self._position = _ZERO  # what moved in the account, see `identity_gap`
        self.realized_gross = self.realized_fees = self.open_fees = _ZERO
        self.unvalued_fees: dict[str, Fraction] = {}
        self.round_trips: list[RoundTrip] = []
        self.wins = self.undecided = 0

    @property
    def realized_net(self) -> Fraction:
        """The matches, after the fees of both legs."""
        return self.realized_gross - self.realized_fees

    @property
    def position(self) -> Fraction:
        """The signed open quantity, in base."""
        return self._sign * self._open_qty

    def unrealized(self, mark: Decimal) -> Fraction:
        """Return what the open lots would earn at the price `mark`, before any fee."""
        return self._sign * (self._open_qty * Fraction(mark) - self._open_cost)

    def marked(self, mark: Decimal) -> Fraction:
        """Return realized net + unrealized - fees on open lots."""
        return self.realized_net + self.unrealized(mark) - self.open_fees

    def identity_gap(self, mark: Decimal) -> Fraction:
        """Return `marked` less what the account is worth more by what moved in it alone: 0, or the books are wrong."""
        return self.marked(mark) - (self._cash + self._position * Fraction(mark))

    def apply(self, trade: VenueTrade, fee_value: Fraction | None) -> None:
        """Take the next fill, whose fee cost `fee_value` in quote (None: unknown, see `fee_in_quote`).

        Raises:
            ValueError: if the fill has no quantity.
        """
        price = _unit_price(trade)
        sign = 1 if trade.side is Side.BUY else -1
        signed_qty = sign * Fraction(trade.qty)
        self._cash -= sign * Fraction(trade.quote_qty)
        if trade.fee_asset == self._base:
            signed_qty -= Fraction(trade.fee)
        else:
            self._cash -= fee_value or _ZERO
        self._position += signed_qty
        if is_unvalued := fee_value is None:
            self.unvalued_fees[trade.fee_asset] = self.unvalued_fees.get(trade.fee_asset, _ZERO) + Fraction(trade.fee)
        if not signed_qty:  # the fee took all that was bought: nothing to open, the fee is spent
            self.realized_fees += fee_value or _ZERO
            return
        side, qty = (Side.BUY, signed_qty) if signed_qty > 0 else (Side.SELL, -signed_qty)
        fill = _Fill(trade, side, qty, price, (fee_value or _ZERO) / qty, is_unvalued)
        if rest := self._close(fill):
            self._lots.append(_OpenLot(fill, rest))
            self._add_open(rest, price, fill.fee_per_unit)

    def pnl(self) -> Pnl:
        """Return the result so far, lot by lot."""
        lots = (
            Lot(lot.trade_id, lot.side, lot.left, lot.price, lot.left * lot.fee_per_unit, lot.time_ms)
            for lot in self._lots
        )
        trips, unvalued = tuple(self.round_trips), dict(self.unvalued_fees)
        return Pnl(self.realized_gross, self.realized_fees, tuple(lots), trips, unvalued)

    @property
    def _sign(self) -> int:
        return -1 if self._lots and self._lots[0].side is Side.SELL else 1

    def _add_open(self, qty: Fraction, price: Fraction, fee_per_unit: Fraction) -> None:
        self._open_qty += qty
        self._open_cost += qty * price
        self.open_fees += qty * fee_per_unit

    def _close(self, fill: _Fill) -> Fraction:
        """Match the fill against the oldest lots of the other side and return what is left of it."""
        qty = fill.qty
        while qty and self._lots and self._lots[0].side is not fill.side:
            lot = self._lots[0]
            matched = min(lot.left, qty)
            gross = matched * (fill.price - lot.price if fill.side is Side.SELL else lot.price - fill.price)
            fees = matched * (lot.fee_per_unit + fill.fee_per_unit)
            self.realized_gross += gross
            self.realized_fees += fees
            self._add_open(-matched, lot.price, lot.fee_per_unit)
            lot.gross += gross
            lot.fees += fees
            lot.left -= matched
            lot.is_unvalued = lot.is_unvalued or fill.is_unvalued
            qty -= matched
            if not lot.left:
                self._lots.popleft()
                self._end_trip(lot, fill.trade)
        return qty

    def _end_trip(self, lot: _OpenLot, closing: VenueTrade) -> None:
        ids, times = (lot.trade_id, closing.trade_id), (lot.time_ms, closing.time_ms)
        trip = RoundTrip(lot.side, lot.qty, *ids, *times, lot.gross, lot.fees, lot.is_unvalued)
        self.round_trips.append(trip)
        self.wins += trip.is_win
        self.undecided += trip.is_undecided


def _unit_price(trade: VenueTrade) -> Fraction:
    """Return what one unit cost: the price, unless the venue rounded `quote_qty`, which is the money that moved."""
    if not trade.qty > 0:
        raise ValueError(f"qty of trade {trade.trade_id} must be positive, was {trade.qty}")
    return Fraction(trade.quote_qty) / Fraction(trade.qty)

"""Realized profit and loss by FIFO, exactly.

Each fill is matched against the oldest open lots of the other side; what is left opens a lot of its own, so that a sell
without inventory is a short lot which a later buy closes. For a match of m units the gross is m x (sell price - buy
price); the fees of both legs go with it in proportion to the quantity. Every quantity, price and fee is a `Fraction`:
a share of a fee is exact, and the shares of a fill add up to its fee, to the last unit. (Their denominators cancel as
lots close, since only the oldest lot can be half closed: the totals stay small however long the day.)

Fees: in the quote asset they are what they are. In the base asset they also change the quantity, so that the lot is
what arrived in the account, and cost the fill's own price. In a third asset they cost what the caller says, its mid at
that time; without a value they stay out of the result and are named beside it.
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

    @property
    def net(self) -> Fraction:
        """What the round trip earned."""
        return self.gross - self.fees


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
        """How many round trips earned something after fees; a tie is no win."""
        return sum(trip.net > 0 for trip in self.round_trips)

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

    __slots__ = ("fee_per_unit", "fees", "gross", "left", "price", "qty", "side", "time_ms", "trade_id")

    def __init__(self, trade: VenueTrade, side: Side, qty: Fraction, price: Fraction, fee_per_unit: Fraction) -> None:
        self.trade_id, self.time_ms = trade.trade_id, trade.time_ms
        self.side, self.qty, self.left, self.price = side, qty, qty, price
        self.fee_per_unit = fee_per_unit
        self.gross = self.fees = _ZERO


class FifoBook:
    """The open lots of one symbol and what the closed ones earned, fill by fill."""

    def __init__(self, base: str, quote: str) -> None:
        """Start flat."""
        self._base, self._quote = base, quote
        self._lots: deque[_OpenLot] = deque()
        self._round_trips: list[RoundTrip] = []
        self._gross = self._fees = _ZERO
        self._unvalued: dict[str, Fraction] = {}

    def apply(self, trade: VenueTrade, fee_value: Fraction | None) -> None:
        """Take the next fill, whose fee cost `fee_value` in quote (None: unknown, see `fee_in_quote`).

        Raises:
            ValueError: if the fill has no quantity.
        """
        price = _unit_price(trade)
        signed_qty = Fraction(trade.qty) if trade.side is Side.BUY else -Fraction(trade.qty)
        if trade.fee_asset == self._base:
            signed_qty -= Fraction(trade.fee)
        if fee_value is None:
            self._unvalued[trade.fee_asset] = self._unvalued.get(trade.fee_asset, _ZERO) + Fraction(trade.fee)
            fee_value = _ZERO
        if not signed_qty:  # the fee took all that was bought: nothing to open, the fee is spent
            self._fees += fee_value
            return
        side, qty = (Side.BUY, signed_qty) if signed_qty > 0 else (Side.SELL, -signed_qty)
        fee_per_unit = fee_value / qty
        qty = self._close(trade, side, qty, price, fee_per_unit)
        if qty:
            self._lots.append(_OpenLot(trade, side, qty, price, fee_per_unit))

    def pnl(self) -> Pnl:
        """Return the result so far."""
        lots = (
            Lot(lot.trade_id, lot.side, lot.left, lot.price, lot.left * lot.fee_per_unit, lot.time_ms)
            for lot in self._lots
        )
        return Pnl(self._gross, self._fees, tuple(lots), tuple(self._round_trips), dict(self._unvalued))

    def _close(self, trade: VenueTrade, side: Side, qty: Fraction, price: Fraction, fee_per_unit: Fraction) -> Fraction:
        """Match `qty` against the oldest lots of the other side and return what is left of it."""
        while qty and self._lots and self._lots[0].side is not side:
            lot = self._lots[0]
            matched = min(lot.left, qty)
            gross = matched * (price - lot.price if side is Side.SELL else lot.price - price)
            fees = matched * (lot.fee_per_unit + fee_per_unit)
            self._gross += gross
            self._fees += fees
            lot.gross += gross
            lot.fees += fees
            lot.left -= matched
            qty -= matched
            if not lot.left:
                self._lots.popleft()
                self._round_trips.append(_round_trip(lot, trade))
        return qty


def _round_trip(lot: _OpenLot, closing: VenueTrade) -> RoundTrip:
    return RoundTrip(
        lot.side, lot.qty, lot.trade_id, closing.trade_id, lot.time_ms, closing.time_ms, lot.gross, lot.fees
    )


def _unit_price(trade: VenueTrade) -> Fraction:
    """Return what one unit cost: the price, unless the venue rounded `quote_qty`, which is the money that moved."""
    if not trade.qty > 0:
        raise ValueError(f"qty of trade {trade.trade_id} must be positive, was {trade.qty}")
    return Fraction(trade.quote_qty) / Fraction(trade.qty)

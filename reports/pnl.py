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
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from market.account import VenueTrade
from market.codes import Side

_ZERO = Fraction(0)


@dataclass(slots=True)
class Lot:
    """A fill that closes older lots, and then stays open with what is left of it.

    Attributes:
        gross, fees: what its closed part has brought so far, and the fees of both its legs, in quote.
    """

    side: Side
    left: Fraction
    price: Fraction
    fee_per_unit: Fraction
    is_unvalued: bool
    gross: Fraction = _ZERO
    fees: Fraction = _ZERO


class FifoBook:
    """The open lots of one symbol and what the closed ones earned, fill by fill; its sums cost the same at any length.

    Attributes:
        realized_gross: the matches, before fees.
        realized_fees: the fees of what was matched.
        open_lots: what is not matched yet, oldest first; all of one side.
        open_fees: the fees already paid for the open lots.
        round_trips: how many lots were closed to the last unit. `wins` of them earned something after all their fees;
            of `undecided` fees of unknown value may have taken that.
        unvalued_fees: fees in third assets of unknown price, by asset and in it; in no other figure.
    """

    def __init__(self, base: str) -> None:
        """Begin flat; `base` is the symbol's base asset."""
        self._base = base
        self._open_qty = self._open_cost = _ZERO  # of the open lots, all of one side
        self._cash = self._position = _ZERO  # what moved in the account, see `identity_gap`
        self.open_lots: deque[Lot] = deque()
        self.realized_gross = self.realized_fees = self.open_fees = _ZERO
        self.unvalued_fees: dict[str, Fraction] = {}
        self.round_trips = self.wins = self.undecided = 0

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
        """Return realized net + unrealized - fees on open lots: by how much the fills changed the equity."""
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
        fill = Lot(side, qty, price, (fee_value or _ZERO) / qty, is_unvalued)
        self._close(fill)
        if fill.left:
            self.open_lots.append(fill)
            self._add_open(fill.left, price, fill.fee_per_unit)

    @property
    def _sign(self) -> int:
        return -1 if self.open_lots and self.open_lots[0].side is Side.SELL else 1

    def _add_open(self, qty: Fraction, price: Fraction, fee_per_unit: Fraction) -> None:
        self._open_qty += qty
        self._open_cost += qty * price
        self.open_fees += qty * fee_per_unit

    def _close(self, fill: Lot) -> None:
        """Match the fill against the oldest lots of the other side."""
        while fill.left and self.open_lots and self.open_lots[0].side is not fill.side:
            lot = self.open_lots[0]
            matched = min(lot.left, fill.left)
            gross = matched * (fill.price - lot.price if fill.side is Side.SELL else lot.price - fill.price)
            fees = matched * (lot.fee_per_unit + fill.fee_per_unit)
            self.realized_gross += gross
            self.realized_fees += fees
            self._add_open(-matched, lot.price, lot.fee_per_unit)
            lot.gross += gross
            lot.fees += fees
            lot.left -= matched
            lot.is_unvalued = lot.is_unvalued or fill.is_unvalued
            fill.left -= matched
            if not lot.left:
                self._end_trip(self.open_lots.popleft())

    def _end_trip(self, lot: Lot) -> None:
        self.round_trips += 1
        if lot.gross > lot.fees:
            self.wins += not lot.is_unvalued
            self.undecided += lot.is_unvalued


def fee_in_quote(trade: VenueTrade, base: str, quote: str, mids: Mapping[str, Decimal]) -> Fraction | None:
    """Return what the fee of `trade` cost in quote, or None for a third asset without a mid.

    Args:
        mids: the price in quote of third assets that fees are paid in, by asset.
    """
    if trade.fee_asset == quote or not trade.fee:
        return Fraction(trade.fee)
    if trade.fee_asset == base:
        return Fraction(trade.fee) * _unit_price(trade)
    mid = mids.get(trade.fee_asset)
    return None if mid is None else Fraction(trade.fee) * Fraction(mid)


def _unit_price(trade: VenueTrade) -> Fraction:
    """Return what one unit cost: the price, unless the venue rounded `quote_qty`, which is the money that moved."""
    if not trade.qty > 0:
        raise ValueError(f"qty of trade {trade.trade_id} must be positive, was {trade.qty}")
    return Fraction(trade.quote_qty) / Fraction(trade.qty)

"""The FIFO book with a `Fraction` for every number: the slow, obvious way, beside which the real one is driven."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from market.account import VenueTrade
from market.codes import Side

_ZERO = Fraction(0)


@dataclass(slots=True)
class FractionLot:
    """A fill that closes older lots, and then stays open with what is left of it.

    Attributes:
        trade: the fill; `fee_value` is what its fee cost in quote, None where nobody knows.
        opened: how much of it opened a lot: all, but for a fill that has closed older ones.
        gross, fees: what its closed part has brought so far, and the fees of both its legs, in quote.
    """

    trade: VenueTrade
    fee_value: Fraction | None
    side: Side
    left: Fraction
    price: Fraction
    fee_per_unit: Fraction
    is_unvalued: bool
    opened: Fraction = _ZERO
    gross: Fraction = _ZERO
    fees: Fraction = _ZERO

    @property
    def sign(self) -> int:
        """1 of what was bought, -1 of what was sold."""
        return 1 if self.side is Side.BUY else -1


class FractionBook:
    """The open lots of one symbol and what the closed ones earned, fill by fill; its sums cost the same at any length.

    Attributes:
        realized_gross: the matches, before fees.
        realized_fees: the fees of what was matched.
        open_lots: what is not matched yet, oldest first; all of one side.
        open_fees: the fees already paid for the open lots.
        round_trips: how many lots were closed to the last unit. `wins` of them earned something after all their fees;
            of `undecided` fees of unknown value may have taken that.
        won, lost: what the round trips with a gain have brought after fees, and what those with a loss have cost.
        paid_fees: all fees of the fills that have a value.
        unvalued_fees: fees in third assets of unknown price, by asset and in it; in no other figure.
    """

    def __init__(self, base: str) -> None:
        """Begin flat; `base` is the symbol's base asset."""
        self._base = base
        self._open_qty = self._open_cost = _ZERO  # of the open lots, all of one side
        self._cash = self._position = _ZERO  # what moved in the account, see `identity_gap`
        self.open_lots: deque[FractionLot] = deque()
        self.realized_gross = self.realized_fees = self.open_fees = self.paid_fees = _ZERO
        self.won = self.lost = _ZERO
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
        return self.marked(mark) - self.worth(mark)

    def carry(self, lot: FractionLot) -> None:
        """Begin with one more lot of before; all of them are of one side, and come oldest first."""
        self.open_lots.append(lot)
        self._add_open(lot.left, lot.price, lot.fee_per_unit)
        self._cash -= self._sign * lot.left * lot.price + lot.left * lot.fee_per_unit
        self._position += self._sign * lot.left

    def apply(self, trade: VenueTrade, fee_value: Fraction | None) -> Fraction:
        """Take the next fill, whose fee cost `fee_value` in quote (None: unknown, see `fee_in_quote`).

        Returns:
            what it realized, after the fees of both legs.

        Raises:
            ValueError: if the fill has no quantity.
        """
        before = self.realized_gross - self.realized_fees
        paid = fee_value or _ZERO
        fill = lot_of(trade, self._base, fee_value)
        self._cash -= Fraction(trade.quote_qty) * (1 if trade.side is Side.BUY else -1)
        if trade.fee_asset != self._base:
            self._cash -= paid
        self.paid_fees += paid
        if fee_value is None:
            self.unvalued_fees[trade.fee_asset] = self.unvalued_fees.get(trade.fee_asset, _ZERO) + Fraction(trade.fee)
        if fill is None:  # the fee took all that was bought: nothing to open, the fee is spent
            self.realized_fees += paid
            return -paid
        self._position += fill.left if fill.side is Side.BUY else -fill.left
        self._close(fill)
        if fill.left:
            fill.opened = fill.left
            self.open_lots.append(fill)
            self._add_open(fill.left, fill.price, fill.fee_per_unit)
        return self.realized_gross - self.realized_fees - before

    def worth(self, mark: Decimal) -> Fraction:
        """Return what all that moved in the account is worth, the carried lots at what they cost: lots aside."""
        return self._cash + self._position * Fraction(mark)

    @property
    def _sign(self) -> int:
        return self.open_lots[0].sign if self.open_lots else 1

    def _add_open(self, qty: Fraction, price: Fraction, fee_per_unit: Fraction) -> None:
        self._open_qty += qty
        self._open_cost += qty * price
        self.open_fees += qty * fee_per_unit

    def _close(self, fill: FractionLot) -> None:
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

    def _end_trip(self, lot: FractionLot) -> None:
        self.round_trips += 1
        net = lot.gross - lot.fees
        self.won += max(net, _ZERO)
        self.lost += max(-net, _ZERO)
        if net > 0:
            self.wins += not lot.is_unvalued
            self.undecided += lot.is_unvalued


def lot_of(trade: VenueTrade, base: str, fee_value: Fraction | None) -> FractionLot | None:
    """Return the lot that a fill opens where there is none to close; None if its fee in base has taken all of it.

    Raises:
        ValueError: if the fill has no quantity.
    """
    price = _unit_price(trade)
    qty = arrived(trade, base)
    if not qty:
        return None
    side = Side.BUY if qty > 0 else Side.SELL
    return FractionLot(trade, fee_value, side, abs(qty), price, (fee_value or _ZERO) / abs(qty), fee_value is None)


def arrived(trade: VenueTrade, base: str) -> Fraction:
    """Return by how much the fill changed what the account holds of the base asset, its fee in base included."""
    qty = Fraction(trade.qty) if trade.side is Side.BUY else -Fraction(trade.qty)
    return qty - Fraction(trade.fee) if trade.fee_asset == base else qty


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

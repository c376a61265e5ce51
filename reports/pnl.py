"""Realized profit and loss by FIFO, exactly.

Each fill is matched against the oldest open lots of the other side; what is left opens a lot of its own, so that a sell
without inventory is a short lot which a later buy closes. For a match of m units the gross is m x (sell price - buy
price); the fees of both legs go with it in proportion to the quantity. Quantities are integers of 10^-60 and amounts
`ExactSum`s: a share of a fee is exact, and the shares of a fill add up to its fee, to the last unit. A figure becomes a
`Fraction` when somebody asks for it. A book may begin with lots of before, which keep what they cost and the fees that
were paid for them.

Fees: in the quote asset they are what they are. In the base asset they also change the quantity, so that the lot is
what arrived in the account, and cost the fill's own price. In a third asset they cost what the caller says, its mid at
that time; without a value they stay out of the result and are named beside it, and a round trip that would have won
without them is neither won nor lost: nobody knows.
"""

from collections import deque
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from math import gcd
from typing import Final, NamedTuple

from market.account import VenueTrade
from market.codes import Side
from reports.exact_sum import UNIT, VALUE, ExactSum, divided, units_of

TRIPS_KEPT: Final = 100  # of a symbol, and in a daily file, which its tracker writes again and again

_ZERO = Fraction(0)


class Lot:
    """A fill that closes older lots, and then stays open with what is left of it.

    Attributes:
        trade: the fill; `fee_value` is what its fee cost in quote, None where nobody knows.
        sign: 1 of what was bought, -1 of what was sold.
        size_units: what arrived of it, in units of 10^-60; `left_units` of these are not matched, and `opened_units`
            opened a lot: all, but for a fill that has closed older ones.
        price_units: what one unit cost, in 10^-60, `price_divisor` times as much where the venue has rounded its money.
        fee_units: what the fee cost, in 10^-120, `fee_divisor` times as much where that is no decimal.
        gross_sum, fees_sum: what its closed part has brought so far, and the fees of both its legs, in quote.
    """

    __slots__ = (
        "fee_divisor",
        "fee_units",
        "fee_value",
        "fees_sum",
        "gross_sum",
        "is_unvalued",
        "left_units",
        "opened_units",
        "price_divisor",
        "price_units",
        "sign",
        "size_units",
        "trade",
    )

    def __init__(self, trade: VenueTrade, sign: int, size_units: int, fee_value: Fraction | Decimal | None) -> None:
        self.trade, self.fee_value, self.is_unvalued = trade, fee_value, fee_value is None
        self.sign, self.size_units, self.left_units, self.opened_units = sign, size_units, size_units, 0
        self.price_units, self.price_divisor = _price_units(trade)
        self.fee_units, self.fee_divisor = _value_units(fee_value)
        self.gross_sum, self.fees_sum = ExactSum(), ExactSum()

    @property
    def side(self) -> Side:
        """What the fill did."""
        return Side.BUY if self.sign > 0 else Side.SELL

    @property
    def left(self) -> Fraction:
        """What is not matched."""
        return Fraction(self.left_units, UNIT)

    @property
    def opened(self) -> Fraction:
        """How much of it opened a lot."""
        return Fraction(self.opened_units, UNIT)

    @property
    def price(self) -> Fraction:
        """What one unit cost."""
        return Fraction(self.price_units, self.price_divisor * UNIT)

    @property
    def fee_per_unit(self) -> Fraction:
        """What the fee of one unit cost."""
        return Fraction(self.fee_units, self.fee_divisor * self.size_units * UNIT)

    @property
    def gross(self) -> Fraction:
        """What its closed part has brought."""
        return self.gross_sum.value

    @property
    def fees(self) -> Fraction:
        """The fees of both legs of its closed part."""
        return self.fees_sum.value

    def cost_of(self, units: int) -> tuple[int, int, int]:
        """Return what so much of it cost, see `ExactSum.add`."""
        return divided(units * self.price_units, self.price_divisor)

    def fee_of(self, units: int) -> tuple[int, int, int]:
        """Return what the fee of so much of it cost, see `ExactSum.add`."""
        if units == self.size_units:
            return divided(self.fee_units, self.fee_divisor)
        return divided(units * self.fee_units, self.fee_divisor * self.size_units)

    def copied(self) -> "Lot":
        """Return the same lot for another book, which will change it."""
        lot = Lot(self.trade, self.sign, self.size_units, self.fee_value)
        lot.left_units, lot.opened_units, lot.is_unvalued = self.left_units, self.opened_units, self.is_unvalued
        lot.gross_sum.add_sum(self.gross_sum)
        lot.fees_sum.add_sum(self.fees_sum)
        return lot


class Ended(NamedTuple):
    """A lot that was closed to the last unit, and when."""

    lot: Lot
    closed_ms: int


class FifoBook:
    """The open lots of one symbol and what the closed ones earned, fill by fill; its sums cost the same at any length.

    Attributes:
        open_lots: what is not matched yet, oldest first; all of one side.
        round_trips: how many lots were closed to the last unit. `wins` of them earned something after all their fees;
            of `undecided` fees of unknown value may have taken that.
        ended: the last round trips, oldest first.
        unvalued_fees: fees in third assets of unknown price, by asset and in it; in no other figure.
    """

    def __init__(self, base: str, trips_kept: int | None = TRIPS_KEPT) -> None:
        """Begin flat; `base` is the symbol's base asset, and of round trips the last so many are kept, None: all."""
        self._base = base
        self._open_units = 0  # of the open lots, all of one side
        self._open_cost, self._open_fees = ExactSum(), ExactSum()
        self._cash, self._position_units = ExactSum(), 0  # what moved in the account, see `identity_gap`
        self._gross, self._fees, self._paid = ExactSum(), ExactSum(), ExactSum()
        self._won, self._lost = ExactSum(), ExactSum()
        self.open_lots: deque[Lot] = deque()
        self.ended: deque[Ended] = deque(maxlen=trips_kept)
        self.unvalued_fees: dict[str, Fraction] = {}
        self.round_trips = self.wins = self.undecided = 0

    @property
    def realized_gross(self) -> Fraction:
        """The matches, before fees."""
        return self._gross.value

    @property
    def realized_fees(self) -> Fraction:
        """The fees of what was matched."""
        return self._fees.value

    @property
    def realized_net(self) -> Fraction:
        """The matches, after the fees of both legs."""
        return self.realized_gross - self.realized_fees

    @property
    def open_fees(self) -> Fraction:
        """The fees already paid for the open lots."""
        return self._open_fees.value

    @property
    def paid_fees(self) -> Fraction:
        """All fees of the fills that have a value."""
        return self._paid.value

    @property
    def won(self) -> Fraction:
        """What the round trips with a gain have brought after fees."""
        return self._won.value

    @property
    def lost(self) -> Fraction:
        """What the round trips with a loss have cost."""
        return self._lost.value

    @property
    def position(self) -> Fraction:
        """The signed open quantity, in base."""
        return Fraction(self._sign * self._open_units, UNIT)

    def unrealized(self, mark: Decimal) -> Fraction:
        """Return what the open lots would earn at the price `mark`, before any fee."""
        return self._sign * (Fraction(self._open_units, UNIT) * Fraction(mark) - self._open_cost.value)

    def marked(self, mark: Decimal) -> Fraction:
        """Return realized net + unrealized - fees on open lots: by how much the fills changed the equity."""
        return self.realized_net + self.unrealized(mark) - self.open_fees

    def identity_gap(self, mark: Decimal) -> Fraction:
        """Return `marked` less what the account is worth more by what moved in it alone: 0, or the books are wrong."""
        return self.marked(mark) - self.worth(mark)

    def worth(self, mark: Decimal) -> Fraction:
        """Return what all that moved in the account is worth, the carried lots at what they cost: lots aside."""
        return self._cash.value + Fraction(self._position_units, UNIT) * Fraction(mark)

    def worth_units(self, mark_units: int) -> int | Fraction:
        """Return `worth` in units of 10^-120, of a mark in units of 10^-60."""
        cash, position = self.moved_units
        return cash + position * mark_units

    @property
    def moved_units(self) -> tuple[int | Fraction, int]:
        """What moved in the account: quote in units of 10^-120, and base in units of 10^-60."""
        return self._cash.units, self._position_units

    def carry(self, lot: Lot) -> None:
        """Begin with one more lot of before; all of them are of one side, and come oldest first."""
        self.open_lots.append(lot)
        units = lot.left_units
        cost, fee = lot.cost_of(units), lot.fee_of(units)
        self._open_units += units
        self._open_cost.add(*cost)
        self._open_fees.add(*fee)
        self._cash.add(-lot.sign * cost[0], -lot.sign * cost[1], cost[2])
        self._cash.add(-fee[0], -fee[1], fee[2])
        self._position_units += lot.sign * units

    def apply(self, trade: VenueTrade, fee_value: Fraction | Decimal | None) -> Fraction:
        """Take the next fill, whose fee cost `fee_value` in quote (None: unknown, see `fee_in_quote`).

        Returns:
            what it realized, after the fees of both legs.

        Raises:
            ValueError: if the fill has no quantity.
        """
        fill = lot_of(trade, self._base, fee_value)
        whole, part, divisor = divided(*_value_units(fee_value))
        money = units_of(trade.quote_qty) * UNIT
        self._cash.whole += -money if trade.side is Side.BUY else money
        if trade.fee_asset != self._base:
            self._cash.add(-whole, -part, divisor)
        self._paid.add(whole, part, divisor)
        if fee_value is None:
            self.unvalued_fees[trade.fee_asset] = self.unvalued_fees.get(trade.fee_asset, _ZERO) + Fraction(trade.fee)
        if fill is None:  # the fee took all that was bought: nothing to open, the fee is spent
            self._fees.add(whole, part, divisor)
            return -Fraction(whole * divisor + part, divisor * VALUE)
        self._position_units += fill.sign * fill.left_units
        realized = self._close(fill)
        if units := fill.left_units:
            fill.opened_units = units
            self.open_lots.append(fill)
            self._open_units += units
            self._open_cost.add(*fill.cost_of(units))
            self._open_fees.add(*fill.fee_of(units))
        return _ZERO if realized is None else realized.value

    @property
    def _sign(self) -> int:
        return self.open_lots[0].sign if self.open_lots else 1

    def _close(self, fill: Lot) -> ExactSum | None:
        """Match the fill against the oldest lots of the other side; return what that realized, None of no match."""
        realized = None
        lots = self.open_lots
        while fill.left_units and lots and lots[0].sign != fill.sign:
            lot = lots[0]
            units = min(lot.left_units, fill.left_units)
            if realized is None:
                realized = ExactSum()
            cost, own, other = lot.cost_of(units), lot.fee_of(units), fill.fee_of(units)
            for times, (whole, part, divisor) in ((lot.sign, fill.cost_of(units)), (-lot.sign, cost)):
                for one in (self._gross, lot.gross_sum, realized):
                    one.add(times * whole, times * part, divisor)
            for whole, part, divisor in (own, other):
                self._fees.add(whole, part, divisor)
                lot.fees_sum.add(whole, part, divisor)
                realized.add(-whole, -part, divisor)
            self._open_units -= units
            self._open_cost.add(-cost[0], -cost[1], cost[2])
            self._open_fees.add(-own[0], -own[1], own[2])
            lot.left_units -= units
            fill.left_units -= units
            lot.is_unvalued = lot.is_unvalued or fill.is_unvalued
            if not lot.left_units:
                self._end_trip(lots.popleft(), fill.trade)
        return realized

    def _end_trip(self, lot: Lot, last: VenueTrade) -> None:
        self.ended.append(Ended(lot, last.time_ms))
        self.round_trips += 1
        net = ExactSum()
        net.add_sum(lot.gross_sum)
        net.add_sum(lot.fees_sum, -1)
        if net.units > 0:
            self._won.add_sum(net)
            self.wins += not lot.is_unvalued
            self.undecided += lot.is_unvalued
        else:
            self._lost.add_sum(net, -1)


def lot_of(trade: VenueTrade, base: str, fee_value: Fraction | Decimal | None) -> Lot | None:
    """Return the lot that a fill opens where there is none to close; None if its fee in base has taken all of it.

    Raises:
        ValueError: if the fill has no quantity.
    """
    _check_qty(trade)
    qty = units_of(trade.qty)
    units = qty if trade.side is Side.BUY else -qty
    if trade.fee_asset == base:
        units -= units_of(trade.fee)
    return Lot(trade, 1 if units > 0 else -1, abs(units), fee_value) if units else None


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
        _check_qty(trade)
        price_units, divisor = _price_units(trade)
        return Fraction(units_of(trade.fee) * price_units, divisor * VALUE)
    mid = mids.get(trade.fee_asset)
    return None if mid is None else Fraction(trade.fee) * Fraction(mid)


def _value_units(value: Fraction | Decimal | None) -> tuple[int, int]:
    """Return an amount in units of 10^-120, and by what that is to be divided."""
    if not value:
        return 0, 1
    numerator, denominator = value.as_integer_ratio()
    factor, rest = divmod(VALUE, denominator)
    return (numerator * VALUE, denominator) if rest else (numerator * factor, 1)


def _price_units(trade: VenueTrade) -> tuple[int, int]:
    """Return what one unit cost, see `Lot`: the price, unless the venue rounded `quote_qty`, the money that moved."""
    money, qty = units_of(trade.quote_qty) * UNIT, units_of(trade.qty)
    whole, rest = divmod(money, qty)
    if not rest:
        return whole, 1
    common = gcd(money, qty)
    return money // common, qty // common


def _check_qty(trade: VenueTrade) -> None:
    if not trade.qty > 0:
        raise ValueError(f"qty of trade {trade.trade_id} must be positive, was {trade.qty}")

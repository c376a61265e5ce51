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
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

from market.account import VenueTrade
from market.codes import Side
from reports.exact_sum import UNIT, ExactSum, divided
from reports.lots import FillUnits, Lot, fill_units

TRIPS_KEPT: Final = 100  # of a symbol, and in a daily file, which its tracker writes again and again

_ZERO = Fraction(0)


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
        realized = self.take(trade, fill_units(trade, fee_value))
        return _ZERO if realized is None else realized.value

    def take(self, trade: VenueTrade, units: FillUnits) -> ExactSum | None:
        """Do what `apply` does with a fill whose `units` are known; None of one that has realized nothing."""
        qty, money, fee, fee_value, fee_units, fee_divisor = units
        arrived = qty if trade.side is Side.BUY else -qty
        self._cash.whole += -money * UNIT if arrived > 0 else money * UNIT
        is_of_base = trade.fee_asset == self._base
        if is_of_base:
            arrived -= fee
        if fee_divisor != 1:
            self._pay_share(fee_units, fee_divisor, is_of_base=is_of_base)
        elif fee_units:
            self._paid.whole += fee_units
            if not is_of_base:
                self._cash.whole -= fee_units
        if fee_value is None:
            self.unvalued_fees[trade.fee_asset] = self.unvalued_fees.get(trade.fee_asset, _ZERO) + Fraction(trade.fee)
        if not arrived:  # the fee took all that was bought: nothing to open, the fee is spent
            return self._spend(fee_units, fee_divisor)
        self._position_units += arrived
        fill = Lot(trade, 1, arrived, units) if arrived > 0 else Lot(trade, -1, -arrived, units)
        lots = self.open_lots
        realized = self._close(fill) if lots and lots[0].sign != fill.sign else None
        if left := fill.left_units:
            fill.opened_units = left
            lots.append(fill)
            self._open_units += left
            if fill.price_divisor == fee_divisor == 1 and left == fill.size_units:  # as nearly all are
                self._open_cost.whole += left * fill.price_units
                self._open_fees.whole += fee_units
            else:
                self._open_cost.add(*fill.cost_of(left))
                self._open_fees.add(*fill.fee_of(left))
        return realized

    def _pay_share(self, fee_units: int, divisor: int, *, is_of_base: bool) -> None:
        """Take a fee that has no decimal."""
        whole, part = divmod(fee_units, divisor)
        self._paid.add(whole, part, divisor)
        if not is_of_base:
            self._cash.add(-whole, -part, divisor)

    def _spend(self, fee_units: int, divisor: int) -> ExactSum:
        spent, (whole, part, _) = ExactSum(), divided(fee_units, divisor)
        self._fees.add(whole, part, divisor)
        spent.add(-whole, -part, divisor)
        return spent

    @property
    def _sign(self) -> int:
        return self.open_lots[0].sign if self.open_lots else 1

    def _close(self, fill: Lot) -> ExactSum:
        """Match the fill against the oldest lots, which are of the other side; return what that realized.

        Of a share of a fee that has no decimal its rest is kept, in every sum that it goes into. The shares of the fill
        itself are one in the sums of the day.
        """
        realized, lots = ExactSum(), self.open_lots
        first = left = fill.left_units
        cost_units = own_units = gross_units = 0  # of what is closed, the fees paid for that, and what it has brought
        is_rounded, sign, price = fill.price_divisor != 1, -fill.sign, fill.price_units
        while left and lots:
            lot = lots[0]
            held = lot.left_units
            units = min(left, held)
            left -= units
            lot.left_units = held - units
            if is_rounded or lot.price_divisor != 1:
                self._match_rounded(lot, fill, units, realized)
            else:
                cost = units * lot.price_units
                earned = sign * (units * price - cost)
                cost_units += cost
                gross_units += earned
                lot.gross_units += earned
            if units == lot.size_units and lot.fee_divisor == 1:
                own, own_part = lot.fee_units, 0
            else:
                own_divisor = lot.fee_divisor * lot.size_units
                own, own_part = divmod(units * lot.fee_units, own_divisor)
            other, other_part, divisor = fill.fee_of(units)
            own_units += own
            lot.fees_units += own + other
            if own_part:
                lot.add_fee_share(own_part, own_divisor)
                self._fees.add(0, own_part, own_divisor)
                self._open_fees.add(0, -own_part, own_divisor)
                realized.add(0, -own_part, own_divisor)
            if other_part:
                lot.add_fee_share(other_part, divisor)
            if fill.is_unvalued:
                lot.is_unvalued = True
            if units == held:
                self._end_trip(lots.popleft(), fill.trade)
        fill.left_units = left
        if units == first - left:  # it has closed of one lot alone
            whole, part = other, other_part
        else:
            whole, part, divisor = fill.fee_of(first - left)
        self._fees.add(own_units + whole, part, divisor)
        realized.add(gross_units - own_units - whole, -part, divisor)
        self._gross.whole += gross_units
        self._open_units -= first - left
        self._open_cost.whole -= cost_units
        self._open_fees.whole -= own_units
        return realized

    def _match_rounded(self, lot: Lot, fill: Lot, units: int, realized: ExactSum) -> None:
        """Match so much of a lot where the venue has rounded the money of one of the two; add to what is `realized`."""
        cost = lot.cost_of(units)
        self._open_cost.add(-cost[0], -cost[1], cost[2])
        for times, (whole, part, divisor) in ((lot.sign, fill.cost_of(units)), (-lot.sign, cost)):
            realized.add(times * whole, times * part, divisor)
            self._gross.add(times * whole, times * part, divisor)
            lot.add_gross(times * whole, times * part, divisor)

    def _end_trip(self, lot: Lot, last: VenueTrade) -> None:
        self.ended.append(Ended(lot, last.time_ms))
        self.round_trips += 1
        net = lot.gross_units - lot.fees_units
        if lot.gross_shares is None and lot.fees_shares is None:
            is_won = net > 0
            (self._won if is_won else self._lost).whole += net if is_won else -net
        else:
            total = ExactSum(net)
            if lot.gross_shares is not None:
                total.add_sum(lot.gross_shares)
            if lot.fees_shares is not None:
                total.add_sum(lot.fees_shares, -1)
            is_won = total.is_positive
            if is_won:
                self._won.add_sum(total)
            else:
                self._lost.add_sum(total, -1)
        if is_won:
            self.wins += not lot.is_unvalued
            self.undecided += lot.is_unvalued

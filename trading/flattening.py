"""Getting rid of a position in slices: what the book says that it costs, and how much to take next."""

from collections.abc import Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple, Self

from market.codes import Side
from market.depth import Depth, Level
from market.instrument import Instrument
from trading.order_rules import OrderRules


class Cost(NamedTuple):
    """What the book gives for a quantity, down its levels.

    Attributes:
        qty_lots: how much of it there is within the limit.
        notional: what that trades for, quote, without fees.
        slippage: how much worse that is than at the mid, quote.
    """

    qty_lots: int
    notional: Decimal
    slippage: Decimal


class Flattening(NamedTuple):
    """Orders that trade at once or not at all, none of them at a worse price than a fixed one.

    Attributes:
        side: of our orders: SELL gets rid of what is held, BUY of what is short.
        limit_ticks: the worst price. It stays where it is, however the market moves.
        smallest_lots: no order at that price may be smaller.
        largest_lots: of a slice.
    """

    instrument: Instrument
    side: Side
    limit_ticks: int
    smallest_lots: int
    largest_lots: int

    @classmethod
    def around(
        cls,
        instrument: Instrument,
        rules: OrderRules,
        side: Side,
        mid_ticks_x2: int,
        band: Decimal,
        slice_notional: Decimal,
    ) -> Self:
        """Return how to go about it from a mid.

        Args:
            band: how far from the mid the worst price is, as a fraction of it.
            slice_notional: of an order, quote; the venue's bounds come first.
        """
        mid_ticks = Decimal(mid_ticks_x2) / 2
        limit_ticks = _whole(mid_ticks * (1 + band)) if side == Side.BUY else _whole_up(mid_ticks * (1 - band))
        price = instrument.ticks_to_price(max(1, limit_ticks))
        lot = instrument.lot_size
        smallest_lots = max(1, _whole_up(rules.notional_min / price / lot), _whole_up(rules.qty_min / lot))
        bounds = [slice_notional / price]
        bounds += [] if rules.qty_max is None else [rules.qty_max]
        bounds += [] if rules.notional_max is None else [rules.notional_max / price]
        # What would be too little to trade later goes with the last slice, so a slice can be larger by that.
        largest_lots = max(smallest_lots, _whole(min(bounds) / lot) - smallest_lots)
        return cls(instrument, side, max(1, limit_ticks), smallest_lots, largest_lots)

    def cost(self, depth: Depth, qty_lots: int) -> Cost:
        """Return what `qty_lots` would cost if it were taken now."""
        left, ticks_x_lots = qty_lots, 0
        for level in self._within(depth):
            lots = min(left, level.qty_lots)
            ticks_x_lots += lots * level.price_ticks
            left -= lots
        taken = qty_lots - left
        unit = self.instrument.notional_unit
        at_mid = Decimal((depth.mid_ticks_x2 or 0) * taken) / 2 * unit
        sign = 1 if self.side == Side.BUY else -1
        return Cost(taken, ticks_x_lots * unit, sign * (ticks_x_lots * unit - at_mid))

    def next_lots(self, depth: Depth, left_lots: int) -> int:
        """Return how large the next order is to be; 0 while the book has nothing within the limit.

        It is what stands there, but never more than is left, nor so much that too little is left for another order.
        """
        assert left_lots >= self.smallest_lots, f"{left_lots} lots are no order, {self.smallest_lots} would be"
        there = sum(level.qty_lots for level in self._within(depth))
        if not there:
            return 0
        lots = max(self.smallest_lots, min(left_lots, self.largest_lots, there))
        return left_lots if left_lots - lots < self.smallest_lots else lots

    def _within(self, depth: Depth) -> Iterator[Level]:
        if self.side == Side.BUY:
            return (level for level in depth[Side.SELL] if level.price_ticks <= self.limit_ticks)
        return (level for level in depth[Side.BUY] if level.price_ticks >= self.limit_ticks)


def _whole(number: Decimal) -> int:
    return int(number.to_integral_value(ROUND_FLOOR))


def _whole_up(number: Decimal) -> int:
    return int(number.to_integral_value(ROUND_CEILING))

"""When an order that is there may stand for a quote that is wanted now, and when it is replaced."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.depth import Depth
from market.instrument import Instrument, format_decimal
from trading.quoting import Quote
from trading.reasons import Reason, Rule
from trading.shown import beside, price_text, qty_text
from trading.strategy import OwnOrder


class Requoting(NamedTuple):
    """When an order is replaced by the quote that is wanted now.

    Attributes:
        tolerance: how far its price may be off, as a fraction of the mid.
        replace_below: an order of which less than this part of the wanted quantity is left is replaced, and so is one
            that is larger by more than what may be missing; 0: size does not matter.
        queue_gain: one that is within the tolerance is replaced all the same if a new one, nearer to the market, would
            have less than this part of the quantity before it; 0: its place in the queue does not matter.
        life_min_ns: one that is younger is not replaced.
        age_max_ns: one that is older is replaced; 0: no age is too great.
    """

    tolerance: Decimal
    replace_below: Decimal = Decimal(0)
    queue_gain: Decimal = Decimal(0)
    life_min_ns: int = 0
    age_max_ns: int = 0

    def wakes_ns(self, orders: Sequence[OwnOrder], now_ns: int) -> list[int]:
        """Return when an order will be old enough to be replaced, or too old to stay."""
        ages_ns = [age_ns for age_ns in (self.life_min_ns, self.age_max_ns) if age_ns]
        times_ns = [order.since_ns + age_ns for order in orders for age_ns in ages_ns]
        return [at_ns for at_ns in times_ns if at_ns > now_ns]


class Keeping:
    """What is asked of an order at one moment.

    Args:
        instrument: what is traded; reasons are told in its prices and quantities.
        mid_ticks_x2: what the tolerance is a fraction of; 0 if no mid was ever known.
        depth: others' book.
        wanted: all quotes of both sides.
    """

    def __init__(
        self,
        requoting: Requoting,
        instrument: Instrument,
        now_ns: int,
        mid_ticks_x2: int,
        depth: Depth,
        wanted: Sequence[Quote],
    ) -> None:
        self._requoting = requoting
        self._instrument = instrument
        self._now_ns = now_ns
        self._tolerance_ticks = int(requoting.tolerance * mid_ticks_x2 / 2)
        self._depth = depth
        self._bid_ticks = max((each.price_ticks for each in wanted if each.side == Side.BUY), default=None)
        self._ask_ticks = min((each.price_ticks for each in wanted if each.side == Side.SELL), default=None)

    def flaw(self, order: OwnOrder, quote: Quote, *, is_held: bool = False) -> Reason | None:
        """Return why an order cannot stand for a quote of its side; None if it can.

        Args:
            is_held: whether nothing could be placed for it now, so that one near enough in price is better than none.
        """
        return self.crossing(order) or (
            None
            if self._is_young(order)
            else self._off(order, quote) or (None if is_held else self._worn(order, quote))
        )

    def crossing(self, order: OwnOrder) -> Reason | None:
        """Return the reason if a quote wanted on the other side would trade with the order."""
        other_ticks = self._ask_ticks if order.side == Side.BUY else self._bid_ticks
        if other_ticks is None:
            return None
        if order.price_ticks < other_ticks if order.side == Side.BUY else order.price_ticks > other_ticks:
            return None
        price, other_price = map(self._instrument.ticks_to_price, (order.price_ticks, other_ticks))
        text = f"our own quote of the other side is to stand at {format_decimal(other_price)}"
        return Reason(Rule.CROSSING, text, {"price": price, "other_price": other_price})

    def _is_young(self, order: OwnOrder) -> bool:
        return self._now_ns < order.since_ns + self._requoting.life_min_ns

    def _off(self, order: OwnOrder, quote: Quote) -> Reason | None:
        off_ticks = abs(order.price_ticks - quote.price_ticks)
        if off_ticks <= self._tolerance_ticks:
            return None
        off, tolerance = map(self._instrument.ticks_to_price, (off_ticks, self._tolerance_ticks))
        text = f"requote: {price_text(self._instrument, off)} off, {format_decimal(tolerance)} are tolerated"
        return Reason(Rule.TOLERANCE, text, {"off_price": off, "tolerance_price": tolerance})

    def _worn(self, order: OwnOrder, quote: Quote) -> Reason | None:
        """Return what makes a new order better than this one at nearly its price."""
        return self._aged(order) or self._missized(order, quote) or self._outqueued(order, quote)

    def _aged(self, order: OwnOrder) -> Reason | None:
        age_max_ns, age_ns = self._requoting.age_max_ns, self._now_ns - order.since_ns
        if not age_max_ns or age_ns < age_max_ns:
            return None
        age_s, most_s = (Decimal(each) / NS_PER_SECOND for each in (age_ns, age_max_ns))
        text = f"it is {beside(age_s, most_s, 0)} s old, to be replaced from {format_decimal(most_s)} s on"
        return Reason(Rule.AGE, text, {"age_ms": age_ns // NS_PER_MS, "age_ms_max": age_max_ns // NS_PER_MS})

    def _missized(self, order: OwnOrder, quote: Quote) -> Reason | None:
        part, has_lots, wanted_lots = self._requoting.replace_below, order.leaves_lots, quote.qty_lots
        is_less, is_more = has_lots < part * wanted_lots, has_lots > (2 - part) * wanted_lots
        if not part or not (is_less or is_more):
            return None
        has, wanted = map(self._instrument.lots_to_qty, (has_lots, wanted_lots))
        of_text, numbers = qty_text(self._instrument, wanted), {"leaves_qty": has, "wanted_qty": wanted}
        if is_less:
            return Reason(Rule.TOP_UP, f"too little is left: {format_decimal(has)} of {of_text}", numbers)
        return Reason(Rule.TOO_LARGE, f"larger than wanted: {format_decimal(has)} instead of {of_text}", numbers)

    def _outqueued(self, order: OwnOrder, quote: Quote) -> Reason | None:
        if not self._requoting.queue_gain:
            return None
        before_lots, after_lots = self._ahead_lots(order.side, order.price_ticks), None
        if before_lots is not None:
            after_lots = self._ahead_lots(order.side, quote.price_ticks)
        if before_lots is None or after_lots is None or after_lots >= self._requoting.queue_gain * before_lots:
            return None
        before, after = map(self._instrument.lots_to_qty, (before_lots, after_lots))
        text = f"a new one would have {qty_text(self._instrument, after)} before it instead of {format_decimal(before)}"
        return Reason(Rule.QUEUE, text, {"ahead_qty": before, "new_ahead_qty": after})

    def _ahead_lots(self, side: Side, price_ticks: int) -> int | None:
        """Return what others have at this price or a better one; None if the book that we see does not reach so far.

        Of an order that stands, that is the most that can be before it: some at its price may have come after it.
        """
        sign = 1 if side == Side.BUY else -1
        levels = self._depth[side]
        if not levels or sign * levels[-1].price_ticks > sign * price_ticks:
            return None
        return sum(level.qty_lots for level in levels if sign * level.price_ticks >= sign * price_ticks)

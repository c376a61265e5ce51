"""Orders that are left where they are after the other side was filled: to close the round trip where it was planned.

What hangs stands for no quote that is wanted, and is neither requoted nor topped up.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from market.account import VenueOrder
from market.instrument import Instrument, format_decimal
from trading.keeping import Keeping
from trading.quoting import Quote
from trading.reasons import Reason, Rule
from trading.shown import price_text
from trading.strategy import OwnOrder

HANGING_MAX: Final = 20
TOO_MANY: Final = Reason(Rule.HANGING, f"{HANGING_MAX} younger ones hang", {"hanging_max": HANGING_MAX})


class Hanging:
    """Which of our orders hang.

    Args:
        reach: how far from the mid one may be, as a fraction of it; 0: none hangs.

    Attributes:
        left: the client order ids of those that hang, by the last look.
    """

    def __init__(self, reach: Decimal, instrument: Instrument) -> None:
        self._reach = reach
        self._instrument = instrument
        self._names: dict[str, None] = {}  # oldest first
        self.left: frozenset[str] = frozenset()

    def fill(self, filled: VenueOrder, standing: Sequence[VenueOrder]) -> None:
        """Take an order of which nothing is left: those of the other side hang from now on."""
        if self._reach and not filled.leaves_qty:
            self._names |= {each.client_order_id: None for each in standing if each.side != filled.side}

    def look(
        self, orders: Sequence[OwnOrder], wanted: Sequence[Quote], mid_ticks_x2: int, keeping: Keeping
    ) -> tuple[list[OwnOrder], dict[str, Reason]]:
        """Return the orders that do not hang, and why some that hang are cancelled.

        Where nothing is wanted, nothing hangs: the strategy's reason, or the limit's, goes before.
        """
        of = {order.client_order_id: order for order in orders}
        self._names = {name: None for name in self._names if name in of}
        quoted = {quote.side for quote in wanted}
        hanging = [of[name] for name in self._names if of[name].side in quoted]
        leaving: dict[str, Reason] = {}
        for place, order in enumerate(reversed(hanging)):
            why = (
                keeping.crossing(order)
                or self._too_far(order, mid_ticks_x2)
                or (TOO_MANY if place >= HANGING_MAX else None)
            )
            if why is not None:
                leaving[order.client_order_id] = why
        names = {order.client_order_id for order in hanging}
        self.left = frozenset(names - leaving.keys())
        return [order for order in orders if order.client_order_id not in names], leaving

    def _too_far(self, order: OwnOrder, mid_ticks_x2: int) -> Reason | None:
        off_ticks, most_ticks = abs(order.price_ticks - mid_ticks_x2 // 2), int(self._reach * mid_ticks_x2 / 2)
        if off_ticks <= most_ticks:
            return None
        off, most = map(self._instrument.ticks_to_price, (off_ticks, most_ticks))
        text = f"it hangs {price_text(self._instrument, off)} from the mid, at most {format_decimal(most)}"
        return Reason(Rule.HANGING, text, {"off_price": off, "off_price_max": most})

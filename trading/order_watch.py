"""What became of our orders from one look at the venue to the next."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from market.account import VenueOrder


class OrderWatch:
    """Remembers our open orders as they were last seen, so that every fill is told once."""

    def __init__(self) -> None:
        self._seen: dict[str, VenueOrder] = {}

    def begin(self, order: VenueOrder) -> None:
        """Watch an order that was just entered: whatever is filled of it is news."""
        self._seen.setdefault(order.order_id, replace(order, filled_qty=Decimal(0)))

    def note(self, order: VenueOrder) -> Decimal:
        """Take an order as it is now; return what was filled of it since it was last seen.

        One that was never seen is of an earlier run: what was filled of it before is not news.
        """
        before = self._seen.get(order.order_id, order)
        if order.is_open:
            self._seen[order.order_id] = order
        else:
            self._seen.pop(order.order_id, None)
        return max(Decimal(0), order.filled_qty - before.filled_qty)

    def missing(self, listed: Sequence[VenueOrder]) -> list[VenueOrder]:
        """Return those that were open when last seen and are not among `listed`: their fate must be asked for."""
        ids = {order.order_id for order in listed}
        return [order for order in self._seen.values() if order.order_id not in ids]

    def forget(self, order: VenueOrder) -> None:
        """Stop watching an order that the venue does not know any more."""
        self._seen.pop(order.order_id, None)

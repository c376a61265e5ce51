"""The venue's book without our own orders, though news of either comes on its own way."""

from market.depth import Depth
from market.instrument import Instrument
from trading.own_orders import OwnOrders


class OthersBook:
    """A book, and our orders taken out of it as they were at its moment.

    A venue tells of an order at once, and of the book ten times a second: an order that has just ended is still in the
    last book, and one that has just come is not. So they are taken out before the first news of them after it.
    """

    def __init__(self, instrument: Instrument, orders: OwnOrders) -> None:
        self._instrument = instrument
        self._orders = orders
        self._depth: Depth | None = None
        self._is_settled = False  # whether ours are out of it

    def hear(self, depth: Depth) -> None:
        """Take the book as it is now, our orders among it."""
        self._depth, self._is_settled = depth, False

    def forget(self) -> None:
        """Know of no book until there is news of it."""
        self._depth = None

    def settle(self) -> Depth | None:
        """Take out what is known to be ours now, or may be, if that was not done; return what is others'."""
        if self._depth is not None and not self._is_settled:
            resting = self._orders.resting(self._instrument)
            self._depth, self._is_settled = self._depth.without(self._orders.lots_by_level(resting)), True
        return self._depth

"""What the maker tells of itself: a line in the log for each thing that happens, and figures in `status`."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from market.account import VenueOrder
from market.clock import NS_PER_SECOND
from market.codes import Side
from nodes.node import Node
from trading.quoting import Quote
from venues.venue import VenueError

_SHORT = {Side.BUY: "bid", Side.SELL: "ask"}


class MakerLog:
    """Every quote, fill, cancel and reason once; what stays as it is, is told when it changes.

    Attributes:
        counts: of what was done since the start.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._log = node.log
        self.counts = {"placed": 0, "cancelled": 0, "filled": 0, "refused": 0, "unknown": 0}
        self._idle: dict[Side, str] = {}
        self._last_fill: str | None = None
        self._told: dict[str, str] = {}

    def quoted(self, order: VenueOrder) -> None:
        """Tell of a new order."""
        self.counts["placed"] += 1
        self._tell("quoted", order, qty=str(order.qty))

    def filled(self, order: VenueOrder, qty: Decimal) -> None:
        """Tell of a fill of `qty`."""
        self.counts["filled"] += 1
        self._last_fill = f"{order.side.name} {qty} at {order.price}"
        self._tell("filled", order, qty=str(qty), left=f"{order.leaves_qty:f}")

    def ended(self, order: VenueOrder, why: str) -> None:
        """Tell that what was left of an order is gone without trading."""
        self._tell("cancelled", order, left=f"{order.leaves_qty:f}", why=why)

    def gone(self, order: VenueOrder) -> None:
        """Tell of an order that the venue does not know any more."""
        self._log.warning("an order is gone: the venue has forgotten it", order_id=order.order_id)

    def refused(self, quote: Quote, error: VenueError, wait_ns: int) -> None:
        """Tell of a refused quote, and for how long its side pauses."""
        self.counts["refused"] += 1
        self._log.warning(
            "a quote was refused", side=quote.side.name, why=str(error), wait_s=round(wait_ns / NS_PER_SECOND, 2)
        )

    def unknown(self, client_order_id: str, error: VenueError) -> None:
        """Tell of an order without an answer."""
        self.counts["unknown"] += 1
        self._log.warning("an order's fate is unknown", client_order_id=client_order_id, why=str(error))

    def settled(self, client_order_id: str, found: VenueOrder | None) -> None:
        """Tell what became of it."""
        self._log.info("fate settled", client_order_id=client_order_id, arrived=found is not None)

    def failed(self, error: VenueError, wait_ns: int) -> None:
        """Tell that a cycle failed, and how long the next one waits; what `status` shows of our orders is old then."""
        self._node.show(failing=str(error))
        self._log.warning("the venue failed", why=str(error), wait_s=round(wait_ns / NS_PER_SECOND, 2))

    def idle(self, idle: Mapping[Side, str]) -> None:
        """Tell why a side is without a quote, when that changes."""
        for side in Side:
            why = idle.get(side, "")
            if why and why != self._idle.get(side):
                self._log.warning("not quoting", side=side.name, why=why)
        self._idle = dict(idle)

    def not_mirrored(self, error: Exception) -> None:
        """Tell that the gateway does not take the mirrored orders, when that changes."""
        self._once("orders are not mirrored", error)

    def note_failed(self, error: Exception) -> None:
        """Tell that orders on their way cannot be kept for a successor, when that changes."""
        self._once("orders on their way are not kept: a maker that is killed now may double one for a moment", error)

    def show(self, live: Iterable[VenueOrder], mid: Decimal | None, position: Decimal | None) -> None:
        """Set the figures of `status`."""
        orders = {order.side: order for order in live}
        figures: dict[str, Decimal | str | None] = {"mid": mid, "position": position, "last_fill": self._last_fill}
        for side, name in _SHORT.items():
            order = orders.get(side)
            figures[name], figures[f"{name}_qty"] = (order.price, order.leaves_qty) if order else (None, None)
            figures[f"{name}_idle"] = self._idle.get(side)
        texts = {name: None if figure is None else str(figure) for name, figure in figures.items()}
        self._node.show(failing=None, **texts, **self.counts)

    def _tell(self, event: str, order: VenueOrder, **more: str) -> None:
        self._log.info(event, side=order.side.name, price=str(order.price), **more, order_id=order.order_id)

    def _once(self, event: str, error: Exception) -> None:
        why = str(error) or type(error).__name__
        if self._told.get(event) != why:
            self._told[event] = why
            self._log.warning(event, why=why)

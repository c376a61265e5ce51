"""What the trader was told: the exchange has to stand by it."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from market.account import VenueOrder
from paper.money.orders import OrderStatus
from trading import news


class Told:
    """Orders as they were told at their furthest, by client order id.

    Attributes:
        filled: what of each was said to be filled, base asset.
        ended: those that were said to have ended.
        fills: what strategies were told to be filled of each, lots.
    """

    def __init__(self) -> None:
        self.filled: dict[str, Decimal] = {}
        self.ended: dict[str, VenueOrder] = {}
        self.fills: Counter[str] = Counter()

    def hear(self, said: Sequence[news.News]) -> None:
        """Take what the trader is told."""
        for each in said:
            match each:
                case news.OrderNews(order) | news.Found(_, VenueOrder() as order):
                    self._take(order)
                case news.Listed(orders):
                    for order in orders:
                        self._take(order)

    def _take(self, order: VenueOrder) -> None:
        name = order.client_order_id
        if order.status == OrderStatus.PENDING_NEW:
            return  # it may be refused yet
        self.filled[name] = max(order.filled_qty, self.filled.get(name, Decimal(0)))
        if not order.is_open:
            self.ended[name] = order

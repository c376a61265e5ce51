"""The others' mid in a simulated market, as the tracker of a real desk follows it: at each look, without our orders."""

from collections import Counter

from nodes.tracker.mids import Mids
from paper.exchange.news import AccountNews, OrderNews
from paper.money.orders import OrderStatus
from simulation.looks import Look, Looks

_KEPT_NS = 1 << 62  # books are closed once a day: all that a day has shown is still asked for


class OthersMids:
    """One account's orders in one book, and what the book is without them.

    Args:
        looks: at the book.
        symbol_id: whose it is.

    Attributes:
        mids: at the looks so far.
    """

    def __init__(self, looks: Looks, symbol_id: int) -> None:
        self.mids = Mids(_KEPT_NS)
        self._looks = looks
        self._symbol_id = symbol_id
        self._standing: dict[int, tuple[tuple[int, int], int]] = {}  # by order id: side and price, lots
        self._lots: Counter[tuple[int, int]] = Counter()
        looks.on_look = self._on_look

    def pass_to(self, time_ns: int) -> None:
        """Know what was seen until then, which the market has come to."""
        self._looks.make_room()
        self.mids.pass_to(time_ns)

    def hear(self, said: AccountNews) -> None:
        """Take what happens to our orders; what was seen before was with them as they had been."""
        if not isinstance(said, OrderNews) or said.order.symbol.symbol_id != self._symbol_id:
            return
        self._looks.make_room()
        order = said.order
        if (former := self._standing.pop(order.order_id, None)) is not None:
            level, lots = former
            self._lots[level] -= lots
        if order.status.is_open and order.status is not OrderStatus.PENDING_NEW:
            level, lots = (order.side.value, order.price_ticks), order.qty_lots - order.filled_lots
            self._standing[order.order_id] = level, lots
            self._lots[level] += lots
        self._lots = +self._lots

    def _on_look(self, look: Look) -> None:
        bid, ask = (look.best_ticks(side, self._lots) for side in range(2))
        self.mids.hear(look.time_ns, None if bid is None or ask is None else bid + ask)

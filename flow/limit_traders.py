"""The noise traders' limit orders: they join the touch or stand a little behind it, and are cancelled after a while.

Arrivals are a Poisson process and each order's patience is exponential, as in Cont, Stoikov and Talreja, "A stochastic
model for order book dynamics", Operations Research 58 (2010).
"""

import random
from heapq import heappop, heappush
from typing import Final

from flow.makers_book import MakersBook
from flow.market_settings import SyntheticSettings
from flow.own_levels import FlowOrder
from flow.own_orders import FlowOrders
from market.clock import NS_PER_SECOND
from market.codes import OrderType, Side

NEVER_NS: Final = 1 << 62  # later than anything
_JOINING_SHARE: Final = 0.5
_AMOUNT_LOG_SD: Final = 1.5


class LimitTraders:
    """Their orders, and when each will be cancelled."""

    def __init__(self, settings: SyntheticSettings, own: FlowOrders, book: MakersBook, rng: random.Random) -> None:
        self._settings = settings
        self._own = own
        self._book = book
        self._rng = rng
        self._orders: dict[int, FlowOrder] = {}
        self._ends: list[tuple[int, int]] = []  # when, and which order: a heap

    def reset(self) -> None:
        """Forget all orders: the book is empty."""
        self._orders.clear()
        self._ends.clear()

    def wait_s(self) -> float:
        """Return the time until the next order arrives."""
        return self._rng.expovariate(self._settings.limits_per_s)

    @property
    def next_end_ns(self) -> int:
        """When the next order is to be cancelled; far away while there is none."""
        return self._ends[0][0] if self._ends else NEVER_NS

    def arrive(self, now_ns: int) -> None:
        """Enter an order."""
        settings, rng = self._settings, self._rng
        side = Side(rng.randrange(2))
        is_joining = rng.random() < _JOINING_SHARE
        offset_ticks = self._book.ticks_of_bps(rng.expovariate(1.0 / settings.limit_reach_bps))
        amount = rng.lognormvariate(0.0, _AMOUNT_LOG_SD) * settings.limit_amount
        life_ns = round(rng.expovariate(1.0 / settings.limit_life_s) * NS_PER_SECOND)
        price_ticks = self._book.price(side, 0 if is_joining else offset_ticks)
        order = self._own.rest(side, price_ticks, self._book.lots(amount), OrderType.POST_ONLY)
        self._own.set_apart(order)
        self._orders[order.order_id] = order
        heappush(self._ends, (now_ns + life_ns, order.order_id))

    def end_next(self) -> None:
        """Cancel the order whose time has come, unless it is gone."""
        order = self._orders.pop(heappop(self._ends)[1])
        self._own.set_apart(order, is_apart=False)
        if not order.is_gone:
            self._own.cancel(order)

"""Whether the stream that tells what happens to an account's orders is dead: what it owes us, by what others tell.

A connection may stand, its pings and calls be answered, and nothing come of what happens. Then replies, lists and
answers to questions tell of orders what the stream never did. A stream that tells anything after that is late, or has
lost a message, and lives; one that says nothing is dead.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from market.account import VenueOrder
from market.clock import NS_PER_SECOND
from trading import news

LOOK_NS: Final = NS_PER_SECOND // 2
LOOKS_MAX: Final = 6  # in a row, at a stream that owes something: with a list every 5 s that is within 10 s
ORDERS_KEPT_MAX: Final = 1_000

_Progress = tuple[Decimal, bool]  # how much of an order was filled, and whether it has ended
_NOTHING: Final[_Progress] = (Decimal(-1), False)


class ToldOrders:
    """What one connection's stream has told of orders, beside what was told otherwise.

    Whoever looks every `LOOK_NS` counts looks and no time: if we were stopped, the stream was not heard either.
    """

    def __init__(self) -> None:
        self._told: OrderedDict[str, _Progress] = OrderedDict()
        self._owed: dict[str, _Progress] = {}
        self._looks = 0

    @property
    def is_owed(self) -> bool:
        """Whether something was told otherwise, and the stream has told nothing since."""
        return bool(self._owed)

    def begin(self) -> None:
        """Forget all: a connection stands anew, and tells nothing of what was before it."""
        self._told.clear()
        self._forgive()

    def send(self, client_order_id: str) -> None:
        """Take it that an order leaves: its first word is to come."""
        self._keep(client_order_id, _NOTHING)

    def hear(self, order: VenueOrder) -> None:
        """Take what the stream tells: it lives, and what it owes was lost on its way."""
        self._keep(order.client_order_id, _progress(order))
        for name, progress in self._owed.items():
            self._keep(name, progress)
        self._forgive()

    def compare(self, order: VenueOrder) -> None:
        """Take what was told otherwise; of an order that the stream need not have told of, that is where it begins."""
        now, told = _progress(order), self._told.get(order.client_order_id)
        if told is None:
            self._keep(order.client_order_id, now)
        elif now[0] > told[0] or now[1] > told[1]:
            self._owed[order.client_order_id] = now

    def is_dead(self) -> bool:
        """Look: return whether it has told nothing for too many looks while it owed something."""
        self._looks = self._looks + 1 if self.is_owed else 0
        return self._looks > LOOKS_MAX

    def _forgive(self) -> None:
        self._owed.clear()
        self._looks = 0

    def _keep(self, name: str, progress: _Progress) -> None:
        """Keep the farthest of an order: news may be late, and an order that has ended stays so."""
        before = self._told.get(name, _NOTHING)
        self._told[name] = max(before[0], progress[0]), before[1] or progress[1]
        if len(self._told) > ORDERS_KEPT_MAX:
            self._told.popitem(last=False)


def orders_of(said: Iterable[news.News]) -> Iterator[VenueOrder]:
    """Yield the orders that answers tell of."""
    for each in said:
        match each:
            case news.OrderNews(order) | news.Found(_, VenueOrder() as order) | news.Amended(_, VenueOrder() as order):
                yield order
            case news.Listed(orders):
                yield from orders


def _progress(order: VenueOrder) -> _Progress:
    return order.filled_qty, not (order.is_open and order.leaves_qty > 0)

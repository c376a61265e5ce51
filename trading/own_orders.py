"""Our orders at a venue: which are open, which have no answer yet, and which nobody knows the fate of.

The venue is right about what is open. What it has not answered may be there or not; so long it counts as if it were.
News of an order may be late or come twice: what was once filled or ended stays so.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final, NamedTuple

from market.account import VenueOrder
from trading.quoting import Quote

_ENDED_MAX: Final = 1_000  # remembered, so that late news does not bring them back


class UnknownOrder(NamedTuple):
    """An order whose answer was lost, and until when (ns, as `now_ns` of the trader) it may still arrive."""

    quote: Quote
    until_ns: int


class OwnOrders:
    """What is known of the orders of one trader, by client order id.

    Attributes:
        open: those that the venue has, as last heard.
        sent: those without an answer so far.
        unknown: those whose answer was lost.
        leaving: those of which a cancel has no answer so far.
    """

    def __init__(self, unknown: Mapping[str, UnknownOrder]) -> None:
        self.open: dict[str, VenueOrder] = {}
        self.sent: dict[str, Quote] = {}
        self.unknown: dict[str, UnknownOrder] = dict(unknown)
        self.leaving: set[str] = set()
        self._ended: OrderedDict[str, Decimal] = OrderedDict()  # what was filled of each
        self._seen_ns: dict[str, int] = {}  # of the open ones: when they were last heard of

    @property
    def is_none(self) -> bool:
        """Whether surely nothing of ours is anywhere."""
        return not (self.open or self.sent or self.unknown)

    def unsettled(self) -> dict[str, Quote]:
        """Return what a successor would have to ask for: orders without an answer, or with a lost one."""
        return {name: each.quote for name, each in self.unknown.items()} | self.sent

    def send(self, client_order_id: str, quote: Quote) -> None:
        """Note that an order leaves."""
        self.sent[client_order_id] = quote

    def drop(self, client_order_id: str) -> Quote | None:
        """Forget an order that the venue surely does not have; return its quote if it was on its way."""
        unknown = self.unknown.pop(client_order_id, None)
        return self.sent.pop(client_order_id, None) or (unknown and unknown.quote)

    def lose(self, client_order_id: str, until_ns: int) -> None:
        """Note that the answer to an order was lost; it may arrive until `until_ns`."""
        if (quote := self.sent.pop(client_order_id, None)) is not None:
            self.unknown[client_order_id] = UnknownOrder(quote, until_ns)

    def hear(self, order: VenueOrder, now_ns: int) -> Decimal:
        """Take an order as it is now; return what was newly filled of it.

        Of one that was neither sent by us nor heard of before, what was filled is not news: it is of an earlier run.
        """
        name = order.client_order_id
        if name in self._ended:
            news = max(Decimal(0), order.filled_qty - self._ended[name])
            self._ended[name] += news
            return news
        was_ours = self.drop(name) is not None
        before = self.open.get(name, replace(order, filled_qty=Decimal(0)) if was_ours else order)
        filled = max(order.filled_qty, before.filled_qty)
        if order.is_open and filled < order.qty:
            self.open[name] = replace(order, filled_qty=filled)
            self._seen_ns[name] = now_ns
        else:
            self._end(name, filled)
        return filled - before.filled_qty

    def forget(self, client_order_id: str) -> None:
        """Forget an open order that the venue does not know any more."""
        if (order := self.open.get(client_order_id)) is not None:
            self._end(client_order_id, order.filled_qty)

    def missing(self, listed: Collection[str], asked_ns: int) -> Iterator[str]:
        """Yield the open orders that a list asked for at `asked_ns` lacks though they were heard of before."""
        return (name for name in self.open if name not in listed and self._seen_ns[name] <= asked_ns)

    def _end(self, name: str, filled: Decimal) -> None:
        self.open.pop(name, None)
        self._seen_ns.pop(name, None)
        self.leaving.discard(name)
        self._ended[name] = filled
        if len(self._ended) > _ENDED_MAX:
            self._ended.popitem(last=False)

"""From the orders that are live to the quotes that are wanted, with as little motion as possible."""

from collections.abc import Sequence
from typing import NamedTuple

from market.codes import Side
from trading.quoting import Quote


class LiveOrder(NamedTuple):
    """One of our orders in the venue's book."""

    order_id: str
    side: Side
    price_ticks: int
    leaves_lots: int


class Plan(NamedTuple):
    """What to do, cancels first."""

    cancels: tuple[LiveOrder, ...]
    places: tuple[Quote, ...]


def reconcile(wanted: Sequence[Quote], live: Sequence[LiveOrder], tolerance_ticks: int) -> Plan:
    """Return what turns `live` into `wanted`.

    An order stays, with its place in the queue, while its price is within `tolerance_ticks` of the wanted one; what is
    left of a partly filled order stays too. Of several orders on one side only the closest stays.

    Args:
        wanted: at most one quote a side.
        live: our open orders.
        tolerance_ticks: how far a price may be off.
    """
    cancels: list[LiveOrder] = []
    places: list[Quote] = []
    for side in Side:
        quote = next((quote for quote in wanted if quote.side == side), None)
        orders = [order for order in live if order.side == side]
        kept = None
        if quote is not None:
            price_ticks = quote.price_ticks
            orders.sort(key=lambda order: abs(order.price_ticks - price_ticks))
            if orders and abs(orders[0].price_ticks - price_ticks) <= tolerance_ticks:
                kept = orders[0]
            else:
                places.append(quote)
        cancels.extend(order for order in orders if order is not kept)
    return Plan(tuple(cancels), tuple(places))

"""From the orders that are live to the quotes that are wanted, with as little motion as possible."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import NamedTuple

from market.codes import Side
from trading.quoting import Quote


class LiveOrder(NamedTuple):
    """One of our orders in the venue's book."""

    order_id: str
    side: Side
    price_ticks: int
    leaves_lots: int


class Cancel(NamedTuple):
    """An order that is to go, and why, for a person."""

    order: LiveOrder
    why: str


class Plan(NamedTuple):
    """What to do, cancels first."""

    cancels: tuple[Cancel, ...]
    places: tuple[Quote, ...]


def reconcile(
    wanted: Sequence[Quote],
    live: Sequence[LiveOrder],
    tolerance_ticks: int,
    replace_below: Decimal = Decimal(0),
    held: Collection[Side] = (),
    why_none: str = "nothing is wanted",
) -> Plan:
    """Return what turns `live` into `wanted`.

    An order stays, with its place in the queue, while its price is within `tolerance_ticks` of the wanted one and its
    size is near enough to the wanted one. Of several orders on one side only the closest stays.

    Args:
        wanted: at most one quote a side.
        live: our open orders.
        tolerance_ticks: how far a price may be off.
        replace_below: an order of which less than this part of the wanted quantity is left is replaced, and so is one
            that is larger by more than what may be missing; 0: size does not matter.
        held: sides on which nothing can be placed now, so that an order is better than none.
        why_none: why a side that is not wanted is not.
    """
    cancels: list[Cancel] = []
    places: list[Quote] = []
    for side in Side:
        quote = next((quote for quote in wanted if quote.side == side), None)
        orders = [order for order in live if order.side == side]
        if quote is None:
            cancels.extend(Cancel(order, why_none) for order in orders)
            continue
        price_ticks, part = quote.price_ticks, Decimal(0) if side in held else replace_below
        orders.sort(key=lambda order: abs(order.price_ticks - price_ticks))
        closest, others = orders[:1], orders[1:]
        replaced = [Cancel(order, why) for order in closest if (why := _why_not(order, quote, tolerance_ticks, part))]
        cancels.extend(replaced)
        cancels.extend(Cancel(order, "another one on this side is closer") for order in others)
        if replaced or not closest:
            places.append(quote)
    return Plan(tuple(cancels), tuple(places))


def _why_not(order: LiveOrder, quote: Quote, tolerance_ticks: int, replace_below: Decimal) -> str:
    """Return why an order cannot stand for a quote, empty if it can."""
    off_ticks = abs(order.price_ticks - quote.price_ticks)
    if off_ticks > tolerance_ticks:
        return f"requote: {off_ticks} ticks off, {tolerance_ticks} are tolerated"
    if replace_below and order.leaves_lots < replace_below * quote.qty_lots:
        return f"too little is left: {order.leaves_lots} of {quote.qty_lots} lots"
    if replace_below and order.leaves_lots > (2 - replace_below) * quote.qty_lots:
        return f"larger than wanted: {order.leaves_lots} instead of {quote.qty_lots} lots"
    return ""

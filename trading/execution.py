"""From the quotes that are wanted to the fewest actions that bring them about."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from market.codes import Side
from trading.quoting import Quote
from trading.strategy import OwnOrder


class Requoting(NamedTuple):
    """When an order is replaced by the quote that is wanted now.

    Attributes:
        tolerance: how far its price may be off, as a fraction of the mid.
        replace_below: an order of which less than this part of the wanted quantity is left is replaced, and so is one
            that is larger by more than what may be missing; 0: size does not matter.
    """

    tolerance: Decimal
    replace_below: Decimal = Decimal(0)


class Leave(NamedTuple):
    """An order that is to go, and why, for a person."""

    order: OwnOrder
    why: str


class Plan(NamedTuple):
    """What to do: first the cancels, then the places."""

    leaves: Sequence[Leave]
    places: Sequence[Quote]


def plan(
    wanted: Sequence[Quote],
    orders: Sequence[OwnOrder],
    tolerance_ticks: int,
    replace_below: Decimal = Decimal(0),
    held: Mapping[Side, str] | None = None,
    why_none: str = "nothing is wanted",
) -> Plan:
    """Return what turns `orders` into `wanted`, with as little motion as possible.

    An order stays, with its place in the queue, for a wanted quote of its side that it is near enough to in price and
    size. Of all such pairs the nearest in price are taken first. What stands for nothing leaves.

    Args:
        wanted: any number a side.
        orders: ours that are open.
        tolerance_ticks: how far a price may be off.
        replace_below: see Requoting.
        held: by side, why nothing can be placed on it now, so that an order near enough in price is better than none.
        why_none: why a side that is not wanted is not.
    """
    leaves: list[Leave] = []
    places: list[Quote] = []
    for side in Side:
        is_held = held is not None and side in held
        quotes = [quote for quote in wanted if quote.side == side]
        left = [order for order in orders if order.side == side]
        part = Decimal(0) if is_held else replace_below
        for quote, order in _pairs(quotes, left, tolerance_ticks, part):
            quotes.remove(quote)
            left.remove(order)
        leaves += [Leave(order, _why(order, quotes, tolerance_ticks, part, why_none, wanted)) for order in left]
        places += [] if is_held else quotes
    return Plan(leaves, places)


def _pairs(
    quotes: Sequence[Quote], orders: Sequence[OwnOrder], tolerance_ticks: int, part: Decimal
) -> list[tuple[Quote, OwnOrder]]:
    """Return which order stands for which quote: as many as can be, each time the nearest that is left.

    That is a largest matching, by augmenting paths (Kuhn, "The Hungarian method", Naval Research Logistics 2, 1955).
    """
    choices = [
        sorted(
            (of for of, order in enumerate(orders) if not _flaw(order, quote, tolerance_ticks, part)),
            key=lambda of: abs(orders[of].price_ticks - quote.price_ticks),
        )
        for quote in quotes
    ]
    stands_for: dict[int, int] = {}

    def find(at: int, tried: set[int]) -> bool:
        for of in choices[at]:
            if of not in tried:
                tried.add(of)
                if of not in stands_for or find(stands_for[of], tried):
                    stands_for[of] = at
                    return True
        return False

    for at in range(len(quotes)):
        find(at, set())
    return [(quotes[at], orders[of]) for of, at in stands_for.items()]


def _why(
    order: OwnOrder,
    quotes: Sequence[Quote],
    tolerance_ticks: int,
    part: Decimal,
    why_none: str,
    wanted: Sequence[Quote],
) -> str:
    if not any(quote.side == order.side for quote in wanted):
        return why_none
    if not quotes:
        return "another one on this side is closer"
    nearest = min(quotes, key=lambda quote: abs(quote.price_ticks - order.price_ticks))
    return _flaw(order, nearest, tolerance_ticks, part) or "another one on this side is closer"


def _flaw(order: OwnOrder, quote: Quote, tolerance_ticks: int, replace_below: Decimal) -> str:
    """Return why an order cannot stand for a quote, empty if it can."""
    off_ticks = abs(order.price_ticks - quote.price_ticks)
    if off_ticks > tolerance_ticks:
        return f"requote: {off_ticks} ticks off, {tolerance_ticks} are tolerated"
    if replace_below and order.leaves_lots < replace_below * quote.qty_lots:
        return f"too little is left: {order.leaves_lots} of {quote.qty_lots} lots"
    if replace_below and order.leaves_lots > (2 - replace_below) * quote.qty_lots:
        return f"larger than wanted: {order.leaves_lots} instead of {quote.qty_lots} lots"
    return ""

"""From the quotes that are wanted to the fewest actions that bring them about."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from market.codes import Side
from trading.quoting import Quote
from trading.reasons import SURPLUS, WANTED, Reason, Rule
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


class Plan(NamedTuple):
    """What to do: first the cancels, by client order id why; then the places, each with why it is placed now."""

    cancels: Mapping[str, Reason]
    places: Sequence[Quote]


def plan(
    wanted: Sequence[Quote],
    orders: Sequence[OwnOrder],
    tolerance_ticks: int,
    replace_below: Decimal,
    held: Collection[Side],
    why_none: Mapping[Side, Reason],
) -> Plan:
    """Return what turns `orders` into `wanted`, with as little motion as possible.

    An order stays, with its place in the queue, for a wanted quote of its side that it is near enough to in price and
    size: as many as can. What stands for nothing leaves.

    Args:
        wanted: any number a side.
        orders: ours that are open.
        tolerance_ticks: how far a price may be off.
        replace_below: see Requoting.
        held: sides on which nothing can be placed now, so that an order near enough in price is better than none.
        why_none: by side, why it is not wanted if it is not.
    """
    cancels: dict[str, Reason] = {}
    places: list[Quote] = []
    for side in Side:
        quotes = [quote for quote in wanted if quote.side == side]
        left = [order for order in orders if order.side == side]
        part = Decimal(0) if side in held else replace_below
        of_side = tuple(quotes)
        for quote, order in _pairs(quotes, left, tolerance_ticks, part):
            quotes.remove(quote)
            left.remove(order)
        for order in left:
            nearest = min(of_side, key=lambda quote: _off_ticks(order, quote), default=None)
            flaw = why_none[side] if nearest is None else _flaw(order, nearest, tolerance_ticks, part)
            cancels[order.client_order_id] = flaw or SURPLUS
        places += [] if side in held else _with_reasons(quotes, left, cancels)
    return Plan(cancels, places)


def _pairs(
    quotes: Sequence[Quote], orders: Sequence[OwnOrder], tolerance_ticks: int, part: Decimal
) -> list[tuple[Quote, OwnOrder]]:
    """Return which order stands for which quote: as many as can be, each time the nearest that is left.

    That is a largest matching, by augmenting paths (Kuhn, "The Hungarian method", Naval Research Logistics 2, 1955).
    """
    if len(quotes) == len(orders) == 1:  # nearly always
        return [] if _flaw(orders[0], quotes[0], tolerance_ticks, part) else [(quotes[0], orders[0])]
    choices = [
        sorted(
            (of for of, order in enumerate(orders) if not _flaw(order, quote, tolerance_ticks, part)),
            key=lambda of: _off_ticks(orders[of], quote),
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


def _with_reasons(quotes: Sequence[Quote], cancelled: Sequence[OwnOrder], cancels: Mapping[str, Reason]) -> list[Quote]:
    """Return the quotes to place: for what an order that is cancelled is not, unless the strategy says why itself."""
    left = [order for order in cancelled if cancels[order.client_order_id] is not SURPLUS]
    places = []
    for quote in quotes:
        why = quote.why
        if left:
            order = min(left, key=lambda each: _off_ticks(each, quote))
            left.remove(order)
            why = cancels[order.client_order_id] if why is WANTED else why
        places.append(replace(quote, why=why))
    return places


def _off_ticks(order: OwnOrder, quote: Quote) -> int:
    return abs(order.price_ticks - quote.price_ticks)


def _flaw(order: OwnOrder, quote: Quote, tolerance_ticks: int, replace_below: Decimal) -> Reason | None:
    """Return why an order cannot stand for a quote; None if it can."""
    off_ticks = _off_ticks(order, quote)
    if off_ticks > tolerance_ticks:
        text = f"requote: {off_ticks} ticks off, {tolerance_ticks} are tolerated"
        return Reason(Rule.TOLERANCE, text, {"off_ticks": off_ticks, "tolerance_ticks": tolerance_ticks})
    sizes = {"leaves_lots": order.leaves_lots, "wanted_lots": quote.qty_lots}
    if replace_below and order.leaves_lots < replace_below * quote.qty_lots:
        return Reason(Rule.TOP_UP, f"too little is left: {order.leaves_lots} of {quote.qty_lots} lots", sizes)
    if replace_below and order.leaves_lots > (2 - replace_below) * quote.qty_lots:
        text = f"larger than wanted: {order.leaves_lots} instead of {quote.qty_lots} lots"
        return Reason(Rule.TOO_LARGE, text, sizes)
    return None

"""What the maker does next, as a function of what it sees: no clock, no venue, no memory."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from market.codes import Side
from market.depth import Depth
from market.instrument import Instrument
from trading.order_rules import OrderRules
from trading.quoting import Market, Quote, QuotingModel


class View(NamedTuple):
    """What is known at one moment.

    Attributes:
        live: our open orders by the venue's id, with what is left of them.
        unknown: those that may have arrived, without an answer; the depth may show them.
        depth: the venue's book.
        position: of the base asset; None while that is not known.
        held: by side, why nothing may be placed on it now.
    """

    live: Mapping[str, Quote]
    unknown: Collection[Quote]
    depth: Depth
    position: Decimal | None
    held: Mapping[Side, str]


class Decision(NamedTuple):
    """What to do, cancels first.

    Attributes:
        mid: quote per base; None while there is none.
        cancels: by the venue's id of an order, why it is to go, for a person.
        places: what to enter.
        idle: by side, why there will be no quote on it.
        obstacle: what a person must mend.
    """

    mid: Decimal | None
    cancels: Mapping[str, str]
    places: Sequence[Quote]
    idle: Mapping[Side, str]
    obstacle: str | None


def decide(
    instrument: Instrument,
    rules: OrderRules,
    model: QuotingModel,
    tolerance: Decimal,
    replace_below: Decimal,
    view: View,
) -> Decision:
    """Return how to get from what is open to what is wanted; `tolerance` is a fraction of the mid, see `reconcile`."""
    market = Market(instrument, rules, _depth_of_others(view), view.position)
    mid = market.mid
    problem = model.obstacle(market)
    wanted = () if problem else model.quotes(market)
    why_none = problem or ("a side of the book is empty: there is no mid" if mid is None else "")
    tolerance_ticks = int(tolerance * mid / instrument.tick_size) if mid is not None else 0
    cancels, places = reconcile(wanted, view.live, tolerance_ticks, replace_below, view.held, why_none)
    held = {quote.side: view.held[quote.side] for quote in places if quote.side in view.held}
    idle = dict.fromkeys(Side, why_none) if why_none else held
    return Decision(mid, cancels, [quote for quote in places if quote.side not in held], idle, problem)


def _depth_of_others(view: View) -> Depth:
    own = Counter[tuple[int, int]]()
    for each in (*view.live.values(), *view.unknown):
        own[each.side, each.price_ticks] += each.qty_lots
    return view.depth.without(own)


def reconcile(
    wanted: Sequence[Quote],
    live: Mapping[str, Quote],
    tolerance_ticks: int,
    replace_below: Decimal,
    held: Collection[Side],
    why_none: str,
) -> tuple[dict[str, str], list[Quote]]:
    """Return what turns `live` into `wanted` with as little motion as possible: cancels, and then places.

    An order stays, with its place in the queue, while its price is within `tolerance_ticks` of the wanted one and its
    size is near enough to the wanted one. Of several orders on one side only the closest stays.

    Args:
        wanted: at most one quote a side.
        live: our open orders by id.
        tolerance_ticks: how far a price may be off.
        replace_below: an order of which less than this part of the wanted quantity is left is replaced, and so is one
            that is larger by more than what may be missing; 0: size does not matter.
        held: sides on which nothing can be placed now, so that an order is better than none.
        why_none: why a side that is not wanted is not.
    """
    wanted_sides = {quote.side for quote in wanted}
    cancels = {
        order_id: "another one on this side is closer" if order.side in wanted_sides else why_none
        for order_id, order in live.items()
    }
    places: list[Quote] = []
    for quote in wanted:
        orders = {order_id: order for order_id, order in live.items() if order.side == quote.side}
        off_ticks = {order_id: abs(order.price_ticks - quote.price_ticks) for order_id, order in orders.items()}
        if closest := min(orders, key=off_ticks.__getitem__, default=None):
            size = Decimal(0) if quote.side in held else replace_below
            if not (why := _why_not(orders[closest], quote, tolerance_ticks, size)):
                del cancels[closest]
                continue
            cancels[closest] = why
        places.append(quote)
    return cancels, places


def _why_not(order: Quote, wanted: Quote, tolerance_ticks: int, replace_below: Decimal) -> str:
    """Return why an order cannot stand for what is wanted, empty if it can."""
    off_ticks = abs(order.price_ticks - wanted.price_ticks)
    if off_ticks > tolerance_ticks:
        return f"requote: {off_ticks} ticks off, {tolerance_ticks} are tolerated"
    if replace_below and order.qty_lots < replace_below * wanted.qty_lots:
        return f"too little is left: {order.qty_lots} of {wanted.qty_lots} lots"
    if replace_below and order.qty_lots > (2 - replace_below) * wanted.qty_lots:
        return f"larger than wanted: {order.qty_lots} instead of {wanted.qty_lots} lots"
    return ""

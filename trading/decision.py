"""What the maker does next, as a function of what it sees: no clock, no venue, no memory."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from market.codes import Side
from market.depth import Depth
from market.instrument import Instrument
from trading.order_rules import OrderRules
from trading.quoting import Market, Quote, QuotingModel
from trading.reconcile import LiveOrder, Plan, reconcile


class Requoting(NamedTuple):
    """When an order is replaced by the quote that is wanted now: how far off its price, how small its rest may be."""

    tolerance: Decimal
    replace_below: Decimal


class View(NamedTuple):
    """What is known at one moment.

    Attributes:
        live: our open orders.
        unknown: those that may have arrived, without an answer; the depth may show them.
        depth: the venue's book.
        position: of the base asset; None while that is not known.
        held: by side, why nothing may be placed on it now.
        halted: why nothing may be quoted at all, empty if it may.
    """

    live: Sequence[LiveOrder]
    unknown: Collection[Quote]
    depth: Depth
    position: Decimal | None
    held: Mapping[Side, str]
    halted: str = ""


class Decision(NamedTuple):
    """What to do, and by side why there will be no quote on it; `obstacle` is what a person must mend."""

    mid_ticks_x2: int | None
    plan: Plan
    idle: Mapping[Side, str]
    obstacle: str | None


def decide(
    instrument: Instrument, rules: OrderRules, model: QuotingModel, requoting: Requoting, view: View
) -> Decision:
    """Return how to get from what is open to what is wanted."""
    market = Market(instrument, rules, _depth_of_others(view), view.position)
    mid_ticks_x2 = market.depth.mid_ticks_x2
    wanted: Sequence[Quote] = ()
    problem, tolerance_ticks = None, 0
    if mid_ticks_x2 is not None:
        problem = model.obstacle(market)
        tolerance_ticks = int(requoting.tolerance * mid_ticks_x2 / 2)
        if not problem and not view.halted:
            wanted = model.quotes(market)
    no_mid = "a side of the book is empty: there is no mid" if mid_ticks_x2 is None else ""
    why_none = view.halted or no_mid or problem or ""
    plan = reconcile(wanted, view.live, tolerance_ticks, requoting.replace_below, view.held, why_none)
    held = {quote.side: view.held[quote.side] for quote in plan.places if quote.side in view.held}
    idle = dict.fromkeys(Side, why_none) if why_none else held
    places = tuple(quote for quote in plan.places if quote.side not in view.held)
    return Decision(mid_ticks_x2, plan._replace(places=places), idle, problem)


def _depth_of_others(view: View) -> Depth:
    own: dict[tuple[int, int], int] = {}
    quantities: Iterable[LiveOrder | Quote] = (*view.live, *view.unknown)
    for each in quantities:
        lots = each.leaves_lots if isinstance(each, LiveOrder) else each.qty_lots
        place = (int(each.side), each.price_ticks)
        own[place] = own.get(place, 0) + lots
    return view.depth.without(own)

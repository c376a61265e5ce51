"""From the quotes that are wanted to the fewest actions that bring them about."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from market.account import VenueOrder
from market.codes import Side
from market.depth import Depth
from market.instrument import Instrument
from trading.hanging import Hanging
from trading.keeping import Keeping, Requoting
from trading.precedence import by_precedence
from trading.quoting import Quote
from trading.reasons import SURPLUS, WANTED, Reason, Rule
from trading.refills import Refilling, Refills
from trading.strategy import OwnOrder

_Flaw = Callable[[OwnOrder, Quote], Reason | None]


class Shrinking(NamedTuple):
    """An order that is to get smaller in its place, to what is to be left of it, and why."""

    client_order_id: str
    leaves_lots: int
    why: Reason


class Plan(NamedTuple):
    """What to do: the cancels, by client order id why; the places, each with why it is placed now; the amends."""

    cancels: Mapping[str, Reason]
    places: Sequence[Quote]
    amends: Sequence[Shrinking] = ()


class Execution:
    """What one trader's orders have been through, and when they are replaced by what is wanted.

    Args:
        requoting, refilling, hanging, can_amend: as `trading.terms` has them.
    """

    def __init__(
        self,
        requoting: Requoting,
        refilling: Refilling,
        hanging: Decimal,
        instrument: Instrument,
        *,
        can_amend: bool = True,
    ) -> None:
        self._instrument = instrument
        self._can_amend = can_amend
        self._fixed: set[str] = set()  # orders that the venue does not make smaller
        self._requoting = requoting
        self._refills = Refills(refilling)
        self._hanging = Hanging(hanging, instrument)
        self._mid_ticks_x2 = 0  # the last that there was: a tolerance is a fraction of it

    def plan(
        self,
        now_ns: int,
        depth: Depth,
        wanted: Sequence[Quote],
        orders: Sequence[OwnOrder],
        held: Collection[Side],
        why_none: Mapping[Side, Reason],
        room: int | None = None,
        reducing: Side | None = None,
    ) -> Plan:
        """Return what to do now: see `plan`.

        Args:
            depth: the others' book.
            room: how many orders may leave, those that come first (`by_precedence`); None: any number.
            reducing: the side whose fills reduce the position; None without one.
        """
        self._mid_ticks_x2 = depth.mid_ticks_x2 or self._mid_ticks_x2
        keeping = Keeping(self._requoting, self._instrument, now_ns, self._mid_ticks_x2, depth, wanted)
        others, leaving = self._hanging.look(orders, wanted, self._mid_ticks_x2, keeping)
        self._fixed &= {order.client_order_id for order in orders}
        amendable = [order for order in others if self._can_amend and order.client_order_id not in self._fixed]
        todo = plan(wanted, others, keeping, held, why_none, amendable)
        if room is not None and len(todo.places) > room:
            staying = Counter(
                order.side for order in orders if order.client_order_id not in {**leaving, **todo.cancels}
            )
            first = by_precedence(todo.places, self._mid_ticks_x2, reducing, staying)[:room]
            todo = within_room(todo, others, keeping, first)
        return todo._replace(cancels={**leaving, **todo.cancels})

    @property
    def hanging(self) -> Collection[str]:
        """The client order ids of the orders that hang: those that were left where they are at the last plan."""
        return self._hanging.left

    def fill(self, order: VenueOrder, standing: Sequence[VenueOrder], now_ns: int) -> None:
        """Take a fill; `order` as it is now, and all of ours that stand."""
        self._refills.fill(order.side, order.client_order_id, now_ns)
        self._hanging.fill(order, standing)

    def cannot_amend(self, client_order_id: str) -> None:
        """Take it that the venue does not make an order smaller: it is replaced."""
        self._fixed.add(client_order_id)

    def held(self, now_ns: int) -> dict[Side, Reason]:
        """Return by side why nothing is to be placed now."""
        return self._refills.reasons(now_ns)

    def wakes_ns(self, orders: Sequence[OwnOrder], now_ns: int) -> list[int]:
        """Return when an order may be due though nothing happens."""
        return [*self._refills.ends_ns(now_ns), *self._requoting.wakes_ns(orders, now_ns)]


def plan(
    wanted: Sequence[Quote],
    orders: Sequence[OwnOrder],
    keeping: Keeping,
    held: Collection[Side],
    why_none: Mapping[Side, Reason],
    amendable: Collection[OwnOrder] = (),
) -> Plan:
    """Return what turns `orders` into `wanted`, with as little motion as possible.

    An order stays, with its place in the queue, for a wanted quote of its side that it can stand for: as many as can.
    One that could if it were smaller gets smaller where it is. What stands for nothing leaves.

    Args:
        wanted: any number a side.
        orders: ours that are open.
        keeping: says which order can stand for which quote.
        held: sides on which nothing can be placed now.
        why_none: by side, why it is not wanted if it is not.
        amendable: orders that the venue can make smaller.
    """
    cancels: dict[str, Reason] = {}
    places: list[Quote] = []
    amends: list[Shrinking] = []
    for side in Side:
        quotes = [quote for quote in wanted if quote.side == side]
        left = [order for order in orders if order.side == side]
        of_side = tuple(quotes)
        flaw = partial(keeping.flaw, is_held=side in held)
        for quote, order in _pairs(quotes, left, flaw):
            quotes.remove(quote)
            left.remove(order)
        larger = [order for order in left if order in amendable]
        for quote, order in _pairs(quotes, larger, partial(_but_for_size, flaw)):
            quotes.remove(quote)
            left.remove(order)
            amends.append(Shrinking(order.client_order_id, quote.qty_lots, flaw(order, quote) or SURPLUS))
        for order in left:
            nearest = min(of_side, key=lambda quote: _off_ticks(order, quote), default=None)
            why = why_none[side] if nearest is None else flaw(order, nearest)
            cancels[order.client_order_id] = why or SURPLUS
        places += [] if side in held else _with_reasons(quotes, left, cancels)
    return Plan(cancels, places, amends)


def within_room(todo: Plan, orders: Sequence[OwnOrder], keeping: Keeping, first: Collection[int]) -> Plan:
    """Return what of a plan has room: the `first` of its places, and no cancel for the sake of one that has none.

    Of the orders that could stand if nothing could be placed, the nearest stays for each; one off its price leaves.
    """
    cancels = dict(todo.cancels)
    for place, quote in enumerate(todo.places):
        if place in first:
            continue
        near = [
            order
            for order in orders
            if order.client_order_id in cancels
            and order.side == quote.side
            and not keeping.flaw(order, quote, is_held=True)
        ]
        if near:
            del cancels[min(near, key=lambda order: _off_ticks(order, quote)).client_order_id]
    return todo._replace(cancels=cancels, places=[todo.places[place] for place in sorted(first)])


def _but_for_size(flaw: _Flaw, order: OwnOrder, quote: Quote) -> Reason | None:
    why = flaw(order, quote)
    return None if why is not None and why.rule == Rule.TOO_LARGE else why


def _pairs(quotes: Sequence[Quote], orders: Sequence[OwnOrder], flaw: _Flaw) -> list[tuple[Quote, OwnOrder]]:
    """Return which order stands for which quote: as many as can be, each time the nearest that is left.

    That is a largest matching, by augmenting paths (Kuhn, "The Hungarian method", Naval Research Logistics 2, 1955).
    """
    if len(quotes) == len(orders) == 1:  # nearly always
        return [] if flaw(orders[0], quotes[0]) else [(quotes[0], orders[0])]
    choices = [
        sorted(
            (of for of, order in enumerate(orders) if not flaw(order, quote)),
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

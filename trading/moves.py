"""Cancels and places as moves: one call for two, and no moment without either order."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from market.account import VenueOrder
from market.codes import Side
from market.instrument import Instrument
from trading.actions import Action, Amend, Cancel, Move, Place
from trading.execution import Plan, Shrinking
from trading.quoting import Quote
from trading.reasons import Reason
from trading.strategy import OwnOrder


class Movement(NamedTuple):
    """An order that is cancelled, why, and the quote that takes its place."""

    client_order_id: str
    why: Reason
    quote: Quote


class Commands(NamedTuple):
    """What to do, in this order."""

    cancels: Mapping[str, Reason]
    amends: Sequence[Shrinking]
    moves: Sequence[Movement]
    places: Sequence[Quote]

    def actions(
        self, known: Mapping[str, VenueOrder], instrument: Instrument, client_order_ids: Iterator[str]
    ) -> list[Action]:
        """Return what to ask of the venue; `known` has the orders, and new ones get the next ids."""

        def cancel(name: str, why: Reason) -> Cancel:
            return Cancel(name, known[name].order_id, why)

        def amend(name: str, leaves_lots: int, why: Reason) -> Amend:
            order = known[name]
            less_lots = instrument.qty_to_lots(order.leaves_qty) - leaves_lots
            return Amend(name, order.order_id, instrument.qty_to_lots(order.qty) - less_lots, why)

        def place(quote: Quote) -> Place:
            return Place.of(next(client_order_ids), quote)

        return [
            *(cancel(name, why) for name, why in self.cancels.items()),
            *(amend(*each) for each in self.amends),
            *(Move(cancel(name, why), place(quote)) for name, why, quote in self.moves),
            *map(place, self.places),
        ]


def paired(todo: Plan, orders: Sequence[OwnOrder]) -> Commands:
    """Return the same with as many moves as can be, each to the nearest place of its side.

    Whatever becomes of the commands before it, none makes a trade with ourselves: an order that a new quote of the
    other side reaches is cancelled first, and its side placed last.

    Args:
        todo: its cancels of others than `orders` stay what they are; its places in the order of their importance.
        orders: ours that are open and can be moved.
    """
    cancels, places = todo.cancels, todo.places
    movable = [
        order
        for order in orders
        if order.client_order_id in cancels and not any(_would_trade(order, quote) for quote in places)
    ]
    moves: list[Movement] = []
    left: list[Quote] = []
    for quote in places:
        of_side = [order for order in movable if order.side == quote.side]
        if not of_side:
            left.append(quote)
            continue
        nearest = min(of_side, key=lambda order: abs(order.price_ticks - quote.price_ticks))
        movable.remove(nearest)
        moves.append(Movement(nearest.client_order_id, cancels[nearest.client_order_id], quote))
    moved = {move.client_order_id for move in moves}
    amends = [each for each in todo.amends if each.client_order_id not in cancels]
    return Commands({name: why for name, why in cancels.items() if name not in moved}, amends, moves, left)


def _would_trade(order: OwnOrder, quote: Quote) -> bool:
    if order.side == quote.side:
        return False
    bid_ticks, ask_ticks = order.price_ticks, quote.price_ticks
    if order.side == Side.SELL:
        bid_ticks, ask_ticks = ask_ticks, bid_ticks
    return bid_ticks >= ask_ticks

"""What there is to pay with: a venue locks it with each order, and refuses who sends more.

What is free is known as of the last look at the balances. Since then our own orders alone lock and unlock: one that is
cancelled gives back what it held once the venue has said so; one that is filled has spent it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from market.account import Balance, VenueOrder
from market.codes import Side
from market.instrument import Instrument, format_decimal
from trading.limits import Checked
from trading.moves import Commands, Movement
from trading.order_rules import OrderRules
from trading.own_orders import OwnOrders
from trading.quoting import Quote
from trading.reasons import Reason, Rule


class Funds:
    """Of both sides: bids are paid with the quote asset, asks with the base asset.

    While the balances are not known, everything can be paid.

    Attributes:
        rules: the venue's bounds of an order.
    """

    def __init__(self, instrument: Instrument, rules: OrderRules) -> None:
        self._instrument = instrument
        self.rules = rules
        self._paid_with = {Side.BUY: instrument.quote, Side.SELL: instrument.base}
        self._ours: dict[Side, Decimal] = {}  # what there is for our orders, locked by them or free; empty: not known

    def hear(self, balances: Mapping[str, Balance], orders: OwnOrders) -> None:
        """Take the balances; `orders` as they are known at that moment."""
        free = {
            side: balances[asset].free if asset in balances else Decimal(0) for side, asset in self._paid_with.items()
        }
        locked = orders.locked(self._instrument)
        self._ours = {side: free[side] + locked[side] for side in Side}

    def fill(self, order: VenueOrder, qty: Decimal) -> None:
        """Take a fill: it has spent what was locked; what it has brought, the next look at the balances tells."""
        if self._ours:
            self._ours[order.side] -= qty * order.price if order.side == Side.BUY else qty

    def cut(self, wanted: Sequence[Quote]) -> Checked:
        """Return what can be paid of what is wanted, if nothing else of ours is there: in its order.

        The last one gets smaller, if it is still as much as the venue takes.
        """
        if not self._ours:
            return Checked(wanted, {})
        left, kept, bounds = dict(self._ours), list[Quote](), dict[Side, Sequence[Reason]]()
        for quote in wanted:
            side, of_lot = quote.side, self._needs(replace(quote, qty_lots=1))
            lots = min(quote.qty_lots, max(0, int(left[side] / of_lot)))
            if lots < quote.qty_lots:
                bounds.setdefault(side, [self._why(side, left[side], self._needs(quote))])
                if not self._is_an_order(quote.price_ticks, lots):
                    continue
            kept.append(replace(quote, qty_lots=lots))
            left[side] -= lots * of_lot
        return Checked(kept, bounds)

    def within(self, commands: Commands, orders: OwnOrders) -> Commands:
        """Return of the commands what can be paid now; a move has what its order holds, which the venue ends first.

        A move that cannot be paid is a cancel; its quote waits until what it lacks is free.
        """
        if not self._ours or not (commands.moves or commands.places):
            return commands
        locked = orders.locked(self._instrument)
        left = {side: self._ours[side] - locked[side] for side in Side}
        cancels, moves, places = dict(commands.cancels), list[Movement](), list[Quote]()
        for move in commands.moves:
            order = orders.open[move.client_order_id]
            held = order.leaves_qty * order.price if order.side == Side.BUY else order.leaves_qty
            more = self._needs(move.quote) - held
            if more <= max(Decimal(0), left[order.side]):
                left[order.side] -= more
                moves.append(move)
            else:
                cancels[move.client_order_id] = move.why
        for quote in commands.places:
            if (needs := self._needs(quote)) <= left[quote.side]:
                left[quote.side] -= needs
                places.append(quote)
        return commands._replace(cancels=cancels, moves=moves, places=places)

    def _needs(self, quote: Quote) -> Decimal:
        qty = quote.qty_lots * self._instrument.lot_size
        return qty * quote.price_ticks * self._instrument.tick_size if quote.side == Side.BUY else qty

    def _is_an_order(self, price_ticks: int, lots: int) -> bool:
        return self.rules.is_enough(lots * self._instrument.lot_size, price_ticks * self._instrument.tick_size)

    def _why(self, side: Side, has: Decimal, needs: Decimal) -> Reason:
        text = f"{format_decimal(has)} {self._paid_with[side]} is there for it, {format_decimal(needs)} is needed"
        return Reason(Rule.NO_FUNDS, text, {"has": has, "needs": needs})

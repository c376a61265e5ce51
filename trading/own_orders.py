"""Our orders at a venue: which are open, which have no answer yet, and which nobody knows the fate of.

The venue is right about what is open, but not at once: what is asked may lag behind what matches (Binance, REST API,
"Data sources": orders and cancels are answered by the matching engine, questions from memory or a database). So "there
is no such order" is taken for true the second time, and not before an order could no longer be on its way; until then
it counts as if it were there. News of an order may be late, come twice, or before that of what was earlier: what was
once filled or ended stays so.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final, NamedTuple

from market.account import VenueOrder
from market.codes import Side
from market.instrument import Instrument
from trading.quoting import Quote
from trading.reasons import ADOPTED, Reason
from trading.strategy import OwnOrder

ENDED: Final = "CANCELED"  # what has ended stays so, whatever late news say
DENIALS: Final = 2  # of an order by the venue, until it is given up
ENDED_MAX: Final = 1_000  # remembered, so that late news does not bring them back; and of those given up, as many


class UnknownOrder(NamedTuple):
    """An order whose answer was lost, and until when (ns, as `now_ns` of the trader) it may still arrive."""

    quote: Quote
    until_ns: int


Left = Quote | VenueOrder  # of an earlier run: as it was sent, or once the venue has taken it as it was last heard of


class Heard(NamedTuple):
    """What news of an order has changed.

    Attributes:
        order: as it is now, with all that was ever heard to be filled of it.
        filled_qty: what was newly filled, base asset.
        was_sent: whether this is the first word of an order without an answer.
        was_unknown: whether this is the first word of an order whose answer was lost.
        has_ended: whether it was open, as far as we knew, and is not any more.
        why_left: why we have cancelled it; None if we have not.
        why_placed: why it is there, if this is the first word of it.
        is_adopted: whether an earlier run has sent it.
    """

    order: VenueOrder
    filled_qty: Decimal
    was_sent: bool = False
    was_unknown: bool = False
    has_ended: bool = False
    why_left: Reason | None = None
    why_placed: Reason = ADOPTED
    is_adopted: bool = False


class OwnOrders:
    """What is known of the orders of one trader, by client order id.

    Args:
        arrival_ns: for how long after the last news of an order nobody need know of it who is asked.

    Attributes:
        open: those that the venue has taken and not ended, as last heard.
        gone: of the open ones, those that it could not cancel: they have ended, nobody has said how.
        sent: those without an answer so far.
        unknown: those whose answer was lost.
    """

    def __init__(self, arrival_ns: int) -> None:
        self._arrival_ns = arrival_ns
        self.open: dict[str, VenueOrder] = {}
        self.gone: set[str] = set()
        self.sent: dict[str, Quote] = {}
        self.unknown: dict[str, UnknownOrder] = {}
        self._why_left: dict[str, Reason] = {}  # of the open ones whose cancel left, and was not refused
        self._why_leaving: dict[str, Reason] = {}  # of the open ones whose cancel has no answer so far
        self._placed: dict[str, Quote] = {}  # of the open ones that this run has sent
        self._since_ns: dict[str, int] = {}  # of the open ones: when there was first news of them
        self._heard_ns: dict[str, int] = {}  # of the open ones: when there was last news of them
        self._denials: dict[str, int] = {}  # how often the venue has said, late enough, that there is no such order
        self._resting: dict[str, tuple[VenueOrder, OwnOrder | None]] = {}  # in ticks and lots, as last asked for
        self._ended: OrderedDict[str, Decimal] = OrderedDict()  # what was filled of each
        self._just_filled: dict[str, tuple[VenueOrder, int]] = {}  # of the ended ones, and when that was heard
        self._given_up: OrderedDict[str, Decimal] = OrderedDict()  # the same of those that are denied, and may return

    @property
    def standing(self) -> dict[str, VenueOrder]:
        """The open orders that may be in the book."""
        return {name: order for name, order in self.open.items() if name not in self.gone}

    @property
    def count(self) -> int:
        """How many may be in the book, or come there."""
        return len(self.open) + len(self.sent) + len(self.unknown)

    @property
    def is_none(self) -> bool:
        """Whether surely nothing of ours is in the book, or comes into it."""
        return not (self.standing or self.sent or self.unknown)

    def uncertain(self) -> dict[str, Side]:
        """Return the orders that are to be asked for again and again, with their sides: nobody knows their fate."""
        lost = {name: each.quote.side for name, each in self.unknown.items()}
        return lost | {name: order.side for name, order in self.open.items() if name in self.gone}

    def doubtful(self) -> list[str]:
        """Return the open orders that the venue denies, but for those that it could not cancel either."""
        return [name for name in self.standing if name in self._denials]

    def unsettled(self) -> dict[str, Quote]:
        """Return the orders without an answer, and those with a lost one."""
        return {name: each.quote for name, each in self.unknown.items()} | self.sent

    def to_leave(self, now_ns: int) -> dict[str, Left]:
        """Return what a successor must know, for no list may show it yet: unsettled orders, and those that are open.

        And those that were filled so lately that a list may still have them as they were: it would tell that again.
        """
        for name, (_, heard_ns) in list(self._just_filled.items()):
            if now_ns > heard_ns + self._arrival_ns:
                del self._just_filled[name]
        return self.unsettled() | self.open | {name: order for name, (order, _) in self._just_filled.items()}

    def take_over(self, left: Mapping[str, Left], now_ns: int) -> None:
        """Know what an earlier run has left: what it had an answer to is as it was, what not may still arrive."""
        for name, order in left.items():
            if isinstance(order, VenueOrder):
                self.hear(order, now_ns)
            else:
                self.unknown[name] = UnknownOrder(replace(order, why=ADOPTED), now_ns + self._arrival_ns)

    def resting(self, instrument: Instrument) -> list[OwnOrder]:
        """Return the open orders, in ticks and lots; without those that lie between steps: of a run with others."""
        before, self._resting = self._resting, {}  # few are other than they were: a Decimal in steps takes 2 us
        for name, order in self.standing.items():
            known = before.get(name)
            if known is None or known[0] is not order:
                known = order, self._own(order, instrument)
            self._resting[name] = known
        return [own for _, own in self._resting.values() if own is not None]

    def could_fill(self, instrument: Instrument) -> dict[Side, Decimal]:
        """Return how much could still trade on each side, base asset: of whatever may be in the book, or come there."""
        could = dict.fromkeys(Side, Decimal(0))
        for order in self.open.values():
            could[order.side] += order.leaves_qty
        for quote in self.unsettled().values():
            could[quote.side] += quote.qty_lots * instrument.lot_size
        return could

    def locked(self, instrument: Instrument) -> dict[Side, Decimal]:
        """Return what the venue holds back for the same orders: bids lock quote, asks base."""
        locked = dict.fromkeys(Side, Decimal(0))
        for order in self.open.values():
            locked[order.side] += order.leaves_qty * (order.price if order.side == Side.BUY else 1)
        for sent in self.unsettled().values():
            price = instrument.ticks_to_price(sent.price_ticks) if sent.side == Side.BUY else 1
            locked[sent.side] += sent.qty_lots * instrument.lot_size * price
        return locked

    def off_grid(self) -> list[str]:
        """Return the open orders that `resting` has just left out."""
        return [name for name, (_, own) in self._resting.items() if own is None]

    def lots_by_level(self, resting: Sequence[OwnOrder]) -> dict[tuple[int, int], int]:
        """Return what of the book is ours, or may be, by side and price in ticks."""
        own = [(order.side, order.price_ticks, order.leaves_lots) for order in resting]
        maybe = [(quote.side, quote.price_ticks, quote.qty_lots) for quote, _ in self.unknown.values()]
        lots: dict[tuple[int, int], int] = {}
        for side, price_ticks, qty_lots in (*own, *maybe):
            lots[side, price_ticks] = lots.get((side, price_ticks), 0) + qty_lots
        return lots

    def send(self, client_order_id: str, quote: Quote) -> None:
        """Note that an order leaves."""
        self.sent[client_order_id] = quote

    def why_placed(self, client_order_id: str) -> Reason:
        """Return why an open order stands."""
        return ADOPTED if (quote := self._placed.get(client_order_id)) is None else quote.why

    def level(self, client_order_id: str) -> int | None:
        """Return which level of its side an open order was placed for; None where nobody counts them."""
        return None if (quote := self._placed.get(client_order_id)) is None else quote.level

    def cancel(self, client_order_id: str, why: Reason) -> None:
        """Note that an open order is being cancelled."""
        self._why_leaving[client_order_id] = why

    def lose_cancel(self, client_order_id: str) -> None:
        """Note that the answer to a cancel was lost: it may have arrived."""
        if (why := self._why_leaving.pop(client_order_id, None)) is not None:
            self._why_left[client_order_id] = why

    def keep(self, client_order_id: str) -> bool:
        """Note that nothing was done: an order is not on its way; return whether it is one that was not cancelled."""
        self.drop(client_order_id)
        return self._why_leaving.pop(client_order_id, None) is not None

    def drop(self, client_order_id: str) -> Quote | None:
        """Forget an order on its way that the venue has not taken; return what it was."""
        unknown = self.unknown.pop(client_order_id, None)
        self._denials.pop(client_order_id, None)
        return self.sent.pop(client_order_id, None) or (unknown and unknown.quote)

    def lose(self, client_order_id: str, until_ns: int) -> bool:
        """Note that the answer to an order was lost; return False if there was news of it before."""
        if (quote := self.sent.pop(client_order_id, None)) is None:
            return False
        self.unknown[client_order_id] = UnknownOrder(quote, until_ns)
        return True

    def hear(self, order: VenueOrder, now_ns: int) -> Heard:
        """Take an order as the venue had it at some time.

        Of one that was neither sent by us nor heard of before, what was filled is not news: it is of an earlier run.
        One that was given up is known as it was.
        """
        name = order.client_order_id
        if name in self._ended:
            return self._hear_late(order, now_ns)
        was_sent, was_unknown = name in self.sent, name in self.unknown
        quote = self.drop(name)
        is_ours = quote is not None
        before = self.open.get(name)
        before_qty = self._given_up.pop(name, None)
        is_known = is_ours or before is not None or before_qty is not None
        if before_qty is None:
            before_qty = before.filled_qty if before else Decimal(0) if is_ours else order.filled_qty
        order = replace(order, filled_qty=max(order.filled_qty, before_qty))
        if before is not None and before.qty < order.qty:
            order = replace(order, qty=before.qty)  # late news: an order that is amended gets smaller alone
        why_left = self._why_leaving.get(name) or self._why_left.get(name)
        is_adopted = (self.why_placed(name) if quote is None else quote.why) is ADOPTED
        is_open = order.is_open and order.leaves_qty > 0
        if is_open:
            self.open[name] = order
            if quote is not None:
                self._placed[name] = quote
            self._since_ns.setdefault(name, now_ns)
            self._heard_ns[name] = now_ns
            self._denials.pop(name, None)
            self.gone.discard(name)
        else:
            self._end(order, self._ended)
            if order.filled_qty:
                self._just_filled[name] = order, now_ns
        why = ADOPTED if quote is None else quote.why
        has_ended = is_known and not is_open
        filled_qty = order.filled_qty - before_qty
        return Heard(order, filled_qty, was_sent, was_unknown, has_ended, why_left, why, is_adopted)

    def cannot_cancel(self, client_order_id: str) -> None:
        """Note that the venue has no such order open."""
        if client_order_id in self.open:
            self.gone.add(client_order_id)

    def deny(self, client_order_id: str, asked_ns: int) -> bool:
        """Take the answer that there is no such order, to a question of `asked_ns`; return whether it is given up.

        That is so the second time, if each question was asked when the order could no longer be on its way nor be
        overlooked, there was no news of it between, and it cannot be cancelled.
        """
        name = client_order_id
        unknown, order = self.unknown.get(name), self.open.get(name)
        if unknown is None and order is None:
            return False
        if asked_ns <= (unknown.until_ns if unknown else self._heard_ns[name] + self._arrival_ns):
            return False
        self._denials[name] = self._denials.get(name, 0) + 1
        if self._denials[name] < DENIALS or not (unknown or name in self.gone):
            return False
        if order is None:
            self.drop(name)
            _remember(self._given_up, name, Decimal(0))
        else:
            self._end(order, self._given_up)
        return True

    def missing(self, listed: Collection[str], asked_ns: int) -> list[str]:
        """Return the open orders that a list lacks though there was no news of them since it was asked for."""
        return [name for name in self.standing if name not in listed and self._heard_ns[name] <= asked_ns]

    def _own(self, order: VenueOrder, instrument: Instrument) -> OwnOrder | None:
        terms, name = in_steps(order.price, order.leaves_qty, instrument), order.client_order_id
        if in_steps(order.price, order.qty, instrument) is None:  # as after a change of the lot: an amend has no words
            return None  # for all of it, though what is left may be of whole lots
        return None if terms is None else OwnOrder(name, order.side, *terms, self._since_ns[name])

    def _hear_late(self, order: VenueOrder, now_ns: int) -> Heard:
        name = order.client_order_id
        before_qty = self._ended[name]
        if order.filled_qty > before_qty:
            self._ended[name] = order.filled_qty
            self._just_filled[name] = replace(order, status=ENDED), now_ns
        return Heard(replace(order, filled_qty=self._ended[name]), self._ended[name] - before_qty)

    def _end(self, order: VenueOrder, filled_of: OrderedDict[str, Decimal]) -> None:
        name = order.client_order_id
        of_open = self.open, self._since_ns, self._heard_ns, self._placed, self._why_left, self._why_leaving
        for those in (*of_open, self._denials):
            those.pop(name, None)
        self.gone.discard(name)
        _remember(filled_of, name, order.filled_qty)


def _remember(filled_of: OrderedDict[str, Decimal], name: str, qty: Decimal) -> None:
    """Remember what was filled of an order in place of the oldest: one that is forgotten is of an earlier run."""
    filled_of[name] = qty
    if len(filled_of) > ENDED_MAX:
        filled_of.popitem(last=False)


def in_steps(price: Decimal, qty: Decimal, instrument: Instrument) -> tuple[int, int] | None:
    """Return a price in ticks and a quantity in lots; None if either lies between two steps."""
    try:
        return instrument.price_to_ticks(price), instrument.qty_to_lots(qty)
    except ValueError:
        return None

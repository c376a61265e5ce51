"""A venue on a simulated clock that loses answers, tells late, twice and out of order, fills and forgets nothing.

What it may not do: be asked out of order, tell of what was not, or take in an order after its window.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from itertools import count
from typing import Protocol

from market.account import Balance, VenueOrder
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.depth import Depth, Level
from market.instrument import Instrument
from trading import news
from trading.actions import Action, Amend, AskBalances, AskRules, Cancel, FindOrder, ListOrders, Move, Place
from trading.order_rules import MarketRules, OrderRules
from trading.outbox import Outbox
from venues.line_end import with_what_follows

ARRIVAL_NS = 6 * NS_PER_SECOND
_SIDES = tuple(Side)


class Stepping(Protocol):
    """A trader, or who stands before one."""

    def step(self, now_ns: int, said: Sequence[news.News]) -> Outbox:
        """Make a step."""


class RoughVenue:
    """One trader's venue.

    Args:
        lag_ns: for how long after it has arrived an order is in no list, and not found.

    Attributes:
        now_ns: the time.
        trouble: how often each thing goes wrong, 0 to 1.
        whole: how often a fill takes all that is left of an order, 0 to 1.
        orders: all that ever arrived, by client order id, as they are.
        position: what was bought and not sold again.
        most_out: how far the position, with all that was open, could have been out at any time, by side.
        said: how often each kind of news was told.
    """

    def __init__(self, instrument: Instrument, seed: int, trouble: float, lag_ns: int = 0) -> None:
        self.now_ns = 10**18
        self.trouble = trouble
        self.whole = 0.0
        self.orders: dict[str, VenueOrder] = {}
        self.most_open = 0
        self.position = Decimal(0)
        self.most_out = dict.fromkeys(Side, Decimal(0))
        self.said: dict[str, int] = {}
        self.actions: list[Action] = []
        self._open: dict[str, VenueOrder] = {}
        self._instrument = instrument
        self._lag_ns = lag_ns
        self._arrived_ns: dict[str, int] = {}
        self._rng = random.Random(f"{seed} rough venue")
        self._numbers = count(1)
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._batches: deque[deque[Action]] = deque()
        self._is_at_work = False
        self._news: list[news.News] = []
        self._answered_ns = 0
        self._mid_ticks = 9_138_500
        self._silent_until_ns = 0
        self._fills: list[tuple[int, Decimal, Decimal]] = []  # when, what came of the base asset, and its price

    def open_orders(self) -> list[VenueOrder]:
        """Return those that are open."""
        return list(self._open.values())

    def run(self, trader: Stepping, until_ns: int) -> list[object]:
        """Let time go by; return what the trader notes."""
        told: list[object] = []
        while self.now_ns < until_ns:
            said, self._news = self._news, []
            outbox = trader.step(self.now_ns, said)
            told += outbox.notes
            self.actions += outbox.actions
            if outbox.actions:
                self._act(outbox.actions)
            next_ns = min([until_ns, *([outbox.wake_ns] if outbox.wake_ns is not None else []), *self._next_due()])
            self.now_ns = max(self.now_ns + 1, next_ns)
            while self._due and self._due[0][0] <= self.now_ns:
                heapq.heappop(self._due)[2]()
            for side in _SIDES:
                leaves = [order.leaves_qty for order in self._open.values() if order.side == side]
                self.most_open = max(self.most_open, len(leaves))
                open_qty = sum(leaves, Decimal(0))
                out = (self.position if side == Side.BUY else -self.position) + open_qty
                self.most_out[side] = max(self.most_out[side], out)
        return told

    def hold(self, qty: Decimal) -> None:
        """Have so much from long ago."""
        self.position += qty
        self._fills.append((0, qty, Decimal(0)))

    def live(self, until_ns: int) -> None:
        """Let the market go on until then: the book, fills, and whoever else has a hand in our account."""
        for at_ns in range(self.now_ns, until_ns, 50 * NS_PER_MS):
            self._at(at_ns, self._market)

    def fill_whole(self, side: Side) -> None:
        """Let the open orders of a side trade wholly."""
        for order in self.open_orders():
            if order.side == side:
                self._change(replace(order, filled_qty=order.qty, status="FILLED"))

    def take_back(self) -> Sequence[Action]:
        """Return what has not begun."""
        taken = [action for batch in self._batches for action in batch]
        self._batches.clear()
        return taken

    def _happens(self, often: float = 1.0) -> bool:
        return self._rng.random() < self.trouble * often

    def _at(self, time_ns: int, happening: Callable[[], None]) -> None:
        heapq.heappush(self._due, (time_ns, next(self._numbers), happening))

    def _next_due(self) -> list[int]:
        return [self._due[0][0]] if self._due else []

    def _tell(self, said: news.News) -> None:
        name = type(said).__name__
        self.said[name] = self.said.get(name, 0) + 1
        self._news.append(said)

    # --- the market ---

    def _market(self) -> None:
        self._mid_ticks += self._rng.choice([0, 0, 0, 5, -5, 4_000, -4_000])
        for order in self.open_orders():
            if self._rng.random() < 0.02:
                leaves_lots = self._instrument.qty_to_lots(order.leaves_qty)
                lots = self._rng.randint(leaves_lots if self._rng.random() < self.whole else 1, leaves_lots)
                filled_qty = order.filled_qty + self._instrument.lots_to_qty(lots)
                status = "FILLED" if filled_qty == order.qty else "PARTIALLY_FILLED"
                self._change(replace(order, filled_qty=filled_qty, status=status))
            elif self._happens(0.05):
                self._change(replace(order, status="EXPIRED"))
        if self._happens(0.02) and self._silent_until_ns < self.now_ns:
            self._silent_until_ns = self.now_ns + self._rng.randint(1, 3_000) * NS_PER_MS
            self._tell(news.Silent("a stream has ended"))
            self._at(self._silent_until_ns, lambda: self._tell(news.Following()))
        self._tell(news.BookNews(self._depth()))

    def _depth(self) -> Depth:
        sides: dict[Side, list[tuple[int, int]]] = {
            Side.BUY: [(self._mid_ticks - 1, 5_000)],
            Side.SELL: [(self._mid_ticks + 1, 5_000)],
        }
        for order in self.open_orders():
            lots = self._instrument.qty_to_lots(order.leaves_qty)
            sides[order.side].append((self._instrument.price_to_ticks(order.price), lots))
        bids, asks = sorted(sides[Side.BUY], reverse=True), sorted(sides[Side.SELL])
        return Depth(tuple(Level(*each) for each in bids), tuple(Level(*each) for each in asks))

    def _change(self, order: VenueOrder) -> None:
        """Let an order become this, and tell it: once or twice, now or later, before or after other news of it."""
        before = self.orders.get(order.client_order_id)
        filled_qty = order.filled_qty - (before.filled_qty if before else 0)
        if filled_qty:
            self._fills.append((self.now_ns, filled_qty if order.side == Side.BUY else -filled_qty, order.price))
            self.position += self._fills[-1][1]
        self.orders[order.client_order_id] = order
        if order.is_open:
            self._open[order.client_order_id] = order
        else:
            self._open.pop(order.client_order_id, None)
        self._arrived_ns.setdefault(order.client_order_id, self.now_ns)
        for _ in range(2 if self._happens() else 1):
            if self.now_ns < self._silent_until_ns:
                return  # lost: the stream is cut
            late_ns = self._rng.randint(0, 2_000) * NS_PER_MS if self._happens() else NS_PER_MS
            self._at(self.now_ns + late_ns, lambda: self._tell(news.OrderNews(order)))

    # --- what is asked ---

    def _act(self, actions: Sequence[Action]) -> None:
        self._batches.append(deque(actions))
        if not self._is_at_work:
            self._is_at_work = True
            self._at(self._later_ns(), self._begin)

    def _later_ns(self) -> int:
        return self.now_ns + self._rng.randint(1, 400 if self._happens() else 5) * NS_PER_MS

    def _begin(self) -> None:
        while self._batches and not self._batches[0]:
            self._batches.popleft()
        self._is_at_work = bool(self._batches)
        if self._batches:
            batch, asked_ns = self._batches[0], self.now_ns
            action = batch.popleft()
            self._at(self._later_ns(), lambda: self._end(action, batch, asked_ns))

    def _end(self, action: Action, batch: deque[Action], asked_ns: int) -> None:
        for said in self._move(action) if isinstance(action, Move) else [self._answer(action, asked_ns)]:
            self._tell(with_what_follows(said, batch))
        self._begin()

    def _move(self, move: Move) -> list[news.News]:
        """Do both halves, the first alone, or neither, now or later; the answer tells of each, or is lost."""
        cancel, place = move
        lost: list[news.News] = [news.Unknown(place.client_order_id, "lost"), news.Failed("lost", (cancel,))]
        if self._happens(0.2):
            return [news.Untried(cancel.client_order_id), news.Refused(place.client_order_id, "a filter", -1013)]
        if self._happens(0.2):
            return [news.Failed("out of reach", (move,))]
        if self._happens(0.3):
            if self._rng.random() < 0.7:
                self._at(self.now_ns + self._rng.randint(0, ARRIVAL_NS), partial(self._do_unheard, move))
            return lost
        said = self._do(move)
        return lost if self._happens(0.3) else said

    def _do_unheard(self, move: Move) -> None:
        self._do(move)

    def _do(self, move: Move) -> list[news.News]:
        cancel, place = move
        before = self.orders[cancel.client_order_id]
        if not before.is_open:
            return [news.Gone(cancel.client_order_id), news.Untried(place.client_order_id)]
        ended = replace(before, status="CANCELED")
        self._change(ended)
        if self._happens(0.3):
            return [news.OrderNews(ended), news.Refused(place.client_order_id, "insufficient balance", -2010)]
        order = self._order_of(place)
        self._change(order)
        return [news.OrderNews(ended), news.OrderNews(order)]

    def _amend(self, amend: Amend, order: VenueOrder) -> news.News:
        qty, is_lost = self._instrument.lots_to_qty(amend.qty_lots), self._happens(0.3)
        if self._happens(0.2):
            return news.Failed("out of reach", (amend,))
        if not order.is_open:
            return news.Gone(amend.client_order_id)
        if not order.filled_qty < qty < order.qty or self._happens(0.2):
            return news.Amended(amend.client_order_id, None, "not smaller, or too often")
        amended = replace(order, qty=qty)
        self._change(amended)
        return news.Failed("the answer was lost", (amend,)) if is_lost else news.Amended(amend.client_order_id, amended)

    def _order_of(self, place: Place) -> VenueOrder:
        price, qty = self._instrument.ticks_to_price(place.price_ticks), self._instrument.lots_to_qty(place.qty_lots)
        names = str(next(self._numbers)), place.client_order_id, self._instrument.symbol
        return VenueOrder(*names, place.side, price, qty, Decimal(0), "NEW", 0)

    def _answer(self, action: Action, asked_ns: int) -> news.News:
        match action:
            case Place():
                return self._place(action)
            case Cancel(name):
                return self._cancel(action, self.orders[name])
            case Move():
                raise AssertionError("a move has two answers")
            case Amend():
                return self._amend(action, self.orders[action.client_order_id])
            case _ if self._happens(0.2):
                return news.Failed("busy", (action,), self._rng.choice([0.0, 1.0]))
            case FindOrder(name):
                order = self.orders.get(name)
                return news.Found(name, order if order and self._is_seen(order) else None, asked_ns)
            case ListOrders():
                return news.Listed([order for order in self.open_orders() if self._is_seen(order)], asked_ns)
            case AskRules():
                return news.RulesNews(MarketRules(self._instrument.tick_size, self._instrument.lot_size, OrderRules()))
            case AskBalances():
                seen = [(qty, price) for at_ns, qty, price in self._fills if self.now_ns - at_ns >= self._lag_ns]
                has = {
                    "BTC": 10 + sum((qty for qty, _ in seen), Decimal(0)),
                    "USDT": 10**8 - sum((qty * price for qty, price in seen), Decimal(0)),
                }
                return news.Balances({asset: Balance(total, Decimal(0)) for asset, total in has.items()})

    def _is_seen(self, order: VenueOrder) -> bool:
        return self.now_ns - self._arrived_ns[order.client_order_id] >= self._lag_ns

    def _place(self, action: Place) -> news.News:
        name, order = action.client_order_id, self._order_of(action)
        if action.is_taking:
            lots = self._rng.randint(0, action.qty_lots)
            status = "FILLED" if lots == action.qty_lots else "EXPIRED"
            order = replace(order, filled_qty=self._instrument.lots_to_qty(lots), status=status)
        if self._happens(0.3):
            return news.Refused(name, "insufficient balance", -2010)
        if self._happens(0.3):
            return news.Failed("out of reach", (action,))
        if self._happens(0.3):
            if self._rng.random() < 0.7:
                self._at(
                    self.now_ns + self._rng.choice([0, self._rng.randint(0, ARRIVAL_NS)]), lambda: self._change(order)
                )
            return news.Unknown(name, "lost")
        self._change(order)
        return news.OrderNews(order)

    def _cancel(self, action: Cancel, order: VenueOrder) -> news.News:
        fate = self._rng.random() if self._happens(0.5) else 1.0
        if fate < 0.5:
            return news.Failed("nobody answers", (action,))
        if not order.is_open:
            return news.Gone(action.client_order_id)
        ended = replace(order, status="CANCELED")
        self._change(ended)
        return news.OrderNews(ended) if fate == 1.0 else news.Failed("the answer was lost", (action,))

"""The slow, obvious book of one symbol, on sortedcontainers: queues in dictionaries, nothing precomputed."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sortedcontainers import SortedDict

from engine.capacity import LEVELS_PER_PAGE
from engine.state import OrderState, SymbolState
from market.codes import OrderType, Side, TimeInForce, Trigger
from market.commands import NewOrder
from market.depth import Level
from market.limits import PRICE_TICKS_MAX

_SIDES: Final = tuple(Side)

PageKey = tuple[int, str, int]  # symbol, which of its ladders, price // LEVELS_PER_PAGE


class PagePool:
    """Counts the pages of levels in use, so that this engine runs out of them exactly when the fast one does."""

    def __init__(self, pages_max: int) -> None:
        self._pages_max = pages_max
        self._order_count: Counter[PageKey] = Counter()

    def has_room(self, key: PageKey) -> bool:
        """Return whether an order may join the page: it is in use, or one more may be."""
        return key in self._order_count or len(self._order_count) < self._pages_max

    def join(self, key: PageKey) -> None:
        """Count one more order on the page."""
        assert self.has_room(key), f"expected a free page for {key}, were {len(self._order_count)} in use"
        self._order_count[key] += 1

    def leave(self, key: PageKey) -> None:
        """Count one order less on the page; the last one frees it."""
        self._order_count[key] -= 1
        assert self._order_count[key] >= 0, f"page {key} has {self._order_count[key]} orders"
        if not self._order_count[key]:
            del self._order_count[key]


@dataclass(slots=True, eq=False)
class ReferenceOrder:
    """An open order; `resting_lots` is what the book shows of it, 0 while it waits for its trigger or takes.

    Of one that trails, while a command is handled: `has_moved` says that its best price is to be told, `is_due` that it
    is to wake.
    """

    order_id: int
    symbol_id: int
    side: int
    price_ticks: int
    leaves_lots: int
    order_type: int
    time_in_force: int
    self_trade_prevention: int
    display_lots: int
    trigger: int
    trigger_price_ticks: int
    owner: int
    trailing_bps: int
    resting_lots: int = 0
    has_moved: bool = False
    is_due: bool = False

    @classmethod
    def of(cls, command: NewOrder) -> "ReferenceOrder":
        """Return what a new order asks for."""
        given = command._asdict()
        del given["time_ns"]
        return cls(leaves_lots=given.pop("qty_lots"), **given)

    @property
    def is_waiting(self) -> bool:
        """Whether its trigger has not fired yet."""
        return self.trigger != Trigger.NONE

    @property
    def wakes_on_rise(self) -> bool:
        """Whether its trigger fires at or above the trigger price (else at or below)."""
        return (self.trigger == Trigger.STOP) == (self.side == Side.BUY)

    @property
    def is_trailing(self) -> bool:
        """Whether it waits and trails the price, or will."""
        return self.is_waiting and self.trailing_bps != 0

    def wakes_at(self, price_ticks: int) -> bool:
        """Return whether a trade at the price meets its condition: that it has turned back, if it is tracked."""
        if self.trigger != Trigger.TRAIL:
            at = self.trigger_price_ticks
            return price_ticks >= at if self.wakes_on_rise else price_ticks <= at
        best = self.trigger_price_ticks
        if self.side == Side.BUY:
            return price_ticks * 10_000 >= best * (10_000 + self.trailing_bps)
        return price_ticks * 10_000 <= best * (10_000 - self.trailing_bps)

    def follow(self, price_ticks: int) -> None:
        """Take note of a trade while it trails the price."""
        best = self.trigger_price_ticks
        if self.trigger != Trigger.TRAIL:
            is_better = self.wakes_at(price_ticks)  # then this is the first price that it tracks
        elif best and self.wakes_at(price_ticks):
            self.is_due, is_better = True, False
        else:
            is_better = not best or (price_ticks < best if self.side == Side.BUY else price_ticks > best)
        if is_better and not self.is_due:
            self.trigger, self.trigger_price_ticks, self.has_moved = int(Trigger.TRAIL), price_ticks, True

    @property
    def shown_lots(self) -> int:
        """What the book would show of it if it joined a queue now."""
        return min(self.display_lots or self.leaves_lots, self.leaves_lots)

    def accepts(self, price_ticks: int) -> bool:
        """Return whether it would trade at the price."""
        if self.order_type == OrderType.MARKET:
            return True
        return price_ticks <= self.price_ticks if self.side == Side.BUY else price_ticks >= self.price_ticks


Queue = dict[int, ReferenceOrder]  # by order id, first in time first


class ReferenceBook:
    """The resting and the waiting orders of one symbol."""

    def __init__(self, symbol_id: int, pages: PagePool) -> None:
        self.is_halted = False
        self.last_price_ticks = 0
        self.trade_id = 0
        self.low_ticks, self.high_ticks = 0, PRICE_TICKS_MAX  # between which takers may trade
        self._symbol_id = symbol_id
        self._pages = pages
        self._sides: tuple[SortedDict, SortedDict] = (SortedDict(), SortedDict())  # price -> Queue
        self._rising: SortedDict = SortedDict()  # trigger price -> Queue
        self._falling: SortedDict = SortedDict()
        self._trailing: Queue = {}

    @property
    def state(self) -> SymbolState:
        """What counts besides the orders."""
        return SymbolState(int(self.is_halted), self.last_price_ticks, self.trade_id, self.low_ticks, self.high_ticks)

    @state.setter
    def state(self, state: SymbolState) -> None:
        is_halted, self.last_price_ticks, self.trade_id, self.low_ticks, self.high_ticks = state
        self.is_halted = bool(is_halted)

    def order_of(self, state: OrderState) -> ReferenceOrder:
        """Return the order that was in this state, which is in no queue yet."""
        return ReferenceOrder(symbol_id=self._symbol_id, **state._asdict())

    def best_price(self, side: int) -> int | None:
        """Return the best price of a side, None while it is empty."""
        levels = self._sides[side]
        if not levels:
            return None
        price: int = levels.keys()[-1 if side == Side.BUY else 0]
        return price

    def best_maker(self, taker: ReferenceOrder) -> ReferenceOrder | None:
        """Return the resting order that `taker` would trade with next."""
        return next(self.makers(taker), None)

    def makers(self, taker: ReferenceOrder) -> Iterator[ReferenceOrder]:
        """Yield the resting orders whose price `taker` accepts, by price, then time."""
        levels = self._sides[1 - taker.side]
        for price in levels if taker.side == Side.BUY else reversed(levels):
            if not taker.accepts(price):
                return
            yield from levels[price].values()

    def resting(self, side: int) -> Iterator[ReferenceOrder]:
        """Yield the resting orders of a side, by price, then time."""
        levels = self._sides[side]
        for price in reversed(levels) if side == Side.BUY else levels:
            yield from levels[price].values()

    def waiting(self) -> Iterator[ReferenceOrder]:
        """Yield the orders that wait for a rise, for a fall, and those that trail the price, as they would wake."""
        for price in self._rising:
            yield from self._rising[price].values()
        for price in reversed(self._falling):
            yield from self._falling[price].values()
        yield from self.trailing()

    def trailing(self) -> Iterator[ReferenceOrder]:
        """Yield the orders that trail the price, or will, first in time first."""
        yield from self._trailing.values()

    def follow(self, price_ticks: int) -> None:
        """Let the orders that trail the price, or will, take note of a trade."""
        for order in self.trailing():
            order.follow(price_ticks)

    def may_trade_at(self, price_ticks: int) -> bool:
        """Return whether the price is within the symbol's range."""
        return self.low_ticks <= price_ticks <= self.high_ticks

    def orders(self) -> list[ReferenceOrder]:
        """Return all: bids, asks, then those that wait."""
        return [*self.resting(Side.BUY), *self.resting(Side.SELL), *self.waiting()]

    def next_woken(self, low_ticks: int, high_ticks: int) -> ReferenceOrder | None:
        """Return the next order that trades from `low_ticks` to `high_ticks` wake."""
        for order in self.waiting():
            if order.is_trailing:
                is_woken = order.is_due
            else:
                is_woken = order.wakes_at(high_ticks if order.wakes_on_rise else low_ticks)
            if is_woken:
                return order
        return None

    def levels(self, side: int) -> Iterator[Level]:
        """Yield the levels of a side with what they show, best first."""
        levels = self._sides[side]
        for price in reversed(levels) if side == Side.BUY else levels:
            yield Level(price, sum(order.resting_lots for order in levels[price].values()))

    def has_room_for(self, order: ReferenceOrder) -> bool:
        """Return whether there is a page of levels for the place that the order would take."""
        return order.is_trailing or self._pages.has_room(self._page_key(order))

    def enter(self, order: ReferenceOrder) -> None:
        """Put the order at the back of its queue: that of its trigger price while it waits, else that of its price."""
        if order.is_trailing:
            self._trailing[order.order_id] = order
            return
        self._pages.join(self._page_key(order))
        order.resting_lots = 0 if order.is_waiting else order.shown_lots
        self._ladder(order).setdefault(self._rung(order), {})[order.order_id] = order

    def leave(self, order: ReferenceOrder) -> None:
        """Take the order out of its queue."""
        if order.is_trailing:
            del self._trailing[order.order_id]
            return
        ladder, rung = self._ladder(order), self._rung(order)
        del ladder[rung][order.order_id]
        if not ladder[rung]:
            del ladder[rung]
        order.resting_lots = 0
        self._pages.leave(self._page_key(order))

    def check_invariants(self) -> None:
        """Raise AssertionError if the book is crossed or an order contradicts its place."""
        bid, ask = self.best_price(Side.BUY), self.best_price(Side.SELL)
        assert bid is None or ask is None or bid < ask, f"book is crossed: bid {bid}, ask {ask}"
        for side in _SIDES:
            for order in self.resting(side):
                assert order.side == side, f"{order} rests on side {side}"
                assert 0 < order.resting_lots <= order.leaves_lots, f"{order} shows more than it has, or nothing"
                assert order.time_in_force == TimeInForce.GTC, f"{order} may not rest"
                assert not order.is_waiting, f"{order} rests although it waits"
        for order in self.waiting():
            assert order.is_waiting, f"{order} waits without a trigger"
            assert order.resting_lots == 0, f"{order} is shown although it waits"
            assert not order.has_moved, f"the trail of {order} was not told"
            assert not order.is_due, f"{order} was not woken"

    def _ladder(self, order: ReferenceOrder) -> SortedDict:
        if order.is_waiting:
            return self._rising if order.wakes_on_rise else self._falling
        return self._sides[order.side]

    def _rung(self, order: ReferenceOrder) -> int:
        return order.trigger_price_ticks if order.is_waiting else order.price_ticks

    def _page_key(self, order: ReferenceOrder) -> PageKey:
        # Bids and asks never meet, so the two sides of a book share its pages.
        name = "book" if not order.is_waiting else "rising" if order.wakes_on_rise else "falling"
        return self._symbol_id, name, self._rung(order) // LEVELS_PER_PAGE

"""The slow, obvious engine: every rule of docs/engine.md, each where a reader would look for it.

It is the model that the fast engine is tested against, and a desk can run on it (`engine.book = reference`).
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, groupby, islice
from operator import attrgetter
from typing import Final

import numpy as np

from engine.capacity import Capacity
from engine.reference import checks
from engine.reference.book import PagePool, ReferenceBook, ReferenceOrder
from engine.reference.events import ReferenceEvents
from engine.rows.ring import Ring
from engine.state import (
    SNAPSHOT_WIDTH,
    STATE_WIDTH,
    EngineState,
    EngineStateError,
    OrderState,
    hash_state,
)
from market.codes import CancelReason, OrderType, RejectReason, SelfTradePrevention, Side, TimeInForce, Trigger
from market.commands import AmendOrder, CancelOrder, HaltSymbol, MassCancel, NewOrder, SetPriceRange
from market.depth import Depth
from market.events import Amended, Event, Executed, Halted, Rested, Trailed, Triggered
from market.feed_messages import BestPrices
from market.kernels.rows import TAG, Int64Array, read_command, write_event
from market.limits import PRICE_TICKS_MAX
from market.messages import COMMAND_BY_TAG

Events = Iterator[Event]

_SIDES: Final = tuple(Side)
_state_of: Final[Callable[[ReferenceOrder], tuple[int, ...]]] = attrgetter(*OrderState._fields)


class ReferenceEngine:
    """A `MatchingEngine` whose commands are generators of events: a full ring of events just stops pulling."""

    def __init__(self, capacity: Capacity) -> None:
        self.commands = Ring(capacity.command_slots)
        self.events = Ring(capacity.event_slots)
        self._orders_max = capacity.orders_max
        self._orders: dict[int, ReferenceOrder] = {}
        pages = PagePool(capacity.pages_max)
        self._books = tuple(ReferenceBook(symbol_id, pages) for symbol_id in range(capacity.symbol_count))
        self._teller = ReferenceEvents(capacity.symbol_count)
        self._unfinished: Events | None = None

    @property
    def sequence(self) -> int:
        """The sequence of the last event; 0 before the first."""
        return self._teller.sequence

    @property
    def live_order_count(self) -> int:
        """How many orders rest or wait for their trigger."""
        return len(self._orders)

    def match(self) -> int:
        """Handle what waits; return how many commands were finished (and consumed)."""
        finished_count = 0
        while len(self.commands):
            if self._unfinished is None:
                self._unfinished = self._handle(self.commands.readable()[0])
            while self.events.free_count:
                event = next(self._unfinished, None)
                if event is None:
                    break
                write_event(self.events.rows, self.events.claim(), event)
                self.events.publish()
            else:
                return finished_count
            self._unfinished = None
            self.commands.consume()
            finished_count += 1
        return finished_count

    def depth(self, symbol_id: int, level_count: int) -> Depth:
        """Return the best `level_count` levels of each side with what is shown there."""
        book = self._books[symbol_id]
        return Depth(
            tuple(islice(book.levels(Side.BUY), level_count)), tuple(islice(book.levels(Side.SELL), level_count))
        )

    def orders(self, symbol_id: int) -> Int64Array:
        """Return the resting orders: order_id, side, price_ticks, resting_lots, leaves_lots, owner."""
        book = self._books[symbol_id]
        return self._state_rows(chain(book.resting(Side.BUY), book.resting(Side.SELL)))[:, :SNAPSHOT_WIDTH]

    def queues(self, symbol_id: int, side: int, after_ticks: int, orders_out: Int64Array) -> tuple[int, int, bool]:
        """Write whole levels of a side, those behind `after_ticks` (0: from the best on), as many as fit."""
        count = 0
        for price_ticks, level in groupby(self._books[symbol_id].resting(side), key=lambda order: order.price_ticks):
            if after_ticks and (price_ticks <= after_ticks if side else price_ticks >= after_ticks):
                continue
            orders = [(order.order_id, side, price_ticks, order.resting_lots) for order in level]
            if count + len(orders) > len(orders_out):
                return count, after_ticks, False
            orders_out[count : count + len(orders)] = orders
            count, after_ticks = count + len(orders), price_ticks
        return count, after_ticks, True

    def best(self, symbol_id: int) -> BestPrices:
        """Return the best bid and offer with what is shown there."""
        bid, ask = (next(self._books[symbol_id].levels(side), (0, 0)) for side in _SIDES)
        return BestPrices(*bid, *ask)

    def state_hash(self) -> int:
        """Return 64 bits that every engine in this state agrees on."""
        return hash_state(*self.state())

    def state(self) -> EngineState:
        """Return all that the engine is."""
        symbols = tuple((book.state, self._state_rows(book.orders())) for book in self._books)
        return EngineState(self._teller.sequence, symbols)

    def restore(self, state: EngineState) -> None:
        """Be in a state; raise EngineStateError if that cannot be."""
        if len(state.symbols) != len(self._books):
            raise EngineStateError(f"expected the state of {len(self._books)} symbols, was of {len(state.symbols)}")
        for book, (symbol, rows) in zip(self._books, state.symbols, strict=True):
            for row in rows.tolist():
                order = book.order_of(OrderState(*row))
                is_full = len(self._orders) >= self._orders_max or not book.has_room_for(order)
                if is_full or order.order_id in self._orders:
                    raise EngineStateError(f"{order} has no place, or is there twice")
                self._place(order)
                order.resting_lots = row[OrderState._fields.index("resting_lots")]
            book.state = symbol
        self._teller.sequence = state.sequence
        self.events.positions[:] = state.sequence

    def check_invariants(self) -> None:
        """Raise AssertionError where the state contradicts itself."""
        placed = 0
        for book in self._books:
            book.check_invariants()
            for order in book.orders():
                assert self._orders.get(order.order_id) is order, f"{order} is in a book but has no id"
                placed += 1
        assert placed == len(self._orders), f"{len(self._orders)} ids, {placed} orders in books"

    @staticmethod
    def _state_rows(orders: Iterable[ReferenceOrder]) -> Int64Array:
        values = chain.from_iterable(map(_state_of, orders))
        return np.fromiter(values, np.int64).reshape(-1, STATE_WIDTH)

    # -- commands

    def _handle(self, row: Int64Array) -> Events:
        tag = int(row[TAG])
        if tag not in COMMAND_BY_TAG:
            self._teller.time_ns = 0
            yield self._teller.rejected(-1, 0, 0, tag, RejectReason.MALFORMED)
            return
        command = read_command(row)
        self._teller.time_ns = max(0, command.time_ns)
        match command:
            case NewOrder():
                yield from self._enter_order(command)
            case CancelOrder():
                yield from self._cancel_order(command)
            case AmendOrder():
                yield from self._amend_order(command)
            case MassCancel():
                yield from self._cancel_many(command)
            case HaltSymbol():
                yield from self._halt(command)
            case SetPriceRange():
                yield from self._set_price_range(command)

    def _enter_order(self, command: NewOrder) -> Events:
        reason = checks.first_failed(checks.new_order_checks(command, len(self._books)))
        order = ReferenceOrder.of(command)
        reason = reason or checks.first_failed(self._entry_checks(order))
        if reason:
            yield self._teller.refused(command, reason)
            return
        book = self._books[order.symbol_id]
        if order.is_waiting or (self._may_rest(order) and not book.best_maker(order)):
            self._place(order)
            yield self._teller.accepted(order)
            if order.is_waiting and book.last_price_ticks:
                book.follow(book.last_price_ticks)
                yield from self._tell_trails(book)
                yield from self._act(book, None, book.last_price_ticks, book.last_price_ticks)
            return
        yield self._teller.accepted(order)
        yield from self._act(book, order, PRICE_TICKS_MAX + 1, 0)

    def _entry_checks(self, order: ReferenceOrder) -> checks.Checks:
        book = self._books[order.symbol_id]
        trades_at_once = not order.is_waiting and book.best_maker(order) is not None
        may_stay = order.is_waiting or self._may_rest(order)
        return (
            (book.is_halted, RejectReason.SYMBOL_HALTED),
            (order.order_id in self._orders, RejectReason.DUPLICATE_ORDER_ID),
            (trades_at_once and order.order_type == OrderType.POST_ONLY, RejectReason.POST_ONLY_WOULD_CROSS),
            (may_stay and len(self._orders) >= self._orders_max, RejectReason.BOOK_FULL),
            (may_stay and not trades_at_once and not book.has_room_for(order), RejectReason.LEVELS_FULL),
        )

    def _cancel_order(self, command: CancelOrder) -> Events:
        order = self._orders.get(command.order_id)
        reason = checks.first_failed(
            (
                *checks.cancel_checks(command, len(self._books)),
                (order is None or order.symbol_id != command.symbol_id, RejectReason.UNKNOWN_ORDER),
                (order is not None and command.owner not in (0, order.owner), RejectReason.WRONG_OWNER),
            )
        )
        if order is None or reason:
            yield self._teller.refused(command, reason or RejectReason.UNKNOWN_ORDER)
            return
        self._remove(order)
        yield self._teller.canceled(order, CancelReason.REQUESTED)

    def _amend_order(self, command: AmendOrder) -> Events:
        order = self._orders.get(command.order_id)
        reason = checks.first_failed(checks.amend_checks(command, len(self._books)))
        if order is None or reason:
            yield self._teller.refused(command, reason or RejectReason.UNKNOWN_ORDER)
            return
        book = self._books[command.symbol_id]
        is_market = order.order_type == OrderType.MARKET
        reason = checks.first_failed(
            (
                (order.symbol_id != command.symbol_id, RejectReason.UNKNOWN_ORDER),
                (command.owner not in (0, order.owner), RejectReason.WRONG_OWNER),
                (command.expected_leaves_lots not in (0, order.leaves_lots), RejectReason.LEAVES_CHANGED),
                (book.is_halted, RejectReason.SYMBOL_HALTED),
                ((command.price_ticks == 0) != is_market, RejectReason.BAD_PRICE),
                (checks.has_too_many_parts(command.qty_lots, order.display_lots), RejectReason.BAD_DISPLAY_QTY),
            )
        )
        if reason:
            yield self._teller.refused(command, reason)
        elif order.is_waiting:
            order.price_ticks, order.leaves_lots = command.price_ticks, command.qty_lots
            yield self._teller.tell(Amended, order)
        elif command.price_ticks == order.price_ticks and command.qty_lots < order.leaves_lots:
            order.leaves_lots = command.qty_lots
            order.resting_lots = min(order.resting_lots, command.qty_lots)
            yield self._teller.tell(Amended, order)
        else:
            yield from self._reinsert(order, command)

    def _reinsert(self, order: ReferenceOrder, command: AmendOrder) -> Events:
        book = self._books[order.symbol_id]
        before = order.price_ticks
        order.price_ticks = command.price_ticks
        trades_at_once = book.best_maker(order) is not None
        reason = checks.first_failed(
            (
                (trades_at_once and order.order_type == OrderType.POST_ONLY, RejectReason.POST_ONLY_WOULD_CROSS),
                (not trades_at_once and not book.has_room_for(order), RejectReason.LEVELS_FULL),
            )
        )
        order.price_ticks = before
        if reason:
            yield self._teller.refused(command, reason)
            return
        self._remove(order)
        order.price_ticks, order.leaves_lots = command.price_ticks, command.qty_lots
        yield self._teller.tell(Amended, order)
        yield from self._act(book, order, PRICE_TICKS_MAX + 1, 0)

    def _cancel_many(self, command: MassCancel) -> Events:
        reason = checks.first_failed(checks.mass_cancel_checks(command, len(self._books)))
        if reason:
            yield self._teller.refused(command, reason)
            return
        for book in self._books if command.symbol_id < 0 else (self._books[command.symbol_id],):
            for order in book.orders():
                if command.side in (-1, order.side) and command.owner in (0, order.owner):
                    self._remove(order)
                    yield self._teller.canceled(order, CancelReason.MASS_CANCEL)

    def _halt(self, command: HaltSymbol) -> Events:
        reason = checks.first_failed(checks.halt_checks(command, len(self._books)))
        if reason:
            yield self._teller.refused(command, reason)
            return
        symbol_ids = range(len(self._books)) if command.symbol_id < 0 else (command.symbol_id,)
        for symbol_id in symbol_ids:
            self._books[symbol_id].is_halted = bool(command.is_halted)
            yield self._teller.tell(Halted, symbol_id=symbol_id, is_halted=command.is_halted)

    def _set_price_range(self, command: SetPriceRange) -> Events:
        reason = checks.first_failed(checks.price_range_checks(command, len(self._books)))
        if reason:
            yield self._teller.refused(command, reason)
            return
        book = self._books[command.symbol_id]
        book.low_ticks, book.high_ticks = command.low_ticks, command.high_ticks or PRICE_TICKS_MAX

    # -- an order acts: it trades, then rests or is cancelled, then wakes those who waited for its trades

    def _act(self, book: ReferenceBook, order: ReferenceOrder | None, low_ticks: int, high_ticks: int) -> Events:
        """Let the order act, if there is one, then those who wake at the prices that were traded, one by one."""
        while order or (order := book.next_woken(low_ticks, high_ticks)):
            if order.is_waiting:
                self._remove(order)
                order.trigger, order.trigger_price_ticks, order.trailing_bps = Trigger.NONE, 0, 0
                order.is_due = False
                yield self._teller.tell(Triggered, order)
            for event in self._trade_and_settle(order):
                if isinstance(event, Executed):
                    low_ticks, high_ticks = min(low_ticks, event.price_ticks), max(high_ticks, event.price_ticks)
                    book.follow(event.price_ticks)
                yield event
            yield from self._tell_trails(book)
            order = None

    def _tell_trails(self, book: ReferenceBook) -> Events:
        for order in book.trailing():
            if order.has_moved:
                order.has_moved = False
                yield self._teller.tell(Trailed, order, price_ticks=order.trigger_price_ticks)

    def _trade_and_settle(self, taker: ReferenceOrder) -> Events:
        book = self._books[taker.symbol_id]
        if taker.order_type == OrderType.POST_ONLY and book.best_maker(taker):
            yield self._teller.canceled(taker, CancelReason.POST_ONLY_WOULD_CROSS)
            return
        if taker.time_in_force == TimeInForce.FOK and not self._can_fill(taker):
            yield self._teller.canceled(taker, CancelReason.FILL_OR_KILL)
            return
        while taker.leaves_lots and (maker := book.best_maker(taker)):
            if not book.may_trade_at(maker.price_ticks):
                yield self._teller.canceled(taker, CancelReason.PRICE_RANGE)
                return
            if taker.owner and taker.owner == maker.owner and taker.self_trade_prevention:
                yield from self._prevent(taker, maker)
            else:
                yield from self._execute(taker, maker)
        if not taker.leaves_lots:
            return
        if taker.order_type == OrderType.MARKET:
            yield self._teller.canceled(taker, CancelReason.NO_LIQUIDITY)
        elif taker.time_in_force == TimeInForce.IOC:
            yield self._teller.canceled(taker, CancelReason.IMMEDIATE_OR_CANCEL)
        elif not book.has_room_for(taker):
            yield self._teller.canceled(taker, CancelReason.LEVELS_FULL)
        else:
            self._place(taker)
            yield self._teller.tell(Rested, taker)

    def _can_fill(self, taker: ReferenceOrder) -> bool:
        """Return whether all of a fill-or-kill order would trade.

        Own orders stop it, except that EXPIRE_MAKER takes them out of the way. What an iceberg hides is behind
        everything that its level shows, so it counts only once the level has no own order left in the way.
        """
        book = self._books[taker.symbol_id]
        available_lots = hidden_lots = level_ticks = 0
        for maker in book.makers(taker):
            if not book.may_trade_at(maker.price_ticks):
                break
            if maker.price_ticks != level_ticks:
                available_lots, hidden_lots, level_ticks = available_lots + hidden_lots, 0, maker.price_ticks
            if available_lots >= taker.leaves_lots:
                return True
            if taker.owner and taker.owner == maker.owner and taker.self_trade_prevention:
                if taker.self_trade_prevention == SelfTradePrevention.EXPIRE_MAKER:
                    continue
                return False
            available_lots += maker.resting_lots
            hidden_lots += maker.leaves_lots - maker.resting_lots
        return available_lots + hidden_lots >= taker.leaves_lots

    def _execute(self, taker: ReferenceOrder, maker: ReferenceOrder) -> Events:
        book = self._books[taker.symbol_id]
        lots = min(taker.leaves_lots, maker.resting_lots)
        taker.leaves_lots -= lots
        maker.leaves_lots -= lots
        maker.resting_lots -= lots
        book.trade_id += 1
        book.last_price_ticks = maker.price_ticks
        yield self._teller.executed(taker, maker, book.trade_id, lots)
        yield from self._refill(maker)

    def _prevent(self, taker: ReferenceOrder, maker: ReferenceOrder) -> Events:
        mode = taker.self_trade_prevention
        reason = CancelReason.SELF_TRADE_PREVENTION
        if mode == SelfTradePrevention.DECREMENT:
            lots = min(taker.leaves_lots, maker.resting_lots)
            maker.leaves_lots -= lots
            maker.resting_lots -= lots
            yield self._teller.canceled(maker, reason, lots)
            yield from self._refill(maker)
            taker.leaves_lots -= lots
            yield self._teller.canceled(taker, reason, lots)
            return
        if mode in (SelfTradePrevention.EXPIRE_MAKER, SelfTradePrevention.EXPIRE_BOTH):
            self._remove(maker)
            yield self._teller.canceled(maker, reason)
        if mode in (SelfTradePrevention.EXPIRE_TAKER, SelfTradePrevention.EXPIRE_BOTH):
            yield self._teller.canceled(taker, reason)
            taker.leaves_lots = 0

    def _refill(self, maker: ReferenceOrder) -> Events:
        """Take a maker of which nothing is shown any more out of its queue; show more of an iceberg at the back."""
        if maker.resting_lots:
            return
        self._remove(maker)
        if maker.leaves_lots:
            self._place(maker)
            yield self._teller.tell(Rested, maker)

    # -- orders and their places

    @staticmethod
    def _may_rest(order: ReferenceOrder) -> bool:
        return order.order_type != OrderType.MARKET and order.time_in_force == TimeInForce.GTC

    def _place(self, order: ReferenceOrder) -> None:
        self._books[order.symbol_id].enter(order)
        self._orders[order.order_id] = order

    def _remove(self, order: ReferenceOrder) -> None:
        self._books[order.symbol_id].leave(order)
        del self._orders[order.order_id]

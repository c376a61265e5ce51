"""A new order: checked, then into the book, among those that wait, or into the market as the taker."""
# mypy: disable-error-code="no-any-return"

from typing import Final

from engine.fast.book import enter_waiting, find_id, ladder_of, order_of, put_id, take_order, write_order
from engine.fast.checks import FINE, new_order_reason
from engine.fast.ladder import has_room
from engine.fast.taking import WAKING, is_crossing, limit_of, rest_order, start_taking, word_of
from engine.fast.telling import tell_accepted, tell_rejected
from engine.kernel import argument, inlined, routine
from engine.rows.memory import (
    BOOK_SIZE,
    DISPLAY,
    EXTRA_SIZE,
    FALLING,
    IS_HALTED,
    LADDERS,
    LAST_PRICE,
    LIVE_ORDERS,
    ORDERS_MAX,
    PRICE_MASK,
    RISING,
    STAGE,
    SYMBOL_MASK,
    TAKER_DISPLAY,
    TAKER_ID,
    TAKER_LEAVES,
    TAKER_OWNER,
    TAKER_PREVENTION,
    TAKER_PRICE,
    TAKER_SIDE,
    TAKER_SYMBOL,
    TAKER_TIME_IN_FORCE,
    TAKER_TYPE,
    TIME_IN_FORCE_SHIFT,
    TIME_NS,
    TRADED_HIGH,
    TRADED_LOW,
    TRIGGER_PRICE,
    TRIGGER_SHIFT,
    Memory,
)
from engine.rows.messages import (
    NEW_DISPLAY_LOTS,
    NEW_ORDER_ID,
    NEW_ORDER_TYPE,
    NEW_OWNER,
    NEW_PRICE_TICKS,
    NEW_QTY_LOTS,
    NEW_SELF_TRADE_PREVENTION,
    NEW_SIDE,
    NEW_SYMBOL_ID,
    NEW_TIME_IN_FORCE,
    NEW_TIME_NS,
    NEW_TRIGGER,
    NEW_TRIGGER_PRICE_TICKS,
)
from market.codes import OrderType, RejectReason, Tag, TimeInForce, Trigger

_NEW_ORDER: Final = argument(Tag.NEW_ORDER)
_DUPLICATE: Final = argument(RejectReason.DUPLICATE_ORDER_ID)
_WOULD_CROSS: Final = argument(RejectReason.POST_ONLY_WOULD_CROSS)
_BOOK_FULL: Final = argument(RejectReason.BOOK_FULL)
_LEVELS_FULL: Final = argument(RejectReason.LEVELS_FULL)
_HALTED: Final = argument(RejectReason.SYMBOL_HALTED)
_MARKET: Final = int(OrderType.MARKET)
_POST_ONLY: Final = int(OrderType.POST_ONLY)
_GTC: Final = int(TimeInForce.GTC)
_NO_TRIGGER: Final = int(Trigger.NONE)
_STOP: Final = int(Trigger.STOP)
_WITH_EXTRA: Final = argument(1)


@inlined
def enter_order(memory: Memory, base: int) -> None:
    """Handle the new order in the row at `base`; one that trades at once is left as the taker."""
    rows, state = memory.commands, memory.state
    state[TIME_NS] = rows[base + NEW_TIME_NS]
    reason = new_order_reason(memory, base)
    if reason != FINE:
        _refuse_new_order(memory, base, reason)
        return
    order_id, qty = rows[base + NEW_ORDER_ID], rows[base + NEW_QTY_LOTS]
    # Masks that change nothing any more: they tell the compiler that no index made of these is negative.
    symbol, side = rows[base + NEW_SYMBOL_ID] & SYMBOL_MASK, rows[base + NEW_SIDE] & 1
    price = rows[base + NEW_PRICE_TICKS] & PRICE_MASK
    order_type, time_in_force = rows[base + NEW_ORDER_TYPE], rows[base + NEW_TIME_IN_FORCE]
    trigger = rows[base + NEW_TRIGGER]
    is_triggered = trigger != _NO_TRIGGER
    may_rest = order_type != _MARKET and time_in_force == _GTC
    crosses = not is_triggered and is_crossing(memory, symbol, side, limit_of(side, order_type, price))
    place = find_id(memory, order_id)
    ladder, rung = ladder_of(symbol), price
    if is_triggered:
        ladder, rung = _trigger_ladder(symbol, side, trigger), rows[base + NEW_TRIGGER_PRICE_TICKS]
    if memory.books[symbol * BOOK_SIZE + IS_HALTED] != 0:
        reason = _HALTED
    elif order_of(memory, place) != 0:
        reason = _DUPLICATE
    elif crosses and order_type == _POST_ONLY:
        reason = _WOULD_CROSS
    elif is_triggered or may_rest:
        if state[LIVE_ORDERS] >= state[ORDERS_MAX]:
            reason = _BOOK_FULL
        elif not crosses and not has_room(memory, ladder, rung):
            reason = _LEVELS_FULL
    if reason != FINE:
        _refuse_new_order(memory, base, reason)
        return
    owner = rows[base + NEW_OWNER]
    prevention, display = rows[base + NEW_SELF_TRADE_PREVENTION], rows[base + NEW_DISPLAY_LOTS]
    shown = 0
    if is_triggered:
        _let_wait(memory, base, place)
    elif may_rest and not crosses:
        shown = rest_order(memory, place, order_id, symbol, side, price, qty, owner, order_type, prevention, display)
    tell_accepted(memory, symbol, order_id, owner, side, price, qty, order_type, time_in_force, shown)
    if shown == 0 and not is_triggered:
        state[TAKER_ID] = order_id
        state[TAKER_SYMBOL] = symbol
        state[TAKER_SIDE] = side
        state[TAKER_PRICE] = price
        state[TAKER_LEAVES] = qty
        state[TAKER_OWNER] = owner
        state[TAKER_TYPE] = order_type
        state[TAKER_TIME_IN_FORCE] = time_in_force
        state[TAKER_PREVENTION] = prevention
        state[TAKER_DISPLAY] = display
        start_taking(memory)


@routine
def _refuse_new_order(memory: Memory, base: int, reason: int) -> None:
    rows = memory.commands
    tell_rejected(
        memory, rows[base + NEW_SYMBOL_ID], rows[base + NEW_ORDER_ID], rows[base + NEW_OWNER], _NEW_ORDER, reason
    )


@inlined
def _trigger_ladder(symbol: int, side: int, trigger: int) -> int:
    rises = (trigger == _STOP) == (side == 0)
    return symbol * LADDERS + (RISING if rises else FALLING)


@routine
def _let_wait(memory: Memory, base: int, place: int) -> None:
    """Put an order among those that wait; if the last trade price already fulfils its condition, it wakes at once."""
    rows, books = memory.commands, memory.books
    symbol, order_id = rows[base + NEW_SYMBOL_ID], rows[base + NEW_ORDER_ID]
    trigger_price, display = rows[base + NEW_TRIGGER_PRICE_TICKS], rows[base + NEW_DISPLAY_LOTS]
    word = word_of(
        symbol,
        rows[base + NEW_SIDE],
        rows[base + NEW_ORDER_TYPE],
        rows[base + NEW_SELF_TRADE_PREVENTION],
        _WITH_EXTRA,
        rows[base + NEW_QTY_LOTS],
    )
    word |= rows[base + NEW_TIME_IN_FORCE] << TIME_IN_FORCE_SHIFT | rows[base + NEW_TRIGGER] << TRIGGER_SHIFT
    order = take_order(memory)
    write_order(memory, order, order_id, word, rows[base + NEW_PRICE_TICKS], rows[base + NEW_OWNER])
    memory.extras[order * EXTRA_SIZE + TRIGGER_PRICE] = trigger_price
    memory.extras[order * EXTRA_SIZE + DISPLAY] = display
    put_id(memory, place, order_id, order)
    enter_waiting(memory, word, trigger_price, order)
    last = books[symbol * BOOK_SIZE + LAST_PRICE]
    if last != 0:
        books[symbol * BOOK_SIZE + TRADED_LOW] = last
        books[symbol * BOOK_SIZE + TRADED_HIGH] = last
        memory.state[TAKER_SYMBOL] = symbol
        memory.state[STAGE] = WAKING

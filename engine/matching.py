"""The commands, and the one kernel call that handles a batch of them."""
# mypy: disable-error-code="no-any-return"

from typing import Final

from engine.bits import prefetch, signed
from engine.book import (
    enter_waiting,
    find_id,
    hidden_lots,
    home_of,
    is_waiting,
    ladder_of,
    order_of,
    put_id,
    remove_order,
    side_of,
    symbol_of,
    take_order,
    take_out,
    write_order,
)
from engine.checks import (
    FINE,
    amend_reason,
    cancel_reason,
    halt_reason,
    has_too_many_parts,
    mass_cancel_reason,
    new_order_reason,
)
from engine.kernel import argument, inlined, kernel, routine
from engine.ladder import first_order, has_room, level_at, next_above, next_below
from engine.memory import (
    BEST,
    BOOK,
    BOOK_SIZE,
    CURSOR,
    DISPLAY,
    EXTRA_SIZE,
    FALLING,
    HAS_EXTRA,
    HIDDEN,
    IS_HALTED,
    LADDERS,
    LAST_PRICE,
    LEVEL_SIZE,
    LINK_SIZE,
    LIVE_ORDERS,
    LOTS_MASK,
    NEXT,
    NEXT_FALL,
    NEXT_RISE,
    NO_ASK,
    NO_BID,
    ORDER_ID,
    ORDER_SIZE,
    ORDERS_MAX,
    OWNER,
    PREVIOUS,
    PRICE,
    RISING,
    STAGE,
    SYMBOLS,
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
    TOTAL,
    TRADED_HIGH,
    TRADED_LOW,
    TRIGGER_PRICE,
    TRIGGER_SHIFT,
    TYPE_SHIFT,
    WORD,
    Memory,
)
from engine.ring import CONSUMED, PUBLISHED
from engine.rows import (
    AMEND_ORDER_ID,
    AMEND_OWNER,
    AMEND_PRICE_TICKS,
    AMEND_QTY_LOTS,
    AMEND_SYMBOL_ID,
    AMEND_TIME_NS,
    CANCEL_ORDER_ID,
    CANCEL_OWNER,
    CANCEL_SYMBOL_ID,
    CANCEL_TIME_NS,
    HALT_IS_HALTED,
    HALT_SYMBOL_ID,
    HALT_TIME_NS,
    MASS_CANCEL_OWNER,
    MASS_CANCEL_SIDE,
    MASS_CANCEL_SYMBOL_ID,
    MASS_CANCEL_TIME_NS,
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
    ROW_WIDTH,
    TAG,
    Int64Array,
    Uint32Array,
)
from engine.taking import (
    CANCELING,
    HALTING,
    IDLE,
    WAKING,
    go_on_taking,
    is_crossing,
    limit_of,
    make_taker,
    rest_order,
    start_taking,
    word_of,
)
from engine.telling import (
    has_event_room,
    tell_accepted,
    tell_amended,
    tell_canceled,
    tell_halted,
    tell_rejected,
)
from market.codes import CancelReason, OrderType, RejectReason, Tag, TimeInForce, Trigger

_NEW_ORDER: Final = argument(Tag.NEW_ORDER)
_CANCEL_ORDER: Final = argument(Tag.CANCEL_ORDER)
_AMEND_ORDER: Final = argument(Tag.AMEND_ORDER)
_MASS_CANCEL: Final = argument(Tag.MASS_CANCEL)
_HALT_SYMBOL: Final = argument(Tag.HALT_SYMBOL)
_UNKNOWN_ORDER: Final = argument(RejectReason.UNKNOWN_ORDER)
_DUPLICATE: Final = argument(RejectReason.DUPLICATE_ORDER_ID)
_BAD_PRICE: Final = argument(RejectReason.BAD_PRICE)
_BAD_DISPLAY_QTY: Final = argument(RejectReason.BAD_DISPLAY_QTY)
_WOULD_CROSS: Final = argument(RejectReason.POST_ONLY_WOULD_CROSS)
_BOOK_FULL: Final = argument(RejectReason.BOOK_FULL)
_LEVELS_FULL: Final = argument(RejectReason.LEVELS_FULL)
_HALTED: Final = argument(RejectReason.SYMBOL_HALTED)
_WRONG_OWNER: Final = argument(RejectReason.WRONG_OWNER)
_MALFORMED: Final = argument(RejectReason.MALFORMED)
_REQUESTED: Final = argument(CancelReason.REQUESTED)
_BY_MASS_CANCEL: Final = argument(CancelReason.MASS_CANCEL)
_MARKET: Final = int(OrderType.MARKET)
_POST_ONLY: Final = int(OrderType.POST_ONLY)
_GTC: Final = int(TimeInForce.GTC)
_NO_TRIGGER: Final = int(Trigger.NONE)
_STOP: Final = int(Trigger.STOP)
_ALL: Final = -1
_NONE: Final = argument(-1)  # told as none
_NOTHING: Final = argument(0)
_WITH_EXTRA: Final = argument(1)

# How many commands ahead. Measured on the mixed stream, ns an order: 28.5 without, 25.4 with ids and orders. Neighbours
# cost 1.4 more where all orders are near anyway; with a million resting ones they win: 50.7 instead of 62.4.
_FETCH_ID_AHEAD: Final = argument(16)
_FETCH_ORDER_AHEAD: Final = argument(10)
_FETCH_NEIGHBOURS_AHEAD: Final = argument(4)
_ORDERS_NEAR: Final = 65_536
_ORDER_ID: Final = NEW_ORDER_ID
assert NEW_ORDER_ID == CANCEL_ORDER_ID == AMEND_ORDER_ID, "commands that name an order do so in the same column"


@kernel
def match_batch(
    commands: Int64Array,
    command_positions: Int64Array,
    events: Int64Array,
    event_positions: Int64Array,
    state: Int64Array,
    books: Int64Array,
    orders: Int64Array,
    links: Uint32Array,
    extras: Int64Array,
    ids: Uint32Array,
    levels: Int64Array,
    queues: Uint32Array,
    page_bits: Int64Array,
    ladder_bits: Int64Array,
    pages: Uint32Array,
) -> int:
    """Handle what waits in the ring of commands; return how many were finished."""
    memory = Memory(
        commands,
        command_positions,
        events,
        event_positions,
        state,
        books,
        orders,
        links,
        extras,
        ids,
        levels,
        queues,
        page_bits,
        ladder_bits,
        pages,
    )
    finished = 0
    while command_positions[CONSUMED] < command_positions[PUBLISHED] and has_event_room(memory):
        base = (command_positions[CONSUMED] & (len(commands) // ROW_WIDTH - 1)) * ROW_WIDTH
        if state[STAGE] == IDLE:
            _fetch_ahead(memory)
            _begin(memory, base)
        if state[STAGE] != IDLE:
            _go_on(memory, base)
            if state[STAGE] != IDLE:
                break
        command_positions[CONSUMED] += 1
        finished += 1
    return finished


@inlined
def _fetch_ahead(memory: Memory) -> None:
    """Have what the commands behind this one will touch fetched: an id's place, later its order, then the neighbours.

    Rows behind the last one hold what they held: whatever it is, it leads to some place.
    """
    prefetch(memory.ids, home_of(memory, _id_ahead(memory, _FETCH_ID_AHEAD)))
    order = order_of(memory, home_of(memory, _id_ahead(memory, _FETCH_ORDER_AHEAD)))
    prefetch(memory.orders, order * ORDER_SIZE)
    if memory.state[ORDERS_MAX] > _ORDERS_NEAR:
        order = order_of(memory, home_of(memory, _id_ahead(memory, _FETCH_NEIGHBOURS_AHEAD)))
        prefetch(memory.orders, signed(memory.links[order * LINK_SIZE + NEXT]) * ORDER_SIZE)
        prefetch(memory.orders, signed(memory.links[order * LINK_SIZE + PREVIOUS]) * ORDER_SIZE)


@inlined
def _id_ahead(memory: Memory, distance: int) -> int:
    """Return the order id of the command `distance` behind the one at hand, if it names one."""
    slot = (memory.command_positions[CONSUMED] + distance) & (len(memory.commands) // ROW_WIDTH - 1)
    return memory.commands[slot * ROW_WIDTH + _ORDER_ID]


@inlined
def _begin(memory: Memory, base: int) -> None:
    tag = memory.commands[base + TAG]
    if tag == _NEW_ORDER:
        _enter_order(memory, base)
    elif tag == _CANCEL_ORDER:
        _cancel_order(memory, base)
    elif tag == _AMEND_ORDER:
        _amend_order(memory, base)
    elif tag == _MASS_CANCEL:
        _start_mass_cancel(memory, base)
    elif tag == _HALT_SYMBOL:
        _start_halt(memory, base)
    else:
        memory.state[TIME_NS] = 0
        tell_rejected(memory, _NONE, _NONE, _NONE, tag, _MALFORMED)


@inlined
def _go_on(memory: Memory, base: int) -> None:
    stage = memory.state[STAGE]
    if stage == CANCELING:
        _go_on_canceling(memory, base)
    elif stage == HALTING:
        _go_on_halting(memory, base)
    else:
        go_on_taking(memory)


# -- a new order


@inlined
def _enter_order(memory: Memory, base: int) -> None:
    rows, state = memory.commands, memory.state
    state[TIME_NS] = rows[base + NEW_TIME_NS]
    reason = new_order_reason(memory, base)
    if reason != FINE:
        _refuse_new_order(memory, base, reason)
        return
    order_id, symbol, side = rows[base + NEW_ORDER_ID], rows[base + NEW_SYMBOL_ID], rows[base + NEW_SIDE]
    price, qty = rows[base + NEW_PRICE_TICKS], rows[base + NEW_QTY_LOTS]
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


# -- a cancel


@inlined
def _cancel_order(memory: Memory, base: int) -> None:
    rows = memory.commands
    memory.state[TIME_NS] = rows[base + CANCEL_TIME_NS]
    order_id, symbol, owner = rows[base + CANCEL_ORDER_ID], rows[base + CANCEL_SYMBOL_ID], rows[base + CANCEL_OWNER]
    reason = cancel_reason(memory, base)
    place = find_id(memory, order_id)
    order = order_of(memory, place)
    if reason == FINE:
        reason = _lookup_reason(memory, order, symbol, owner)
    if reason != FINE:
        tell_rejected(memory, symbol, order_id, owner, _CANCEL_ORDER, reason)
        return
    _tell_order_canceled(memory, order, _REQUESTED)
    take_out(memory, place, order)


@inlined
def _lookup_reason(memory: Memory, order: int, symbol: int, owner: int) -> int:
    """Return why a command that names an order is refused, or FINE."""
    if order == 0 or symbol_of(memory.orders[order * ORDER_SIZE + WORD]) != symbol:
        return _UNKNOWN_ORDER
    if owner != 0 and owner != signed(memory.links[order * LINK_SIZE + OWNER]):
        return _WRONG_OWNER
    return FINE


@inlined
def _tell_order_canceled(memory: Memory, order: int, reason: int) -> None:
    word = memory.orders[order * ORDER_SIZE + WORD]
    tell_canceled(
        memory,
        symbol_of(word),
        memory.orders[order * ORDER_SIZE + ORDER_ID],
        signed(memory.links[order * LINK_SIZE + OWNER]),
        side_of(word),
        signed(memory.links[order * LINK_SIZE + PRICE]),
        (word & LOTS_MASK) + hidden_lots(memory, order, word),
        _NOTHING,
        reason,
    )


# -- an amend


@inlined
def _amend_order(memory: Memory, base: int) -> None:
    rows, state = memory.commands, memory.state
    state[TIME_NS] = rows[base + AMEND_TIME_NS]
    order_id, symbol, owner = rows[base + AMEND_ORDER_ID], rows[base + AMEND_SYMBOL_ID], rows[base + AMEND_OWNER]
    price, qty = rows[base + AMEND_PRICE_TICKS], rows[base + AMEND_QTY_LOTS]
    reason = amend_reason(memory, base)
    place = find_id(memory, order_id)
    order = order_of(memory, place)
    word = memory.orders[order * ORDER_SIZE + WORD]
    stays = False
    if reason == FINE:
        reason = _lookup_reason(memory, order, symbol, owner)
    if reason == FINE:
        same_price = price == signed(memory.links[order * LINK_SIZE + PRICE])
        leaves = (word & LOTS_MASK) + hidden_lots(memory, order, word)
        stays = is_waiting(word) or (same_price and qty < leaves)
        reason = _amend_entry_reason(memory, order, price, qty, stays)
    if reason != FINE:
        tell_rejected(memory, symbol, order_id, owner, _AMEND_ORDER, reason)
    elif stays:
        _amend_in_place(memory, order, price, qty)
    else:
        make_taker(memory, order, price, qty)
        take_out(memory, place, order)
        tell_amended(memory, symbol, order_id, state[TAKER_OWNER], state[TAKER_SIDE], price, qty, _NOTHING)
        start_taking(memory)


@inlined
def _amend_entry_reason(memory: Memory, order: int, price: int, qty: int, stays: bool) -> int:
    word = memory.orders[order * ORDER_SIZE + WORD]
    symbol, order_type = symbol_of(word), (word >> TYPE_SHIFT) & 3
    if memory.books[symbol * BOOK_SIZE + IS_HALTED] != 0:
        return _HALTED
    if (price == 0) != (order_type == _MARKET):
        return _BAD_PRICE
    if word & HAS_EXTRA and has_too_many_parts(qty, memory.extras[order * EXTRA_SIZE + DISPLAY]):
        return _BAD_DISPLAY_QTY
    if stays:
        return FINE
    if is_crossing(memory, symbol, side_of(word), price):
        return _WOULD_CROSS if order_type == _POST_ONLY else FINE
    return FINE if has_room(memory, ladder_of(symbol), price) else _LEVELS_FULL


@routine
def _amend_in_place(memory: Memory, order: int, price: int, qty: int) -> None:
    """Change an order that keeps its place: one that waits, or a smaller quantity, taken first from what is hidden."""
    word = memory.orders[order * ORDER_SIZE + WORD]
    symbol = symbol_of(word)
    shown = qty
    if not is_waiting(word):
        before = word & LOTS_MASK
        shown = min(before, qty)
        memory.levels[level_at(memory, ladder_of(symbol), price) * LEVEL_SIZE + TOTAL] -= before - shown
        if word & HAS_EXTRA:
            memory.extras[order * EXTRA_SIZE + HIDDEN] = qty - shown
    memory.orders[order * ORDER_SIZE + WORD] = (word & ~LOTS_MASK) | shown
    memory.links[order * LINK_SIZE + PRICE] = price
    order_id = memory.orders[order * ORDER_SIZE + ORDER_ID]
    owner = signed(memory.links[order * LINK_SIZE + OWNER])
    tell_amended(memory, symbol, order_id, owner, side_of(word), price, qty, 0 if is_waiting(word) else shown)


# -- many orders, many symbols


@routine
def _start_mass_cancel(memory: Memory, base: int) -> None:
    rows, state = memory.commands, memory.state
    symbol, owner = rows[base + MASS_CANCEL_SYMBOL_ID], rows[base + MASS_CANCEL_OWNER]
    state[TIME_NS] = rows[base + MASS_CANCEL_TIME_NS]
    reason = mass_cancel_reason(memory, base)
    if reason != FINE:
        tell_rejected(memory, symbol, _NONE, owner, _MASS_CANCEL, reason)
        return
    state[STAGE] = CANCELING
    state[CURSOR] = max(symbol, 0)


@routine
def _go_on_canceling(memory: Memory, base: int) -> None:
    """Look through a symbol from its beginning: what was cancelled before a pause is no longer there."""
    rows, state = memory.commands, memory.state
    side, owner = rows[base + MASS_CANCEL_SIDE], rows[base + MASS_CANCEL_OWNER]
    last = state[SYMBOLS] - 1
    if rows[base + MASS_CANCEL_SYMBOL_ID] != _ALL:
        last = rows[base + MASS_CANCEL_SYMBOL_ID]
    while state[CURSOR] <= last:
        symbol = state[CURSOR]
        ladder, book = symbol * LADDERS, symbol * BOOK_SIZE
        if not (
            (side == 1 or _cancel_downwards(memory, ladder + BOOK, memory.books[book + BEST], side, owner))
            and (side == 0 or _cancel_upwards(memory, ladder + BOOK, memory.books[book + BEST + 1], side, owner))
            and _cancel_upwards(memory, ladder + RISING, memory.books[book + NEXT_RISE], side, owner)
            and _cancel_downwards(memory, ladder + FALLING, memory.books[book + NEXT_FALL], side, owner)
        ):
            return
        state[CURSOR] += 1
    state[STAGE] = IDLE


@routine
def _cancel_upwards(memory: Memory, ladder: int, price: int, side: int, owner: int) -> bool:
    """Cancel from `price` upwards; return False if the ring of events is too full to go on."""
    while price != NO_ASK:
        if not _cancel_level(memory, ladder, price, side, owner):
            return False
        price = next_above(memory, ladder, price, NO_ASK)
    return True


@routine
def _cancel_downwards(memory: Memory, ladder: int, price: int, side: int, owner: int) -> bool:
    """Cancel from `price` downwards; return False if the ring of events is too full to go on."""
    while price != NO_BID:
        if not _cancel_level(memory, ladder, price, side, owner):
            return False
        price = next_below(memory, ladder, price, NO_BID)
    return True


@routine
def _cancel_level(memory: Memory, ladder: int, price: int, side: int, owner: int) -> bool:
    order = first_order(memory, ladder, price)
    while order != 0:
        behind = signed(memory.links[order * LINK_SIZE + NEXT])
        is_side = side == _ALL or side == side_of(memory.orders[order * ORDER_SIZE + WORD])
        if is_side and (owner == 0 or owner == signed(memory.links[order * LINK_SIZE + OWNER])):
            if not has_event_room(memory):
                return False
            _tell_order_canceled(memory, order, _BY_MASS_CANCEL)
            remove_order(memory, order)
        order = behind
    return True


@routine
def _start_halt(memory: Memory, base: int) -> None:
    rows, state = memory.commands, memory.state
    symbol = rows[base + HALT_SYMBOL_ID]
    state[TIME_NS] = rows[base + HALT_TIME_NS]
    reason = halt_reason(memory, base)
    if reason != FINE:
        tell_rejected(memory, symbol, _NONE, _NONE, _HALT_SYMBOL, reason)
        return
    state[STAGE] = HALTING
    state[CURSOR] = max(symbol, 0)


@routine
def _go_on_halting(memory: Memory, base: int) -> None:
    rows, state = memory.commands, memory.state
    is_halted = rows[base + HALT_IS_HALTED]
    last = state[SYMBOLS] - 1 if rows[base + HALT_SYMBOL_ID] == _ALL else rows[base + HALT_SYMBOL_ID]
    while state[CURSOR] <= last:
        if not has_event_room(memory):
            return
        memory.books[state[CURSOR] * BOOK_SIZE + IS_HALTED] = is_halted
        tell_halted(memory, state[CURSOR], is_halted)
        state[CURSOR] += 1
    state[STAGE] = IDLE

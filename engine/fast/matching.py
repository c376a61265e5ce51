"""The commands one after another, in one kernel call for all that wait."""
# mypy: disable-error-code="no-any-return"

from typing import Final

from engine.fast.amending import amend_order
from engine.fast.book import home_of, order_of
from engine.fast.canceling import ALL, cancel_order, go_on_canceling, start_mass_cancel
from engine.fast.checks import FINE, halt_reason, price_range_reason
from engine.fast.entering import enter_order
from engine.fast.taking import CANCELING, HALTING, IDLE, go_on_taking
from engine.fast.telling import NOBODY, has_event_room, tell, tell_rejected
from engine.rows import memory as at
from engine.rows.memory import Memory
from engine.rows.ring import CONSUMED, PUBLISHED
from market.kernels.bits import prefetch, row_at, signed
from market.kernels.compiling import argument, inlined, kernel, routine
from market.kernels.row_codes import AMEND, CANCEL, HALT, NEW, PRICE_RANGE, REASONS, TAGS
from market.kernels.rows import TAG, Int64Array, Uint32Array
from market.limits import PRICE_TICKS_MAX

# How many commands ahead. Measured on the mixed stream, ns an order: 28.5 without, 25.4 with ids and orders. Neighbours
# cost 1.4 more where all orders are near anyway; with a million resting ones they win: 50.7 instead of 62.4.
_FETCH_ID_AHEAD: Final = argument(16)
_FETCH_ORDER_AHEAD: Final = argument(10)
_FETCH_NEIGHBOURS_AHEAD: Final = argument(4)
_ORDERS_NEAR: Final = 65_536
_ORDER_ID: Final = NEW.order_id
assert NEW.order_id == CANCEL.order_id == AMEND.order_id, "commands that name an order do so in the same column"


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
    """Handle what waits in the ring of commands; return how many were finished.

    The arrays come one by one because a call with a tuple of them costs 1.5 us more, however it is passed.
    """
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
    first = position = command_positions[CONSUMED]
    published = command_positions[PUBLISHED]
    while position < published and has_event_room(memory):
        base = row_at(commands, position)
        if state[at.STAGE] == IDLE:
            _fetch_ahead(memory, position)
            _begin(memory, base)
        if state[at.STAGE] != IDLE:
            _go_on(memory, base)
            if state[at.STAGE] != IDLE:
                break
        position += 1
        command_positions[CONSUMED] = position
    return position - first


@inlined
def _fetch_ahead(memory: Memory, position: int) -> None:
    """Have what the commands behind this one will touch fetched: an id's place, later its order, then the neighbours.

    Rows behind the last one hold what they held: whatever it is, it leads to some place.
    """
    prefetch(memory.ids, home_of(memory, _id_at(memory, position + _FETCH_ID_AHEAD)))
    order = order_of(memory, home_of(memory, _id_at(memory, position + _FETCH_ORDER_AHEAD)))
    prefetch(memory.orders, order * at.ORDER_SIZE)
    if memory.state[at.ORDERS_MAX] > _ORDERS_NEAR:
        order = order_of(memory, home_of(memory, _id_at(memory, position + _FETCH_NEIGHBOURS_AHEAD)))
        prefetch(memory.orders, signed(memory.links[order * at.LINK_SIZE + at.NEXT]) * at.ORDER_SIZE)
        prefetch(memory.orders, signed(memory.links[order * at.LINK_SIZE + at.PREVIOUS]) * at.ORDER_SIZE)


@inlined
def _id_at(memory: Memory, position: int) -> int:
    """Return the order id of the command at a position of the ring, if it names one."""
    return memory.commands[row_at(memory.commands, position) + _ORDER_ID]


@inlined
def _begin(memory: Memory, base: int) -> None:
    tag = memory.commands[base + TAG]
    if tag == TAGS.NEW_ORDER:
        enter_order(memory, base)
    elif tag == TAGS.CANCEL_ORDER:
        cancel_order(memory, base)
    elif tag == TAGS.AMEND_ORDER:
        amend_order(memory, base)
    elif tag == TAGS.MASS_CANCEL:
        start_mass_cancel(memory, base)
    elif tag == TAGS.HALT_SYMBOL:
        _start_halt(memory, base)
    elif tag == TAGS.SET_PRICE_RANGE:
        _set_price_range(memory, base)
    else:
        memory.state[at.TIME_NS] = 0
        tell_rejected(memory, NOBODY, NOBODY, NOBODY, tag, REASONS.MALFORMED)


@inlined
def _go_on(memory: Memory, base: int) -> None:
    stage = memory.state[at.STAGE]
    if stage == CANCELING:
        go_on_canceling(memory, base)
    elif stage == HALTING:
        _go_on_halting(memory, base)
    else:
        go_on_taking(memory)


@routine
def _set_price_range(memory: Memory, base: int) -> None:
    rows, symbol = memory.commands, memory.commands[base + PRICE_RANGE.symbol_id]
    memory.state[at.TIME_NS] = rows[base + PRICE_RANGE.time_ns]
    reason = price_range_reason(memory, base)
    if reason != FINE:
        tell_rejected(memory, symbol, NOBODY, NOBODY, TAGS.SET_PRICE_RANGE, reason)
        return
    high = rows[base + PRICE_RANGE.high_ticks]
    memory.books[symbol * at.BOOK_SIZE + at.RANGE_LOW] = rows[base + PRICE_RANGE.low_ticks]
    memory.books[symbol * at.BOOK_SIZE + at.RANGE_HIGH] = high if high != 0 else PRICE_TICKS_MAX


@routine
def _start_halt(memory: Memory, base: int) -> None:
    rows, state = memory.commands, memory.state
    symbol = rows[base + HALT.symbol_id]
    state[at.TIME_NS] = rows[base + HALT.time_ns]
    reason = halt_reason(memory, base)
    if reason != FINE:
        tell_rejected(memory, symbol, NOBODY, NOBODY, TAGS.HALT_SYMBOL, reason)
        return
    state[at.STAGE] = HALTING
    state[at.CURSOR] = max(symbol, 0)


@routine
def _go_on_halting(memory: Memory, base: int) -> None:
    rows, state = memory.commands, memory.state
    is_halted = rows[base + HALT.is_halted]
    last = state[at.SYMBOLS] - 1 if rows[base + HALT.symbol_id] == ALL else rows[base + HALT.symbol_id]
    while state[at.CURSOR] <= last:
        if not has_event_room(memory):
            return
        memory.books[state[at.CURSOR] * at.BOOK_SIZE + at.IS_HALTED] = is_halted
        tell(memory, TAGS.HALTED, (state[at.CURSOR], is_halted))
        state[at.CURSOR] += 1
    state[at.STAGE] = IDLE

"""The orders of a state into an empty engine: each to the back of its queue, in the order in which they act."""
# mypy: disable-error-code="no-any-return"

from engine.fast.book import (
    enter_book,
    enter_waiting,
    find_id,
    ladder_of,
    order_of,
    take_order,
    waiting_ladder,
    waits_for_rise,
    write_order,
)
from engine.fast.ladder import has_room
from engine.fast.taking import word_of
from engine.fast.trailing import start_trailing
from engine.rows import memory as at
from engine.rows.memory import Memory, Terms
from engine.state import STATE_WIDTH
from market.kernels.compiling import inlined, kernel
from market.kernels.row_codes import TRIGGERS
from market.kernels.rows import Int64Array


@kernel
def restore_orders(memory: Memory, symbol: int, orders: Int64Array) -> int:
    """Put a symbol's orders (`[orders, STATE_WIDTH]`, as `read_orders` writes them) into an engine without its orders.

    The symbol's last price is still 0: an order that trails the price is to be left as it was.

    Returns:
        how many were put in: fewer than there are if the next one finds no room, or has the id of another one.
    """
    for index in range(len(orders)):
        row = orders[index]
        place = find_id(memory, row[0])
        if order_of(memory, place) != 0 or memory.state[at.LIVE_ORDERS] >= memory.state[at.ORDERS_MAX]:
            return index
        is_resting = row[10] == TRIGGERS.NONE
        shown = row[3] if is_resting else row[4]
        terms = Terms(row[0], symbol, row[1], row[2], shown, row[5], row[7], row[8], row[9], row[6])
        if not (_let_rest(memory, place, terms, row) if is_resting else _let_wait(memory, place, terms, row)):
            return index
    return len(orders)


@inlined
def _let_rest(memory: Memory, place: int, terms: Terms, row: Int64Array) -> bool:
    if not has_room(memory, ladder_of(terms.symbol), terms.price):
        return False
    order = take_order(memory)
    write_order(memory, place, order, terms, word_of(terms, terms.lots))
    memory.extras[order * at.EXTRA_SIZE + at.HIDDEN] = row[4] - terms.lots
    memory.extras[order * at.EXTRA_SIZE + at.DISPLAY] = terms.display
    enter_book(memory, terms.symbol, terms.side, terms.price, order, terms.lots)
    return True


@inlined
def _let_wait(memory: Memory, place: int, terms: Terms, row: Int64Array) -> bool:
    word = word_of(terms, terms.lots) | at.HAS_EXTRA
    word |= terms.time_in_force << at.TIME_IN_FORCE_SHIFT | row[10] << at.TRIGGER_SHIFT
    trigger_price, trail_bps = row[11], row[12]
    if trail_bps == 0 and not has_room(memory, waiting_ladder(terms.symbol, waits_for_rise(word)), trigger_price):
        return False
    order = take_order(memory)
    write_order(memory, place, order, terms, word | (at.IS_TRAILING if trail_bps != 0 else 0))
    memory.extras[order * at.EXTRA_SIZE + at.TRIGGER_PRICE] = trigger_price | trail_bps << at.TRAIL_BPS_SHIFT
    memory.extras[order * at.EXTRA_SIZE + at.DISPLAY] = terms.display
    if trail_bps != 0:
        start_trailing(memory, terms.symbol, order)
    else:
        enter_waiting(memory, word, trigger_price, order)
    return True


assert STATE_WIDTH == 13, f"an order's row has 13 columns here, the state has {STATE_WIDTH}"

"""One order or many leave on request."""
# mypy: disable-error-code="no-any-return"

from typing import Final

from engine.fast.book import find_id, order_of, remove_order, side_of, symbol_of, take_out
from engine.fast.checks import FINE, cancel_reason, mass_cancel_reason
from engine.fast.ladder import first_order, next_price
from engine.fast.taking import CANCELING, IDLE, open_lots, tell_canceled
from engine.fast.telling import NOBODY, has_event_room, tell_rejected
from engine.rows import memory as at
from engine.rows.memory import Memory
from market.kernels.bits import signed
from market.kernels.compiling import inlined, routine
from market.kernels.row_codes import CANCEL, ENDS, MASS_CANCEL, REASONS, TAGS

ALL: Final = -1  # symbols, or sides


@inlined
def cancel_order(memory: Memory, base: int) -> None:
    """Handle the cancel in the row at `base`."""
    rows = memory.commands
    memory.state[at.TIME_NS] = rows[base + CANCEL.time_ns]
    order_id, symbol, owner = rows[base + CANCEL.order_id], rows[base + CANCEL.symbol_id], rows[base + CANCEL.owner]
    reason = cancel_reason(memory, base)
    place = find_id(memory, order_id)
    order = order_of(memory, place)
    if reason == FINE:
        reason = lookup_reason(memory, order, symbol, owner)
    if reason != FINE:
        tell_rejected(memory, symbol, order_id, owner, TAGS.CANCEL_ORDER, reason)
        return
    tell_canceled(memory, order, open_lots(memory, order), ENDS.REQUESTED)
    take_out(memory, place, order)


@inlined
def lookup_reason(memory: Memory, order: int, symbol: int, owner: int) -> int:
    """Return why a command that names an order is refused, or FINE."""
    if order == 0 or symbol_of(memory.orders[order * at.ORDER_SIZE + at.WORD]) != symbol:
        return REASONS.UNKNOWN_ORDER
    if owner != 0 and owner != signed(memory.links[order * at.LINK_SIZE + at.OWNER]):
        return REASONS.WRONG_OWNER
    return FINE


@routine
def start_mass_cancel(memory: Memory, base: int) -> None:
    """Check the mass cancel in the row at `base` and begin with its first symbol."""
    rows, state = memory.commands, memory.state
    symbol, owner = rows[base + MASS_CANCEL.symbol_id], rows[base + MASS_CANCEL.owner]
    state[at.TIME_NS] = rows[base + MASS_CANCEL.time_ns]
    reason = mass_cancel_reason(memory, base)
    if reason != FINE:
        tell_rejected(memory, symbol, NOBODY, owner, TAGS.MASS_CANCEL, reason)
        return
    state[at.STAGE] = CANCELING
    state[at.CURSOR] = max(symbol, 0)


@routine
def go_on_canceling(memory: Memory, base: int) -> None:
    """Look through a symbol from its beginning: what was cancelled before a pause is no longer there."""
    rows, state = memory.commands, memory.state
    side, owner = rows[base + MASS_CANCEL.side], rows[base + MASS_CANCEL.owner]
    last = state[at.SYMBOLS] - 1
    if rows[base + MASS_CANCEL.symbol_id] != ALL:
        last = rows[base + MASS_CANCEL.symbol_id]
    while state[at.CURSOR] <= last:
        symbol = state[at.CURSOR]
        ladder, book = symbol * at.LADDERS, symbol * at.BOOK_SIZE
        if not (
            (side == 1 or _cancel_on(memory, ladder + at.BOOK, memory.books[book + at.BEST], False, side, owner))
            and (side == 0 or _cancel_on(memory, ladder + at.BOOK, memory.books[book + at.BEST + 1], True, side, owner))
            and _cancel_on(memory, ladder + at.RISING, memory.books[book + at.NEXT_RISE], True, side, owner)
            and _cancel_on(memory, ladder + at.FALLING, memory.books[book + at.NEXT_FALL], False, side, owner)
            and _cancel_queue(memory, memory.books[book + at.FIRST_TRAIL], side, owner)
        ):
            return
        state[at.CURSOR] += 1
    state[at.STAGE] = IDLE


@routine
def _cancel_on(memory: Memory, ladder: int, price: int, upwards: bool, side: int, owner: int) -> bool:
    """Cancel from `price` on to the ladder's end; return False if the ring of events is too full to go on."""
    while at.NO_BID < price < at.NO_ASK:
        if not _cancel_queue(memory, first_order(memory, ladder, price), side, owner):
            return False
        price = next_price(memory, ladder, price, upwards)
    return True


@routine
def _cancel_queue(memory: Memory, order: int, side: int, owner: int) -> bool:
    while order != 0:
        behind = signed(memory.links[order * at.LINK_SIZE + at.NEXT])
        is_side = side == ALL or side == side_of(memory.orders[order * at.ORDER_SIZE + at.WORD])
        if is_side and (owner == 0 or owner == signed(memory.links[order * at.LINK_SIZE + at.OWNER])):
            if not has_event_room(memory):
                return False
            tell_canceled(memory, order, open_lots(memory, order), ENDS.MASS_CANCEL)
            remove_order(memory, order)
        order = behind
    return True

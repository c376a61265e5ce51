"""One order or many leave on request."""
# mypy: disable-error-code="no-any-return"

from typing import Final

from engine.fast.bits import signed
from engine.fast.book import find_id, hidden_lots, order_of, remove_order, side_of, symbol_of, take_out
from engine.fast.checks import FINE, cancel_reason, mass_cancel_reason
from engine.fast.ladder import first_order, next_above, next_below
from engine.fast.taking import CANCELING, IDLE
from engine.fast.telling import has_event_room, tell_canceled, tell_rejected
from engine.kernel import argument, inlined, routine
from engine.rows.memory import (
    BEST,
    BOOK,
    BOOK_SIZE,
    CURSOR,
    FALLING,
    LADDERS,
    LINK_SIZE,
    LOTS_MASK,
    NEXT,
    NEXT_FALL,
    NEXT_RISE,
    NO_ASK,
    NO_BID,
    ORDER_ID,
    ORDER_SIZE,
    OWNER,
    PRICE,
    RISING,
    STAGE,
    SYMBOLS,
    TIME_NS,
    WORD,
    Memory,
)
from engine.rows.messages import (
    CANCEL_ORDER_ID,
    CANCEL_OWNER,
    CANCEL_SYMBOL_ID,
    CANCEL_TIME_NS,
    MASS_CANCEL_OWNER,
    MASS_CANCEL_SIDE,
    MASS_CANCEL_SYMBOL_ID,
    MASS_CANCEL_TIME_NS,
)
from market.codes import CancelReason, RejectReason, Tag

_CANCEL_ORDER: Final = argument(Tag.CANCEL_ORDER)
_MASS_CANCEL: Final = argument(Tag.MASS_CANCEL)
_UNKNOWN_ORDER: Final = argument(RejectReason.UNKNOWN_ORDER)
_WRONG_OWNER: Final = argument(RejectReason.WRONG_OWNER)
_REQUESTED: Final = argument(CancelReason.REQUESTED)
_BY_MASS_CANCEL: Final = argument(CancelReason.MASS_CANCEL)
_ALL: Final = -1
_NONE: Final = argument(-1)  # told as none
_NOTHING: Final = argument(0)


@inlined
def cancel_order(memory: Memory, base: int) -> None:
    """Handle the cancel in the row at `base`."""
    rows = memory.commands
    memory.state[TIME_NS] = rows[base + CANCEL_TIME_NS]
    order_id, symbol, owner = rows[base + CANCEL_ORDER_ID], rows[base + CANCEL_SYMBOL_ID], rows[base + CANCEL_OWNER]
    reason = cancel_reason(memory, base)
    place = find_id(memory, order_id)
    order = order_of(memory, place)
    if reason == FINE:
        reason = lookup_reason(memory, order, symbol, owner)
    if reason != FINE:
        tell_rejected(memory, symbol, order_id, owner, _CANCEL_ORDER, reason)
        return
    tell_order_canceled(memory, order, _REQUESTED)
    take_out(memory, place, order)


@inlined
def lookup_reason(memory: Memory, order: int, symbol: int, owner: int) -> int:
    """Return why a command that names an order is refused, or FINE."""
    if order == 0 or symbol_of(memory.orders[order * ORDER_SIZE + WORD]) != symbol:
        return _UNKNOWN_ORDER
    if owner != 0 and owner != signed(memory.links[order * LINK_SIZE + OWNER]):
        return _WRONG_OWNER
    return FINE


@inlined
def tell_order_canceled(memory: Memory, order: int, reason: int) -> None:
    """Tell that all that is open of an order leaves."""
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


@routine
def start_mass_cancel(memory: Memory, base: int) -> None:
    """Check the mass cancel in the row at `base` and begin with its first symbol."""
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
def go_on_canceling(memory: Memory, base: int) -> None:
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
            tell_order_canceled(memory, order, _BY_MASS_CANCEL)
            remove_order(memory, order)
        order = behind
    return True

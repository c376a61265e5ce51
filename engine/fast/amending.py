"""An open order gets a new price and quantity: in place, or by leaving its place and acting anew."""
# mypy: disable-error-code="no-any-return"

from typing import Final

from engine.fast.bits import signed
from engine.fast.book import find_id, hidden_lots, is_waiting, ladder_of, order_of, side_of, symbol_of, take_out
from engine.fast.canceling import lookup_reason
from engine.fast.checks import FINE, amend_reason, has_too_many_parts
from engine.fast.ladder import has_room, level_at
from engine.fast.taking import is_crossing, make_taker, start_taking
from engine.fast.telling import tell_amended, tell_rejected
from engine.kernel import argument, inlined, routine
from engine.rows.memory import (
    BOOK_SIZE,
    DISPLAY,
    EXTRA_SIZE,
    HAS_EXTRA,
    HIDDEN,
    IS_HALTED,
    LEVEL_SIZE,
    LINK_SIZE,
    LOTS_MASK,
    ORDER_ID,
    ORDER_SIZE,
    OWNER,
    PRICE,
    TAKER_OWNER,
    TAKER_SIDE,
    TIME_NS,
    TOTAL,
    TYPE_SHIFT,
    WORD,
    Memory,
)
from engine.rows.messages import (
    AMEND_EXPECTED_LEAVES_LOTS,
    AMEND_ORDER_ID,
    AMEND_OWNER,
    AMEND_PRICE_TICKS,
    AMEND_QTY_LOTS,
    AMEND_SYMBOL_ID,
    AMEND_TIME_NS,
)
from market.codes import OrderType, RejectReason, Tag

_AMEND_ORDER: Final = argument(Tag.AMEND_ORDER)
_BAD_PRICE: Final = argument(RejectReason.BAD_PRICE)
_BAD_DISPLAY_QTY: Final = argument(RejectReason.BAD_DISPLAY_QTY)
_WOULD_CROSS: Final = argument(RejectReason.POST_ONLY_WOULD_CROSS)
_LEVELS_FULL: Final = argument(RejectReason.LEVELS_FULL)
_HALTED: Final = argument(RejectReason.SYMBOL_HALTED)
_LEAVES_CHANGED: Final = argument(RejectReason.LEAVES_CHANGED)
_MARKET: Final = int(OrderType.MARKET)
_POST_ONLY: Final = int(OrderType.POST_ONLY)
_NOTHING: Final = argument(0)


@inlined
def amend_order(memory: Memory, base: int) -> None:
    """Handle the amend in the row at `base`; an order that leaves its place is left as the taker."""
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
        reason = lookup_reason(memory, order, symbol, owner)
    if reason == FINE:
        same_price = price == signed(memory.links[order * LINK_SIZE + PRICE])
        leaves = (word & LOTS_MASK) + hidden_lots(memory, order, word)
        stays = is_waiting(word) or (same_price and qty < leaves)
        expected = rows[base + AMEND_EXPECTED_LEAVES_LOTS]
        is_as_expected = expected == 0 or expected == leaves
        reason = _amend_entry_reason(memory, order, price, qty, stays) if is_as_expected else _LEAVES_CHANGED
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

"""An open order gets a new price and quantity: in place, or by leaving its place and acting anew."""
# mypy: disable-error-code="no-any-return"

from engine.fast.book import find_id, is_waiting, ladder_of, order_of, side_of, symbol_of, take_out
from engine.fast.canceling import lookup_reason
from engine.fast.checks import FINE, amend_reason, has_too_many_parts
from engine.fast.ladder import has_room, level_at
from engine.fast.prices import is_crossing
from engine.fast.taking import make_taker, open_lots, start_taking
from engine.fast.telling import NOTHING, tell, tell_rejected
from engine.rows import memory as at
from engine.rows.memory import Memory
from market.kernels.bits import signed
from market.kernels.compiling import inlined, routine
from market.kernels.row_codes import AMEND, REASONS, TAGS, TYPES


@inlined
def amend_order(memory: Memory, base: int) -> None:
    """Handle the amend in the row at `base`; an order that leaves its place is left as the taker."""
    rows, state = memory.commands, memory.state
    state[at.TIME_NS] = rows[base + AMEND.time_ns]
    order_id, symbol, owner = rows[base + AMEND.order_id], rows[base + AMEND.symbol_id], rows[base + AMEND.owner]
    price, qty = rows[base + AMEND.price_ticks], rows[base + AMEND.qty_lots]
    reason = amend_reason(memory, base)
    place = find_id(memory, order_id)
    order = order_of(memory, place)
    word = memory.orders[order * at.ORDER_SIZE + at.WORD]
    stays = False
    if reason == FINE:
        reason = lookup_reason(memory, order, symbol, owner)
    if reason == FINE:
        same_price = price == signed(memory.links[order * at.LINK_SIZE + at.PRICE])
        leaves = open_lots(memory, order)
        stays = is_waiting(word) or (same_price and qty < leaves)
        expected = rows[base + AMEND.expected_leaves_lots]
        is_as_expected = expected == 0 or expected == leaves
        reason = _amend_entry_reason(memory, order, price, qty, stays) if is_as_expected else REASONS.LEAVES_CHANGED
    if reason != FINE:
        tell_rejected(memory, symbol, order_id, owner, TAGS.AMEND_ORDER, reason)
    elif stays:
        _amend_in_place(memory, order, price, qty)
    else:
        make_taker(memory, order, price, qty)
        take_out(memory, place, order)
        owner, side = state[at.TAKER_OWNER], state[at.TAKER_SIDE]
        tell(memory, TAGS.AMENDED, (symbol, order_id, owner, side, price, qty, NOTHING))
        start_taking(memory)


@inlined
def _amend_entry_reason(memory: Memory, order: int, price: int, qty: int, stays: bool) -> int:
    word = memory.orders[order * at.ORDER_SIZE + at.WORD]
    symbol, order_type = symbol_of(word), (word >> at.TYPE_SHIFT) & 3
    if memory.books[symbol * at.BOOK_SIZE + at.IS_HALTED] != 0:
        return REASONS.SYMBOL_HALTED
    if (price == 0) != (order_type == TYPES.MARKET):
        return REASONS.BAD_PRICE
    if word & at.HAS_EXTRA and has_too_many_parts(qty, memory.extras[order * at.EXTRA_SIZE + at.DISPLAY]):
        return REASONS.BAD_DISPLAY_QTY
    if stays:
        return FINE
    if is_crossing(memory, symbol, side_of(word), price):
        return REASONS.POST_ONLY_WOULD_CROSS if order_type == TYPES.POST_ONLY else FINE
    return FINE if has_room(memory, ladder_of(symbol), price) else REASONS.LEVELS_FULL


@routine
def _amend_in_place(memory: Memory, order: int, price: int, qty: int) -> None:
    """Change an order that keeps its place: one that waits, or a smaller quantity, taken first from what is hidden."""
    word = memory.orders[order * at.ORDER_SIZE + at.WORD]
    symbol = symbol_of(word)
    shown = qty
    if not is_waiting(word):
        before = word & at.LOTS_MASK
        shown = min(before, qty)
        memory.levels[level_at(memory, ladder_of(symbol), price) * at.LEVEL_SIZE + at.TOTAL] -= before - shown
        if word & at.HAS_EXTRA:
            memory.extras[order * at.EXTRA_SIZE + at.HIDDEN] = qty - shown
    memory.orders[order * at.ORDER_SIZE + at.WORD] = (word & ~at.LOTS_MASK) | shown
    memory.links[order * at.LINK_SIZE + at.PRICE] = price
    order_id = memory.orders[order * at.ORDER_SIZE + at.ORDER_ID]
    owner = signed(memory.links[order * at.LINK_SIZE + at.OWNER])
    tell(memory, TAGS.AMENDED, (symbol, order_id, owner, side_of(word), price, qty, 0 if is_waiting(word) else shown))

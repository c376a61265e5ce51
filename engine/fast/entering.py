"""A new order: checked, then into the book, among those that wait, or into the market as the taker."""
# mypy: disable-error-code="no-any-return"

from engine.fast.book import enter_waiting, find_id, ladder_of, order_of, take_order, waiting_ladder, write_order
from engine.fast.checks import FINE, new_order_reason
from engine.fast.ladder import has_room
from engine.fast.prices import is_crossing, limit_of
from engine.fast.taking import WAKING, rest_order, set_taker, start_taking, word_of
from engine.fast.telling import tell, tell_rejected
from engine.fast.trailing import start_trailing
from engine.rows import memory as at
from engine.rows.memory import Memory, Terms
from market.kernels.compiling import inlined, routine
from market.kernels.row_codes import NEW, REASONS, TAGS, TIMES, TRIGGERS, TYPES


@inlined
def enter_order(memory: Memory, base: int) -> None:
    """Handle the new order in the row at `base`; one that trades at once is left as the taker."""
    rows, state = memory.commands, memory.state
    state[at.TIME_NS] = rows[base + NEW.time_ns]
    reason = new_order_reason(memory, base)
    if reason != FINE:
        _refuse_new_order(memory, base, reason)
        return
    order_id, qty = rows[base + NEW.order_id], rows[base + NEW.qty_lots]
    # Masks that change nothing any more: they tell the compiler that no index made of these is negative.
    symbol, side = rows[base + NEW.symbol_id] & at.SYMBOL_MASK, rows[base + NEW.side] & 1
    price = rows[base + NEW.price_ticks] & at.PRICE_MASK
    order_type, time_in_force = rows[base + NEW.order_type], rows[base + NEW.time_in_force]
    trigger, trail_bps = rows[base + NEW.trigger], rows[base + NEW.trailing_bps]
    is_triggered = trigger != TRIGGERS.NONE
    may_rest = order_type != TYPES.MARKET and time_in_force == TIMES.GTC
    crosses = not is_triggered and is_crossing(memory, symbol, side, limit_of(side, order_type, price))
    place = find_id(memory, order_id)
    ladder, rung = ladder_of(symbol), price
    if is_triggered:
        rises = (trigger == TRIGGERS.STOP) == (side == 0)
        ladder, rung = waiting_ladder(symbol, rises), rows[base + NEW.trigger_price_ticks]
    if memory.books[symbol * at.BOOK_SIZE + at.IS_HALTED] != 0:
        reason = REASONS.SYMBOL_HALTED
    elif order_of(memory, place) != 0:
        reason = REASONS.DUPLICATE_ORDER_ID
    elif crosses and order_type == TYPES.POST_ONLY:
        reason = REASONS.POST_ONLY_WOULD_CROSS
    elif is_triggered or may_rest:
        if state[at.LIVE_ORDERS] >= state[at.ORDERS_MAX]:
            reason = REASONS.BOOK_FULL
        elif not crosses and trail_bps == 0 and not has_room(memory, ladder, rung):
            reason = REASONS.LEVELS_FULL
    if reason != FINE:
        _refuse_new_order(memory, base, reason)
        return
    owner = rows[base + NEW.owner]
    prevention, display = rows[base + NEW.self_trade_prevention], rows[base + NEW.display_lots]
    terms = Terms(order_id, symbol, side, price, qty, owner, order_type, time_in_force, prevention, display)
    shown = 0
    if is_triggered:
        _let_wait(memory, place, terms, trigger, rung, trail_bps)
    elif may_rest and not crosses:
        shown = rest_order(memory, place, terms)
    tell(memory, TAGS.ACCEPTED, (symbol, order_id, owner, side, price, qty, order_type, time_in_force, shown))
    if shown == 0 and not is_triggered:
        set_taker(memory, terms)
        start_taking(memory)


@routine
def _refuse_new_order(memory: Memory, base: int, reason: int) -> None:
    rows = memory.commands
    tell_rejected(
        memory, rows[base + NEW.symbol_id], rows[base + NEW.order_id], rows[base + NEW.owner], TAGS.NEW_ORDER, reason
    )


@routine
def _let_wait(memory: Memory, place: int, terms: Terms, trigger: int, trigger_price: int, trail_bps: int) -> None:
    """Put an order among those that wait; if the last trade price already fulfils its condition, it wakes at once."""
    word = word_of(terms, terms.lots) | at.HAS_EXTRA
    word |= terms.time_in_force << at.TIME_IN_FORCE_SHIFT | trigger << at.TRIGGER_SHIFT
    order = take_order(memory)
    write_order(memory, place, order, terms, word | (at.IS_TRAILING if trail_bps != 0 else 0))
    memory.extras[order * at.EXTRA_SIZE + at.TRIGGER_PRICE] = trigger_price | trail_bps << at.TRAIL_BPS_SHIFT
    memory.extras[order * at.EXTRA_SIZE + at.DISPLAY] = terms.display
    if trail_bps != 0:
        start_trailing(memory, terms.symbol, order)
    else:
        enter_waiting(memory, word, trigger_price, order)
    books, book = memory.books, terms.symbol * at.BOOK_SIZE
    last = books[book + at.LAST_PRICE]
    if last != 0:
        books[book + at.TRADED_LOW] = last
        books[book + at.TRADED_HIGH] = last
        memory.state[at.TAKER_SYMBOL] = terms.symbol
        memory.state[at.STAGE] = WAKING

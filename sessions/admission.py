"""The kernel between a client's messages and the engine's commands."""
# mypy: disable-error-code="no-any-return, return-value"

from typing import Final

from engine.wire.routing import write_refusal
from market.clock import NS_PER_SECOND
from market.kernels.compiling import inlined, kernel
from market.kernels.row_codes import AMEND, CANCEL, HEARTBEAT, LOGOUT, MASS_CANCEL, NEW, REASONS, SIDES, TAGS
from market.kernels.rows import ROW_WIDTH, TAG, Int64Array
from market.limits import ID_MAX, ORDER_IDS_PER_SESSION
from sessions import memory as at
from sessions.memory import SessionMemory
from sessions.open_orders import find_order, write_order

GOES_ON: Final = 0
LOGS_OUT: Final = 1  # a Logout was read; what follows it was not
LOGS_OUT_FOR_GOOD: Final = 2


_FINE: Final = 0
_SENT_AGAIN: Final = -1

assert NEW.order_id == CANCEL.order_id == AMEND.order_id, "commands name their order at one place"
assert NEW.symbol_id == AMEND.symbol_id == CANCEL.symbol_id, "commands name their symbol at one place"


@kernel
def admit_messages(
    first: int, count: int, number: int, is_engine_here: int, time_ns: int, now_ns: int, *arrays: Int64Array
) -> tuple[int, int, int, int]:
    """Turn `count` messages of session `number` into commands of the desk: its ids, its owner, the time.

    Args:
        first: the row of the first one; those that may pass are moved together from there on.
        is_engine_here: 0: all commands are refused, but for orders that were taken before.
        time_ns: ns since 1970.
        now_ns: monotonic, for the limit of messages a second, and the age of the reference price.
        arrays: the SessionMemory; as one argument it would cost a call 1 us more.

    Returns:
        how many commands pass, how many are refused, how many orders are sent again, and whether the session goes on.
    """
    memory = SessionMemory(*arrays)
    rows, sessions = memory.messages, memory.sessions
    session = number * at.STATE_SIZE
    _add_credit(memory, session, now_ns)
    kept = refused = resent = 0
    for index in range(first, first + count):
        base = index * ROW_WIDTH
        tag = rows[base + TAG]
        is_rate_kept = _take_credit(memory, session, tag)
        if tag == TAGS.LOGOUT:
            return kept, refused, resent, LOGS_OUT_FOR_GOOD if rows[base + LOGOUT.is_final] else LOGS_OUT
        if tag > TAGS.MASS_CANCEL:  # a heartbeat
            seen = min(rows[base + HEARTBEAT.last_sequence], sessions[session + at.SEQUENCE])
            sessions[session + at.SEEN_SEQUENCE] = max(seen, sessions[session + at.SEEN_SEQUENCE])
            continue
        if tag == TAGS.NEW_ORDER and rows[base + NEW.order_id] <= sessions[session + at.USED_ID]:
            reason = _SENT_AGAIN  # before all refusals: it may rest, and whoever is told otherwise forgets it
        elif not is_engine_here:
            reason = REASONS.ENGINE_UNAVAILABLE
        elif not is_rate_kept:
            reason = REASONS.RATE_LIMIT
        else:
            reason = _check(memory, base, number, now_ns)
        if reason == _FINE:
            _take_in(memory, base, number, time_ns)
            if first + kept != index:
                for place in range(ROW_WIDTH):
                    rows[(first + kept) * ROW_WIDTH + place] = rows[base + place]
            kept += 1
        elif reason == _SENT_AGAIN:
            memory.resends[resent * at.RESEND_SIZE] = rows[base + NEW.order_id]
            memory.resends[resent * at.RESEND_SIZE + 1] = rows[base + NEW.symbol_id]
            resent += 1
        else:
            symbol_id = rows[base + (MASS_CANCEL.symbol_id if tag == TAGS.MASS_CANCEL else NEW.symbol_id)]
            order_id = 0 if tag == TAGS.MASS_CANCEL else rows[base + NEW.order_id]
            write_refusal(memory.refusals, refused * ROW_WIDTH, time_ns, (symbol_id, order_id, tag), reason)
            refused += 1
    return kept, refused, resent, GOES_ON


@inlined
def _add_credit(memory: SessionMemory, session: int, now_ns: int) -> None:
    """A second's worth of messages can be saved up."""
    sessions = memory.sessions
    if memory.limits[at.MESSAGE_COST_NS]:
        earned = now_ns - sessions[session + at.CREDIT_AT_NS]
        sessions[session + at.CREDIT_NS] = min(NS_PER_SECOND, sessions[session + at.CREDIT_NS] + earned)
        sessions[session + at.CREDIT_AT_NS] = now_ns


@inlined
def _take_credit(memory: SessionMemory, session: int, tag: int) -> bool:
    """Pay for one message; cancels may run up a debt of a second's worth, so that they pass when orders do not."""
    cost_ns = memory.limits[at.MESSAGE_COST_NS]
    least = -NS_PER_SECOND if tag in (TAGS.CANCEL_ORDER, TAGS.MASS_CANCEL) else 0
    if memory.sessions[session + at.CREDIT_NS] - cost_ns < least and cost_ns:
        return False
    memory.sessions[session + at.CREDIT_NS] -= cost_ns
    return True


@inlined
def _check(memory: SessionMemory, base: int, number: int, now_ns: int) -> int:
    """Return why a command may not pass, or _FINE."""
    rows, session = memory.messages, number * at.STATE_SIZE
    tag, order_id = rows[base + TAG], rows[base + NEW.order_id]
    if tag == TAGS.MASS_CANCEL:
        return _FINE
    if order_id >= ORDER_IDS_PER_SESSION - memory.sessions[session + at.OFFSET]:
        return REASONS.BAD_ORDER_ID if tag == TAGS.NEW_ORDER else REASONS.UNKNOWN_ORDER
    if tag == TAGS.NEW_ORDER:
        is_full = memory.counts[at.TOTAL_OPEN] >= memory.limits[at.TOTAL_OPEN_MAX]
        if is_full or memory.sessions[session + at.OPEN_COUNT] >= memory.limits[at.OPEN_MAX]:
            return REASONS.OPEN_ORDERS_LIMIT
        price, qty = rows[base + NEW.price_ticks], rows[base + NEW.qty_lots]
        return _check_size(memory, rows[base + NEW.symbol_id], rows[base + NEW.side], price, qty, now_ns)
    if tag == TAGS.CANCEL_ORDER:
        return _FINE  # the engine says whether it knows the order: to look for it here would cost a cache miss
    entry = find_order(memory.orders, _desk_id(memory, order_id, number))
    if memory.orders[entry + at.ORDER_ID] == 0:
        return _FINE
    price, qty = rows[base + AMEND.price_ticks], rows[base + AMEND.qty_lots]
    side = memory.orders[entry + at.ORDER_SIDE]
    return _check_size(memory, rows[base + AMEND.symbol_id], side, price, qty, now_ns)


@inlined
def _check_size(memory: SessionMemory, symbol_id: int, side: int, price_ticks: int, qty_lots: int, now_ns: int) -> int:
    """Return why nobody means such an order; one without a price is taken to trade at the reference price."""
    symbol, reference_at = symbol_id * at.SYMBOL_SIZE, symbol_id * at.REFERENCE_SIZE
    reference = memory.references[reference_at + at.REFERENCE_PRICE]
    if qty_lots > memory.symbols[symbol + at.QTY_MAX]:
        return REASONS.QTY_LIMIT
    notional_max = memory.symbols[symbol + at.NOTIONAL_MAX]
    band = memory.symbols[symbol + at.BAND_PPM]
    is_needed = band != 0 if price_ticks else notional_max != ID_MAX
    if is_needed and now_ns >= memory.references[reference_at + at.KNOWN_UNTIL_NS]:
        return REASONS.ENGINE_UNAVAILABLE  # the market may be elsewhere by now
    price = price_ticks or reference
    if price and notional_max != ID_MAX and qty_lots > notional_max // price:  # the product might not fit
        return REASONS.NOTIONAL_LIMIT
    if not band or not reference or not price_ticks:
        return _FINE
    if side == SIDES.BUY:
        is_far = price_ticks * at.BAND_UNIT > reference * (at.BAND_UNIT + band)
    else:
        is_far = price_ticks * at.BAND_UNIT < reference * (at.BAND_UNIT - band)
    return REASONS.PRICE_BAND if is_far else _FINE


@inlined
def _desk_id(memory: SessionMemory, order_id: int, number: int) -> int:
    first = memory.limits[at.FIRST_ORDER_ID] + number * ORDER_IDS_PER_SESSION
    return first + memory.sessions[number * at.STATE_SIZE + at.OFFSET] + order_id


@inlined
def _take_in(memory: SessionMemory, base: int, number: int, time_ns: int) -> None:
    """Make the command the desk's; a new order counts as open from now on."""
    rows, session = memory.messages, number * at.STATE_SIZE
    tag = rows[base + TAG]
    owner = memory.limits[at.FIRST_OWNER] + number
    if tag == TAGS.MASS_CANCEL:
        rows[base + MASS_CANCEL.owner] = owner
        rows[base + MASS_CANCEL.time_ns] = time_ns
        return
    order_id = rows[base + NEW.order_id]
    desk_id = _desk_id(memory, order_id, number)
    rows[base + NEW.order_id] = desk_id
    if tag == TAGS.CANCEL_ORDER:
        rows[base + CANCEL.owner] = owner
        rows[base + CANCEL.time_ns] = time_ns
    elif tag == TAGS.AMEND_ORDER:
        rows[base + AMEND.owner] = owner
        rows[base + AMEND.time_ns] = time_ns
    else:
        rows[base + NEW.owner] = owner
        rows[base + NEW.time_ns] = time_ns
        memory.sessions[session + at.USED_ID] = order_id
        memory.sessions[session + at.OPEN_COUNT] += 1
        memory.counts[at.TOTAL_OPEN] += 1
        price, qty = rows[base + NEW.price_ticks], rows[base + NEW.qty_lots]
        what = (rows[base + NEW.symbol_id], rows[base + NEW.side], price, qty)
        write_order(memory.orders, find_order(memory.orders, desk_id), desk_id, what, 0)

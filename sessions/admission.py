"""The kernel between a client's messages and the engine's commands."""
# mypy: disable-error-code="no-any-return, return-value"

from typing import Final

from engine.kernel import inlined, kernel
from engine.rows.codes import AMEND, CANCEL, HEARTBEAT, LOGOUT, MASS_CANCEL, NEW, REASONS, SIDES, TAGS
from engine.rows.messages import ROW_WIDTH, TAG, Int64Array
from engine.wire.routing import write_refusal
from market.clock import NS_PER_SECOND
from market.limits import ID_MAX, ORDER_IDS_PER_SESSION
from sessions.open_orders import find_order, write_order
from sessions.session_state import (
    BAND_PPM,
    BAND_UNIT,
    CREDIT_AT_NS,
    CREDIT_NS,
    FIRST_ORDER_ID,
    FIRST_OWNER,
    KNOWN_UNTIL_NS,
    MESSAGE_COST_NS,
    NOTIONAL_MAX,
    OFFSET,
    OPEN_COUNT,
    OPEN_MAX,
    ORDER_ID,
    ORDER_SIDE,
    QTY_MAX,
    REFERENCE_PRICE,
    SEEN_SEQUENCE,
    SEQUENCE,
    STATE_SIZE,
    SYMBOL_SIZE,
    SYMBOLS,
    TOTAL_OPEN,
    TOTAL_OPEN_MAX,
    USED_ID,
)

GOES_ON: Final = 0
LOGS_OUT: Final = 1  # a Logout was read; what follows it was not
LOGS_OUT_FOR_GOOD: Final = 2

RESEND_SIZE: Final = 2  # of an order that is sent again: its id, its symbol


_FINE: Final = 0
_SENT_AGAIN: Final = -1

assert NEW.order_id == CANCEL.order_id == AMEND.order_id, "commands name their order at one place"
assert NEW.symbol_id == AMEND.symbol_id == CANCEL.symbol_id, "commands name their symbol at one place"


@kernel
def admit_messages(
    rows: Int64Array,
    count: int,
    number: int,
    is_engine_here: int,
    time_ns: int,
    now_ns: int,
    sessions: Int64Array,
    limits: Int64Array,
    orders: Int64Array,
    refusals: Int64Array,
    resends: Int64Array,
) -> tuple[int, int, int, int]:
    """Turn the messages of session `number` into commands of the desk: its ids, its owner, the time.

    Args:
        rows: flat; the commands that may pass are moved together at the front.
        is_engine_here: 0: all commands are refused, but for orders that were taken before.
        time_ns: ns since 1970.
        now_ns: monotonic, for the limit of messages a second, and the age of the reference price.
        refusals: flat, takes a Rejected row, as the client sees it, for each command that may not pass.
        resends: flat, takes RESEND_SIZE numbers for each order whose id was used before.

    Returns:
        how many commands pass, how many are refused, how many orders are sent again, and whether the session goes on.
    """
    session = number * STATE_SIZE
    _add_credit(sessions, session, limits[MESSAGE_COST_NS], now_ns)
    kept = refused = resent = 0
    for index in range(count):
        base = index * ROW_WIDTH
        tag = rows[base + TAG]
        is_rate_kept = _take_credit(sessions, session, limits[MESSAGE_COST_NS], tag)
        if tag == TAGS.LOGOUT:
            return kept, refused, resent, LOGS_OUT_FOR_GOOD if rows[base + LOGOUT.is_final] else LOGS_OUT
        if tag > TAGS.MASS_CANCEL:  # a heartbeat
            seen = min(rows[base + HEARTBEAT.last_sequence], sessions[session + SEQUENCE])
            sessions[session + SEEN_SEQUENCE] = max(seen, sessions[session + SEEN_SEQUENCE])
            continue
        if tag == TAGS.NEW_ORDER and rows[base + NEW.order_id] <= sessions[session + USED_ID]:
            reason = _SENT_AGAIN  # before all refusals: it may rest, and whoever is told otherwise forgets it
        elif not is_engine_here:
            reason = REASONS.ENGINE_UNAVAILABLE
        elif not is_rate_kept:
            reason = REASONS.RATE_LIMIT
        elif tag == TAGS.NEW_ORDER:
            reason = _check_new_order(rows, base, sessions, session, limits, now_ns)
        elif tag == TAGS.AMEND_ORDER:
            reason = _check_amend(rows, base, number, sessions, session, limits, orders, now_ns)
        elif (
            tag == TAGS.CANCEL_ORDER
            and rows[base + CANCEL.order_id] >= ORDER_IDS_PER_SESSION - sessions[session + OFFSET]
        ):
            reason = REASONS.UNKNOWN_ORDER
        else:
            reason = _FINE
        if reason == _FINE:
            _take_in(rows, base, number, sessions, session, limits, orders, time_ns)
            if kept != index:
                for place in range(ROW_WIDTH):
                    rows[kept * ROW_WIDTH + place] = rows[base + place]
            kept += 1
        elif reason == _SENT_AGAIN:
            resends[resent * RESEND_SIZE] = rows[base + NEW.order_id]
            resends[resent * RESEND_SIZE + 1] = rows[base + NEW.symbol_id]
            resent += 1
        else:
            symbol_id = rows[base + (MASS_CANCEL.symbol_id if tag == TAGS.MASS_CANCEL else NEW.symbol_id)]
            order_id = 0 if tag == TAGS.MASS_CANCEL else rows[base + NEW.order_id]
            write_refusal(refusals, refused * ROW_WIDTH, time_ns, (symbol_id, order_id, tag), reason)
            refused += 1
    return kept, refused, resent, GOES_ON


@inlined
def _add_credit(sessions: Int64Array, session: int, cost_ns: int, now_ns: int) -> None:
    """A second's worth of messages can be saved up."""
    if cost_ns:
        earned = now_ns - sessions[session + CREDIT_AT_NS]
        sessions[session + CREDIT_NS] = min(NS_PER_SECOND, sessions[session + CREDIT_NS] + earned)
        sessions[session + CREDIT_AT_NS] = now_ns


@inlined
def _take_credit(sessions: Int64Array, session: int, cost_ns: int, tag: int) -> bool:
    """Pay for one message; cancels may run up a debt of a second's worth, so that they pass when orders do not."""
    least = -NS_PER_SECOND if tag in (TAGS.CANCEL_ORDER, TAGS.MASS_CANCEL) else 0
    if sessions[session + CREDIT_NS] - cost_ns < least and cost_ns:
        return False
    sessions[session + CREDIT_NS] -= cost_ns
    return True


@inlined
def _check_new_order(
    rows: Int64Array, base: int, sessions: Int64Array, session: int, limits: Int64Array, now_ns: int
) -> int:
    order_id = rows[base + NEW.order_id]
    if order_id >= ORDER_IDS_PER_SESSION - sessions[session + OFFSET]:
        return REASONS.BAD_ORDER_ID
    is_full = limits[TOTAL_OPEN] >= limits[TOTAL_OPEN_MAX]
    if is_full or sessions[session + OPEN_COUNT] >= limits[OPEN_MAX]:
        return REASONS.OPEN_ORDERS_LIMIT
    price, qty = rows[base + NEW.price_ticks], rows[base + NEW.qty_lots]
    return _check_size(limits, rows[base + NEW.symbol_id], rows[base + NEW.side], price, qty, now_ns)


@inlined
def _check_amend(
    rows: Int64Array,
    base: int,
    number: int,
    sessions: Int64Array,
    session: int,
    limits: Int64Array,
    orders: Int64Array,
    now_ns: int,
) -> int:
    if rows[base + AMEND.order_id] >= ORDER_IDS_PER_SESSION - sessions[session + OFFSET]:
        return REASONS.UNKNOWN_ORDER
    entry = find_order(orders, _desk_id(rows[base + AMEND.order_id], number, sessions, session, limits))
    if orders[entry + ORDER_ID] == 0:
        return _FINE  # the engine says that it does not know the order
    price, qty = rows[base + AMEND.price_ticks], rows[base + AMEND.qty_lots]
    return _check_size(limits, rows[base + AMEND.symbol_id], orders[entry + ORDER_SIDE], price, qty, now_ns)


@inlined
def _check_size(limits: Int64Array, symbol_id: int, side: int, price_ticks: int, qty_lots: int, now_ns: int) -> int:
    """Return why nobody means such an order; one without a price is taken to trade at the reference price."""
    symbol = SYMBOLS + symbol_id * SYMBOL_SIZE
    reference = limits[symbol + REFERENCE_PRICE]
    if qty_lots > limits[symbol + QTY_MAX]:
        return REASONS.QTY_LIMIT
    notional_max = limits[symbol + NOTIONAL_MAX]
    band = limits[symbol + BAND_PPM]
    is_needed = band != 0 if price_ticks else notional_max != ID_MAX
    if is_needed and now_ns >= limits[symbol + KNOWN_UNTIL_NS]:
        return REASONS.ENGINE_UNAVAILABLE  # the market may be elsewhere by now
    price = price_ticks or reference
    if price and notional_max != ID_MAX and qty_lots > notional_max // price:  # the product might not fit
        return REASONS.NOTIONAL_LIMIT
    if not band or not reference or not price_ticks:
        return _FINE
    if side == SIDES.BUY:
        is_far = price_ticks * BAND_UNIT > reference * (BAND_UNIT + band)
    else:
        is_far = price_ticks * BAND_UNIT < reference * (BAND_UNIT - band)
    return REASONS.PRICE_BAND if is_far else _FINE


@inlined
def _desk_id(order_id: int, number: int, sessions: Int64Array, session: int, limits: Int64Array) -> int:
    return limits[FIRST_ORDER_ID] + number * ORDER_IDS_PER_SESSION + sessions[session + OFFSET] + order_id


@inlined
def _take_in(
    rows: Int64Array,
    base: int,
    number: int,
    sessions: Int64Array,
    session: int,
    limits: Int64Array,
    orders: Int64Array,
    time_ns: int,
) -> None:
    """Make the command the desk's; a new order counts as open from now on."""
    tag = rows[base + TAG]
    owner = limits[FIRST_OWNER] + number
    if tag == TAGS.MASS_CANCEL:
        rows[base + MASS_CANCEL.owner] = owner
        rows[base + MASS_CANCEL.time_ns] = time_ns
        return
    order_id = rows[base + NEW.order_id]
    desk_id = _desk_id(order_id, number, sessions, session, limits)
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
        sessions[session + USED_ID] = order_id
        sessions[session + OPEN_COUNT] += 1
        limits[TOTAL_OPEN] += 1
        symbol_id, side = rows[base + NEW.symbol_id], rows[base + NEW.side]
        price, qty = rows[base + NEW.price_ticks], rows[base + NEW.qty_lots]
        write_order(orders, find_order(orders, desk_id), desk_id, symbol_id, side, price, qty, 0)

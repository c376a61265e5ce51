"""The kernel between a client's messages and the engine's commands."""
# mypy: disable-error-code="no-any-return, return-value"

from typing import Final

from engine.kernel import inlined, kernel
from engine.rows.messages import (
    AMEND_ORDER_ID,
    AMEND_OWNER,
    AMEND_PRICE_TICKS,
    AMEND_QTY_LOTS,
    AMEND_SYMBOL_ID,
    AMEND_TIME_NS,
    CANCEL_ORDER_ID,
    CANCEL_OWNER,
    CANCEL_TIME_NS,
    MASS_CANCEL_OWNER,
    MASS_CANCEL_SYMBOL_ID,
    MASS_CANCEL_TIME_NS,
    NEW_ORDER_ID,
    NEW_OWNER,
    NEW_PRICE_TICKS,
    NEW_QTY_LOTS,
    NEW_SIDE,
    NEW_SYMBOL_ID,
    NEW_TIME_NS,
    ROW_WIDTH,
    TAG,
    Int64Array,
    column,
)
from market.clock import NS_PER_SECOND
from market.codes import RejectReason, Side, Tag
from market.commands import CancelOrder
from market.events import Rejected
from market.limits import ID_MAX, ORDER_IDS_PER_SESSION
from market.session_messages import Heartbeat, Logout
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

_NEW_ORDER: Final = int(Tag.NEW_ORDER)
_CANCEL_ORDER: Final = int(Tag.CANCEL_ORDER)
_AMEND_ORDER: Final = int(Tag.AMEND_ORDER)
_MASS_CANCEL: Final = int(Tag.MASS_CANCEL)
_LOGOUT: Final = int(Tag.LOGOUT)
_REJECTED: Final = int(Tag.REJECTED)
_BUY: Final = int(Side.BUY)

_FINE: Final = 0
_SENT_AGAIN: Final = -1
_UNKNOWN_ORDER: Final = int(RejectReason.UNKNOWN_ORDER)
_BAD_ORDER_ID: Final = int(RejectReason.BAD_ORDER_ID)
_ENGINE_UNAVAILABLE: Final = int(RejectReason.ENGINE_UNAVAILABLE)
_RATE_LIMIT: Final = int(RejectReason.RATE_LIMIT)
_OPEN_ORDERS_LIMIT: Final = int(RejectReason.OPEN_ORDERS_LIMIT)
_QTY_LIMIT: Final = int(RejectReason.QTY_LIMIT)
_NOTIONAL_LIMIT: Final = int(RejectReason.NOTIONAL_LIMIT)
_PRICE_BAND: Final = int(RejectReason.PRICE_BAND)

_IS_FINAL: Final = column(Logout, "is_final")
_LAST_SEQUENCE: Final = column(Heartbeat, "last_sequence")
_TIME_NS: Final = column(Rejected, "time_ns")
_SYMBOL_ID: Final = column(Rejected, "symbol_id")
_ORDER_ID: Final = column(Rejected, "order_id")
_COMMAND: Final = column(Rejected, "command")
_REASON: Final = column(Rejected, "reason")
assert NEW_ORDER_ID == CANCEL_ORDER_ID == AMEND_ORDER_ID, "commands name their order at one place"
assert NEW_SYMBOL_ID == AMEND_SYMBOL_ID == column(CancelOrder, "symbol_id"), "commands name their symbol at one place"


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
        if tag == _LOGOUT:
            return kept, refused, resent, LOGS_OUT_FOR_GOOD if rows[base + _IS_FINAL] else LOGS_OUT
        if tag > _MASS_CANCEL:  # a heartbeat
            seen = min(rows[base + _LAST_SEQUENCE], sessions[session + SEQUENCE])
            sessions[session + SEEN_SEQUENCE] = max(seen, sessions[session + SEEN_SEQUENCE])
            continue
        if tag == _NEW_ORDER and rows[base + NEW_ORDER_ID] <= sessions[session + USED_ID]:
            reason = _SENT_AGAIN  # before all refusals: it may rest, and whoever is told otherwise forgets it
        elif not is_engine_here:
            reason = _ENGINE_UNAVAILABLE
        elif not is_rate_kept:
            reason = _RATE_LIMIT
        elif tag == _NEW_ORDER:
            reason = _check_new_order(rows, base, sessions, session, limits, now_ns)
        elif tag == _AMEND_ORDER:
            reason = _check_amend(rows, base, number, sessions, session, limits, orders, now_ns)
        elif (
            tag == _CANCEL_ORDER and rows[base + CANCEL_ORDER_ID] >= ORDER_IDS_PER_SESSION - sessions[session + OFFSET]
        ):
            reason = _UNKNOWN_ORDER
        else:
            reason = _FINE
        if reason == _FINE:
            _take_in(rows, base, number, sessions, session, limits, orders, time_ns)
            if kept != index:
                for place in range(ROW_WIDTH):
                    rows[kept * ROW_WIDTH + place] = rows[base + place]
            kept += 1
        elif reason == _SENT_AGAIN:
            resends[resent * RESEND_SIZE] = rows[base + NEW_ORDER_ID]
            resends[resent * RESEND_SIZE + 1] = rows[base + NEW_SYMBOL_ID]
            resent += 1
        else:
            _write_refusal(rows, base, reason, time_ns, refusals, refused * ROW_WIDTH)
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
    least = -NS_PER_SECOND if tag in (_CANCEL_ORDER, _MASS_CANCEL) else 0
    if sessions[session + CREDIT_NS] - cost_ns < least and cost_ns:
        return False
    sessions[session + CREDIT_NS] -= cost_ns
    return True


@inlined
def _check_new_order(
    rows: Int64Array, base: int, sessions: Int64Array, session: int, limits: Int64Array, now_ns: int
) -> int:
    order_id = rows[base + NEW_ORDER_ID]
    if order_id >= ORDER_IDS_PER_SESSION - sessions[session + OFFSET]:
        return _BAD_ORDER_ID
    is_full = limits[TOTAL_OPEN] >= limits[TOTAL_OPEN_MAX]
    if is_full or sessions[session + OPEN_COUNT] >= limits[OPEN_MAX]:
        return _OPEN_ORDERS_LIMIT
    price, qty = rows[base + NEW_PRICE_TICKS], rows[base + NEW_QTY_LOTS]
    return _check_size(limits, rows[base + NEW_SYMBOL_ID], rows[base + NEW_SIDE], price, qty, now_ns)


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
    if rows[base + AMEND_ORDER_ID] >= ORDER_IDS_PER_SESSION - sessions[session + OFFSET]:
        return _UNKNOWN_ORDER
    entry = find_order(orders, _desk_id(rows[base + AMEND_ORDER_ID], number, sessions, session, limits))
    if orders[entry + ORDER_ID] == 0:
        return _FINE  # the engine says that it does not know the order
    price, qty = rows[base + AMEND_PRICE_TICKS], rows[base + AMEND_QTY_LOTS]
    return _check_size(limits, rows[base + AMEND_SYMBOL_ID], orders[entry + ORDER_SIDE], price, qty, now_ns)


@inlined
def _check_size(limits: Int64Array, symbol_id: int, side: int, price_ticks: int, qty_lots: int, now_ns: int) -> int:
    """Return why nobody means such an order; one without a price is taken to trade at the reference price."""
    symbol = SYMBOLS + symbol_id * SYMBOL_SIZE
    reference = limits[symbol + REFERENCE_PRICE]
    if qty_lots > limits[symbol + QTY_MAX]:
        return _QTY_LIMIT
    notional_max = limits[symbol + NOTIONAL_MAX]
    band = limits[symbol + BAND_PPM]
    is_needed = band != 0 if price_ticks else notional_max != ID_MAX
    if is_needed and now_ns >= limits[symbol + KNOWN_UNTIL_NS]:
        return _ENGINE_UNAVAILABLE  # the market may be elsewhere by now
    price = price_ticks or reference
    if price and notional_max != ID_MAX and qty_lots > notional_max // price:  # the product might not fit
        return _NOTIONAL_LIMIT
    if not band or not reference or not price_ticks:
        return _FINE
    if side == _BUY:
        is_far = price_ticks * BAND_UNIT > reference * (BAND_UNIT + band)
    else:
        is_far = price_ticks * BAND_UNIT < reference * (BAND_UNIT - band)
    return _PRICE_BAND if is_far else _FINE


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
    if tag == _MASS_CANCEL:
        rows[base + MASS_CANCEL_OWNER] = owner
        rows[base + MASS_CANCEL_TIME_NS] = time_ns
        return
    order_id = rows[base + NEW_ORDER_ID]
    desk_id = _desk_id(order_id, number, sessions, session, limits)
    rows[base + NEW_ORDER_ID] = desk_id
    if tag == _CANCEL_ORDER:
        rows[base + CANCEL_OWNER] = owner
        rows[base + CANCEL_TIME_NS] = time_ns
    elif tag == _AMEND_ORDER:
        rows[base + AMEND_OWNER] = owner
        rows[base + AMEND_TIME_NS] = time_ns
    else:
        rows[base + NEW_OWNER] = owner
        rows[base + NEW_TIME_NS] = time_ns
        sessions[session + USED_ID] = order_id
        sessions[session + OPEN_COUNT] += 1
        limits[TOTAL_OPEN] += 1
        symbol_id, side = rows[base + NEW_SYMBOL_ID], rows[base + NEW_SIDE]
        price, qty = rows[base + NEW_PRICE_TICKS], rows[base + NEW_QTY_LOTS]
        write_order(orders, find_order(orders, desk_id), desk_id, symbol_id, side, price, qty, 0)


@inlined
def _write_refusal(rows: Int64Array, base: int, reason: int, time_ns: int, refusals: Int64Array, target: int) -> None:
    tag = rows[base + TAG]
    for place in range(ROW_WIDTH):
        refusals[target + place] = 0
    refusals[target + TAG] = _REJECTED
    refusals[target + _TIME_NS] = time_ns
    refusals[target + _SYMBOL_ID] = rows[base + (MASS_CANCEL_SYMBOL_ID if tag == _MASS_CANCEL else NEW_SYMBOL_ID)]
    refusals[target + _ORDER_ID] = 0 if tag == _MASS_CANCEL else rows[base + NEW_ORDER_ID]
    refusals[target + _COMMAND] = tag
    refusals[target + _REASON] = reason

"""The kernel between the engine's reports and what each client is told."""
# mypy: disable-error-code="no-any-return, return-value"

from typing import Final

import numpy as np

from engine.wire.encoding import KEYS_PER_ROW, NO_KEY
from market.kernels.compiling import inlined, kernel
from market.kernels.order_table import unsigned
from market.kernels.row_codes import (
    ACCEPTED,
    AMENDED,
    CANCELED,
    ENDS,
    EXECUTED,
    REJECTED,
    RESTED,
    TAGS,
    TRAILED,
    TRIGGERED,
)
from market.kernels.rows import ROW_WIDTH, TAG, Int64Array
from market.limits import ORDER_IDS_PER_SESSION, TCP_SESSIONS_MAX
from sessions import memory as at
from sessions.memory import SessionMemory
from sessions.open_orders import find_order, remove_order, write_order

TOO_MANY_OPEN: Final = -1


# Where every event has these, but Executed, which has two orders, and Halted, which has none.
for _event in (RESTED, CANCELED, AMENDED, TRIGGERED, TRAILED, REJECTED):
    for _field in ("sequence", "symbol_id", "order_id", "owner"):
        assert getattr(_event, _field) == getattr(ACCEPTED, _field), f"{_event} has its {_field} elsewhere"


@kernel
def tell_sessions(skip: int, count: int, *arrays: Int64Array) -> tuple[int, int]:
    """Write each event as the session sees it that it belongs to: its own ids, its own sequence, its own side alone.

    Orders of a session that is no more, and orders that are at their end for the client, are told to nobody.

    Args:
        skip: of the `count` rows of events, how many are old.
        arrays: the SessionMemory.

    Returns:
        how many rows were written, or TOO_MANY_OPEN; and the sessions that they are of, as bits.
    """
    memory = SessionMemory(*arrays)
    events, sessions, told = memory.events, memory.sessions, memory.told
    told_count = 0
    touched = np.int64(0)
    for index in range(skip, count):
        base = index * ROW_WIDTH
        tag = events[base + TAG]
        if tag == TAGS.HALTED:
            continue
        for side in range(2 if tag == TAGS.EXECUTED else 1):
            is_maker = side == 0
            order_id = _order_of(events, base, is_maker)
            number = _session_of(memory, order_id)
            session = number * at.STATE_SIZE
            if number < 0 or not sessions[session + at.IS_ACTIVE]:
                continue
            desk_id = (order_id - memory.limits[at.FIRST_ORDER_ID]) % ORDER_IDS_PER_SESSION
            client_id = desk_id - sessions[session + at.OFFSET]
            if client_id <= 0:
                continue  # of whoever had this number before
            if tag == TAGS.EXECUTED:
                is_told = _take_trade(memory, base, is_maker, order_id, session)
            else:
                is_told = _take_event(memory, base, order_id, client_id, session)
            if memory.counts[at.TOTAL_OPEN] > memory.limits[at.TOTAL_OPEN_MAX]:
                return TOO_MANY_OPEN, touched
            if is_told:
                target = told_count * ROW_WIDTH
                _write_told(events, base, is_maker, client_id, told, target)
                sessions[session + at.SEQUENCE] += 1
                told[target + ACCEPTED.sequence] = sessions[session + at.SEQUENCE]
                memory.keys[told_count * KEYS_PER_ROW] = number
                memory.keys[told_count * KEYS_PER_ROW + 1] = NO_KEY
                told_count += 1
                touched |= np.int64(1) << number
    return told_count, touched


@inlined
def _order_of(events: Int64Array, base: int, is_maker: bool) -> int:
    if events[base + TAG] == TAGS.EXECUTED:
        return events[base + (EXECUTED.maker_order_id if is_maker else EXECUTED.taker_order_id)]
    return events[base + ACCEPTED.order_id]


@inlined
def _session_of(memory: SessionMemory, order_id: int) -> int:
    """Return the number in a desk's order id; -1 if it is not of this gateway."""
    offset = order_id - memory.limits[at.FIRST_ORDER_ID]
    if offset <= 0 or offset >= TCP_SESSIONS_MAX * ORDER_IDS_PER_SESSION:
        return -1
    return offset // ORDER_IDS_PER_SESSION


@inlined
def _take_trade(memory: SessionMemory, base: int, is_maker: bool, order_id: int, session: int) -> bool:
    entry = find_order(memory.orders, order_id)
    if memory.orders[entry + at.ORDER_ID] == 0:
        return False
    leaves = memory.events[base + (EXECUTED.maker_leaves_lots if is_maker else EXECUTED.taker_leaves_lots)]
    _set_leaves(memory, entry, leaves, session)
    return True


@inlined
def _take_event(memory: SessionMemory, base: int, order_id: int, client_id: int, session: int) -> bool:
    """Keep the open orders in step; return whether the client is told."""
    events, sessions, orders = memory.events, memory.sessions, memory.orders
    tag = events[base + TAG]
    entry = find_order(orders, order_id)
    is_open = orders[entry + at.ORDER_ID] != 0
    is_first = tag == TAGS.ACCEPTED or (tag == TAGS.REJECTED and events[base + REJECTED.command] == TAGS.NEW_ORDER)
    is_canceled = tag == TAGS.CANCELED
    # The gateway says itself that a lost engine's orders have ended, also those on their way, which no replay knows.
    is_lost = is_canceled and not is_open and events[base + CANCELED.reason] == ENDS.ENGINE_RESTARTED
    is_only = is_lost or (is_canceled and is_open and not orders[entry + at.ORDER_IS_ANSWERED])
    if is_first or is_canceled:
        sessions[session + at.USED_ID] = max(sessions[session + at.USED_ID], client_id)
        sessions[session + at.LATE_COUNT] += (is_first or is_only) and client_id < sessions[session + at.ANSWERED_ID]
        sessions[session + at.ANSWERED_ID] = max(sessions[session + at.ANSWERED_ID], client_id)
    if tag == TAGS.ACCEPTED:
        if not is_open:  # we learn of it here: it was entered before we started
            sessions[session + at.OPEN_COUNT] += 1
            memory.counts[at.TOTAL_OPEN] += 1
        price, qty = events[base + ACCEPTED.price_ticks], events[base + ACCEPTED.qty_lots]
        what = (events[base + ACCEPTED.symbol_id], events[base + ACCEPTED.side], price, qty)
        write_order(orders, entry, order_id, what, 1)
        return True
    if tag == TAGS.REJECTED:
        if is_first and is_open:
            _set_leaves(memory, entry, 0, session)
        return True
    if not is_open:
        return is_lost
    if is_canceled:
        _set_leaves(memory, entry, events[base + CANCELED.leaves_lots], session)
    elif tag == TAGS.AMENDED:
        orders[entry + at.ORDER_PRICE] = events[base + AMENDED.price_ticks]
        orders[entry + at.ORDER_LEAVES] = events[base + AMENDED.leaves_lots]
    return True


@inlined
def _set_leaves(memory: SessionMemory, entry: int, leaves: int, session: int) -> None:
    """What is still open of the order; with 0 it is at its end."""
    if leaves:
        memory.orders[entry + at.ORDER_LEAVES] = leaves
        return
    remove_order(memory.orders, entry)
    memory.sessions[session + at.OPEN_COUNT] -= 1
    memory.counts[at.TOTAL_OPEN] -= 1


@inlined
def _write_told(events: Int64Array, base: int, is_maker: bool, client_id: int, told: Int64Array, target: int) -> None:
    for place in range(ROW_WIDTH):
        told[unsigned(target + place)] = events[unsigned(base + place)]  # sixteen at once
    if events[base + TAG] != TAGS.EXECUTED:
        told[target + ACCEPTED.order_id] = client_id
        told[target + ACCEPTED.owner] = 0
        return
    for column in (EXECUTED.taker_owner, EXECUTED.maker_owner, EXECUTED.maker_resting_lots):
        told[target + column] = 0
    told[target + EXECUTED.maker_order_id] = client_id if is_maker else 0
    told[target + EXECUTED.taker_order_id] = 0 if is_maker else client_id
    told[target + (EXECUTED.taker_leaves_lots if is_maker else EXECUTED.maker_leaves_lots)] = 0

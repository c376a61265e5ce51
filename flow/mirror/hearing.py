"""The mirror takes in what became of its commands, as rows of events in the engine's order."""
# mypy: disable-error-code="no-any-return"

from typing import Final

from flow.mirror import memory as at
from flow.mirror.memory import MirrorMemory
from flow.mirror.own_orders import (
    NO_ORDER,
    NOTHING,
    best_of,
    change,
    drop_order,
    find_own,
    key_of,
    land,
    level_of,
    worse_than,
)
from flow.mirror.prices import NO_PRICE
from market.kernels.compiling import argument, inlined, kernel, routine
from market.kernels.order_table import find_order, remove_order
from market.kernels.row_codes import ACCEPTED, AMENDED, CANCELED, EXECUTED, REASONS, REJECTED, RESTED, TAGS
from market.kernels.rows import ROW_WIDTH, TAG, Int64Array
from market.limits import MIRROR_COMMANDS_MAX

NOBODY: Final = argument(0)


@kernel
def hear(memory: MirrorMemory, rows: Int64Array, acknowledged: int) -> None:
    """Take in events of own orders, flat rows, and then that so many commands are handled."""
    for base in range(0, len(rows), ROW_WIDTH):
        hear_row(memory, rows, base)
    acknowledge(memory, acknowledged)


@routine
def acknowledge(memory: MirrorMemory, count: int) -> None:
    """Take in that so many commands are handled."""
    state = memory.state
    while state[at.FLIGHTS_BEGIN] < state[at.FLIGHTS_END] and _first(memory, at.NUMBER) <= count:
        land(memory)
    _set_handled(memory, count)


@inlined
def _first(memory: MirrorMemory, what: int) -> int:
    """Return what is known of the first command in flight."""
    return memory.flights[(memory.state[at.FLIGHTS_BEGIN] & (MIRROR_COMMANDS_MAX - 1)) * at.FLIGHT_SIZE + what]


@inlined
def _set_handled(memory: MirrorMemory, count: int) -> None:
    if count > memory.state[at.HANDLED]:
        memory.state[at.HANDLED] = count
        compare(memory)


@routine
def compare(memory: MirrorMemory) -> None:
    """Compare the best prices with those of every best-price update that is answered by now."""
    state, checks = memory.state, memory.checks
    while state[at.CHECKS_BEGIN] < state[at.CHECKS_END]:
        slot = (state[at.CHECKS_BEGIN] & (at.CHECKS_MAX - 1)) * at.CHECK_SIZE
        if checks[slot + at.CHECKED_AT] > state[at.HANDLED]:
            return
        is_matching = checks[slot + at.CHECKED_BID] == _resting_best(memory, 0)
        is_matching = is_matching and checks[slot + at.CHECKED_ASK] == _resting_best(memory, 1)
        state[at.MATCHING] += 1 if is_matching else 0
        state[at.CHECKS_BEGIN] += 1


@routine
def _resting_best(memory: MirrorMemory, side: int) -> int:
    """Return the best price at which an own order rests, as told by the events."""
    price = best_of(memory, side)
    while price != NO_PRICE:
        order = memory.levels[level_of(memory, side, price) + at.HEAD]
        while order != NO_ORDER:
            if memory.orders[order * at.ORDER_SIZE + at.RESTING] > 0:
                return price
            order = memory.orders[order * at.ORDER_SIZE + at.NEXT]
        price = worse_than(memory, side, price)
    return NO_PRICE


@routine
def hear_row(memory: MirrorMemory, rows: Int64Array, base: int) -> None:
    """Take in an event in which a side is ours."""
    tag = rows[base + TAG]
    if tag == TAGS.ACCEPTED:
        _land_command(memory, TAGS.NEW_ORDER, rows[base + ACCEPTED.order_id])
        _rests(memory, rows[base + ACCEPTED.order_id], rows[base + ACCEPTED.resting_lots])
    elif tag == TAGS.AMENDED:
        _land_command(memory, TAGS.AMEND_ORDER, rows[base + AMENDED.order_id])
        _rests(memory, rows[base + AMENDED.order_id], rows[base + AMENDED.resting_lots])
    elif tag == TAGS.RESTED:
        _rests(memory, rows[base + RESTED.order_id], rows[base + RESTED.resting_lots])
    elif tag == TAGS.EXECUTED:
        _executed(memory, rows, base)
    elif tag == TAGS.CANCELED:
        _land_command(memory, TAGS.CANCEL_ORDER, rows[base + CANCELED.order_id])
        leaves = rows[base + CANCELED.leaves_lots]
        _is_left(memory, find_own(memory, rows[base + CANCELED.order_id]), leaves, leaves)
    elif tag == TAGS.REJECTED:
        _land_command(memory, rows[base + REJECTED.command], rows[base + REJECTED.order_id])
        _rejected(memory, rows, base)


@inlined
def _land_command(memory: MirrorMemory, tag: int, order_id: int) -> None:
    """Drop the predictions of the first command in flight if this is its first event."""
    state = memory.state
    if state[at.FLIGHTS_BEGIN] == state[at.FLIGHTS_END]:
        return
    if _first(memory, at.TAG_SENT) == tag and _first(memory, at.ORDER_ID) == order_id:
        _set_handled(memory, _first(memory, at.NUMBER) - 1)
        land(memory)


@inlined
def _rests(memory: MirrorMemory, order_id: int, resting: int) -> None:
    order = find_own(memory, order_id)
    if order != NO_ORDER:
        change(memory, order, resting, memory.orders[order * at.ORDER_SIZE + at.IN_FLIGHT])


@routine
def _is_left(memory: MirrorMemory, order: int, resting: int, leaves: int) -> None:
    """Take in that so much of an order, which may be none of ours, rests and is open."""
    if order == NO_ORDER:
        return
    change(memory, order, resting, memory.orders[order * at.ORDER_SIZE + at.IN_FLIGHT])
    if leaves == 0:
        drop_order(memory, order)


@routine
def _executed(memory: MirrorMemory, rows: Int64Array, base: int) -> None:
    state = memory.state
    lots, taker_owner = rows[base + EXECUTED.qty_lots], rows[base + EXECUTED.taker_owner]
    maker, taker = rows[base + EXECUTED.maker_order_id], rows[base + EXECUTED.taker_order_id]
    state[at.TRADED_LOTS] += lots
    if taker_owner != rows[base + EXECUTED.maker_owner]:
        state[at.FILLED_BY_OTHERS] += lots
        side, price = 1 - rows[base + EXECUTED.taker_side], rows[base + EXECUTED.price_ticks]
        _give(memory, taker if taker_owner == state[at.OWNER] else NOBODY, side, price, lots)
    resting, leaves = rows[base + EXECUTED.maker_resting_lots], rows[base + EXECUTED.maker_leaves_lots]
    _is_left(memory, find_own(memory, maker), resting, leaves)
    if rows[base + EXECUTED.taker_leaves_lots] == 0:
        _is_left(memory, find_own(memory, taker), NOTHING, NOTHING)


@routine
def _rejected(memory: MirrorMemory, rows: Int64Array, base: int) -> None:
    order = find_own(memory, rows[base + REJECTED.order_id])
    if order == NO_ORDER:
        return
    memory.orders[order * at.ORDER_SIZE + at.IS_LEAVING] = 0
    if rows[base + REJECTED.command] == TAGS.NEW_ORDER or rows[base + REJECTED.reason] == REASONS.UNKNOWN_ORDER:
        _is_left(memory, order, NOTHING, NOTHING)


@routine
def _give(memory: MirrorMemory, taker: int, side: int, price: int, lots: int) -> None:
    """Note that others have had so many lots of what is recorded.

    It was recorded at the maker's price, or at the limit of an order of the book that met theirs; a recorded trade that
    was the taker is over anyway.
    """
    if taker != NOBODY:
        order = find_own(memory, taker)
        if order == NO_ORDER:
            return
        side, price = memory.orders[order * at.ORDER_SIZE + at.SIDE], memory.orders[order * at.ORDER_SIZE + at.PRICE]
    entry = find_order(memory.given, at.GIVEN_SIZE, key_of(side, price))
    if memory.given[entry] == 0:
        memory.state[at.GIVEN] += 1
        memory.given[entry] = key_of(side, price)
        memory.given[entry + at.LOTS] = 0
    memory.given[entry + at.LOTS] += lots


@routine
def left_of(memory: MirrorMemory, side: int, price: int, recorded: int) -> int:
    """Return what is left of a level's recorded lots: those that others have had do not come a second time.

    As a level shrinks, so does what they have had of it; what it then grows by is new.
    """
    entry = find_order(memory.given, at.GIVEN_SIZE, key_of(side, price))
    if memory.given[entry] == 0:
        return recorded
    given = min(memory.given[entry + at.LOTS], recorded)
    memory.given[entry + at.LOTS] = given
    if given == 0:
        remove_order(memory.given, at.GIVEN_SIZE, entry)
        memory.state[at.GIVEN] -= 1
    return recorded - given

"""The mirror's own orders: what rests, what is predicted, and the commands that change it, as rows.

The same rules as `flow.own_orders`: commands are decided on what is expected to rest once everything in flight is
handled.
"""
# mypy: disable-error-code="no-any-return, return-value"

from typing import Final

import numpy as np

from flow.mirror import memory as at
from flow.mirror.memory import MirrorMemory
from flow.mirror.prices import NO_PRICE, add_price, price_behind, remove_price
from market.kernels.compiling import argument, inlined, routine
from market.kernels.order_table import find_order, remove_order
from market.kernels.row_codes import SIDES, TAGS, TIMES, TYPES
from market.kernels.rows import ROW_WIDTH, write_row
from market.limits import MIRROR_COMMANDS_MAX, PRICE_TICKS_MAX

NO_ORDER: Final = 0
NOTHING: Final = argument(0)
_DICE_STEP: Final = np.uint64(0x9E37_79B9_7F4A_7C15)
_DICE_FIRST: Final = np.uint64(0xBF58_476D_1CE4_E5B9)
_DICE_SECOND: Final = np.uint64(0x94D0_49BB_1331_11EB)
_SHIFTS: Final = (np.uint64(30), np.uint64(27), np.uint64(31))


@inlined
def key_of(side: int, price: int) -> int:
    """Return what a price of a side is called in a table; never 0."""
    return price * 2 + side


@routine
def best_of(memory: MirrorMemory, side: int) -> int:
    """Return the best price of own orders that are not known to be gone."""
    return price_behind(memory.prices, side, PRICE_TICKS_MAX if side == 0 else 0, side == 1)


@routine
def worse_than(memory: MirrorMemory, side: int, price: int) -> int:
    """Return the next price of own orders behind one."""
    return price_behind(memory.prices, side, price, side == 1)


@inlined
def level_of(memory: MirrorMemory, side: int, price: int) -> int:
    """Return where a level's entry begins, or the empty one where it belongs."""
    return find_order(memory.levels, at.LEVEL_SIZE, key_of(side, price))


@inlined
def expected_of(memory: MirrorMemory, order: int) -> int:
    """Return what will rest of an order once everything in flight is handled."""
    base = order * at.ORDER_SIZE
    return max(0, memory.orders[base + at.RESTING] + memory.orders[base + at.IN_FLIGHT])


@inlined
def expected_lots(memory: MirrorMemory, side: int, price: int) -> int:
    """Return what will rest at a price once everything in flight is handled."""
    level = level_of(memory, side, price)
    return memory.levels[level + at.EXPECTED] if memory.levels[level] != 0 else 0


@routine
def change(memory: MirrorMemory, order: int, resting: int, in_flight: int) -> None:
    """Let an order that is not gone have this."""
    base = order * at.ORDER_SIZE
    before = expected_of(memory, order)
    memory.orders[base + at.RESTING] = resting
    memory.orders[base + at.IN_FLIGHT] = in_flight
    level = level_of(memory, memory.orders[base + at.SIDE], memory.orders[base + at.PRICE])
    memory.levels[level + at.EXPECTED] += expected_of(memory, order) - before


@routine
def find_own(memory: MirrorMemory, order_id: int) -> int:
    """Return the place of an order by its id, NO_ORDER if it is none of ours or gone."""
    entry = find_order(memory.ids, at.ID_SIZE, order_id)
    return memory.ids[entry + at.PLACE] if memory.ids[entry] != 0 else NO_ORDER


@routine
def _add_order(memory: MirrorMemory, order_id: int, side: int, price: int) -> int:
    """Put an order without lots at the back of its level."""
    state, orders, levels = memory.state, memory.orders, memory.levels
    order = state[at.FREE_ORDER]
    if order != NO_ORDER:
        state[at.FREE_ORDER] = orders[order * at.ORDER_SIZE + at.NEXT]
    else:
        state[at.USED_ORDERS] += 1
        order = state[at.USED_ORDERS]
    state[at.OPEN_ORDERS] += 1
    level = level_of(memory, side, price)
    if levels[level] == 0:
        levels[level] = key_of(side, price)
        levels[level + at.EXPECTED] = 0
        levels[level + at.HEAD] = NO_ORDER
        levels[level + at.TAIL] = NO_ORDER
        add_price(memory.prices, side, price)
    tail = levels[level + at.TAIL]
    base = order * at.ORDER_SIZE
    orders[base + at.ID] = order_id
    orders[base + at.SIDE] = side
    orders[base + at.PRICE] = price
    orders[base + at.RESTING] = 0
    orders[base + at.IN_FLIGHT] = 0
    orders[base + at.NEXT] = NO_ORDER
    orders[base + at.PREVIOUS] = tail
    orders[base + at.IS_LEAVING] = 0
    if tail == NO_ORDER:
        levels[level + at.HEAD] = order
    else:
        orders[tail * at.ORDER_SIZE + at.NEXT] = order
    levels[level + at.TAIL] = order
    entry = find_order(memory.ids, at.ID_SIZE, order_id)
    memory.ids[entry] = order_id
    memory.ids[entry + at.PLACE] = order
    return order


@routine
def drop_order(memory: MirrorMemory, order: int) -> None:
    """Forget an order that is gone; whatever is still predicted of it counts no more."""
    state, orders, levels = memory.state, memory.orders, memory.levels
    base = order * at.ORDER_SIZE
    side, price = orders[base + at.SIDE], orders[base + at.PRICE]
    behind, ahead = orders[base + at.NEXT], orders[base + at.PREVIOUS]
    level = level_of(memory, side, price)
    levels[level + at.EXPECTED] -= expected_of(memory, order)
    if ahead == NO_ORDER:
        levels[level + at.HEAD] = behind
    else:
        orders[ahead * at.ORDER_SIZE + at.NEXT] = behind
    if behind == NO_ORDER:
        levels[level + at.TAIL] = ahead
    else:
        orders[behind * at.ORDER_SIZE + at.PREVIOUS] = ahead
    if levels[level + at.HEAD] == NO_ORDER:
        remove_order(levels, at.LEVEL_SIZE, level)
        remove_price(memory.prices, side, price)
    remove_order(memory.ids, at.ID_SIZE, find_order(memory.ids, at.ID_SIZE, orders[base + at.ID]))
    orders[base + at.ID] = 0
    orders[base + at.NEXT] = state[at.FREE_ORDER]
    state[at.FREE_ORDER] = order
    state[at.OPEN_ORDERS] -= 1


# What is sent


@inlined
def _predict(memory: MirrorMemory, order: int, lots: int) -> None:
    """Note a change that the command about to be sent will bring."""
    base = order * at.ORDER_SIZE
    mask = len(memory.changes) // at.CHANGE_SIZE - 1
    slot = (memory.state[at.CHANGES_END] & mask) * at.CHANGE_SIZE
    memory.changes[slot + at.CHANGED] = order
    memory.changes[slot + at.CHANGED_ID] = memory.orders[base + at.ID]
    memory.changes[slot + at.CHANGED_LOTS] = lots
    memory.state[at.CHANGES_END] += 1
    change(memory, order, memory.orders[base + at.RESTING], memory.orders[base + at.IN_FLIGHT] + lots)


@inlined
def _send(memory: MirrorMemory, order_id: int, row: tuple[int, ...]) -> None:
    """Send a command of which all changes are predicted."""
    state = memory.state
    state[at.SENT] += 1
    slot = (state[at.FLIGHTS_END] & (MIRROR_COMMANDS_MAX - 1)) * at.FLIGHT_SIZE
    memory.flights[slot + at.NUMBER] = state[at.SENT]
    memory.flights[slot + at.TAG_SENT] = row[0]
    memory.flights[slot + at.ORDER_ID] = order_id
    memory.flights[slot + at.LAST_CHANGE] = state[at.CHANGES_END]
    state[at.FLIGHTS_END] += 1
    write_row(memory.commands, state[at.COMMANDS] * ROW_WIDTH, row)
    state[at.COMMANDS] += 1


@inlined
def _fresh_id(memory: MirrorMemory) -> int:
    order_id = memory.fresh[memory.state[at.FRESH_BEGIN]]
    memory.state[at.FRESH_BEGIN] += 1
    return order_id


@routine
def _send_new(memory: MirrorMemory, order_id: int, side: int, price: int, lots: int, time_in_force: int) -> None:
    state = memory.state
    terms = (TYPES.LIMIT, time_in_force, NOTHING, NOTHING, NOTHING, NOTHING)
    names = (TAGS.NEW_ORDER, order_id, state[at.SYMBOL], side, price, lots)
    _send(memory, order_id, (*names, *terms, state[at.OWNER], state[at.NOW_NS]))


@routine
def rest(memory: MirrorMemory, side: int, price: int, lots: int) -> None:
    """Add an order."""
    order_id = _fresh_id(memory)
    _predict(memory, _add_order(memory, order_id, side, price), lots)
    _send_new(memory, order_id, side, price, lots, TIMES.GTC)


@routine
def take(memory: MirrorMemory, side: int, limit: int, lots: int) -> None:
    """Trade at once up to a limit price; what finds nobody is cancelled."""
    order_id, resting_side, left = _fresh_id(memory), 1 - side, lots
    price = best_of(memory, resting_side)
    while price != NO_PRICE and left > 0 and (price - limit) * (1 - 2 * side) <= 0:
        order = memory.levels[level_of(memory, resting_side, price) + at.HEAD]
        while order != NO_ORDER:
            fill = min(left, expected_of(memory, order))
            if fill > 0:
                left -= fill
                _predict(memory, order, -fill)
            order = memory.orders[order * at.ORDER_SIZE + at.NEXT]
        price = worse_than(memory, resting_side, price)
    _send_new(memory, order_id, side, limit, lots, TIMES.IOC)


@routine
def cancel(memory: MirrorMemory, order: int) -> None:
    """Cancel an order, unless that was done."""
    state, base = memory.state, order * at.ORDER_SIZE
    if memory.orders[base + at.IS_LEAVING] != 0:
        return
    memory.orders[base + at.IS_LEAVING] = 1
    order_id = memory.orders[base + at.ID]
    _predict(memory, order, -expected_of(memory, order))
    _send(memory, order_id, (TAGS.CANCEL_ORDER, order_id, state[at.SYMBOL], state[at.OWNER], state[at.NOW_NS]))


@routine
def cancel_level(memory: MirrorMemory, side: int, price: int) -> None:
    """Cancel all at a price that is not known to be gone, whatever is predicted of it."""
    level = level_of(memory, side, price)
    order = memory.levels[level + at.HEAD] if memory.levels[level] != 0 else NO_ORDER
    while order != NO_ORDER:
        cancel(memory, order)
        order = memory.orders[order * at.ORDER_SIZE + at.NEXT]


@routine
def cancel_better(memory: MirrorMemory, side: int, price: int) -> None:
    """Cancel likewise all at better prices than this one."""
    better = best_of(memory, side)
    while better != NO_PRICE and (better - price) * (1 - 2 * side) > 0:
        cancel_level(memory, side, better)
        better = worse_than(memory, side, better)


@routine
def set_level(memory: MirrorMemory, side: int, price: int, lots: int) -> None:
    """Make a level hold a quantity: more joins the back of the queue, less leaves where the queue model says."""
    if lots == 0:
        cancel_level(memory, side, price)
        return
    excess = expected_lots(memory, side, price) - lots
    if excess < 0:
        rest(memory, side, price, -excess)
    elif excess > 0:
        _cut(memory, side, price, excess)


@routine
def _cut(memory: MirrorMemory, side: int, price: int, excess: int) -> None:
    """Take lots off a level, those that are so many from the front; what reaches beyond its end leaves at the front."""
    state = memory.state
    level = level_of(memory, side, price)
    total = memory.levels[level + at.EXPECTED]
    start = total - excess if state[at.QUEUE_MODEL] == at.BEHIND else _throw(memory, total)
    end, wrapped = start + excess, start + excess - total
    behind = total  # where the order ends, counted in lots from the front
    order = memory.levels[level + at.TAIL]
    while order != NO_ORDER:
        base = order * at.ORDER_SIZE
        expected = expected_of(memory, order)
        before = behind - expected
        leaving = max(0, min(behind, end) - max(before, start)) + max(0, min(behind, wrapped) - before)
        behind = before
        if 0 < leaving < expected:
            order_id = memory.orders[base + at.ID]
            _predict(memory, order, -leaving)
            row = (TAGS.AMEND_ORDER, order_id, state[at.SYMBOL], price, expected - leaving)
            _send(memory, order_id, (*row, state[at.OWNER], state[at.NOW_NS], NOTHING))
        elif leaving != 0:
            cancel(memory, order)
        order = memory.orders[base + at.PREVIOUS]


@routine
def _throw(memory: MirrorMemory, count: int) -> int:
    """Draw a number below a count; see `flow.queue_models.Dice`."""
    word = np.uint64(memory.state[at.DICE]) + _DICE_STEP
    memory.state[at.DICE] = np.int64(word)
    word = (word ^ (word >> _SHIFTS[0])) * _DICE_FIRST
    word = (word ^ (word >> _SHIFTS[1])) * _DICE_SECOND
    word ^= word >> _SHIFTS[2]
    return np.int64(word % np.uint64(count))


@routine
def land(memory: MirrorMemory) -> None:
    """Drop the predictions of the first command in flight."""
    state = memory.state
    slot = (state[at.FLIGHTS_BEGIN] & (MIRROR_COMMANDS_MAX - 1)) * at.FLIGHT_SIZE
    mask = len(memory.changes) // at.CHANGE_SIZE - 1
    while state[at.CHANGES_BEGIN] < memory.flights[slot + at.LAST_CHANGE]:
        entry = (state[at.CHANGES_BEGIN] & mask) * at.CHANGE_SIZE
        order = memory.changes[entry + at.CHANGED]
        base = order * at.ORDER_SIZE
        if memory.orders[base + at.ID] == memory.changes[entry + at.CHANGED_ID]:
            in_flight = memory.orders[base + at.IN_FLIGHT] - memory.changes[entry + at.CHANGED_LOTS]
            change(memory, order, memory.orders[base + at.RESTING], in_flight)
        state[at.CHANGES_BEGIN] += 1
    state[at.FLIGHTS_BEGIN] += 1


assert SIDES.BUY == 0 and SIDES.SELL == 1, "a side is a number that prices are compared by"  # noqa: PT018

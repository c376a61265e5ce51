"""The mirror follows what was recorded: levels that changed, best prices, trades."""
# mypy: disable-error-code="no-any-return"

from typing import Final

from flow.mirror import memory as at
from flow.mirror.hearing import compare, left_of
from flow.mirror.memory import MirrorMemory
from flow.mirror.own_orders import (
    best_of,
    cancel_better,
    cancel_level,
    expected_lots,
    set_level,
    take,
    worse_than,
)
from flow.mirror.prices import NO_PRICE
from market.kernels.compiling import argument, is_compiled, kernel, routine
from market.kernels.row_codes import TAGS
from market.kernels.rows import ROW_WIDTH, Int64Array, write_row
from market.limits import MIRROR_COMMANDS_MAX, MIRROR_ORDERS_MAX

BOTH_SIDES: Final = argument(-1)


def is_warm() -> bool:
    """Return whether the mirror's kernels need no compiling."""
    return is_compiled("following.withdraw")


@routine
def has_room(memory: MirrorMemory, level_count: int) -> bool:
    """Return whether all that following so many levels may bring has room."""
    state = memory.state
    command_count = state[at.OPEN_ORDERS] + level_count + 3
    return (
        state[at.OPEN_ORDERS] + state[at.GIVEN] + level_count + 2 <= MIRROR_ORDERS_MAX
        and state[at.COMMANDS] + command_count <= MIRROR_COMMANDS_MAX
        and state[at.FLIGHTS_END] - state[at.FLIGHTS_BEGIN] + command_count <= MIRROR_COMMANDS_MAX
        and state[at.FRESH_END] - state[at.FRESH_BEGIN] >= level_count + 3
    )


@kernel
def follow(memory: MirrorMemory, keys: Int64Array, lots: Int64Array) -> bool:
    """Give levels, by `key_of` and recorded lots, what is left of those; False without room for that."""
    if not has_room(memory, len(keys)):
        return False
    follow_levels(memory, keys, lots, 0, len(keys))
    return True


@kernel
def follow_best(memory: MirrorMemory, keys: Int64Array, lots: Int64Array, best: tuple[int, int, int, int]) -> bool:
    """Likewise; then undo at the best prices what trades and other orders did to them."""
    if not has_room(memory, len(keys)):
        return False
    follow_levels(memory, keys, lots, 0, len(keys))
    restore_best(memory, best[0], best[1], best[2], best[3])
    return True


@kernel
def trade(memory: MirrorMemory, side: int, price: int, lots: int) -> bool:
    """Let a recorded trade hit the book; False without room for that."""
    if not has_room(memory, 0):
        return False
    take_recorded(memory, side, price, lots)
    return True


@kernel
def finish_step(memory: MirrorMemory) -> None:
    """Compare what needed no command."""
    compare(memory)


@kernel
def withdraw(memory: MirrorMemory) -> None:
    """Cancel all own orders."""
    for side in range(2):
        price = best_of(memory, side)
        while price != NO_PRICE:
            cancel_level(memory, side, price)
            price = worse_than(memory, side, price)


@kernel
def cancel_former(memory: MirrorMemory) -> None:
    """Cancel what an earlier life under the same owner left in the book."""
    state = memory.state
    state[at.SENT] += 1
    row = (TAGS.MASS_CANCEL, state[at.SYMBOL], BOTH_SIDES, state[at.OWNER], state[at.NOW_NS])
    write_row(memory.commands, state[at.COMMANDS] * ROW_WIDTH, row)
    state[at.COMMANDS] += 1


@routine
def follow_levels(memory: MirrorMemory, keys: Int64Array, recorded: Int64Array, begin: int, end: int) -> None:
    """Give each level its lots: first all that shrinks, so that own orders never meet."""
    count = 0
    for index in range(begin, end):
        side, price = keys[index] & 1, keys[index] >> 1
        lots = left_of(memory, side, price, recorded[index])
        if lots > expected_lots(memory, side, price):
            memory.growing[count] = index
            count += 1
        else:
            set_level(memory, side, price, lots)
    for place in range(count):
        index = memory.growing[place]
        side, price = keys[index] & 1, keys[index] >> 1
        _grow(memory, side, price, left_of(memory, side, price, recorded[index]))


@routine
def restore_best(memory: MirrorMemory, bid: int, bid_lots: int, ask: int, ask_lots: int) -> None:
    """Undo at the best prices what trades and other orders did to them, and note down to compare."""
    state, checks = memory.state, memory.checks
    cancel_better(memory, 0, bid)
    cancel_better(memory, 1, ask)
    _grow(memory, 0, bid, left_of(memory, 0, bid, bid_lots))
    _grow(memory, 1, ask, left_of(memory, 1, ask, ask_lots))
    state[at.TICKERS] += 1
    if state[at.CHECKS_END] - state[at.CHECKS_BEGIN] == at.CHECKS_MAX:
        state[at.CHECKS_BEGIN] += 1
        state[at.TICKERS] -= 1
    slot = (state[at.CHECKS_END] & (at.CHECKS_MAX - 1)) * at.CHECK_SIZE
    checks[slot + at.CHECKED_AT] = state[at.SENT]
    checks[slot + at.CHECKED_BID] = bid
    checks[slot + at.CHECKED_ASK] = ask
    state[at.CHECKS_END] += 1


@routine
def take_recorded(memory: MirrorMemory, side: int, price: int, lots: int) -> None:
    """Count a recorded trade and let it hit the book."""
    memory.state[at.TRADES] += 1
    memory.state[at.TRADE_LOTS] += lots
    take(memory, side, price, lots)


@routine
def _grow(memory: MirrorMemory, side: int, price: int, lots: int) -> None:
    """Set a level, after what is on the other side at its price or through it: predicted to be gone, or not."""
    cancel_better(memory, 1 - side, price + 1 - 2 * side)
    set_level(memory, side, price, lots)

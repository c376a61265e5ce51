"""Kernels that look at the engine without changing it: depth, orders, faults."""
# mypy: disable-error-code="no-any-return"

from engine.fast.book import find_id, hidden_lots, is_waiting, order_of, side_of, symbol_of, waits_for_rise
from engine.fast.ladder import first_order, level_at, next_price, page_at
from engine.fast.trailing import best_of, bps_of, calm_prices
from engine.rows import memory as at
from engine.rows.memory import Memory
from engine.state import STATE_WIDTH
from market.kernels.bits import signed
from market.kernels.compiling import inlined, kernel, routine
from market.kernels.rows import Int64Array

# What `find_fault` may find; engine.py has the words.
SOUND, CROSSED, EMPTY_LEVEL, BROKEN_LINK, WRONG_PLACE = range(5)
WRONG_LOTS, LOST_ID, WRONG_TOTAL, WRONG_BEST, WRONG_COUNT, UNSEEN_TRADE, UNFINISHED = range(5, 12)


@inlined
def _is_used(memory: Memory, ladder: int, price: int) -> bool:
    return page_at(memory, ladder, price) != 0 and first_order(memory, ladder, price) != 0


@kernel
def read_depth(memory: Memory, symbol: int, side: int, levels_out: Int64Array) -> int:
    """Write the best levels of a side as price and lots into `[levels, 2]`; return how many there were."""
    count = 0
    ladder = symbol * at.LADDERS + at.BOOK
    price = memory.books[symbol * at.BOOK_SIZE + at.BEST + side]
    while at.NO_BID < price < at.NO_ASK and count < len(levels_out):
        levels_out[count, 0] = price
        levels_out[count, 1] = memory.levels[level_at(memory, ladder, price) * at.LEVEL_SIZE + at.TOTAL]
        count += 1
        price = next_price(memory, ladder, price, side == 1)
    return count


@kernel
def read_best(memory: Memory, symbol: int, best_out: Int64Array) -> None:
    """Write the best bid's price and lots, then the best ask's; zeros for an empty side."""
    for side in range(2):
        price = memory.books[symbol * at.BOOK_SIZE + at.BEST + side]
        is_empty = price in (at.NO_BID, at.NO_ASK)
        level = 0 if is_empty else level_at(memory, symbol * at.LADDERS + at.BOOK, price)
        best_out[2 * side] = 0 if is_empty else price
        best_out[2 * side + 1] = 0 if is_empty else memory.levels[level * at.LEVEL_SIZE + at.TOTAL]


@kernel
def read_orders(memory: Memory, symbol: int, orders_out: Int64Array) -> tuple[int, int]:
    """Write all that is known of a symbol's orders into `[orders, STATE_WIDTH]`.

    Bids, asks, then those that wait for a rise and for a fall, and those that trail the price, each in the order in
    which they act. Return how many rest and how many there are in all.
    """
    books, book, ladder = memory.books, symbol * at.BOOK_SIZE, symbol * at.LADDERS
    count = _read_ladder(memory, ladder + at.BOOK, books[book + at.BEST], False, orders_out, 0)
    resting = _read_ladder(memory, ladder + at.BOOK, books[book + at.BEST + 1], True, orders_out, count)
    count = _read_ladder(memory, ladder + at.RISING, books[book + at.NEXT_RISE], True, orders_out, resting)
    count = _read_ladder(memory, ladder + at.FALLING, books[book + at.NEXT_FALL], False, orders_out, count)
    return resting, _read_orders_from(memory, books[book + at.FIRST_TRAIL], orders_out, count)


@kernel
def read_queues(memory: Memory, symbol: int, side: int, after: int, orders_out: Int64Array) -> tuple[int, int, bool]:
    """Write whole levels of a side into `[orders, 4]`: those behind the price `after`, or from the best on if it is 0.

    The columns: order_id, side, price_ticks, resting_lots. Return how many orders there are, the price of the last
    level (`after` if none fits), and whether it is the last of its side.
    """
    upwards = side == 1
    ladder = symbol * at.LADDERS + at.BOOK
    price = memory.books[symbol * at.BOOK_SIZE + at.BEST + side]
    # One ladder holds both sides: what is behind `after` may be the other one, if the book has moved past it.
    if after != 0 and (price <= after if upwards else price >= after):
        price = next_price(memory, ladder, after, upwards)
    count = 0
    while at.NO_BID < price < at.NO_ASK:
        level_count = _read_queue(memory, ladder, price, side, orders_out, count)
        if level_count < 0:
            return count, after, False
        count += level_count
        after = price
        price = next_price(memory, ladder, price, upwards)
    return count, after, True


@routine
def _read_queue(memory: Memory, ladder: int, price: int, side: int, orders_out: Int64Array, first: int) -> int:
    """Write a level's orders from row `first` on; return how many there are, -1 if they do not fit."""
    row = first
    order = first_order(memory, ladder, price)
    while order != 0:
        if row == len(orders_out):
            return -1
        orders_out[row, 0] = memory.orders[order * at.ORDER_SIZE + at.ORDER_ID]
        orders_out[row, 1] = side
        orders_out[row, 2] = price
        orders_out[row, 3] = memory.orders[order * at.ORDER_SIZE + at.WORD] & at.LOTS_MASK
        row += 1
        order = signed(memory.links[order * at.LINK_SIZE + at.NEXT])
    return row - first


@routine
def _read_ladder(memory: Memory, ladder: int, price: int, upwards: bool, orders_out: Int64Array, count: int) -> int:
    while at.NO_BID < price < at.NO_ASK:
        count = _read_orders_from(memory, first_order(memory, ladder, price), orders_out, count)
        price = next_price(memory, ladder, price, upwards)
    return count


@routine
def _read_orders_from(memory: Memory, order: int, orders_out: Int64Array, count: int) -> int:
    while order != 0:
        _read_order(memory, order, orders_out[count])
        count += 1
        order = signed(memory.links[order * at.LINK_SIZE + at.NEXT])
    return count


@inlined
def _read_order(memory: Memory, order: int, row: Int64Array) -> None:
    """Write the fields of engine.state.OrderState."""
    word = memory.orders[order * at.ORDER_SIZE + at.WORD]
    lots = word & at.LOTS_MASK
    row[0] = memory.orders[order * at.ORDER_SIZE + at.ORDER_ID]
    row[1] = side_of(word)
    row[2] = signed(memory.links[order * at.LINK_SIZE + at.PRICE])
    row[3] = 0 if is_waiting(word) else lots
    row[4] = lots + hidden_lots(memory, order, word)
    row[5] = signed(memory.links[order * at.LINK_SIZE + at.OWNER])
    row[6] = memory.extras[order * at.EXTRA_SIZE + at.DISPLAY] if word & at.HAS_EXTRA else 0
    row[7] = (word >> at.TYPE_SHIFT) & 3
    row[8] = (word >> at.TIME_IN_FORCE_SHIFT) & 3
    row[9] = (word >> at.PREVENTION_SHIFT) & 7
    row[10] = (word >> at.TRIGGER_SHIFT) & 3
    trail = memory.extras[order * at.EXTRA_SIZE + at.TRIGGER_PRICE] if is_waiting(word) else 0
    row[11] = best_of(trail)
    row[12] = bps_of(trail)


@kernel
def find_fault(memory: Memory, fault_out: Int64Array) -> int:
    """Walk everything; return the first contradiction, or SOUND. `fault_out` gets symbol, price and what was found."""
    placed = 0
    for symbol in range(memory.state[at.SYMBOLS]):
        fault_out[0] = symbol
        book = symbol * at.BOOK_SIZE
        bid, ask = memory.books[book + at.BEST], memory.books[book + at.BEST + 1]
        if bid >= ask:
            return CROSSED
        for kind in range(at.LADDERS):
            ladder = symbol * at.LADDERS + kind
            lowest, highest, below_ask = at.NO_ASK, at.NO_BID, at.NO_BID
            price = next_price(memory, ladder, at.NO_BID, True)  # the end, found without the best prices beside it
            while price != at.NO_ASK:
                fault_out[1] = price
                side = 1 if price >= ask else 0
                fault, count = _find_level_fault(memory, symbol, kind, price, side, fault_out)
                if fault != SOUND:
                    return fault
                placed += count
                lowest, highest = min(lowest, price), max(highest, price)
                if price < ask:
                    below_ask = price
                price = next_price(memory, ladder, price, True)
            if kind == at.BOOK and (below_ask != bid or (ask != at.NO_ASK and not _is_used(memory, ladder, ask))):
                fault_out[2] = below_ask
                return WRONG_BEST
            if kind == at.RISING and lowest != memory.books[book + at.NEXT_RISE]:
                fault_out[2] = lowest
                return WRONG_BEST
            if kind == at.FALLING and highest != memory.books[book + at.NEXT_FALL]:
                fault_out[2] = highest
                return WRONG_BEST
        fault, count = _find_trail_fault(memory, symbol, fault_out)
        if fault != SOUND:
            return fault
        placed += count
    fault_out[2] = placed
    return SOUND if placed == memory.state[at.LIVE_ORDERS] else WRONG_COUNT


@routine
def _find_trail_fault(memory: Memory, symbol: int, fault_out: Int64Array) -> tuple[int, int]:
    """Return the first contradiction among a symbol's orders that trail, and how many they are."""
    book = symbol * at.BOOK_SIZE
    order, ahead, count = memory.books[book + at.FIRST_TRAIL], 0, 0
    while order != 0:
        word = memory.orders[order * at.ORDER_SIZE + at.WORD]
        fault_out[2] = memory.orders[order * at.ORDER_SIZE + at.ORDER_ID]
        if signed(memory.links[order * at.LINK_SIZE + at.PREVIOUS]) != ahead:
            return BROKEN_LINK, count
        if symbol_of(word) != symbol or not is_waiting(word) or word & at.IS_TRAILING == 0:
            return WRONG_PLACE, count
        if word & at.LOTS_MASK == 0:
            return WRONG_LOTS, count
        if order_of(memory, find_id(memory, fault_out[2])) != order:
            return LOST_ID, count
        low, high = calm_prices(word, memory.extras[order * at.EXTRA_SIZE + at.TRIGGER_PRICE])
        if memory.books[book + at.CALM_LOW] < low or memory.books[book + at.CALM_HIGH] > high:
            return UNSEEN_TRADE, count
        if word & (at.HAS_MOVED | at.IS_DUE) or memory.books[book + at.IS_STIRRED] != 0:
            return UNFINISHED, count
        count += 1
        ahead = order
        order = signed(memory.links[order * at.LINK_SIZE + at.NEXT])
    return (SOUND if memory.books[book + at.LAST_TRAIL] == ahead else BROKEN_LINK), count


@routine
def _find_level_fault(
    memory: Memory, symbol: int, kind: int, price: int, side: int, fault_out: Int64Array
) -> tuple[int, int]:
    """Return the first contradiction of a level, and how many orders it has."""
    ladder = symbol * at.LADDERS + kind
    level = level_at(memory, ladder, price)
    order, ahead, total, count = first_order(memory, ladder, price), 0, 0, 0
    if order == 0:
        return EMPTY_LEVEL, 0
    while order != 0:
        word = memory.orders[order * at.ORDER_SIZE + at.WORD]
        order_id = memory.orders[order * at.ORDER_SIZE + at.ORDER_ID]
        fault_out[2] = order_id
        if signed(memory.links[order * at.LINK_SIZE + at.PREVIOUS]) != ahead:
            return BROKEN_LINK, count
        if symbol_of(word) != symbol or is_waiting(word) != (kind != at.BOOK):
            return WRONG_PLACE, count
        if kind == at.BOOK and (
            side_of(word) != side or signed(memory.links[order * at.LINK_SIZE + at.PRICE]) != price
        ):
            return WRONG_PLACE, count
        if kind != at.BOOK and (
            waits_for_rise(word) != (kind == at.RISING)
            or memory.extras[order * at.EXTRA_SIZE + at.TRIGGER_PRICE] != price
        ):
            return WRONG_PLACE, count
        if word & at.LOTS_MASK == 0 or hidden_lots(memory, order, word) < 0:
            return WRONG_LOTS, count
        if order_of(memory, find_id(memory, order_id)) != order:
            return LOST_ID, count
        total += word & at.LOTS_MASK if kind == at.BOOK else 0
        count += 1
        ahead = order
        order = signed(memory.links[order * at.LINK_SIZE + at.NEXT])
    if signed(memory.queues[level * at.QUEUE_SIZE + at.TAIL]) != ahead:
        return BROKEN_LINK, count
    fault_out[2] = total
    return (SOUND if memory.levels[level * at.LEVEL_SIZE + at.TOTAL] == total else WRONG_TOTAL), count


assert STATE_WIDTH == 13, f"_read_order writes 13 columns, the state has {STATE_WIDTH}"

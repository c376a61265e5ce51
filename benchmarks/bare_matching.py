"""The yardstick of `benchmarks.matching`: as little of a matching engine as a mixed stream needs, in one kernel call.

It knows limit orders and cancels within 4,096 prices, ids that count from 1, no owner, no rules, no events, no ring.
What the full-featured engine takes more is what those cost; and since machines differ, and one machine from hour to
hour, the ratio of the two says more than the nanoseconds of either.
"""
# mypy: disable-error-code="no-any-return"

import time

import numpy as np
import numpy.typing as npt

from market.codes import Tag
from market.kernels.bits import bit, bits_above, bits_below, highest_bit, lowest_bit, signed
from market.kernels.compiling import inlined, kernel, routine
from market.kernels.row_codes import NEW
from market.kernels.rows import TAG, Int64Array

_PRICES = 4_096
_ORDERS_MAX = 1 << 17
_SUMMARY = 64  # the word that tells which of the 64 before it are not 0
_CANCEL = int(Tag.CANCEL_ORDER)
_QTY, _PRICE, _SIDE, _AHEAD, _BEHIND, _ID, _ORDER = 0, 1, 2, 3, 4, 5, 8  # an order's numbers, how many it takes
_TRADES, _VOLUME, _NOTIONAL, _FREE, _USED, _STATE = 2, 3, 4, 5, 6, 8  # behind the best bid and the best ask

Int32Array = npt.NDArray[np.int32]


@kernel
def _run(
    rows: Int64Array, slots: Int32Array, orders: Int32Array, ends: Int32Array, words: Int64Array, state: Int64Array
) -> None:
    """Run rows of tag, id, side, price, quantity; `slots` are by id, `ends` the first and the last order of a price."""
    for start in range(0, len(rows), 5):
        if rows[start] == _CANCEL:
            order = signed(slots[rows[start + 1]])
            if order != 0:  # else it has traded
                _leave(slots, orders, ends, words, state, order)
            continue
        side, price, leaves = rows[start + 2], rows[start + 3], rows[start + 4]
        towards = 1 - 2 * side
        while leaves > 0 and (price - state[1 - side]) * towards >= 0:
            best = state[1 - side]
            maker = signed(ends[2 * best])
            lots = min(leaves, signed(orders[_ORDER * maker + _QTY]))
            leaves -= lots
            orders[_ORDER * maker + _QTY] -= lots
            state[_TRADES] += 1
            state[_VOLUME] += lots
            state[_NOTIONAL] += lots * best
            if orders[_ORDER * maker + _QTY] == 0:
                _leave(slots, orders, ends, words, state, maker)
        if leaves > 0:
            order = state[_FREE]
            if order != 0:
                state[_FREE] = orders[_ORDER * order + _BEHIND]
            else:
                state[_USED] += 1
                order = state[_USED]
            slots[rows[start + 1]] = order
            orders[_ORDER * order + _QTY] = leaves
            orders[_ORDER * order + _PRICE] = price
            orders[_ORDER * order + _SIDE] = side
            orders[_ORDER * order + _ID] = rows[start + 1]
            _join(orders, ends, words, price, order)
            state[side] = price if (price - state[side]) * towards > 0 else state[side]


@inlined
def _join(orders: Int32Array, ends: Int32Array, words: Int64Array, price: int, order: int) -> None:
    last = signed(ends[2 * price + 1])
    orders[_ORDER * order + _AHEAD] = last
    orders[_ORDER * order + _BEHIND] = 0
    ends[2 * price + 1] = order
    if last == 0:
        ends[2 * price] = order
        words[price >> 6] |= bit(price & 63)
        words[_SUMMARY] |= bit(price >> 6)
    else:
        orders[_ORDER * last + _BEHIND] = order


@inlined
def _leave(
    slots: Int32Array, orders: Int32Array, ends: Int32Array, words: Int64Array, state: Int64Array, order: int
) -> None:
    price, side = signed(orders[_ORDER * order + _PRICE]), signed(orders[_ORDER * order + _SIDE])
    ahead, behind = signed(orders[_ORDER * order + _AHEAD]), signed(orders[_ORDER * order + _BEHIND])
    orders[_ORDER * order + _BEHIND] = state[_FREE]
    state[_FREE] = order
    slots[orders[_ORDER * order + _ID]] = 0
    if ahead == 0:
        ends[2 * price] = behind
    else:
        orders[_ORDER * ahead + _BEHIND] = behind
    if behind == 0:
        ends[2 * price + 1] = ahead
    else:
        orders[_ORDER * behind + _AHEAD] = ahead
    if ahead == 0 and behind == 0:
        words[price >> 6] &= ~bit(price & 63)
        if words[price >> 6] == 0:
            words[_SUMMARY] &= ~bit(price >> 6)
        if price == state[side]:
            state[side] = _next_below(words, price) if side == 0 else _next_above(words, price)


@routine
def _next_above(words: Int64Array, price: int) -> int:
    word, found = price >> 6, words[price >> 6] & bits_above(price & 63)
    if found == 0:
        later = words[_SUMMARY] & bits_above(word)
        if later == 0:
            return _PRICES
        word = lowest_bit(later)
        found = words[word]
    return (word << 6) + lowest_bit(found)


@routine
def _next_below(words: Int64Array, price: int) -> int:
    word, found = price >> 6, words[price >> 6] & bits_below(price & 63)
    if found == 0:
        earlier = words[_SUMMARY] & bits_below(word)
        if earlier == 0:
            return 0
        word = highest_bit(earlier)
        found = words[word]
    return (word << 6) + highest_bit(found)


def bare_ns(rows: Int64Array, seed_count: int) -> tuple[float, dict[str, int]]:
    """Return ns per operation behind the first `seed_count` rows, and what the trades come to.

    Raises:
        ValueError: if the stream's prices do not fit.
    """
    offset = int(rows[rows[:, TAG] != _CANCEL, NEW.price_ticks].min()) - 1
    narrow = rows[:, [TAG, NEW.order_id, NEW.side, NEW.price_ticks, NEW.qty_lots]].copy()
    narrow[:, 3] -= offset
    narrow[narrow[:, 0] == _CANCEL, 2:] = 0  # a cancel has other fields there
    if narrow[:, 3].max() >= _PRICES:
        raise ValueError(f"expected prices within {_PRICES} ticks, the highest is {narrow[:, 3].max() + offset}")
    seed, measured = narrow[:seed_count].reshape(-1), narrow[seed_count:].reshape(-1)
    memory = (
        np.zeros(int(narrow[:, 1].max()) + 1, np.int32),
        np.zeros(_ORDERS_MAX * _ORDER, np.int32),
        np.zeros(_PRICES * 2, np.int32),
        np.zeros(_SUMMARY + 1, np.int64),
        np.array([0, _PRICES, *[0] * (_STATE - 2)], np.int64),
    )
    for array in memory:
        array += 0  # touched before the clock starts
    _run(seed, *memory)
    before = memory[-1].copy()
    began = time.perf_counter_ns()
    _run(measured, *memory)
    elapsed_ns = time.perf_counter_ns() - began
    count, volume, notional = (memory[-1] - before)[[_TRADES, _VOLUME, _NOTIONAL]].tolist()
    trades = {"trades": count, "volume": volume, "notional": notional + volume * offset}
    return elapsed_ns / (len(rows) - seed_count), trades

"""The table of open orders, as the kernels of this room use it: open addressing, linear probing, no tombstones."""
# mypy: disable-error-code="no-any-return, return-value"

from typing import Final

import numpy as np

from engine.kernel import inlined, kernel
from engine.rows.messages import Int64Array
from engine.wire.decoding import unsigned
from sessions.session_state import (
    ORDER_ID,
    ORDER_IS_ANSWERED,
    ORDER_LEAVES,
    ORDER_PRICE,
    ORDER_SIDE,
    ORDER_SIZE,
    ORDER_SYMBOL,
)

# 2**64 divided by the golden ratio.
_GOLDEN: Final = np.uint64(0x9E37_79B9_7F4A_7C15)
_HALF: Final = np.uint64(32)
_BLOCK_BITS: Final = 4
_BLOCK_MASK: Final = (1 << _BLOCK_BITS) - 1


@inlined
def _home_of(orders: Int64Array, order_id: int) -> int:
    """Return the place where a search for the order begins: ids side by side stand side by side, block by block.

    A client counts its ids up, so the entries that are used together are neighbours in memory.
    """
    block = np.int64((np.uint64(order_id >> _BLOCK_BITS) * _GOLDEN) >> _HALF)
    return (block << _BLOCK_BITS | order_id & _BLOCK_MASK) & (len(orders) // ORDER_SIZE - 1)


@inlined
def find_order(orders: Int64Array, order_id: int) -> int:
    """Return where the order's entry begins, or the empty one where it belongs; the table is never full."""
    mask = len(orders) // ORDER_SIZE - 1
    place = _home_of(orders, order_id)
    while (
        orders[unsigned(place * ORDER_SIZE + ORDER_ID)] != order_id
        and orders[unsigned(place * ORDER_SIZE + ORDER_ID)] != 0
    ):
        place = (place + 1) & mask
    return place * ORDER_SIZE


@kernel
def holds_order(orders: Int64Array, order_id: int) -> bool:
    """Return whether the table has the order."""
    return orders[find_order(orders, order_id) + ORDER_ID] != 0


@kernel
def put_orders(orders: Int64Array, rows: Int64Array) -> None:
    """Enter orders that the table does not hold; `rows` is flat, laid out as the table is."""
    for base in range(0, len(rows), ORDER_SIZE):
        entry = find_order(orders, rows[base + ORDER_ID])
        for offset in range(ORDER_SIZE):
            orders[entry + offset] = rows[base + offset]


@inlined
def write_order(
    orders: Int64Array,
    entry: int,
    order_id: int,
    symbol_id: int,
    side: int,
    price_ticks: int,
    leaves_lots: int,
    is_answered: int,
) -> None:
    """Fill the entry."""
    orders[unsigned(entry + ORDER_ID)] = order_id
    orders[unsigned(entry + ORDER_SYMBOL)] = symbol_id
    orders[unsigned(entry + ORDER_SIDE)] = side
    orders[unsigned(entry + ORDER_PRICE)] = price_ticks
    orders[unsigned(entry + ORDER_LEAVES)] = leaves_lots
    orders[unsigned(entry + ORDER_IS_ANSWERED)] = is_answered


@inlined
def remove_order(orders: Int64Array, entry: int) -> None:
    """Empty the entry; those behind it that may stand there move up (Knuth, vol. 3, 6.4, algorithm R)."""
    mask = len(orders) // ORDER_SIZE - 1
    hole = entry // ORDER_SIZE
    place = (hole + 1) & mask
    while orders[unsigned(place * ORDER_SIZE + ORDER_ID)] != 0:
        home = _home_of(orders, orders[unsigned(place * ORDER_SIZE + ORDER_ID)])
        if (place - home) & mask >= (place - hole) & mask:
            for offset in range(ORDER_SIZE):
                orders[unsigned(hole * ORDER_SIZE + offset)] = orders[unsigned(place * ORDER_SIZE + offset)]
            hole = place
        place = (place + 1) & mask
    orders[unsigned(hole * ORDER_SIZE + ORDER_ID)] = 0

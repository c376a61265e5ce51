"""A table of orders by their id, for kernels: open addressing, linear probing, no tombstones.

It is a flat array of entries of `size` numbers, a power of two of them, the order's id first; an entry is empty while
that is 0. What stands behind the id is the owner's.
"""
# mypy: disable-error-code="no-any-return, return-value"

from typing import Final

import numpy as np

from market.kernels.compiling import inlined
from market.kernels.rows import Int64Array

_GOLDEN: Final = np.uint64(0x9E37_79B9_7F4A_7C15)  # 2**64 divided by the golden ratio
_HALF: Final = np.uint64(32)
_BLOCK_BITS: Final = 4
_BLOCK_MASK: Final = (1 << _BLOCK_BITS) - 1


@inlined
def unsigned(index: int) -> int:
    """Return an index that is never negative as such: numpy's wrap-around, spared, is a quarter of all time here."""
    return np.uint64(index)


@inlined
def hash_of(number: int) -> int:
    """Return 32 bits: numbers in a row, and numbers a round number apart, fall far from each other.

    D. Knuth, The Art of Computer Programming, vol. 3, 6.4, "Fibonacci hashing".
    """
    return np.int64((np.uint64(number) * _GOLDEN) >> _HALF)


@inlined
def _home_of(table: Int64Array, size: int, order_id: int) -> int:
    """Return the place where a search for the order begins: ids side by side stand side by side, block by block.

    Whoever gives ids counts them up, so the entries that are used together are neighbours in memory.
    """
    return (hash_of(order_id >> _BLOCK_BITS) << _BLOCK_BITS | order_id & _BLOCK_MASK) & (len(table) // size - 1)


@inlined
def find_order(table: Int64Array, size: int, order_id: int) -> int:
    """Return where the order's entry begins, or the empty one where it belongs; the table is never full."""
    mask = len(table) // size - 1
    place = _home_of(table, size, order_id)
    while table[unsigned(place * size)] != order_id and table[unsigned(place * size)] != 0:
        place = (place + 1) & mask
    return place * size


@inlined
def remove_order(table: Int64Array, size: int, entry: int) -> None:
    """Empty the entry; those behind it that may stand there move up (Knuth, vol. 3, 6.4, algorithm R)."""
    mask = len(table) // size - 1
    hole = entry // size
    place = (hole + 1) & mask
    while table[unsigned(place * size)] != 0:
        home = _home_of(table, size, table[unsigned(place * size)])
        if (place - home) & mask >= (place - hole) & mask:
            for offset in range(size):
                table[unsigned(hole * size + offset)] = table[unsigned(place * size + offset)]
            hole = place
        place = (place + 1) & mask
    table[unsigned(hole * size)] = 0

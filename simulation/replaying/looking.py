"""The book as an exchange tells it: its best levels, every so often, where they are not what was told before."""
# mypy: disable-error-code="no-any-return"

from typing import Final, NamedTuple

import numpy as np

from engine.fast.ladder import level_at, next_price
from engine.rows import memory as at
from engine.rows.memory import Memory
from market.kernels.compiling import inlined, kernel
from market.kernels.rows import Int64Array

# The numbers of a view.
NEXT_NS: Final = 0  # when the next look is due
EVERY_NS: Final = 1
SYMBOL: Final = 2
LOOKED: Final = 3  # looks kept and not yet taken
VIEW_SIZE: Final = 4

LEVELS: Final = 20  # of a side
LOOKS_MAX: Final = 64  # kept and not taken; more are taken in between
NEVER_NS: Final = 2**62

# A look: its time, how many levels a side has, and (price, lots) of each, bids first.
LOOKED_NS: Final = 0
COUNTS: Final = 1
FIRST_LEVELS: Final = 3
SIDE_SIZE: Final = 2 * LEVELS
LOOK_SIZE: Final = FIRST_LEVELS + 2 * SIDE_SIZE


class View(NamedTuple):
    """Where looks are kept: `looks` is flat, its first one was taken before."""

    numbers: Int64Array
    looks: Int64Array


def make_view(symbol_id: int, next_ns: int, every_ns: int) -> View:
    """Return a view of a book that has shown nothing so far."""
    numbers = np.zeros(VIEW_SIZE, np.int64)
    numbers[NEXT_NS], numbers[EVERY_NS], numbers[SYMBOL] = next_ns, every_ns, symbol_id
    looks = np.zeros((1 + LOOKS_MAX) * LOOK_SIZE, np.int64)
    looks[COUNTS] = -1  # unlike any book
    return View(numbers, looks)


@kernel
def look_until(memory: Memory, view: View, until_ns: int) -> bool:
    """Look whenever it is time until then, and keep what shows another book than before; False without room."""
    numbers, looks = view.numbers, view.looks
    while numbers[NEXT_NS] <= until_ns:
        if numbers[LOOKED] == LOOKS_MAX:
            return False
        before = numbers[LOOKED] * LOOK_SIZE
        base = before + LOOK_SIZE
        looks[base + LOOKED_NS] = numbers[NEXT_NS]
        _read_side(memory, numbers[SYMBOL], 0, looks, base)
        _read_side(memory, numbers[SYMBOL], 1, looks, base)
        if not _is_same(looks, before, base):
            numbers[LOOKED] += 1
        numbers[NEXT_NS] += numbers[EVERY_NS]
    return True


@inlined
def _read_side(memory: Memory, symbol: int, side: int, looks: Int64Array, base: int) -> None:
    count = 0
    ladder = symbol * at.LADDERS + at.BOOK
    price = memory.books[symbol * at.BOOK_SIZE + at.BEST + side]
    place = base + FIRST_LEVELS + side * SIDE_SIZE
    while at.NO_BID < price < at.NO_ASK and count < LEVELS:
        looks[place] = price
        looks[place + 1] = memory.levels[level_at(memory, ladder, price) * at.LEVEL_SIZE + at.TOTAL]
        count += 1
        place += 2
        price = next_price(memory, ladder, price, side == 1)
    looks[base + COUNTS + side] = count


@inlined
def _is_same(looks: Int64Array, one: int, other: int) -> bool:
    for side in range(2):
        count = looks[one + COUNTS + side]
        if count != looks[other + COUNTS + side]:
            return False
        first = FIRST_LEVELS + side * SIDE_SIZE
        for place in range(first, first + 2 * count):
            if looks[one + place] != looks[other + place]:
                return False
    return True

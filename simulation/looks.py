"""The book as the simulated exchange tells it, every so often: seen as the market goes on, read when somebody asks."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, NamedTuple

from engine.fast.engine import FastEngine
from market.depth import Depth, Level
from market.kernels.rows import Int64Array
from simulation.replaying.looking import (
    COUNTS,
    EVERY_NS,
    FIRST_LEVELS,
    LOOK_SIZE,
    LOOKED,
    LOOKED_NS,
    NEVER_NS,
    NEXT_NS,
    SIDE_SIZE,
    look_until,
    make_view,
)

_make_level: Final = partial(tuple.__new__, Level)


class Look(NamedTuple):
    """What a book showed at a time, as `simulation.replaying.looking` has it."""

    time_ns: int
    row: Int64Array

    def best_ticks(self, side: int, own_lots: Mapping[tuple[int, int], int]) -> int | None:
        """Return the best price at which there is more than `own_lots`, by (side, price); None on a side without."""
        begin = FIRST_LEVELS + side * SIDE_SIZE
        for place in range(begin, begin + 2 * int(self.row[COUNTS + side]), 2):
            price_ticks = int(self.row[place])
            if self.row[place + 1] > own_lots.get((side, price_ticks), 0):
                return price_ticks
        return None

    def depth(self) -> Depth:
        """Return it as others know it."""
        row = self.row.tolist()
        return Depth(*(_levels(row, side) for side in range(2)))


class Looks:
    """Looks at one book.

    Args:
        engine: which has it.
        symbol_id: whose it is.
        next_ns: when the first one is due; never by default.
        every_ns: how long from one to the next.

    Attributes:
        view: for the kernel that a market runs in.
        on_look: hears of each as soon as it is put by.
    """

    def __init__(self, engine: FastEngine, symbol_id: int = 0, next_ns: int = NEVER_NS, every_ns: int = 1) -> None:
        self._engine = engine
        self.view = make_view(symbol_id, next_ns, every_ns)
        self._numbers = self.view.numbers.data  # which reads a number in half of the time of an array
        self._rows = self.view.looks.reshape(-1, LOOK_SIZE)
        self._kept: list[Look] = []
        self.on_look: Callable[[Look], None] = _nobody

    @property
    def next_ns(self) -> int:
        """When the next look is due."""
        next_ns: int = self._numbers[NEXT_NS]
        return next_ns

    def due_ns(self, time_ns: int) -> int:
        """Return when the first look at a time or after it is due, or was."""
        next_ns, every_ns = self._numbers[NEXT_NS], self._numbers[EVERY_NS]
        return next_ns - (next_ns - time_ns) // every_ns * every_ns

    def pass_to(self, time_ns: int) -> None:
        """Look whenever it is time until then, which the market has come to."""
        if self._numbers[NEXT_NS] <= time_ns:
            while not look_until(self._engine.memory, self.view, time_ns):
                self.make_room()

    def make_room(self) -> int:
        """Put by what was seen; return how many looks."""
        count = self._numbers[LOOKED]
        if count:
            rows = self._rows[1 : count + 1].copy()
            looks = [*map(Look, rows[:, LOOKED_NS].tolist(), rows)]
            self._kept += looks
            for look in looks:
                self.on_look(look)
            self._rows[0] = rows[-1]
            self._numbers[LOOKED] = 0
        return count

    def take(self) -> list[Look]:
        """Return each look since the last call that showed another book than the one before."""
        self.make_room()
        kept, self._kept = self._kept, []
        return kept


def _nobody(_: Look) -> None:
    """Hear of a look that nobody else wants to."""


def _levels(row: list[int], side: int) -> tuple[Level, ...]:
    begin = FIRST_LEVELS + side * SIDE_SIZE
    end = begin + 2 * row[COUNTS + side]
    return tuple(map(_make_level, zip(row[begin:end:2], row[begin + 1 : end : 2], strict=True)))

"""What the market is like, from what was seen of it: bounded memory, a bounded cost an event, no clock of its own."""

from math import sqrt
from typing import Final

from market.clock import NS_PER_SECOND
from trading.quoting import Estimates

GRID_NS: Final = NS_PER_SECOND  # of the mids: ten times as long as a venue's pause between two books
RETURNS_MIN: Final = 30  # fewer say nothing of a volatility: with 30 its standard error is 13 %


class Estimation:
    """The volatility: the root of the weighted mean of squared returns from one whole second to the next.

    A second without news of the book has the mid of the one before it. What is older by a half-life weighs half.

    Args:
        half_life_s: of a return's weight.
    """

    def __init__(self, half_life_s: float) -> None:
        self._keep = 0.5 ** (GRID_NS / NS_PER_SECOND / half_life_s)
        self._cell: int | None = None  # of the grid, that we are in
        self._mid_ticks_x2 = 0  # the last one
        self._cell_mid_ticks_x2 = 0  # that with which the cell began
        self._squares = self._weight = 0.0
        self._count = 0

    def hear(self, now_ns: int, mid_ticks_x2: int | None) -> None:
        """Take the mid as it is now; None while there is none, which is as if nothing had been said."""
        if mid_ticks_x2 is None:
            return
        cell = now_ns // GRID_NS
        if self._cell is None:
            self._cell, self._cell_mid_ticks_x2 = cell, mid_ticks_x2
        elif (passed := cell - self._cell) > 0:
            change = self._mid_ticks_x2 / self._cell_mid_ticks_x2 - 1
            kept = self._keep**passed
            # The first second that has passed has the change, the others had none; all their weights add up.
            self._squares = kept * self._squares + self._keep ** (passed - 1) * (1 - self._keep) * change * change
            self._weight = kept * self._weight + 1 - kept
            self._count += passed
            self._cell, self._cell_mid_ticks_x2 = cell, self._mid_ticks_x2
        self._mid_ticks_x2 = mid_ticks_x2

    def estimates(self) -> Estimates:
        """Return what is known."""
        is_known = self._count >= RETURNS_MIN and self._squares > 0
        return Estimates(sqrt(self._squares / self._weight * NS_PER_SECOND / GRID_NS) if is_known else None)

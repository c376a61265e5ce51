"""The levels of a flow's own orders: one side of a book, best price first."""

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from market.codes import Side

Int64Array = npt.NDArray[np.int64]


class OwnLevel:
    """The own orders at one price that are not known to be gone, first in the queue first.

    Attributes:
        rank: the price, negative for bids: of two levels of a side the lower rank is the better one.
        expected_lots: sum over the orders.
        plain_count: of the orders, those that are not set apart.
        is_standing: whether anything is expected here, and a plain order is here.
    """

    __slots__ = ("expected_lots", "is_standing", "orders", "plain_count", "price_ticks", "rank", "side")

    def __init__(self, side: "OwnSide", price_ticks: int, rank: int) -> None:
        self.side = side
        self.price_ticks = price_ticks
        self.rank = rank
        self.orders: list[FlowOrder] = []
        self.expected_lots = 0
        self.plain_count = 0
        self.is_standing = False

    def settle(self) -> None:
        """Note whether the level stands, after a change."""
        is_standing = self.expected_lots > 0 and self.plain_count > 0
        if is_standing is not self.is_standing:
            self.is_standing = is_standing
            if is_standing:
                insort(self.side.standing, self.rank)
            else:
                del self.side.standing[bisect_left(self.side.standing, self.rank)]


class FlowOrder:
    """One background order; `is_gone` once an event said so.

    Attributes:
        in_flight_lots: sum of the changes that commands in flight are predicted to bring.
        expected_lots: what will rest once everything in flight is handled.
    """

    __slots__ = (
        "expected_lots", "in_flight_lots", "is_cancel_sent", "is_gone", "is_set_apart", "level", "order_id",
        "resting_lots",
    )  # fmt: skip

    def __init__(self, order_id: int, level: OwnLevel) -> None:
        self.order_id = order_id
        self.level = level
        self.resting_lots = 0
        self.in_flight_lots = 0
        self.expected_lots = 0
        self.is_cancel_sent = False
        self.is_gone = False
        self.is_set_apart = False

    def change(self, resting_lots: int, in_flight_lots: int) -> None:
        """Set what rests and what commands in flight will add to it."""
        self.resting_lots = resting_lots
        self.in_flight_lots = in_flight_lots
        expected_lots = resting_lots + in_flight_lots
        if expected_lots < 0:
            expected_lots = 0
        if expected_lots != self.expected_lots:
            if not self.is_gone:
                self.level.expected_lots += expected_lots - self.expected_lots
                self.level.settle()
            self.expected_lots = expected_lots

    def leave(self) -> None:
        """Be gone from the level, and the level with it if this was its last order."""
        self.is_gone = True
        level = self.level
        level.orders.remove(self)
        level.expected_lots -= self.expected_lots
        level.plain_count -= not self.is_set_apart
        level.settle()
        if not level.orders:
            level.side.drop(level)


class OwnSide:
    """All levels of one side.

    Attributes:
        standing: the ranks of the levels that stand, rising.
    """

    def __init__(self, side: Side) -> None:
        self._sign = -1 if side == Side.BUY else 1
        self._levels: dict[int, OwnLevel] = {}  # by rank
        self._ranks: list[int] = []  # rising
        self.standing = array("q")

    def __iter__(self) -> Iterator[OwnLevel]:
        """Iterate over the levels, best first."""
        return map(self._levels.__getitem__, self._ranks)

    def get(self, price_ticks: int) -> OwnLevel | None:
        """Return the level at a price, if there is one."""
        return self._levels.get(self._sign * price_ticks)

    def open(self, price_ticks: int) -> OwnLevel:
        """Return the level at a price, a new one if there was none."""
        rank = self._sign * price_ticks
        level = self._levels.get(rank)
        if level is None:
            level = self._levels[rank] = OwnLevel(self, price_ticks, rank)
            insort(self._ranks, rank)
        return level

    def drop(self, level: OwnLevel) -> None:
        """Take a level out."""
        del self._levels[level.rank]
        del self._ranks[bisect_left(self._ranks, level.rank)]

    def better(self, price_ticks: int) -> list[OwnLevel]:
        """Return the levels at better prices than this one, best first."""
        ranks = self._ranks
        end = bisect_left(ranks, self._sign * price_ticks)
        return [self._levels[rank] for rank in ranks[:end]] if end else []

    def behind(self, price_ticks: int) -> list[OwnLevel]:
        """Return the levels at worse prices than this one, best first."""
        ranks = self._ranks
        first = bisect_right(ranks, self._sign * price_ticks)
        return [self._levels[rank] for rank in ranks[first:]] if first < len(ranks) else []

    def offsets(self, price_ticks: int) -> Int64Array:
        """Return how far behind a price each level is that stands, in ticks, rising; negative for a better one."""
        return np.frombuffer(self.standing, np.int64) - self._sign * price_ticks

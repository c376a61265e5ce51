"""How takers' reach falls with the distance from the mid, from the trades seen: A and k of one side of the book."""

from bisect import bisect_right
from collections.abc import Sequence
from math import exp, log
from typing import Final, NamedTuple

from trading.quoting import Arrivals

# Of the mid, a half more each: from 0.1 bp to 2.2 %, so that a tight market has points as well as a wide one.
DISTANCES: Final = tuple(0.00001 * 1.5**index for index in range(20))
ARRIVALS_MIN: Final = 100.0  # fewer, each with its weight, say too little
REACHING_MIN: Final = 10.0  # of a distance that counts as a point: near the touch, not in the rare sweeps behind it
POINTS_MIN: Final = 4
ALL: Final = 0.999999  # of a total of floats
R2_MIN: Final = 0.5  # below, takers do not arrive as the formula has it


class ArrivalCount:
    """The takers that trade with one side, by how far they reached, and for how long they were watched.

    Args:
        keep: the part of the weight of all that was seen that is left after a second.
    """

    def __init__(self, keep: float) -> None:
        self._keep = keep
        self._counts = [0.0] * (len(DISTANCES) + 1)  # at i: those that reached i of the distances
        self._seconds = 0.0  # each with its weight

    def hear(self, distance: float) -> None:
        """Take one taker: the farthest price of its trades, as a fraction of the mid before it; below 0: inside."""
        self._counts[bisect_right(DISTANCES, distance)] += 1

    def pass_seconds(self, seconds: int) -> None:
        """Let what was seen grow older; the time itself was watched."""
        kept = self._keep**seconds
        self._counts = [kept * count for count in self._counts]
        self._seconds = kept * self._seconds + (1 - kept) / (1 - self._keep)

    def estimate(self) -> Arrivals | None:
        """Return the regression of ln(takers a second that reach a distance) on the distance; None if it says little.

        The points are from the last distance that all reach, the touch, to the last that REACHING_MIN reach. Each
        weighs as many as reach it: the variance of the logarithm of a count is one over the count.
        """
        reaching, points = 0.0, []
        total = sum(self._counts)
        if total < ARRIVALS_MIN or not self._seconds:
            return None
        for distance, count in zip(reversed(DISTANCES), reversed(self._counts), strict=False):
            reaching += count
            if reaching >= REACHING_MIN:
                points.append((distance, log(reaching / self._seconds), reaching))
            if reaching >= total * ALL:
                break
        line = fit(points) if len(points) >= POINTS_MIN else None
        if line is None or line.slope >= 0 or line.r2 < R2_MIN:
            return None
        return Arrivals(exp(line.at_zero), -line.slope, total, line.r2)


def weight_of(seen: Arrivals) -> float:
    """Return how far arrivals that were seen are believed, from 0 to 1: the more, the more they are and fit the line.

    It is 0 where `estimate` begins to tell of them, so that nothing jumps when it does, or does no more.
    """
    return max(0.0, 1 - ARRIVALS_MIN / seen.takers) * max(0.0, (seen.r2 - R2_MIN) / (1 - R2_MIN))


def believed(seen: Arrivals | None, expected: Arrivals) -> Arrivals:
    """Return what lies between the expected arrivals and those seen, rate and decay each by its logarithm."""
    if seen is None:
        return expected
    weight = weight_of(seen)
    rate, decay = (
        of_seen**weight * of_expected ** (1 - weight)
        for of_seen, of_expected in zip(seen[:2], expected[:2], strict=True)
    )
    return Arrivals(rate, decay, seen.takers, seen.r2)


class Line(NamedTuple):
    """y = at_zero + slope x, and which part of the variance of y it explains."""

    at_zero: float
    slope: float
    r2: float


def fit(points: Sequence[tuple[float, float, float]]) -> Line | None:
    """Return the line of least squares through points (x, y, weight); None where all x or all y are one."""
    total = sum(weight for _, _, weight in points)
    x_mean = sum(weight * x for x, _, weight in points) / total
    y_mean = sum(weight * y for _, y, weight in points) / total
    xx = sum(weight * (x - x_mean) ** 2 for x, _, weight in points)
    yy = sum(weight * (y - y_mean) ** 2 for _, y, weight in points)
    xy = sum(weight * (x - x_mean) * (y - y_mean) for x, y, weight in points)
    if not xx or not yy:
        return None
    return Line(y_mean - xy / xx * x_mean, xy / xx, xy * xy / (xx * yy))

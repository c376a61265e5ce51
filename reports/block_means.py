"""The mean of what overlaps: neighbouring values share a part of what made them, so that each tells less than it seems.

What has happened between two markouts of ten seconds is in both of them: mean / sqrt(n) takes them for two witnesses,
and its interval is too narrow. Here the unit is a block of time: the moving-block bootstrap (Kuensch, Annals of
Statistics 17, 1989) draws blocks of a length at every place, lays them side by side and looks how the mean varies. For
a mean that variance is known without drawing anything: two values count together by the part of a block that they have
in common, which falls in a straight line with the time between them (Newey and West, Econometrica 55, 1987). So there
are no dice, and no seed: the same values give the same interval everywhere.

How long what makes values depend on each other lasts, nobody knows; a block must be some times as long. Blocks more
than some twenty make the interval little narrower, for Student's t is near the normal's by then, and short ones miss
whatever lasts longer. So where there are more they get longer: the length grows with what there is (as N. M. Kiefer
and T. J. Vogelsang have it, Econometric Theory 21, 2005; E. Lazarus and others, J. Bus. Econ. Stat. 36, 2018).
"""

from collections.abc import Sequence
from math import sqrt
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from reports.statistics import LEVEL, Interval, student_quantile

BLOCKS_MIN: Final = 5.0  # of fewer nobody can say how they vary
BLOCKS_ENOUGH: Final = 20.0  # `python -m benchmarks.error_bars` measures it

_Floats: TypeAlias = npt.NDArray[np.float64]


class BlockMean(NamedTuple):
    """A weighted mean.

    Attributes:
        interval: None of fewer than `BLOCKS_MIN` blocks.
        n: how many values.
        blocks: to how many values of which none depends on another they amount.
        block_s: how long a block is.
    """

    mean: float
    interval: Interval | None
    n: int
    blocks: float
    block_s: float


def block_mean(
    times_s: Sequence[float] | _Floats,
    values: Sequence[float] | _Floats,
    weights: Sequence[float] | _Floats,
    block_s_min: float,
    level: float = LEVEL,
) -> BlockMean | None:
    """Return the weighted mean of values, and its interval; None without values.

    The mean is a ratio, sum(w x) / sum(w), of which both sums are drawn: it varies as sum(w (x - mean)) does. `blocks`
    is what the weights alone come to: n if all are equal and each is farther than a block from the next, the span over
    the block if they are dense. It corrects what was lost with the mean, and gives Student's degrees of freedom. Where
    it would be more than `BLOCKS_ENOUGH`, the block is as many times longer.

    Args:
        times_s: when each was, in seconds, in any order.
        weights: not negative, not all 0.
        block_s_min: above 0, some times as long as what is known to make values depend on each other.
    """
    if not len(values):
        return None
    times = np.asarray(times_s, np.float64)
    order = np.argsort(times, kind="stable")
    times, drawn, weighed = (np.asarray(each, np.float64)[order] for each in (times, values, weights))
    total = float(weighed.sum())
    mean = float((weighed * drawn).sum()) / total
    block_s = block_s_min * max(1.0, total**2 / _paired(times, weighed, block_s_min) / BLOCKS_ENOUGH)
    blocks = total**2 / _paired(times, weighed, block_s)
    if blocks < BLOCKS_MIN:
        return BlockMean(mean, None, len(times), blocks, block_s)
    variance = max(0.0, _paired(times, weighed * (drawn - mean), block_s)) / total**2 * blocks / (blocks - 1)
    reach = student_quantile((1 + level) / 2, blocks - 1) * sqrt(variance)
    return BlockMean(mean, Interval(mean - reach, mean + reach), len(times), blocks, block_s)


def _paired(times: _Floats, values: _Floats, block_s: float) -> float:
    """Return the sum over all pairs of their product times the part of a block that they share; `times` rise."""
    places = (times - times[0]) / block_s
    sums = np.concatenate(([0.0], np.cumsum(values)))
    moments = np.concatenate(([0.0], np.cumsum(values * places)))
    each = np.arange(len(times))
    first = np.searchsorted(places, places - 1, "right")
    before = (1 - places) * (sums[each] - sums[first]) + moments[each] - moments[first]
    return float((values * (values + 2 * before)).sum())

"""Intervals for what was drawn by chance. Floats: these are statistics, and no money.

`level` is the probability with which an interval covers what it is of, if its assumptions hold.
"""

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from math import cos, pi, sqrt, tan
from statistics import NormalDist, fmean, stdev
from typing import Final, NamedTuple

LEVEL: Final = 0.95
_STEPS: Final = 4_096
_SPREADS: Final = 12  # standard deviations, beyond which there is nothing to add up


class Interval(NamedTuple):
    """From where to where."""

    low: float
    high: float


def mean_interval(values: Sequence[float], level: float = LEVEL) -> Interval:
    """Return Student's interval of a mean: values of one distribution, none depending on another.

    Raises:
        ValueError: of fewer than two values.
    """
    if len(values) < 2:
        raise ValueError(f"expected two values or more, were {len(values)}")
    mean = fmean(values)
    reach = student_quantile((1 + level) / 2, len(values) - 1) * stdev(values) / sqrt(len(values))
    return Interval(mean - reach, mean + reach)


def share_interval(hits: int, count: int, level: float = LEVEL) -> Interval:
    """Return Wilson's interval of a probability: `hits` of `count` draws (E. B. Wilson, JASA 22, 1927).

    Raises:
        ValueError: without draws.
    """
    if not 0 <= hits <= count or not count:
        raise ValueError(f"expected hits of one draw or more, were {hits} of {count}")
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    centre = (hits + z2 / 2) / (count + z2)
    reach = sqrt(z2 * hits * (count - hits) / count + z2 * z2 / 4) / (count + z2)
    return Interval(max(0.0, centre - reach), min(1.0, centre + reach))


@lru_cache(maxsize=1_024)
def student_quantile(probability: float, freedom: float) -> float:
    """Return below what a Student's t lies with a probability, at so many degrees of freedom, 1 or more.

    With t = sqrt(freedom) tan(a) the density is in proportion to cos(a) ** (freedom - 1), which the trapezoidal rule
    adds up: right to six digits.
    """
    if probability < 0.5:
        return -student_quantile(1 - probability, freedom)
    step = min(pi / 2, _SPREADS / sqrt(freedom)) / _STEPS
    densities = [cos(number * step) ** (freedom - 1) for number in range(_STEPS + 1)]
    areas = [0.0, *accumulate(sum(pair) / 2 for pair in pairwise(densities))]
    wanted = (2 * probability - 1) * areas[-1]
    last = bisect_left(areas, wanted, lo=1, hi=_STEPS)
    part = (wanted - areas[last - 1]) / (areas[last] - areas[last - 1])
    return sqrt(freedom) * tan((last - 1 + part) * step)

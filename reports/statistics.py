"""Intervals for what was drawn by chance. Floats: these are statistics, and no money.

`level` is the probability with which an interval covers what it is of, if its assumptions hold.
"""

from collections.abc import Sequence
from math import fsum, pi, sqrt, tan
from statistics import NormalDist, fmean, stdev
from typing import Final, NamedTuple

LEVEL: Final = 0.95


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


def student_quantile(probability: float, freedom: int) -> float:
    """Return below what a Student's t lies with a probability, at so many degrees of freedom.

    Exact for 1 and 2; else by the expansion around the normal quantile (Abramowitz and Stegun, 26.7.5): from 5 on
    within 0.2 % between 0.001 and 0.999, at 3 within 2 %.
    """
    if freedom == 1:
        return tan(pi * (probability - 0.5))
    if freedom == 2:
        odd = 2 * probability - 1
        return odd * sqrt(2 / (1 - odd * odd))
    z = NormalDist().inv_cdf(probability)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return fsum(term / float(freedom) ** power for power, term in enumerate(terms))

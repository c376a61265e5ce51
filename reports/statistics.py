"""Intervals for what was drawn by chance. Floats: these are statistics, and no money.

`level` is the probability with which an interval covers what it is of, if its assumptions hold.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import exp, log1p, pi, sqrt
from statistics import NormalDist, fmean, stdev
from typing import Final, NamedTuple

LEVEL: Final = 0.95
_LAST_STEP: Final = 1e-9  # Newton's next one would be of the square of it


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
    """Return below what a Student's t lies with a probability, at so many degrees of freedom, whole or not.

    Right to 12 digits from 0.0001 to 0.9999, but next to 0, where it is right to 16 decimals. Newton's steps begin at
    the normal's quantile, which is nearer to 0, and never go too far: above 0 the probability is concave in t.

    Raises:
        ValueError: if the freedom is not above 0, or the probability not between 0 and 1.
    """
    if not freedom > 0:
        raise ValueError(f"expected a freedom above 0, was {freedom}")
    if not 0 < probability < 1:
        raise ValueError(f"expected a probability between 0 and 1, was {probability}")
    if probability < 0.5:
        return -student_quantile(1 - probability, freedom)
    density_at_0 = _gamma_ratio(freedom / 2) / sqrt(pi * freedom)
    t, farther = 0.0, NormalDist().inv_cdf(probability)
    while farther - t > _LAST_STEP * farther:
        t = farther
        beyond = _beyond(t, freedom, density_at_0)
        farther = t + (beyond - (1 - probability)) / (density_at_0 * exp(-(freedom + 1) / 2 * log1p(t * t / freedom)))
    return farther


def _beyond(t: float, freedom: float, density_at_0: float) -> float:
    """Return how probable it is that Student's t lies above a t of 0 or more.

    It is half of the incomplete beta function of x = freedom / (freedom + t²), as a series of x or of 1 - x, whichever
    is smaller (Abramowitz and Stegun, Handbook of Mathematical Functions, 26.5.4 and 26.5.2). All terms are positive.
    """
    square = t * t
    x, rest = freedom / (freedom + square), square / (freedom + square)
    tail = density_at_0 * exp(-freedom / 2 * log1p(square / freedom)) * sqrt(rest / freedom)
    if x < rest:
        return tail * _series((freedom + 1) / 2, freedom / 2 + 1, x)
    return 0.5 - tail * freedom * _series((freedom + 1) / 2, 1.5, rest)


def _series(above: float, below: float, x: float) -> float:
    """Return 1 + above / below x + above (above + 1) / (below (below + 1)) x² + ..."""
    term, total = 1.0, 0.0
    while total + term != total:
        total += term
        term *= above / below * x
        above, below = above + 1, below + 1
    return total


def _gamma_ratio(x: float) -> float:
    """Return gamma(x + 1/2) / gamma(x): Stirling's series of the two (Abramowitz and Stegun, 6.1.40) from 20 on."""
    product = 1.0
    while x < 20:
        product *= x / (x + 0.5)
        x += 1
    y = 1 / (x * x)
    return product * sqrt(x) * exp((-1 / 8 + y * (1 / 192 + y * (-1 / 640 + y * (17 / 14_336 - y * 31 / 18_432)))) / x)

"""Intervals: against tables, and by how often they cover what they are of."""

import random
from math import acos, cos, nan, pi, sqrt, tan
from statistics import fmean

import pytest

from reports.statistics import mean_interval, share_interval, student_quantile

# Student's t of 0.75, 0.975, 0.99375 and 0.9999 by the freedom: by bisection of the incomplete beta function with 40
# digits, in another library.
TABLE = {
    0.5: (1.5537739740300373, 164.55767348048824, 2632.937303199257, 10284911.563165651),
    1.5: (0.87259466254157064, 6.0166631044279283, 15.348107258101215, 242.26409884652409),
    4.357: (0.73491132930954116, 2.6889867703341014, 4.0966903331944461, 11.510961509320129),
    9.34: (0.70166058683976973, 2.2496663574175323, 3.0841389739344446, 5.8921144841267405),
    39.9: (0.68068833769981716, 2.0212331897075187, 2.6160109466625246, 4.0952288902999556),
    40.5: (0.68059578062391787, 2.0202984281854332, 2.6141825402239697, 4.0891801682580294),
    333.25: (0.67522665464527733, 1.9671080622616174, 2.5113386089349432, 3.7608096145397457),
    100_000: (0.67449220355329221, 1.9599877075346093, 2.4977506744926711, 3.7191543826413722),
}


@pytest.mark.parametrize(("freedom", "expected"), TABLE.items())
def test_students_quantiles_are_right_to_twelve_digits(freedom: float, expected: tuple[float, ...]) -> None:
    """Guards intervals of few blocks, whose freedom is no whole number."""
    found = tuple(student_quantile(probability, freedom) for probability in (0.75, 0.975, 0.99375, 0.9999))
    assert found == pytest.approx(expected, rel=1e-12)
    assert student_quantile(0.025, freedom) == pytest.approx(-found[1], rel=1e-12)


@pytest.mark.parametrize("probability", [0.5, 0.500001, 0.51, 0.6, 0.8, 0.975, 0.99])
def test_students_quantiles_are_those_of_closed_forms(probability: float) -> None:
    """One degree of freedom is Cauchy's; two and four have an inverse, too (W. T. Shaw, J. Comp. Finance 9, 2006)."""
    twice = 2 * probability - 1
    left = 4 * probability * (1 - probability)
    of_four = cos(acos(sqrt(left)) / 3) / sqrt(left)
    expected = tan(pi * (probability - 0.5)), twice * sqrt(2 / left), 2 * sqrt(max(0.0, of_four - 1))
    found = tuple(student_quantile(probability, freedom) for freedom in (1, 2, 4))
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-8 if probability < 0.501 else 1e-15)


@pytest.mark.parametrize(("probability", "freedom"), [(0.0, 3), (1.0, 3), (nan, 3), (0.9, 0.0), (0.9, -1), (0.9, nan)])
def test_a_quantile_of_nothing_is_refused(probability: float, freedom: float) -> None:
    """NaN, too: no comparison with it is true."""
    with pytest.raises(ValueError, match="expected a"):
        student_quantile(probability, freedom)


def test_an_interval_of_a_mean_covers_it_as_often_as_it_says() -> None:
    """Of 2,000 samples of nine some 95 in a hundred do; by the normal's 1.96 it would be 91.4."""
    dice = random.Random("mean")
    covered = 0
    for _ in range(2_000):
        low, high = mean_interval([dice.gauss(3, 2) for _ in range(9)])
        covered += low <= 3 <= high
    assert 0.935 <= covered / 2_000 <= 0.965


def test_wilsons_interval_is_as_published_and_stays_between_none_and_all() -> None:
    """5 of 10: 0.2366 to 0.7634; the plain interval of 0 of 10 would be a single point."""
    assert share_interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert share_interval(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    assert fmean(share_interval(10, 10)) == pytest.approx(1 - fmean(share_interval(0, 10)))


@pytest.mark.parametrize("hits", [-1, 3])
def test_nothing_is_said_of_what_cannot_be(hits: int) -> None:
    """More hits than draws, or fewer than none, or one value alone."""
    with pytest.raises(ValueError, match="expected hits"):
        share_interval(hits, 2)
    with pytest.raises(ValueError, match="expected two values"):
        mean_interval([1.0])

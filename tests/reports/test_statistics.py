"""Intervals: against tables, and by how often they cover what they are of."""

import random
from statistics import fmean

import pytest

from reports.statistics import mean_interval, share_interval, student_quantile

# Student's t, of 0.975 and 0.999: tables of any textbook.
TABLE = {1: (12.706, 318.31), 2: (4.303, 22.327), 5: (2.571, 5.893), 10: (2.228, 4.144), 30: (2.042, 3.385)}


@pytest.mark.parametrize(("freedom", "expected"), TABLE.items())
def test_students_quantiles_are_those_of_the_tables(freedom: int, expected: tuple[float, float]) -> None:
    """Within half a percent."""
    found = tuple(student_quantile(probability, freedom) for probability in (0.975, 0.999))
    assert found == pytest.approx(expected, rel=0.005)
    assert student_quantile(0.025, freedom) == pytest.approx(-found[0])


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

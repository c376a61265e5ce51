"""What is known of a market from what was seen of it."""

from math import sqrt
from random import Random

import pytest

from market.clock import NS_PER_SECOND
from trading.estimation import RETURNS_MIN, Estimation


def test_volatility_is_the_weighted_root_mean_square_of_returns_by_the_second() -> None:
    """Half-life 1 s, so that the last return weighs 1/2, the one before it 1/4, and so on; worked out in fractions.

    34 seconds stand still, then the mid rises by 1 % within one, and stands still for two more: the rise weighs 1/8,
    all 37 weigh 1 - 2^-37.
    """
    seen = Estimation(half_life_s=1)
    seen.hear(0, 20_000)
    seen.hear(34 * NS_PER_SECOND + 1, 20_100)
    seen.hear(34 * NS_PER_SECOND + 2, 20_200)  # within the second only the last mid counts
    seen.hear(37 * NS_PER_SECOND, 99_999)
    assert seen.estimates().volatility == pytest.approx(0.01 * sqrt(1 / 8), rel=1e-9)


def test_volatility_is_unknown_while_little_was_seen_or_nothing_has_moved() -> None:
    """Then a stated fallback stands for it."""
    seen = Estimation(half_life_s=60)
    for second in range(RETURNS_MIN):
        seen.hear(second * NS_PER_SECOND, 20_000 + second)
        assert seen.estimates().volatility is None
    seen.hear(RETURNS_MIN * NS_PER_SECOND, None)  # no mid is no news
    assert seen.estimates().volatility is None
    seen.hear(RETURNS_MIN * NS_PER_SECOND, 20_000)
    assert seen.estimates().volatility is not None
    still = Estimation(half_life_s=60)
    for second in range(2 * RETURNS_MIN):
        still.hear(second * NS_PER_SECOND, 20_000)
    assert still.estimates().volatility is None


def test_volatility_of_a_random_walk_is_found() -> None:
    """0.0001 per square-root second, ten steps a second; 4,000 s with weights of 1,000 s are 2,000 returns or so."""
    dice, seen, mid = Random(7), Estimation(half_life_s=1_000), 2e9
    for step in range(40_000):
        seen.hear(step * NS_PER_SECOND // 10, round(mid))
        mid *= 1 + dice.gauss(0, 0.0001 / sqrt(10))
    assert seen.estimates().volatility == pytest.approx(0.0001, rel=0.06)

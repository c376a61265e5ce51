"""The mean of what overlaps: by hand, against the textbook where nothing does, and by how often it covers the truth."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean

import numpy as np
import pytest

from benchmarks.error_bars import held
from reports.block_means import BlockMean, block_mean
from reports.statistics import mean_interval, student_quantile


def found(times_s: Sequence[float], values: Sequence[float], weights: Sequence[float], block_s: float) -> BlockMean:
    """Return a mean that there is."""
    mean = block_mean(times_s, values, weights, block_s)
    assert mean is not None
    return mean


def test_of_values_far_apart_the_interval_is_students() -> None:
    """Then no two share a block: each is one by itself, and the variance is that of the textbook."""
    values = [3.0, -1.0, 4.0, 1.0, -5.0, 9.0]
    mean = found([0, 20, 40, 60, 80, 100], values, [7.0] * 6, 10)
    assert mean.interval == pytest.approx(mean_interval(values))
    assert (mean.mean, mean.n, mean.blocks) == pytest.approx((fmean(values), 6, 6))


def test_of_values_that_share_half_a_block_half_of_their_product_counts() -> None:
    """Guards the sum over pairs. By hand: residues -3, -1, 1, 3, each 1 s after the one before, blocks of 2 s.

    Squares 20; neighbours share the half: 2 x 1/2 x (3 - 1 + 3) = 5; together 25, of 4 values 25 / 16. The weights
    alone: 4 + 3 = 7, so 16 / 7 blocks, which are too few; on three days they are three times as many.
    """
    short = found([0, 1, 2, 3], [1, 3, 5, 7], [1] * 4, 2)
    assert (short.mean, short.interval) == (4, None)
    assert short.blocks == pytest.approx(16 / 7)
    times = [day * 86_400 + second for day in range(3) for second in range(4)]
    long = found(times, [1, 3, 5, 7] * 3, [1] * 12, 2)
    blocks = 3 * 16 / 7
    reach = student_quantile(0.975, blocks - 1) * sqrt(75 / 144 * blocks / (blocks - 1))
    assert long.blocks == pytest.approx(blocks)
    assert long.interval == pytest.approx((4 - reach, 4 + reach))


def test_weights_count_as_so_many_values_at_one_time() -> None:
    """A value of weight 3 is three values that nobody can tell apart; the order of what is given does not matter."""
    times, values = [0.0, 3, 9, 14, 22, 30], [2.0, 5, -1, 0, 4, 3]
    weighed = found(times, values, [3, 1, 2, 1, 1, 1], 5)
    spread = found([30, 0, 0, 0, 3, 9, 9, 14, 22], [3, 2, 2, 2, 5, -1, -1, 0, 4], [1] * 9, 5)
    assert (weighed.mean, weighed.blocks) == pytest.approx((spread.mean, spread.blocks))
    assert weighed.interval == pytest.approx(spread.interval)


def test_it_is_what_drawing_blocks_comes_to() -> None:
    """Guards that it is the moving-block bootstrap: blocks of ten values, drawn at every place 4,000 times."""
    dice = np.random.default_rng(5)
    values = np.convolve(dice.normal(size=199), np.ones(10), "valid")
    mean = found(np.arange(190.0).tolist(), values.tolist(), [1.0] * 190, 10)
    starts = dice.integers(0, 190, (4_000, 19))
    drawn = values[(starts[:, :, None] + np.arange(10)) % 190].mean(axis=(1, 2))
    assert mean.interval is not None
    assert mean.block_s == 10
    reach = student_quantile(0.975, mean.blocks - 1) * float(drawn.std()) * sqrt(mean.blocks / (mean.blocks - 1))
    assert mean.interval.high - mean.mean == pytest.approx(reach, rel=0.05)


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.8])
def test_of_values_that_remember_the_interval_covers_the_truth(memory: float) -> None:
    """500 series of 400 values, each so much of the one before: known answers. By the plain interval 69 % at 0.8."""
    dice = np.random.default_rng(1)
    covered = 0
    for _ in range(500):
        noise, value, values = dice.normal(size=450), 0.0, []
        for each in noise:
            value = memory * value + float(each)
            values.append(value)
        interval = found([*map(float, range(400))], values[50:], [1.0] * 400, 20).interval
        assert interval is not None
        covered += interval.low <= 0 <= interval.high
    assert 0.90 <= covered / 500 <= 0.99


def test_nothing_is_said_of_no_values_and_no_interval_of_one_moment() -> None:
    """Fills of one sweep are one event, however many."""
    assert block_mean([], [], [], 10) is None
    assert found([5.0] * 9, [1.0, 2, 3, 4, 5, 6, 7, 8, 9], [1] * 9, 10) == BlockMean(5, None, 9, 1, 10)


def test_of_many_blocks_each_is_longer_and_some_twenty_are_left() -> None:
    """A value a second for 6,000 s: 200 blocks of 30 s are 20 of 300 s, within what the two ends make of it."""
    values = np.random.default_rng(2).normal(size=6_000).tolist()
    mean = found([*map(float, range(6_000))], values, [2.0] * 6_000, 30)
    assert mean.block_s == pytest.approx(300, rel=0.01)
    assert mean.blocks == pytest.approx(20, rel=0.03)


def test_fills_too_far_apart_to_depend_on_each_other_stay_as_many_as_they_are() -> None:
    """Guards that longer blocks take nothing from a day of few fills: of 90, 600 s apart, a block is 135 s."""
    times, values = [600.0 * number for number in range(90)], [float(number % 7) for number in range(90)]
    mean = found(times, values, [1.0] * 90, 30)
    assert (mean.blocks, mean.block_s) == pytest.approx((90, 135))
    assert mean.interval == pytest.approx(mean_interval(values))


def test_of_a_market_that_changes_slowly_the_interval_covers_the_truth() -> None:
    """Guards long blocks where there is room for them: of blocks of 30 s it would be 80 %."""
    row = held("slow, a minute", 7_200, 100)
    assert row["told_of"] == 100
    assert row["covered"] >= 0.87


@pytest.mark.parametrize(
    "model", ["10 s, 6 a minute", "60 s, both sides", "1 s, in sweeps", "10 s, some informed", "60 s, exciting"]
)
def test_of_markouts_whose_truth_is_known_the_interval_covers_it(model: str) -> None:
    """Fills alone, in sweeps, and one after the other; half an hour each, with notionals that differ."""
    row = held(model, 1_800, 150)
    assert row["told_of"] >= 145
    assert 0.88 <= row["covered"] <= 0.99

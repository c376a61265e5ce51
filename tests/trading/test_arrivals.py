"""How takers' reach falls with the distance, from trades."""

from math import log
from random import Random

import pytest

from market.clock import NS_PER_SECOND
from market.codes import Side
from trading.arrivals import ARRIVALS_MIN, ArrivalCount, Line, believed, fit
from trading.estimation import UNSEEN_S_MAX, Estimation
from trading.news import MarketTrade
from trading.quoting import Arrivals, Estimates

MID = 1_000_000_000  # ticks


def test_line_of_least_squares_is_as_worked_by_hand() -> None:
    """Means 2 and 2; xy = (-1)(1) + (1)(0) = -1, xx = 2, yy = 2: slope -1/2, 2 + 1/2 x 2 = 3 at 0, r2 = 1 / (2 x 2).

    If the last weighs 2, the means are 9/4 and 2; xy = (-5/4)(1) + (-1/4)(-1) = -1, xx = (25 + 1 + 9 + 9) / 16 = 11/4.
    """
    assert fit([(1, 3, 1), (2, 1, 1), (3, 2, 1)]) == Line(3.0, -0.5, 0.25)
    assert fit([(1, 3, 1), (2, 1, 1), (3, 2, 2)]) == fit([(1, 3, 1), (2, 1, 1), (3, 2, 1), (3, 2, 1)])
    weighed = fit([(1, 3, 1), (2, 1, 1), (3, 2, 2)])
    assert weighed is not None
    assert weighed.slope == pytest.approx(-4 / 11)
    exact = fit([(x, log(2) - 500 * x, x) for x in (0.001, 0.002, 0.004)])
    assert exact == pytest.approx(Line(log(2), -500, 1))
    assert fit([(1, 1, 1), (1, 2, 1)]) is None
    assert fit([(1, 1, 1), (2, 1, 1)]) is None


def watched(seed: int, buyers: tuple[float, float], sellers: tuple[float, float], seconds: int) -> Estimates:
    """Return what is known of a still market with takers of these A and k, each of them in two trades."""
    dice, seen, number = Random(seed), Estimation(half_life_s=86_400), 0
    seen.hear(0, 2 * MID)
    for step in range(1, 10 * seconds + 1):
        now_ns, trades = step * NS_PER_SECOND // 10, []
        for side, (rate, decay) in ((Side.BUY, buyers), (Side.SELL, sellers)):
            if dice.random() < rate / 10:
                reach = dice.expovariate(decay)
                for part in (reach / 2, reach):
                    number += 1
                    price = round(MID * (1 + part)) if side == Side.BUY else round(MID * (1 - part))
                    trades.append(MarketTrade(number, price, 1, side, now_ns))
        seen.hear(now_ns, 2 * MID, trades)
    return seen.estimates()


def test_rate_and_decay_of_each_side_are_found() -> None:
    """Bids are met by sellers. 6,000 and 4,000 takers: the decay is theirs within 5 %, the rate within 10 %."""
    seen = watched(7, buyers=(2.0, 500.0), sellers=(3.0, 2_000.0), seconds=2_000)
    assert seen.bid is not None
    assert seen.ask is not None
    assert seen.bid.rate == pytest.approx(3, rel=0.1)
    assert seen.bid.decay == pytest.approx(2_000, rel=0.05)
    assert seen.ask.rate == pytest.approx(2, rel=0.1)
    assert seen.ask.decay == pytest.approx(500, rel=0.05)
    assert min(seen.bid.r2, seen.ask.r2) > 0.98
    assert seen.ask.takers == pytest.approx(4_000, rel=0.05)


def test_arrivals_are_unknown_while_there_are_few_or_all_reach_as_far() -> None:
    """Then the expected ones stand for them."""
    few, same, inside = (ArrivalCount(keep=0.999999) for _ in range(3))
    for index in range(int(ARRIVALS_MIN)):
        assert few.estimate() is None
        few.hear(0.0001 * (1 + index % 10))
        same.hear(0.0001)
        inside.hear(-0.0001)
    for count in (few, same, inside):
        count.hear(0.0001)
        count.pass_seconds(10)
    assert few.estimate() is not None
    assert same.estimate() is None
    assert inside.estimate() is None


def test_time_without_a_book_is_not_watched() -> None:
    """An hour of silence says nothing of takers, and its jump nothing of the volatility."""
    seen = Estimation(half_life_s=3_600)
    still = [(second, 20_000 + second % 2) for second in range(61)]
    for second, mid_ticks_x2 in still:
        seen.hear(second * NS_PER_SECOND, mid_ticks_x2)
    before = seen.estimates()
    assert before.volatility is not None
    seen.hear((61 + UNSEEN_S_MAX) * NS_PER_SECOND, 40_000)
    assert seen.estimates() == before


def test_seconds_that_pass_at_once_are_as_many_as_one_by_one() -> None:
    """How often a trader looks does not change what it knows."""
    at_once, singly = ArrivalCount(keep=0.5), ArrivalCount(keep=0.5)
    for count in (at_once, singly):
        for index in range(int(64 * ARRIVALS_MIN)):
            count.hear(0.0001 * (1 + index % 10))
    at_once.pass_seconds(5)
    for _ in range(5):
        singly.pass_seconds(1)
    known, same = at_once.estimate(), singly.estimate()
    assert known is not None
    assert known == pytest.approx(same)


def test_arrivals_seen_are_believed_the_more_the_more_they_are() -> None:
    """Half at twice the least count on a perfect line: geometric means. A line half as good as it may be: a quarter."""
    expected = Arrivals(0.1, 500.0, 0, 0)
    assert believed(None, expected) == expected
    half = believed(Arrivals(2.5, 20_000.0, 200, 1.0), expected)
    assert half == pytest.approx((0.5, 3_162.2777, 200, 1.0))  # sqrt(0.1 x 2.5), sqrt(500 x 20,000)
    quarter = believed(Arrivals(2.5, 20_000.0, 200, 0.75), expected)
    assert quarter.decay == pytest.approx(500 * 40**0.25)

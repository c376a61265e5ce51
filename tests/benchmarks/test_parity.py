"""What `benchmarks.parity` makes of two runs: the same is found to be so, and every difference gets its reason."""

from dataclasses import replace

import pytest

from benchmarks.parity import UNEXPLAINED, compare
from benchmarks.parity_records import Decision, Order, Run
from market.clock import NS_PER_SECOND
from market.codes import Side
from trading.quoting import Quote


def _run(*price_ticks: int, best: int = 100, fills: int = 1) -> Run:
    """Return a run that decides once a second and buys; each order is filled so often, a lot each time."""
    decisions, orders = [], []
    for number, price in enumerate(price_ticks):
        now_ns = number * NS_PER_SECOND
        decisions.append(Decision(now_ns, best, best + 1, (), (Quote(Side.BUY, price, 5),)))
        orders.append(Order(now_ns + 1_000, Side.BUY, price, 5, [(price, 1)] * fills))
    market_ns = range(0, 10 * NS_PER_SECOND, NS_PER_SECOND // 2)
    return Run(0, len(price_ticks) * NS_PER_SECOND, decisions, orders, 0, market_ns)


def test_two_runs_that_are_the_same_agree() -> None:
    """Guards the figures that are printed when all is well."""
    parity = compare(_run(90, 91, 92), _run(90, 91, 92))
    assert (parity.order_share, parity.fill_share, parity.reasons) == (1.0, 1.0, {})
    assert parity.is_good


def test_runs_without_a_fill_agree_on_nothing() -> None:
    """Guards the exit code: a live trader that never got to the market has no difference either."""
    assert not compare(_run(), _run()).is_good


def test_another_price_for_the_same_book_is_unexplained() -> None:
    """The strategy is the same: from the same book it wants the same, or the backtest is wrong."""
    parity = compare(_run(90, 91, 92), _run(90, 95, 92))
    assert parity.order_share == 2 / 3
    assert parity.reasons == {UNEXPLAINED: 2}
    assert not parity.is_good


def test_another_price_for_another_book_is_explained() -> None:
    """The best prices moved while they travelled."""
    one, other = _run(90, 91), _run(90, 95)
    other.decisions[1] = other.decisions[1]._replace(bid_ticks=105)
    assert compare(one, other).reasons == {"the best prices moved while they travelled to the trader": 2}


def test_a_decision_that_the_other_did_not_make_is_explained() -> None:
    """Nothing is compared with a decision of another time."""
    one, other = _run(90, 91), _run(90)
    assert compare(one, other).reasons == {"the other trader did not decide then": 1}


def test_other_fills_of_the_same_order_count_and_are_told() -> None:
    """An order that was in its queue at the same time is filled by the same, or the backtest is wrong."""
    one, other = _run(90, 91), _run(90, 91, fills=2)
    parity = compare(one, other)
    assert (parity.order_share, parity.fill_share) == (1.0, 0.5)
    assert parity.reasons == {UNEXPLAINED: 2}


@pytest.mark.parametrize("late_ns", [1, NS_PER_SECOND // 3])
def test_a_moment_later_in_the_same_place_explains_no_other_fills(late_ns: int) -> None:
    """Between the same two orders of the market an order is as far ahead in its queue, whenever it came."""
    one = _run(90, 91)
    other = _run(90, 91, fills=2)
    later = replace(other, orders=[replace(each, entered_ns=each.entered_ns + late_ns) for each in other.orders])
    assert compare(one, later).reasons == {UNEXPLAINED: 2}


def test_an_order_of_the_market_in_front_explains_other_fills() -> None:
    """It was elsewhere in its queue."""
    other = _run(90, 91, fills=2)
    later = replace(
        other, orders=[replace(each, entered_ns=each.entered_ns + NS_PER_SECOND // 2) for each in other.orders]
    )
    assert compare(_run(90, 91), later).reasons == {"entered earlier or later among the market's orders": 2}


def test_fewer_of_the_same_orders_are_no_good_however_well_explained() -> None:
    """The same orders are promised, not only the same fills: here two in fifty are missing, which nobody had filled."""
    one = _run(*range(90, 140))
    for order in one.orders[-2:]:
        order.fills.clear()
    parity = compare(one, replace(one, orders=one.orders[:-2]))
    assert (parity.apart, parity.fill_share, UNEXPLAINED in parity.reasons) == (2, 1.0, False)
    assert not parity.is_good


def test_one_order_may_differ_in_a_short_run() -> None:
    """Of fifty it is more than a hundredth, and a run of real processes has such an order now and then."""
    one = _run(*range(90, 140))
    parity = compare(one, replace(one, orders=one.orders[:-1]))
    assert (parity.apart, UNEXPLAINED in parity.reasons) == (1, False)
    assert parity.is_good

"""A symbol's price range: no taker trades outside it."""

import pytest

from market.codes import CancelReason, OrderType, RejectReason, SelfTradePrevention, TimeInForce, Trigger
from market.commands import HaltSymbol, NewOrder, SetPriceRange
from market.events import Canceled, Event, Executed, Rejected
from market.limits import PRICE_TICKS_MAX
from tests.engine.conftest import MakeDriver
from tests.engine.driver import BUY, SELL, Driver

FOK, IOC = int(TimeInForce.FOK), int(TimeInForce.IOC)
MARKET = int(OrderType.MARKET)


@pytest.fixture
def laddered(driver: Driver) -> Driver:
    """Return an engine with bids from 99 and offers from 101, a lot at each price, and a range from 98 to 103."""
    for distance in (1, 2, 3, 4):
        driver.rest(BUY, 100 - distance, 1)
        driver.rest(SELL, 100 + distance, 1)
    assert driver.send(SetPriceRange(0, 98, 103)) == []
    return driver


def _end(told: list[Event]) -> tuple[list[int], tuple[int, int] | None]:
    """Return the prices that were traded, and lots and reason of what was cancelled."""
    prices = [event.price_ticks for event in told if isinstance(event, Executed)]
    canceled = [(event.qty_lots, event.reason) for event in told if isinstance(event, Canceled)]
    return prices, canceled[0] if canceled else None


@pytest.mark.parametrize(("side", "limit", "expected"), [(BUY, 104, [101, 102, 103]), (SELL, 96, [99, 98])])
@pytest.mark.parametrize("kind", [{}, {"time_in_force": IOC}, {"order_type": MARKET}], ids=str)
def test_a_taker_trades_up_to_the_end_of_the_range_and_the_rest_expires(
    laddered: Driver, side: int, limit: int, expected: list[int], kind: dict[str, int]
) -> None:
    """Both ends are included; nothing of it rests, whatever it is."""
    price = 0 if "order_type" in kind else limit
    told = laddered.send(laddered.order(side, price, 9, **kind))
    assert _end(told) == (expected, (9 - len(expected), CancelReason.PRICE_RANGE))


def test_what_meets_nobody_beyond_the_range_rests(laddered: Driver) -> None:
    """The rule is about trades, not about limits."""
    assert _end(laddered.send(laddered.order(BUY, 103, 9))) == ([101, 102, 103], None)
    assert _end(laddered.send(laddered.order(SELL, 200, 9))) == ([], None)
    laddered.send(SetPriceRange(0, 150, 160))
    assert _end(laddered.send(laddered.order(BUY, 90, 9))) == ([], None)


@pytest.mark.parametrize(("side", "low", "high"), [(BUY, 110, 120), (SELL, 80, 90)])
def test_a_price_that_is_too_good_does_not_trade_either(laddered: Driver, side: int, low: int, high: int) -> None:
    """The first order that it meets is outside the range already."""
    laddered.send(SetPriceRange(0, low, high))
    told = laddered.send(laddered.order(side, 120 if side == BUY else 80, 2))
    assert _end(told) == ([], (2, CancelReason.PRICE_RANGE))


def test_fill_or_kill_counts_only_what_is_within_the_range(laddered: Driver) -> None:
    """All or nothing, and never half."""
    told = laddered.send(laddered.order(BUY, 104, 4, time_in_force=FOK))
    assert _end(told) == ([], (4, CancelReason.FILL_OR_KILL))
    assert _end(laddered.send(laddered.order(BUY, 104, 3, time_in_force=FOK))) == ([101, 102, 103], None)


def test_a_stop_that_wakes_is_bound_by_the_range_of_that_time(laddered: Driver) -> None:
    """Not by that of its entry."""
    stop = {"order_type": MARKET, "trigger": int(Trigger.STOP), "trigger_price_ticks": 101}
    laddered.rest(BUY, 0, 5, **stop)
    laddered.send(SetPriceRange(0, 0, 102))
    told = laddered.send(laddered.order(BUY, 101, 1))
    assert _end(told) == ([101, 102], (4, CancelReason.PRICE_RANGE))


def test_own_orders_beyond_the_range_are_left_alone(laddered: Driver) -> None:
    """Nothing would have traded there, so there is nothing to prevent."""
    laddered.send(SetPriceRange(0, 0, 0))
    laddered.rest(SELL, 101, 5, owner=7)
    laddered.send(SetPriceRange(0, 0, 100))
    order = laddered.order(BUY, 101, 1, owner=7, self_trade_prevention=int(SelfTradePrevention.EXPIRE_MAKER))
    assert _end(laddered.send(order)) == ([], (1, CancelReason.PRICE_RANGE))


def test_a_bound_of_zero_is_none(laddered: Driver) -> None:
    """A symbol may be bound on one end alone, and set free again."""
    laddered.send(SetPriceRange(0, 0, 0))
    assert _end(laddered.send(laddered.order(BUY, 104, 9))) == ([101, 102, 103, 104], None)
    laddered.send(SetPriceRange(0, 98, 0))
    assert _end(laddered.send(laddered.order(SELL, 96, 20, order_type=0)))[0] == [104, 99, 98]


def test_it_is_part_of_the_state(make_driver: MakeDriver) -> None:
    """Two engines agree only if their ranges do, and an engine that never had one is as it always was."""
    one, two = make_driver(), make_driver()
    free = one.engine.state_hash()
    one.send(SetPriceRange(0, 5, 0))
    assert one.engine.state_hash() != two.engine.state_hash() == free
    one.send(SetPriceRange(0, 0, 0))
    assert one.engine.state_hash() == free


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (SetPriceRange(1, 1, 2), RejectReason.UNKNOWN_SYMBOL),
        (SetPriceRange(-1, 1, 2), RejectReason.UNKNOWN_SYMBOL),
        (SetPriceRange(0, -1, 2), RejectReason.BAD_PRICE),
        (SetPriceRange(0, 1, PRICE_TICKS_MAX + 1), RejectReason.BAD_PRICE),
        (SetPriceRange(0, 1, 2, -1), RejectReason.MALFORMED),
    ],
    ids=str,
)
def test_what_is_no_range_is_refused(driver: Driver, command: SetPriceRange, reason: RejectReason) -> None:
    """Nothing has changed then."""
    before = driver.engine.state_hash()
    (told,) = driver.send(command)
    assert isinstance(told, Rejected)
    assert (told.reason, told.command) == (reason, 6)
    assert driver.send(HaltSymbol(0, 0), NewOrder(1, 0, BUY, 5, 5))
    assert before != driver.engine.state_hash()

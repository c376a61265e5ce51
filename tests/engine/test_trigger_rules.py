"""Stop and take-profit orders: when they wake, in which order, and what they do then."""

from market.codes import CancelReason, OrderType, SelfTradePrevention, TimeInForce, Trigger
from market.commands import AmendOrder, CancelOrder
from market.events import Accepted, Amended, Canceled, Event, Executed, Rested, Triggered
from tests.engine.driver import BUY, SELL, Driver

STOP, TAKE_PROFIT = int(Trigger.STOP), int(Trigger.TAKE_PROFIT)
MARKET, POST_ONLY = int(OrderType.MARKET), int(OrderType.POST_ONLY)


def _trade_at(driver: Driver, price_ticks: int) -> list[Event]:
    driver.rest(SELL, price_ticks, 1)
    return driver.send(driver.order(BUY, price_ticks, 1))


def _woken(told: list[Event]) -> list[int]:
    return [event.order_id for event in told if isinstance(event, Triggered)]


def test_a_waiting_order_is_not_in_the_book(driver: Driver) -> None:
    """It is accepted with nothing resting, and counts as live."""
    told = driver.send(driver.order(BUY, 101, 5, trigger=STOP, trigger_price_ticks=105))
    assert told == [Accepted(1, 0, 0, 1, 0, BUY, 101, 5, 0, 0, 0)]
    assert driver.queue(BUY) == []
    assert driver.engine.live_order_count == 1


def test_each_kind_wakes_on_its_side_of_the_trigger_price(driver: Driver) -> None:
    """A buy stop and a sell take-profit wake at or above, the others at or below."""
    kinds = {
        driver.rest(side, price, 1, trigger=trigger, trigger_price_ticks=at): at
        for side, price, trigger, at in (
            (BUY, 1, STOP, 110),
            (SELL, 999, TAKE_PROFIT, 111),
            (SELL, 999, STOP, 90),
            (BUY, 1, TAKE_PROFIT, 89),
        )
    }
    for price in (109, 110, 111, 91, 90, 89):
        told = _trade_at(driver, price)
        assert [kinds[order_id] for order_id in _woken(told)] == ([price] if price in kinds.values() else [])


def test_a_woken_order_rests_as_it_would_have(driver: Driver) -> None:
    """Triggered, then what a new order would tell."""
    stop = driver.rest(BUY, 50, 5, trigger=STOP, trigger_price_ticks=100, owner=7, display_lots=2)
    told = _trade_at(driver, 100)
    assert told[-2:] == [Triggered(5, 0, 0, stop, 7), Rested(6, 0, 0, stop, 7, BUY, 50, 2, 5)]
    assert driver.queue(BUY) == [(stop, 50, 2, 5)]


def test_waking_goes_by_trigger_price_then_time(driver: Driver) -> None:
    """Those that wait for a rise go first, the nearest to the old price first."""
    far = driver.rest(BUY, 1, 1, trigger=STOP, trigger_price_ticks=105)
    near_first = driver.rest(BUY, 1, 1, trigger=STOP, trigger_price_ticks=103)
    near_second = driver.rest(SELL, 999, 1, trigger=TAKE_PROFIT, trigger_price_ticks=103)
    assert _woken(_trade_at(driver, 105)) == [near_first, near_second, far]
    low = driver.rest(SELL, 999, 1, trigger=STOP, trigger_price_ticks=80)
    high = driver.rest(BUY, 1, 1, trigger=TAKE_PROFIT, trigger_price_ticks=85)
    assert _woken(_trade_at(driver, 70)) == [high, low]


def test_every_price_of_a_sweep_wakes(driver: Driver) -> None:
    """A price that a sweep only passed through counts."""
    _trade_at(driver, 103)
    fall = driver.rest(SELL, 999, 1, trigger=STOP, trigger_price_ticks=101)
    rise = driver.rest(SELL, 998, 1, trigger=TAKE_PROFIT, trigger_price_ticks=104)
    driver.rest(SELL, 100, 1)
    driver.rest(SELL, 105, 1)
    assert _woken(driver.send(driver.order(BUY, 105, 2))) == [rise, fall]


def test_a_stop_triggers_a_stop(driver: Driver) -> None:
    """The woken order's trades wake the next, after it has acted."""
    driver.rest(SELL, 110, 1)
    driver.rest(SELL, 120, 1)
    first = driver.rest(BUY, 0, 1, order_type=MARKET, trigger=STOP, trigger_price_ticks=100)
    second = driver.rest(BUY, 0, 2, order_type=MARKET, trigger=STOP, trigger_price_ticks=110)
    third = driver.rest(SELL, 130, 1, trigger=TAKE_PROFIT, trigger_price_ticks=120)
    told = _trade_at(driver, 100)
    assert [type(event).__name__ for event in told[2:]] == [
        "Triggered",
        "Executed",
        "Triggered",
        "Executed",
        "Canceled",
        "Triggered",
        "Rested",
    ]
    assert _woken(told) == [first, second, third]
    assert told[6] == Canceled(13, 0, 0, second, 0, BUY, 0, 1, 0, CancelReason.NO_LIQUIDITY)


def test_an_order_whose_condition_already_holds_wakes_at_once(driver: Driver) -> None:
    """The last trade price decides; before the first trade nothing does."""
    waiting = driver.rest(BUY, 50, 1, trigger=TAKE_PROFIT, trigger_price_ticks=100)
    assert driver.queue(BUY) == []
    assert _woken(_trade_at(driver, 99)) == [waiting]
    told = driver.send(driver.order(BUY, 49, 1, trigger=STOP, trigger_price_ticks=99))
    assert [type(event).__name__ for event in told] == ["Accepted", "Triggered", "Rested"]


def test_a_woken_post_only_order_that_would_trade_is_cancelled(driver: Driver) -> None:
    """It was accepted, so it can no longer be refused."""
    driver.rest(SELL, 60, 1)
    stop = driver.rest(BUY, 61, 3, order_type=POST_ONLY, trigger=TAKE_PROFIT, trigger_price_ticks=60)
    told = driver.send(driver.order(BUY, 60, 1, time_in_force=int(TimeInForce.IOC)))
    assert told[-1] == Rested(6, 0, 0, stop, 0, BUY, 61, 3, 3)
    driver.rest(SELL, 62, 1)
    driver.rest(SELL, 63, 1)
    stop = driver.rest(BUY, 63, 3, order_type=POST_ONLY, trigger=STOP, trigger_price_ticks=62)
    told = driver.send(driver.order(BUY, 62, 1))
    assert told[-1] == Canceled(13, 0, 0, stop, 0, BUY, 63, 3, 0, CancelReason.POST_ONLY_WOULD_CROSS)


def test_a_waiting_order_can_be_amended_and_cancelled(driver: Driver) -> None:
    """An amend keeps its place among those that wait."""
    first = driver.rest(BUY, 50, 5, trigger=STOP, trigger_price_ticks=100)
    second = driver.rest(BUY, 51, 5, trigger=STOP, trigger_price_ticks=100)
    third = driver.rest(BUY, 52, 5, trigger=STOP, trigger_price_ticks=100)
    assert driver.send(AmendOrder(first, 0, 49, 9)) == [Amended(4, 0, 0, first, 0, BUY, 49, 9, 0)]
    told = driver.send(CancelOrder(second, 0))
    assert told == [Canceled(5, 0, 0, second, 0, BUY, 51, 5, 0, CancelReason.REQUESTED)]
    assert _woken(_trade_at(driver, 100)) == [first, third]
    assert driver.queue(BUY) == [(third, 52, 5, 5), (first, 49, 9, 9)]


def test_a_woken_order_keeps_its_way_to_prevent_self_trades(driver: Driver) -> None:
    """The mode given at entry decides when it takes."""
    own = driver.rest(SELL, 100, 1, owner=3)
    other = driver.rest(SELL, 100, 1)
    stop = driver.rest(
        BUY,
        100,
        1,
        owner=3,
        trigger=STOP,
        trigger_price_ticks=99,
        self_trade_prevention=int(SelfTradePrevention.EXPIRE_MAKER),
    )
    told = _trade_at(driver, 99)[2:]
    assert isinstance(told[0], Triggered)
    assert isinstance(told[1], Canceled)
    assert told[1].order_id == own
    assert isinstance(told[2], Executed)
    assert (told[2].taker_order_id, told[2].maker_order_id) == (stop, other)

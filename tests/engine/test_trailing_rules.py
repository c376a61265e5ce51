"""Orders that trail the price: when they begin to track it, when they wake, and what is told of it."""

import pytest

from market.codes import OrderType, RejectReason, Trigger
from market.commands import AmendOrder, CancelOrder, MassCancel
from market.events import Amended, Canceled, Event, Executed, Rejected, Rested, Trailed, Triggered
from tests.engine.driver import BUY, SELL, Driver

STOP, TAKE_PROFIT, TRAIL = int(Trigger.STOP), int(Trigger.TAKE_PROFIT), int(Trigger.TRAIL)
MARKET = int(OrderType.MARKET)


def _trade_at(driver: Driver, *prices: int) -> list[Event]:
    """Let the price go that way, one trade after the other; return what else was told."""
    told = []
    for price in prices:
        driver.rest(SELL, price, 1)
        told += driver.send(driver.order(BUY, price, 1))
    return [event for event in told if isinstance(event, Trailed | Triggered)]


def _trail(driver: Driver, side: int, trigger: int, at: int, bps: int) -> int:
    """Enter an order far from the market that trails the price; return its id."""
    price = 1 if side == BUY else 90_000_000
    return driver.rest(side, price, 1, trigger=trigger, trigger_price_ticks=at, trailing_bps=bps)


def _story(told: list[Event]) -> list[int | str]:
    return [event.price_ticks if isinstance(event, Trailed) else "wakes" for event in told]


@pytest.mark.parametrize(
    ("side", "trigger", "at", "bps", "path", "expected"),
    [
        (BUY, STOP, 440_000, 500, (370_000, 439_999, 440_000, 460_000, 420_000, 440_999), [440_000, 420_000]),
        (SELL, STOP, 390_000, 1_000, (415_000, 390_000, 370_000, 410_000, 369_001), [390_000, 410_000]),
        (BUY, TAKE_PROFIT, 380_000, 850, (420_000, 380_000, 370_000, 390_000, 380_000, 401_449), [380_000, 370_000]),
        (SELL, TAKE_PROFIT, 420_000, 750, (390_000, 420_000, 450_000, 465_000, 430_126), [420_000, 450_000, 465_000]),
        (SELL, TRAIL, 0, 700, (420_000, 395_000, 455_000, 423_151), [400_000, 420_000, 455_000]),
    ],
    ids=["stop buy", "stop sell", "take-profit buy", "take-profit sell", "without a stop price"],
)
def test_trails_as_in_the_five_published_scenarios(
    driver: Driver, side: int, trigger: int, at: int, bps: int, path: tuple[int, ...], expected: list[int]
) -> None:
    """Scenarios A to E of Binance's FAQ, in tenths of its prices; a tick less than each last price does not wake."""
    _trade_at(driver, 400_000)
    entered = driver.send(
        driver.order(
            side, 1 if side == BUY else 90_000_000, 1, trigger=trigger, trigger_price_ticks=at, trailing_bps=bps
        )
    )
    told = entered[1:] + _trade_at(driver, *path)
    assert _story(told) == expected
    last = path[-1] + (1 if side == BUY else -1)
    assert _story(_trade_at(driver, last)) == ["wakes"]


def test_begins_with_the_first_trade_where_there_was_none(driver: Driver) -> None:
    """Before a symbol's first trade there is no price to track."""
    order = _trail(driver, SELL, TRAIL, 0, 100)
    assert _trade_at(driver, 10_000) == [Trailed(5, 0, 0, order, 0, 10_000)]
    assert _story(_trade_at(driver, 9_901, 9_900)) == ["wakes"]


def test_goes_on_from_the_best_price_that_it_is_entered_with(driver: Driver) -> None:
    """So that an order that was lost comes back with its trail; its price may have turned meanwhile."""
    _trail(driver, SELL, TRAIL, 10_000, 100)
    assert _story(_trade_at(driver, 9_950, 9_901, 9_900)) == ["wakes"]
    told = driver.send(driver.order(SELL, 90_000_000, 1, trigger=TRAIL, trigger_price_ticks=10_000, trailing_bps=100))
    assert [type(event) for event in told[1:]] == [Triggered, Rested]


def test_every_trade_of_a_sweep_is_tracked(driver: Driver) -> None:
    """A sweep up reaches the stop price, and its later trades are the price's turn: from 100 to 102 is 2 %."""
    _trade_at(driver, 90)
    order = _trail(driver, BUY, STOP, 100, 200)
    for price in (95, 100, 102):
        driver.rest(SELL, price, 1)
    told = driver.send(driver.order(BUY, 102, 3))
    assert [event for event in told if not isinstance(event, Executed)][1:3] == [
        Trailed(12, 0, 0, order, 0, 100),
        Triggered(13, 0, 0, order, 0),
    ]


def test_they_wake_after_all_others_in_the_order_of_their_entry(driver: Driver) -> None:
    """One trade wakes two that trail and one that waits for a price."""
    _trade_at(driver, 1_000)
    far, near = _trail(driver, SELL, TRAIL, 0, 200), _trail(driver, SELL, TRAIL, 0, 100)
    stop = driver.rest(SELL, 90_000_000, 1, trigger=STOP, trigger_price_ticks=950)
    told = _trade_at(driver, 950)
    assert [event.order_id for event in told if isinstance(event, Triggered)] == [stop, far, near]


def test_a_woken_orders_trades_are_tracked_too(driver: Driver) -> None:
    """A stop that wakes and sells down lets the next one wake in the same command."""
    _trade_at(driver, 1_000)
    first = driver.rest(SELL, 0, 1, order_type=MARKET, trigger=TRAIL, trailing_bps=100)
    second = driver.rest(SELL, 0, 1, order_type=MARKET, trigger=TRAIL, trailing_bps=500)
    driver.rest(BUY, 950, 1)
    driver.rest(BUY, 900, 1)
    told = _trade_at(driver, 990)
    assert [event.order_id for event in told if isinstance(event, Triggered)] == [first, second]


def test_a_trailing_order_is_amended_and_cancelled_as_any_other_that_waits(driver: Driver) -> None:
    """An amend leaves its trail alone; a mass cancel takes those that trail last."""
    _trade_at(driver, 1_000)
    first, second = (_trail(driver, SELL, TRAIL, 0, bps) for bps in (100, 200))
    resting = driver.rest(SELL, 2_000, 1)
    (amended,) = driver.send(AmendOrder(first, 0, 3_000, 7))
    assert amended == Amended(9, 0, 0, first, 0, SELL, 3_000, 7, 0)
    told = driver.send(CancelOrder(second, 0))
    assert [type(event) for event in told] == [Canceled]
    assert _story(_trade_at(driver, 1_010)) == [1_010]
    told = driver.send(MassCancel())
    assert [event.order_id for event in told if isinstance(event, Canceled)] == [resting, first]
    assert driver.engine.live_order_count == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"trigger": TRAIL},
        {"trailing_bps": 100},
        {"trigger": STOP, "trailing_bps": 100},
        {"trigger": TRAIL, "trailing_bps": 10_000},
        {"trigger": TRAIL, "trailing_bps": -1},
        {"trigger": TRAIL, "trailing_bps": 100, "trigger_price_ticks": -1},
    ],
    ids=str,
)
def test_a_trail_that_makes_no_sense_is_refused(driver: Driver, fields: dict[str, int]) -> None:
    """A distance needs a trigger and a trail a distance; a stop needs its price."""
    (told,) = driver.send(driver.order(SELL, 100, 1, **fields))
    assert isinstance(told, Rejected)
    assert told.reason == RejectReason.BAD_TRIGGER


def test_many_trails_are_told_through_a_small_ring(driver: Driver) -> None:
    """The command pauses among them and goes on."""
    _trade_at(driver, 1_000)
    for _ in range(100):
        _trail(driver, SELL, TRAIL, 0, 500)
    told = _trade_at(driver, 1_001, 900)
    assert _story(told) == [1_001] * 100 + ["wakes"] * 100

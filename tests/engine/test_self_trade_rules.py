"""Self-trade prevention: every mode in the middle of a sweep."""

import pytest

from market.codes import CancelReason, SelfTradePrevention, TimeInForce
from market.events import Canceled, Event, Executed
from tests.engine.driver import BUY, SELL, Driver

FOK = int(TimeInForce.FOK)
OWNER = 9


def _sweep_through_own(driver: Driver, mode: SelfTradePrevention, qty_lots: int) -> list[tuple[str, int, int, int]]:
    """Sweep over others 1 lot, own 2 lots, others 3 lots (ids 1 to 3, at 100, 101, 102); return what was told."""
    driver.rest(SELL, 100, 1)
    driver.rest(SELL, 101, 2, owner=OWNER)
    driver.rest(SELL, 102, 3)
    return _summary(driver.send(driver.order(BUY, 102, qty_lots, owner=OWNER, self_trade_prevention=int(mode))))


def _summary(told: list[Event]) -> list[tuple[str, int, int, int]]:
    rows = []
    for event in told[1:]:
        if isinstance(event, Executed):
            rows.append(("trade", event.maker_order_id, event.qty_lots, event.taker_leaves_lots))
        elif isinstance(event, Canceled):
            assert event.reason == CancelReason.SELF_TRADE_PREVENTION
            rows.append(("cancel", event.order_id, event.qty_lots, event.leaves_lots))
        else:
            rows.append((type(event).__name__, event.order_id, 0, 0))  # type: ignore[union-attr]
    return rows


def test_none_lets_own_orders_trade(driver: Driver) -> None:
    """The default prevents nothing."""
    told = _sweep_through_own(driver, SelfTradePrevention.NONE, 6)
    assert told == [("trade", 1, 1, 5), ("trade", 2, 2, 3), ("trade", 3, 3, 0)]


def test_expire_taker_ends_the_sweep(driver: Driver) -> None:
    """The own maker stays."""
    assert _sweep_through_own(driver, SelfTradePrevention.EXPIRE_TAKER, 6) == [("trade", 1, 1, 5), ("cancel", 4, 5, 0)]
    assert driver.queue(SELL) == [(2, 101, 2, 2), (3, 102, 3, 3)]


def test_expire_maker_goes_on_behind_the_own_order(driver: Driver) -> None:
    """The own maker leaves without a trade."""
    told = _sweep_through_own(driver, SelfTradePrevention.EXPIRE_MAKER, 6)
    assert told == [("trade", 1, 1, 5), ("cancel", 2, 2, 0), ("trade", 3, 3, 2), ("Rested", 4, 0, 0)]
    assert driver.queue(BUY) == [(4, 102, 2, 2)]


def test_expire_both_ends_both(driver: Driver) -> None:
    """The maker is told first."""
    told = _sweep_through_own(driver, SelfTradePrevention.EXPIRE_BOTH, 6)
    assert told == [("trade", 1, 1, 5), ("cancel", 2, 2, 0), ("cancel", 4, 5, 0)]
    assert driver.queue(SELL) == [(3, 102, 3, 3)]


def test_decrement_takes_the_smaller_off_both(driver: Driver) -> None:
    """A larger taker goes on."""
    told = _sweep_through_own(driver, SelfTradePrevention.DECREMENT, 6)
    assert told == [("trade", 1, 1, 5), ("cancel", 2, 2, 0), ("cancel", 4, 2, 3), ("trade", 3, 3, 0)]


def test_decrement_ends_a_smaller_taker(driver: Driver) -> None:
    """A larger maker keeps its place with what is left."""
    told = _sweep_through_own(driver, SelfTradePrevention.DECREMENT, 2)
    assert told == [("trade", 1, 1, 1), ("cancel", 2, 1, 1), ("cancel", 4, 1, 0)]
    assert driver.queue(SELL) == [(2, 101, 1, 1), (3, 102, 3, 3)]


def test_decrement_takes_from_what_an_iceberg_shows(driver: Driver) -> None:
    """It is a match without a trade: the iceberg refills at the back."""
    driver.rest(SELL, 100, 5, owner=OWNER, display_lots=2)
    told = driver.send(driver.order(BUY, 100, 3, owner=OWNER, self_trade_prevention=int(SelfTradePrevention.DECREMENT)))
    assert _summary(told) == [
        ("cancel", 1, 2, 3),
        ("Rested", 1, 0, 0),
        ("cancel", 2, 2, 1),
        ("cancel", 1, 1, 2),
        ("cancel", 2, 1, 0),
    ]
    assert driver.queue(SELL) == [(1, 100, 1, 2)]


@pytest.mark.parametrize("mode", SelfTradePrevention)
def test_without_an_owner_nothing_is_prevented(driver: Driver, mode: SelfTradePrevention) -> None:
    """Owner 0 is nobody in particular."""
    driver.rest(SELL, 100, 1)
    told = driver.send(driver.order(BUY, 100, 1, self_trade_prevention=int(mode)))
    assert isinstance(told[1], Executed)


@pytest.mark.parametrize(
    ("mode", "qty_lots", "is_filled"),
    [
        (SelfTradePrevention.NONE, 6, True),
        (SelfTradePrevention.EXPIRE_TAKER, 1, True),
        (SelfTradePrevention.EXPIRE_TAKER, 2, False),
        (SelfTradePrevention.EXPIRE_BOTH, 2, False),
        (SelfTradePrevention.DECREMENT, 2, False),
        (SelfTradePrevention.EXPIRE_MAKER, 4, True),
        (SelfTradePrevention.EXPIRE_MAKER, 5, False),
    ],
)
def test_fill_or_kill_counts_only_what_will_trade(
    driver: Driver, mode: SelfTradePrevention, qty_lots: int, is_filled: bool
) -> None:
    """An own order in the way kills it before anything happened, unless EXPIRE_MAKER takes the own order away."""
    driver.rest(SELL, 100, 1)
    driver.rest(SELL, 101, 2, owner=OWNER)
    driver.rest(SELL, 102, 3)
    before = driver.queue(SELL)
    order = driver.order(BUY, 102, qty_lots, owner=OWNER, self_trade_prevention=int(mode), time_in_force=FOK)
    told = driver.send(order)
    assert sum(e.qty_lots for e in told if isinstance(e, Executed)) == (qty_lots if is_filled else 0)
    if not is_filled:
        assert isinstance(told[1], Canceled)
        assert told[1].reason == CancelReason.FILL_OR_KILL
        assert driver.queue(SELL) == before


def test_fill_or_kill_does_not_count_what_hides_behind_an_own_order(driver: Driver) -> None:
    """An iceberg refills behind the own order, where the sweep will not get."""
    driver.rest(SELL, 100, 10, display_lots=2)
    driver.rest(SELL, 100, 1, owner=OWNER)
    mode = int(SelfTradePrevention.EXPIRE_TAKER)
    for qty_lots, trades in ((3, 0), (2, 1)):
        told = driver.send(driver.order(BUY, 100, qty_lots, owner=OWNER, self_trade_prevention=mode, time_in_force=FOK))
        assert sum(isinstance(event, Executed) for event in told) == trades

"""Every reason to refuse a command: told by name, and nothing changes."""

import numpy as np
import pytest

from market.codes import CancelReason, OrderType, RejectReason, TimeInForce, Trigger
from market.commands import AmendOrder, CancelOrder, Command, HaltSymbol, MassCancel, NewOrder
from market.events import Accepted, Canceled, Executed, Rejected
from market.kernels.rows import ROW_WIDTH
from market.limits import ICEBERG_PARTS_MAX, ID_MAX, OWNER_MAX, PRICE_TICKS_MAX, QTY_LOTS_MAX
from tests.engine.conftest import MakeDriver
from tests.engine.driver import BUY, SELL, Driver

MARKET, POST_ONLY = int(OrderType.MARKET), int(OrderType.POST_ONLY)
GOOD = NewOrder(order_id=50, symbol_id=0, side=BUY, price_ticks=10, qty_lots=5)
STOP = GOOD._replace(trigger=int(Trigger.STOP), trigger_price_ticks=20)

REFUSED: list[tuple[Command, RejectReason]] = [
    (GOOD._replace(time_ns=-1), RejectReason.MALFORMED),
    (GOOD._replace(symbol_id=-1), RejectReason.UNKNOWN_SYMBOL),
    (GOOD._replace(symbol_id=2), RejectReason.UNKNOWN_SYMBOL),
    (GOOD._replace(symbol_id=2**62), RejectReason.UNKNOWN_SYMBOL),
    (GOOD._replace(order_id=0), RejectReason.BAD_ORDER_ID),
    (GOOD._replace(order_id=-(2**63)), RejectReason.BAD_ORDER_ID),
    (GOOD._replace(side=2), RejectReason.BAD_SIDE),
    (GOOD._replace(side=-1), RejectReason.BAD_SIDE),
    (GOOD._replace(order_type=3), RejectReason.BAD_TYPE),
    (GOOD._replace(order_type=-1), RejectReason.BAD_TYPE),
    (GOOD._replace(time_in_force=3), RejectReason.BAD_TIME_IN_FORCE),
    (GOOD._replace(time_in_force=-1), RejectReason.BAD_TIME_IN_FORCE),
    (GOOD._replace(order_type=POST_ONLY, time_in_force=int(TimeInForce.IOC)), RejectReason.BAD_TIME_IN_FORCE),
    (GOOD._replace(order_type=POST_ONLY, time_in_force=int(TimeInForce.FOK)), RejectReason.BAD_TIME_IN_FORCE),
    (GOOD._replace(price_ticks=0), RejectReason.BAD_PRICE),
    (GOOD._replace(price_ticks=-5), RejectReason.BAD_PRICE),
    (GOOD._replace(price_ticks=PRICE_TICKS_MAX + 1), RejectReason.BAD_PRICE),
    (GOOD._replace(price_ticks=2**32 + 10), RejectReason.BAD_PRICE),
    (GOOD._replace(order_type=MARKET), RejectReason.BAD_PRICE),
    (GOOD._replace(qty_lots=0), RejectReason.BAD_QTY),
    (GOOD._replace(qty_lots=-1), RejectReason.BAD_QTY),
    (GOOD._replace(qty_lots=QTY_LOTS_MAX + 1), RejectReason.BAD_QTY),
    (GOOD._replace(qty_lots=2**63 - 1), RejectReason.BAD_QTY),
    (GOOD._replace(display_lots=6), RejectReason.BAD_DISPLAY_QTY),
    (GOOD._replace(display_lots=-1), RejectReason.BAD_DISPLAY_QTY),
    (GOOD._replace(display_lots=1, time_in_force=int(TimeInForce.IOC)), RejectReason.BAD_DISPLAY_QTY),
    (GOOD._replace(display_lots=1, order_type=MARKET, price_ticks=0), RejectReason.BAD_DISPLAY_QTY),
    (GOOD._replace(qty_lots=ICEBERG_PARTS_MAX + 1, display_lots=1), RejectReason.BAD_DISPLAY_QTY),
    (GOOD._replace(trigger=3, trigger_price_ticks=1), RejectReason.BAD_TRIGGER),
    (GOOD._replace(trigger=-1, trigger_price_ticks=1), RejectReason.BAD_TRIGGER),
    (GOOD._replace(trigger_price_ticks=1), RejectReason.BAD_TRIGGER),
    (STOP._replace(trigger_price_ticks=0), RejectReason.BAD_TRIGGER),
    (STOP._replace(trigger_price_ticks=PRICE_TICKS_MAX + 1), RejectReason.BAD_TRIGGER),
    (GOOD._replace(self_trade_prevention=5), RejectReason.BAD_SELF_TRADE_PREVENTION),
    (GOOD._replace(self_trade_prevention=-1), RejectReason.BAD_SELF_TRADE_PREVENTION),
    (GOOD._replace(owner=-1), RejectReason.BAD_OWNER),
    (GOOD._replace(owner=OWNER_MAX + 1), RejectReason.BAD_OWNER),
    (GOOD._replace(order_id=1), RejectReason.DUPLICATE_ORDER_ID),
    (GOOD._replace(order_id=3), RejectReason.DUPLICATE_ORDER_ID),
    (GOOD._replace(order_type=POST_ONLY, price_ticks=100), RejectReason.POST_ONLY_WOULD_CROSS),
    (GOOD._replace(symbol_id=1), RejectReason.SYMBOL_HALTED),
    (STOP._replace(symbol_id=1), RejectReason.SYMBOL_HALTED),
    (CancelOrder(50, 0), RejectReason.UNKNOWN_ORDER),
    (CancelOrder(1, 1), RejectReason.UNKNOWN_ORDER),
    (CancelOrder(1, 0, owner=6), RejectReason.WRONG_OWNER),
    (CancelOrder(1, 2), RejectReason.UNKNOWN_SYMBOL),
    (CancelOrder(0, 0), RejectReason.BAD_ORDER_ID),
    (CancelOrder(1, 0, owner=-1), RejectReason.BAD_OWNER),
    (CancelOrder(1, 0, time_ns=-1), RejectReason.MALFORMED),
    (AmendOrder(50, 0, 100, 1), RejectReason.UNKNOWN_ORDER),
    (AmendOrder(1, 1, 100, 1), RejectReason.UNKNOWN_ORDER),
    (AmendOrder(1, 0, 100, 1, owner=6), RejectReason.WRONG_OWNER),
    (AmendOrder(1, 0, 100, 1, owner=5, expected_leaves_lots=3), RejectReason.LEAVES_CHANGED),
    (AmendOrder(5, 1, 10, 1, expected_leaves_lots=QTY_LOTS_MAX), RejectReason.LEAVES_CHANGED),
    (AmendOrder(1, -1, 100, 1), RejectReason.UNKNOWN_SYMBOL),
    (AmendOrder(-1, 0, 100, 1), RejectReason.BAD_ORDER_ID),
    (AmendOrder(1, 0, 0, 1), RejectReason.BAD_PRICE),
    (AmendOrder(4, 0, 7, 1), RejectReason.BAD_PRICE),
    (AmendOrder(1, 0, PRICE_TICKS_MAX + 1, 1), RejectReason.BAD_PRICE),
    (AmendOrder(1, 0, 100, 0), RejectReason.BAD_QTY),
    (AmendOrder(1, 0, 100, QTY_LOTS_MAX + 1), RejectReason.BAD_QTY),
    (AmendOrder(1, 0, 100, 1, owner=OWNER_MAX + 1), RejectReason.BAD_OWNER),
    (AmendOrder(1, 0, 100, 1, time_ns=-1), RejectReason.MALFORMED),
    (AmendOrder(2, 0, 100, 1), RejectReason.POST_ONLY_WOULD_CROSS),
    (AmendOrder(5, 1, 10, 1), RejectReason.SYMBOL_HALTED),
    (AmendOrder(6, 0, 80, 2 * ICEBERG_PARTS_MAX + 1), RejectReason.BAD_DISPLAY_QTY),
    (MassCancel(2), RejectReason.UNKNOWN_SYMBOL),
    (MassCancel(-2), RejectReason.UNKNOWN_SYMBOL),
    (MassCancel(0, 2), RejectReason.BAD_SIDE),
    (MassCancel(0, -2), RejectReason.BAD_SIDE),
    (MassCancel(owner=-1), RejectReason.BAD_OWNER),
    (MassCancel(time_ns=-1), RejectReason.MALFORMED),
    (HaltSymbol(2, 1), RejectReason.UNKNOWN_SYMBOL),
    (HaltSymbol(0, 2), RejectReason.MALFORMED),
    (HaltSymbol(0, 1, -1), RejectReason.MALFORMED),
]


@pytest.fixture
def busy(make_driver: MakeDriver) -> Driver:
    """Return an engine with an order of each kind; symbol 1 is halted.

    An ask (1), a post-only bid (2), a limit and a market order that wait (3, 4), an order of symbol 1 (5) and an
    iceberg (6).
    """
    driver = make_driver(symbol_count=2)
    driver.rest(SELL, 100, 5, owner=5)
    driver.rest(BUY, 90, 5, order_type=POST_ONLY)
    driver.rest(BUY, 90, 5, trigger=int(Trigger.STOP), trigger_price_ticks=200)
    driver.rest(BUY, 0, 5, trigger=int(Trigger.STOP), trigger_price_ticks=200, order_type=MARKET)
    driver.rest(BUY, 10, 5, symbol_id=1)
    driver.rest(BUY, 80, 5, display_lots=2)
    driver.send(HaltSymbol(1, 1))
    return driver


@pytest.mark.parametrize(("command", "reason"), REFUSED, ids=lambda value: getattr(value, "name", None))
def test_a_refused_command_changes_nothing(busy: Driver, command: Command, reason: RejectReason) -> None:
    """One Rejected with the reason, within the bounds of the wire; book and waiting orders as before."""
    sequence, live = busy.engine.sequence, busy.engine.live_order_count
    before = [busy.engine.orders(symbol_id).tolist() for symbol_id in (0, 1)]
    (told,) = busy.send(command)
    assert isinstance(told, Rejected)
    assert told.reason == reason, RejectReason(told.reason)
    assert told.sequence == sequence + 1
    assert told.command == {NewOrder: 1, CancelOrder: 2, AmendOrder: 3, MassCancel: 4, HaltSymbol: 5}[type(command)]
    assert -1 <= told.symbol_id < 2
    assert 0 <= told.order_id <= ID_MAX
    assert 0 <= told.owner <= OWNER_MAX
    assert told.time_ns >= 0
    assert busy.engine.live_order_count == live
    assert [busy.engine.orders(symbol_id).tolist() for symbol_id in (0, 1)] == before


@pytest.mark.parametrize(("tag", "told_tag"), [(0, 0), (7, 7), (16, 16), (255, 255), (256, 0), (-1, 0), (2**62, 0)])
def test_a_row_that_is_no_command_is_malformed(driver: Driver, tag: int, told_tag: int) -> None:
    """Whatever stands in the ring, the engine answers."""
    row = np.full(ROW_WIDTH, 3, np.int64)
    row[0] = tag
    assert driver.send_row(row) == [Rejected(1, 0, -1, 0, 0, told_tag, RejectReason.MALFORMED)]


def test_the_ends_of_every_range_are_accepted(driver: Driver) -> None:
    """Bounds include both ends."""
    told = driver.send(
        NewOrder(ID_MAX, 0, BUY, 1, QTY_LOTS_MAX, 0, 0, 4, QTY_LOTS_MAX, 0, 0, OWNER_MAX, 2**63 - 1),
        NewOrder(1, 0, SELL, PRICE_TICKS_MAX, 1),
        NewOrder(2, 0, SELL, 0, 1, MARKET, 0, 0, 0, 2, PRICE_TICKS_MAX),
        NewOrder(3, 0, BUY, 1, ICEBERG_PARTS_MAX, display_lots=1),
    )
    assert [type(event) for event in told] == [Accepted] * 4
    assert driver.queue(BUY) == [(ID_MAX, 1, QTY_LOTS_MAX, QTY_LOTS_MAX), (3, 1, 1, ICEBERG_PARTS_MAX)]
    assert driver.queue(SELL) == [(1, PRICE_TICKS_MAX, 1, 1)]


def test_a_full_book_refuses_what_could_rest(make_driver: MakeDriver) -> None:
    """Orders that never rest still trade; a cancel makes room."""
    driver = make_driver(orders_max=3)
    first = driver.rest(BUY, 10, 1)
    driver.rest(BUY, 11, 1)
    driver.rest(BUY, 9, 1, trigger=1, trigger_price_ticks=50)
    for order in (driver.order(BUY, 9, 1), driver.order(SELL, 11, 1), driver.order(BUY, 9, 1, **_stop(60))):
        (told,) = driver.send(order)
        assert isinstance(told, Rejected)
        assert told.reason == RejectReason.BOOK_FULL
    driver.send(AmendOrder(first, 0, 12, 4))
    assert driver.queue(BUY)[0] == (first, 12, 4, 4)
    told_taker = driver.send(driver.order(SELL, 11, 5, time_in_force=int(TimeInForce.IOC)))
    assert isinstance(told_taker[1], Executed)
    assert driver.rest(BUY, 9, 1)


def _stop(price_ticks: int) -> dict[str, int]:
    return {"trigger": int(Trigger.STOP), "trigger_price_ticks": price_ticks}


def test_levels_run_out_by_pages(make_driver: MakeDriver) -> None:
    """A price far from all others needs a page; triggers have pages of their own; an emptied page is free again."""
    driver = make_driver(pages_max=2)
    near = driver.rest(BUY, 10_000, 1)
    far = driver.rest(SELL, 50_000, 5)
    for order in (driver.order(BUY, 20_000, 1), driver.order(BUY, 1, 1, **_stop(10_000))):
        (told,) = driver.send(order)
        assert isinstance(told, Rejected)
        assert told.reason == RejectReason.LEVELS_FULL
    (told,) = driver.send(AmendOrder(near, 0, 20_000, 1))
    assert isinstance(told, Rejected)
    assert told.reason == RejectReason.LEVELS_FULL
    assert driver.rest(BUY, 10_001, 1)
    crossing = driver.send(driver.order(BUY, 60_000, 9))
    assert isinstance(crossing[1], Executed)
    assert crossing[1].maker_order_id == far
    assert driver.queue(BUY)[0][1:] == (60_000, 4, 4)


def test_the_rest_of_a_taker_that_finds_no_page_is_cancelled(make_driver: MakeDriver) -> None:
    """It had traded, so it can no longer be refused."""
    driver = make_driver(pages_max=2)
    driver.rest(SELL, 90_100, 1)
    driver.rest(BUY, 90_000, 1)
    driver.rest(BUY, 50_000, 1)
    told = driver.send(driver.order(SELL, 86_000, 3))
    assert [type(event) for event in told] == [Accepted, Executed, Canceled]
    assert told[2] == Canceled(6, 0, 0, 4, 0, SELL, 86_000, 2, 0, CancelReason.LEVELS_FULL)

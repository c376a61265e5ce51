"""The rules of docs/engine.md for orders that rest, trade and leave, each by an example worked by hand."""

from engine.matching_engine import make_engine
from market.codes import CancelReason, OrderType, RejectReason, Tag, TimeInForce
from market.commands import AmendOrder, CancelOrder, HaltSymbol, MassCancel
from market.depth import Depth, Level
from market.events import Accepted, Amended, Canceled, Executed, Halted, Rejected, Rested
from market.feed_messages import BestPrices
from market.kernels.rows import ROW_WIDTH
from tests.engine.conftest import MakeDriver
from tests.engine.driver import BUY, SELL, Driver

IOC, FOK = int(TimeInForce.IOC), int(TimeInForce.FOK)
MARKET, POST_ONLY = int(OrderType.MARKET), int(OrderType.POST_ONLY)


def test_an_order_that_does_not_cross_rests_with_its_acceptance(driver: Driver) -> None:
    """`resting_lots` of Accepted tells the feed; no Rested follows."""
    told = driver.send(driver.order(BUY, 100, 7, owner=3, time_ns=55))
    assert told == [Accepted(1, 55, 0, 1, 3, BUY, 100, 7, 0, 0, 7)]
    assert driver.engine.best(0) == BestPrices(100, 7, 0, 0)
    assert driver.engine.depth(0, 5) == Depth((Level(100, 7),), ())
    assert driver.engine.orders(0).tolist() == [[1, BUY, 100, 7, 7, 3]]
    assert driver.engine.live_order_count == 1


def test_a_taker_trades_at_the_makers_price_and_its_rest_joins_the_book(driver: Driver) -> None:
    """Price first, then time; both sides' leaves are told."""
    driver.rest(SELL, 102, 5)
    driver.rest(SELL, 101, 3, owner=8)
    told = driver.send(driver.order(BUY, 102, 10, owner=9, time_ns=66))
    assert told == [
        Accepted(3, 66, 0, 3, 9, BUY, 102, 10, 0, 0, 0),
        Executed(4, 66, 0, 1, 101, 3, BUY, 3, 9, 7, 2, 8, 0, 0),
        Executed(5, 66, 0, 2, 102, 5, BUY, 3, 9, 2, 1, 0, 0, 0),
        Rested(6, 66, 0, 3, 9, BUY, 102, 2, 2),
    ]
    assert driver.engine.best(0) == BestPrices(102, 2, 0, 0)
    assert driver.engine.sequence == 6


def test_time_decides_within_a_price(driver: Driver) -> None:
    """First in, first traded; a partly filled maker keeps its place."""
    first, second = driver.rest(BUY, 50, 4), driver.rest(BUY, 50, 4)
    driver.send(driver.order(SELL, 50, 3))
    assert driver.queue(BUY) == [(first, 50, 1, 1), (second, 50, 4, 4)]
    told = driver.send(driver.order(SELL, 49, 2))
    assert [event.maker_order_id for event in told if isinstance(event, Executed)] == [first, second]


def test_a_taker_stops_at_its_limit(driver: Driver) -> None:
    """The level beyond the limit is untouched and the rest becomes the best price of its side."""
    driver.rest(SELL, 100, 1)
    beyond = driver.rest(SELL, 101, 1)
    driver.send(driver.order(BUY, 100, 5))
    assert driver.engine.best(0) == BestPrices(100, 4, 101, 1)
    assert driver.queue(SELL) == [(beyond, 101, 1, 1)]


def test_the_rest_of_an_immediate_or_cancel_order_is_cancelled(driver: Driver) -> None:
    """It never rests, not even when nothing traded."""
    driver.rest(SELL, 100, 2)
    told = driver.send(driver.order(BUY, 100, 5, time_in_force=IOC))
    assert isinstance(told[1], Executed)
    assert told[2] == Canceled(4, 0, 0, 2, 0, BUY, 100, 3, 0, CancelReason.IMMEDIATE_OR_CANCEL)
    told = driver.send(driver.order(BUY, 100, 5, time_in_force=IOC))
    assert told[1:] == [Canceled(6, 0, 0, 3, 0, BUY, 100, 5, 0, CancelReason.IMMEDIATE_OR_CANCEL)]
    assert driver.engine.live_order_count == 0


def test_a_fill_or_kill_order_trades_all_or_nothing(driver: Driver) -> None:
    """What it can not fill within its limit kills it before the first trade."""
    driver.rest(SELL, 100, 2)
    driver.rest(SELL, 101, 2)
    driver.rest(SELL, 102, 9)
    told = driver.send(driver.order(BUY, 101, 5, time_in_force=FOK))
    assert told[1:] == [Canceled(5, 0, 0, 4, 0, BUY, 101, 5, 0, CancelReason.FILL_OR_KILL)]
    told = driver.send(driver.order(BUY, 101, 4, time_in_force=FOK))
    assert [event.qty_lots for event in told if isinstance(event, Executed)] == [2, 2]
    assert driver.engine.best(0) == BestPrices(0, 0, 102, 9)


def test_a_fill_or_kill_order_counts_what_icebergs_hide(driver: Driver) -> None:
    """Hidden lots trade too."""
    driver.rest(SELL, 100, 10, display_lots=1)
    told = driver.send(driver.order(BUY, 100, 10, time_in_force=FOK))
    assert sum(event.qty_lots for event in told if isinstance(event, Executed)) == 10


def test_a_market_order_takes_any_price_and_never_rests(driver: Driver) -> None:
    """Its rest left for want of liquidity, whatever its time in force but fill-or-kill."""
    driver.rest(BUY, 1, 2)
    driver.rest(BUY, 100_000_000, 1)
    told = driver.send(driver.order(SELL, 0, 5, order_type=MARKET))
    assert [(e.price_ticks, e.qty_lots) for e in told if isinstance(e, Executed)] == [(100_000_000, 1), (1, 2)]
    assert told[-1] == Canceled(6, 0, 0, 3, 0, SELL, 0, 2, 0, CancelReason.NO_LIQUIDITY)
    driver.rest(BUY, 5, 2)
    told = driver.send(driver.order(SELL, 0, 3, order_type=MARKET, time_in_force=FOK))
    assert told[1:] == [Canceled(9, 0, 0, 5, 0, SELL, 0, 3, 0, CancelReason.FILL_OR_KILL)]


def test_a_post_only_order_rests_below_the_other_side(driver: Driver) -> None:
    """It is an ordinary resting order once it is in."""
    driver.rest(SELL, 100, 1)
    told = driver.send(driver.order(BUY, 99, 1, order_type=POST_ONLY))
    assert told == [Accepted(2, 0, 0, 2, 0, BUY, 99, 1, POST_ONLY, 0, 1)]


def test_an_iceberg_shows_its_part_and_refills_at_the_back(driver: Driver) -> None:
    """Every refill loses its place, and Rested tells what it shows."""
    iceberg = driver.rest(SELL, 100, 10, display_lots=4)
    other = driver.rest(SELL, 100, 3)
    assert driver.engine.best(0) == BestPrices(0, 0, 100, 7)
    told = driver.send(driver.order(BUY, 100, 9, time_in_force=IOC))
    assert told[1:] == [
        Executed(4, 0, 0, 1, 100, 4, BUY, 3, 0, 5, iceberg, 0, 6, 0),
        Rested(5, 0, 0, iceberg, 0, SELL, 100, 4, 6),
        Executed(6, 0, 0, 2, 100, 3, BUY, 3, 0, 2, other, 0, 0, 0),
        Executed(7, 0, 0, 3, 100, 2, BUY, 3, 0, 0, iceberg, 0, 4, 2),
    ]
    assert driver.queue(SELL) == [(iceberg, 100, 2, 4)]
    driver.send(driver.order(BUY, 100, 2))
    assert driver.queue(SELL) == [(iceberg, 100, 2, 2)]


def test_the_rest_of_a_taking_iceberg_shows_its_part(driver: Driver) -> None:
    """As a taker it uses everything it has."""
    driver.rest(SELL, 100, 6)
    told = driver.send(driver.order(BUY, 100, 20, display_lots=5))
    assert told[-1] == Rested(4, 0, 0, 2, 0, BUY, 100, 5, 14)


def test_cancel_takes_out_what_is_open(driver: Driver) -> None:
    """An iceberg leaves with what it hides; the order's id is free again."""
    first = driver.rest(BUY, 99, 10, display_lots=4, owner=5)
    assert driver.send(CancelOrder(first, 0, 5, 77)) == [
        Canceled(2, 77, 0, first, 5, BUY, 99, 10, 0, CancelReason.REQUESTED)
    ]
    assert driver.engine.best(0) == BestPrices(0, 0, 0, 0)
    assert driver.rest(BUY, 98, 1, order_id=first) == first


def test_owner_0_cancels_for_everybody(driver: Driver) -> None:
    """The operator's commands name no owner."""
    order_id = driver.rest(BUY, 99, 1, owner=5)
    assert isinstance(driver.send(CancelOrder(order_id, 0))[0], Canceled)


def test_a_smaller_quantity_at_the_same_price_keeps_its_place(driver: Driver) -> None:
    """Amended tells what the book shows now."""
    first, second = driver.rest(BUY, 99, 5, owner=2), driver.rest(BUY, 99, 5)
    assert driver.send(AmendOrder(first, 0, 99, 3, 2, 9)) == [Amended(3, 9, 0, first, 2, BUY, 99, 3, 3)]
    assert driver.queue(BUY) == [(first, 99, 3, 3), (second, 99, 5, 5)]


def test_an_amend_may_expect_what_is_open(driver: Driver) -> None:
    """A fill on the way must not turn an amend into more than was meant: it is refused, and the order stays."""
    first, second = driver.rest(BUY, 99, 5), driver.rest(BUY, 99, 5)
    driver.send(driver.order(SELL, 99, 1))
    (refused,) = driver.send(AmendOrder(first, 0, 99, 3, expected_leaves_lots=5))
    assert isinstance(refused, Rejected)
    assert (refused.order_id, refused.reason) == (first, RejectReason.LEAVES_CHANGED)
    assert driver.queue(BUY) == [(first, 99, 4, 4), (second, 99, 5, 5)]
    assert isinstance(driver.send(AmendOrder(first, 0, 99, 3, expected_leaves_lots=4))[0], Amended)
    assert driver.queue(BUY) == [(first, 99, 3, 3), (second, 99, 5, 5)]


def test_an_iceberg_counts_as_open_what_it_hides(driver: Driver) -> None:
    """What an amend expects is all that is open, not what is shown."""
    iceberg = driver.rest(BUY, 99, 10, display_lots=4)
    assert isinstance(driver.send(AmendOrder(iceberg, 0, 99, 6, expected_leaves_lots=4))[0], Rejected)
    assert isinstance(driver.send(AmendOrder(iceberg, 0, 99, 6, expected_leaves_lots=10))[0], Amended)


def test_an_iceberg_is_amended_down_from_what_it_hides(driver: Driver) -> None:
    """What is shown shrinks last."""
    iceberg, other = driver.rest(BUY, 99, 10, display_lots=4), driver.rest(BUY, 99, 1)
    assert driver.send(AmendOrder(iceberg, 0, 99, 6)) == [Amended(3, 0, 0, iceberg, 0, BUY, 99, 6, 4)]
    assert driver.send(AmendOrder(iceberg, 0, 99, 3)) == [Amended(4, 0, 0, iceberg, 0, BUY, 99, 3, 3)]
    assert driver.queue(BUY) == [(iceberg, 99, 3, 3), (other, 99, 1, 1)]
    driver.send(AmendOrder(iceberg, 0, 99, 8))
    assert driver.queue(BUY) == [(other, 99, 1, 1), (iceberg, 99, 4, 8)]


def test_any_other_amend_goes_to_the_back(driver: Driver) -> None:
    """The same quantity, a larger one, another price: cancel and reinsert."""
    first, second, third = (driver.rest(SELL, 101, 5) for _ in range(3))
    assert driver.send(AmendOrder(first, 0, 101, 5)) == [
        Amended(4, 0, 0, first, 0, SELL, 101, 5, 0),
        Rested(5, 0, 0, first, 0, SELL, 101, 5, 5),
    ]
    driver.send(AmendOrder(second, 0, 101, 6))
    assert driver.queue(SELL) == [(third, 101, 5, 5), (first, 101, 5, 5), (second, 101, 6, 6)]
    driver.send(AmendOrder(third, 0, 102, 1), AmendOrder(third, 0, 101, 1))
    assert driver.queue(SELL) == [(first, 101, 5, 5), (second, 101, 6, 6), (third, 101, 1, 1)]


def test_an_amend_into_the_other_side_trades_at_the_makers_price(driver: Driver) -> None:
    """The amended order is the taker."""
    maker = driver.rest(SELL, 100, 2, owner=4)
    mover = driver.rest(BUY, 90, 1, owner=6)
    assert driver.send(AmendOrder(mover, 0, 105, 5)) == [
        Amended(3, 0, 0, mover, 6, BUY, 105, 5, 0),
        Executed(4, 0, 0, 1, 100, 2, BUY, mover, 6, 3, maker, 4, 0, 0),
        Rested(5, 0, 0, mover, 6, BUY, 105, 3, 3),
    ]


def test_mass_cancel_chooses_by_owner_symbol_and_side(make_driver: MakeDriver) -> None:
    """Symbols by number, then bids, asks, waiting orders, each in the order in which they would trade."""
    driver = make_driver(symbol_count=2)
    low, high = driver.rest(BUY, 90, 1, owner=1), driver.rest(BUY, 91, 1, owner=1)
    ask = driver.rest(SELL, 99, 1, owner=1)
    other = driver.rest(SELL, 99, 1, owner=2)
    stop = driver.rest(SELL, 80, 1, owner=1, trigger=1, trigger_price_ticks=85)
    elsewhere = driver.rest(BUY, 90, 1, owner=1, symbol_id=1)
    told = driver.send(MassCancel(0, SELL, 1, 5))
    assert told == [
        Canceled(7, 5, 0, ask, 1, SELL, 99, 1, 0, CancelReason.MASS_CANCEL),
        Canceled(8, 5, 0, stop, 1, SELL, 80, 1, 0, CancelReason.MASS_CANCEL),
    ]
    told = driver.send(MassCancel(owner=1))
    assert [event.order_id for event in told if isinstance(event, Canceled)] == [high, low, elsewhere]
    assert driver.send(MassCancel(owner=1)) == []
    told = driver.send(MassCancel())
    assert [event.order_id for event in told if isinstance(event, Canceled)] == [other]


def test_a_halt_stops_entry_and_amends_and_lets_cancels_through(make_driver: MakeDriver) -> None:
    """Only the named symbol is halted, -1 names all."""
    driver = make_driver(symbol_count=2)
    resting = driver.rest(BUY, 90, 2)
    assert driver.send(HaltSymbol(0, 1, 5)) == [Halted(2, 5, 0, 1)]
    assert driver.rest(BUY, 90, 1, symbol_id=1)
    (refused,) = driver.send(AmendOrder(resting, 0, 90, 1))
    assert isinstance(refused, Rejected)
    assert refused.reason == RejectReason.SYMBOL_HALTED
    assert isinstance(driver.send(CancelOrder(resting, 0))[0], Canceled)
    assert driver.send(HaltSymbol(-1, 0)) == [Halted(6, 0, 0, 0), Halted(7, 0, 1, 0)]
    assert driver.rest(BUY, 90, 1)


def test_symbols_share_ids_but_not_books(make_driver: MakeDriver) -> None:
    """Trades are counted per symbol."""
    driver = make_driver(symbol_count=3)
    driver.rest(SELL, 100, 1, symbol_id=0)
    driver.rest(SELL, 100, 1, symbol_id=2)
    for symbol_id, trades in ((2, 1), (1, 0), (0, 1)):
        told = driver.send(driver.order(BUY, 100, 1, symbol_id=symbol_id))
        assert [e.trade_id for e in told if isinstance(e, Executed)] == [1] * trades


def test_a_small_ring_of_events_pauses_a_sweep_and_loses_nothing(make_driver: MakeDriver) -> None:
    """The command stays in its ring until its last event is told."""
    driver = make_driver(event_slots=8)
    for _ in range(20):
        driver.rest(SELL, 100, 2, display_lots=1)
    order = driver.order(BUY, 100, 41)
    driver.engine.commands.rows[driver.engine.commands.claim()] = [Tag.NEW_ORDER, *order, 0]
    driver.engine.commands.publish()
    told, calls = [], 0
    while len(driver.engine.commands):
        driver.engine.match()
        assert len(driver.engine.events) <= 8
        told += driver.drain()
        calls += 1
    assert calls > 7
    assert [event.sequence for event in told] == list(range(21, 21 + len(told)))
    assert sum(event.qty_lots for event in told if isinstance(event, Executed)) == 40
    assert isinstance(told[-1], Rested)


def test_a_small_ring_of_events_pauses_a_mass_cancel_and_loses_nothing(make_driver: MakeDriver) -> None:
    """Each order is cancelled once, in order."""
    driver = make_driver(event_slots=8)
    ids = [driver.rest(BUY, 100 - n, 1) for n in range(30)]
    told = driver.send(MassCancel())
    assert [event.order_id for event in told if isinstance(event, Canceled)] == ids


def test_nothing_is_matched_while_no_command_waits(driver: Driver) -> None:
    """`match` returns how many commands it finished."""
    assert driver.engine.match() == 0
    assert driver.engine.events.rows.shape == (64, ROW_WIDTH)


def test_the_state_hash_tells_queue_orders_apart(make_driver: MakeDriver) -> None:
    """Same commands, same hash; the same orders in another order, another hash."""
    one, two, other = make_driver(), make_driver(), make_driver()
    for driver, ids in ((one, (1, 2)), (two, (1, 2)), (other, (2, 1))):
        for order_id in ids:
            driver.rest(BUY, 10, 1, order_id=order_id)
    assert one.engine.state_hash() == two.engine.state_hash() != other.engine.state_hash()
    assert one.engine.state_hash() == one.engine.state_hash() != make_engine("reference", 1).state_hash()

"""The reference price and the range around it."""

from pathlib import Path

import pytest

from market.codes import Side
from paper.exchange.price_range import BUCKET_COUNT, BUCKET_WIDTH_MS, PriceRange, ReferencePrice, TradeMean
from paper.money.orders import OrderStatus
from paper.units import UNITS_PER_ONE, Symbol
from tests.pairs import default_instruments
from tests.paper.desk import ALICE, START_NS, Desk

BTC = Symbol.of(default_instruments()[0])
WINDOW_MS = BUCKET_WIDTH_MS * BUCKET_COUNT
START_MS = START_NS // 1_000_000


def mean_of(*trades: tuple[int, int]) -> TradeMean:
    """Return the mean of trades given as (ms after START_MS, price)."""
    mean = TradeMean()
    for after_ms, price in trades:
        mean.add(price * UNITS_PER_ONE, START_MS + after_ms)
    return mean


def test_each_trade_counts_once_and_the_rest_is_cut_off() -> None:
    """100, 101 and 101 make 100.66666666."""
    mean = mean_of((0, 100), (1, 101), (5_000, 101))
    assert mean.at(START_MS + 5_000) == ReferencePrice(10_066_666_666, START_MS + 5_000)


def test_there_is_none_before_the_first_trade_and_no_price_after_a_window_without() -> None:
    """Never set is not the same as empty."""
    assert TradeMean().at(START_MS) is None
    mean = mean_of((0, 100))
    assert mean.at(START_MS + WINDOW_MS) == (100 * UNITS_PER_ONE, START_MS + WINDOW_MS)
    assert mean.at(START_MS + WINDOW_MS + BUCKET_WIDTH_MS) == (None, START_MS + WINDOW_MS + BUCKET_WIDTH_MS)


def test_the_oldest_bucket_leaves_bit_by_bit() -> None:
    """A quarter of the first second has left: its trades count three quarters; looking in between changes nothing."""
    trades = ((0, 100), (999, 200), (1_000, 400))
    expected = (3 * (100 + 200) + 4 * 400) * UNITS_PER_ONE // (3 + 3 + 4)
    assert mean_of(*trades).at(START_MS + WINDOW_MS + 250) == (expected, START_MS + WINDOW_MS + 250)
    looked_at = mean_of(*trades)
    for after_ms in (100, 125, 200, 250):
        told = looked_at.at(START_MS + WINDOW_MS + after_ms)
    assert told == (expected, START_MS + WINDOW_MS + 250)
    assert looked_at.at(START_MS + WINDOW_MS + 1_000) == (400 * UNITS_PER_ONE, START_MS + WINDOW_MS + 1_000)


@pytest.mark.parametrize(
    ("price_units", "expected"),
    [(100 * BTC.tick_units, (50, 200)), (101 * BTC.tick_units + 1, (51, 202)), (1, (1, 1))],
)
def test_the_range_has_every_tick_within_the_multiples(price_units: int, expected: tuple[int, int]) -> None:
    """Both ends are included, and no price between them is left out."""
    assert PriceRange.around(BTC, price_units) == expected


def test_filters_compare_with_the_reference_price(tmp_path: Path) -> None:
    """A large trade moves the average by quantity; the reference price counts trades."""
    desk = Desk(tmp_path).connect()
    for price, qty in (("90000", "0.01"), ("80000", "0.03")):
        desk.engine.flow(desk.exchange, Side.SELL, price, qty)
        desk.engine.flow(desk.exchange, Side.BUY, price, qty)
    market, symbol = desk.exchange.market, desk.exchange.symbols["BTCUSDT"]
    now_ms = desk.engine.time_ns // 1_000_000
    assert market.average_ticks(symbol, now_ms) == 8_250_000
    assert market.filter_ticks(symbol, now_ms) == 8_500_000


def test_engines_are_told_the_range_and_what_goes_beyond_expires(tmp_path: Path) -> None:
    """Twice the reference price is the end; the account is told why, and its money is free again."""
    desk = Desk(tmp_path).connect()
    for price in ("90000", "180000", "180000.01"):
        desk.engine.flow(desk.exchange, Side.SELL, price, "0.01")
    desk.engine.flow(desk.exchange, Side.BUY, "90000", "0.01")
    desk.exchange.each_second(desk.engine.time_ns)
    desk.exchange.each_second(desk.engine.time_ns)
    before = desk.wallet(ALICE, "USDT")
    order = desk.place(ALICE, desk.request(Side.BUY, "190000", "0.02"))
    assert (order.status, order.filled_lots, order.price_ticks) == (OrderStatus.EXPIRED, 1_000, 19_000_000)
    assert order.expiry_reason == "EXECUTION_RULE_PRICE_RANGE_EXCEEDED"
    assert desk.wallet(ALICE, "USDT") == (before[0] - 1_800 * UNITS_PER_ONE, 0)
    assert desk.engine.handled_count == 4, "three ranges, told once, and the order"


def test_an_engine_is_told_again_after_each_connection_and_once_there_is_no_price(tmp_path: Path) -> None:
    """It may be a new one, or have the range of long ago."""
    desk = Desk(tmp_path).connect()
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.01")
    desk.engine.flow(desk.exchange, Side.BUY, "90000", "0.01")
    counts = []
    for after_ms in (0, 0, 1_000, WINDOW_MS + 2_000, WINDOW_MS + 4_000):
        desk.exchange.each_second(START_NS + after_ms * 1_000_000)
        desk.pump()
        counts.append(desk.engine.handled_count)
    assert counts == [3, 3, 3, 4, 4]
    desk.engine.restart()
    desk.connect()
    desk.exchange.each_second(START_NS + (WINDOW_MS + 5_000) * 1_000_000)
    desk.pump()
    assert desk.engine.handled_count == 7

"""How a position is taken to the market in slices: by hand, and whatever the book and the venue's bounds are."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.codes import Side
from market.depth import Depth, Level
from tests.pairs import default_instruments
from trading.flattening import Cost, Flattening
from trading.order_rules import OrderRules

BTCUSDT = default_instruments()[0]
RULES = OrderRules(qty_min=Decimal("0.00001"), notional_min=Decimal(5), qty_max=Decimal(9_000))
DEPTH = Depth(
    (Level(9_999_000, 100), Level(9_990_000, 300), Level(9_949_999, 900)),
    (Level(10_001_000, 200), Level(10_010_000, 200), Level(10_050_000, 50), Level(10_050_001, 900)),
)  # around a mid of 100,000.00 USDT; a lot is 0.00001 BTC, or 1 USDT


def flattening(side: Side, band: str = "0.005", slice_notional: int = 250) -> Flattening:
    return Flattening.around(BTCUSDT, RULES, side, 20_000_000, Decimal(band), Decimal(slice_notional))


def test_worst_price_and_sizes_are_those_of_the_band() -> None:
    """By hand: 0.5 % off 100,000 is 99,500 and 100,500; 5 USDT are 6 lots there and, at the higher price, 5."""
    sell, buy = flattening(Side.SELL), flattening(Side.BUY)
    assert (sell.limit_ticks, sell.smallest_lots, sell.largest_lots) == (9_950_000, 6, 251 - 6)
    assert (buy.limit_ticks, buy.smallest_lots, buy.largest_lots) == (10_050_000, 5, 248 - 5)


def test_cost_goes_down_the_book_and_stops_at_the_worst_price() -> None:
    """By hand: 100 lots at 99,990 and 200 at 99,900 are 1 and 10 USDT x 0.001 and 0.002 BTC worse than the mid."""
    cost = flattening(Side.SELL).cost(DEPTH, 300)
    assert cost.qty_lots == 300
    assert cost.notional == Decimal("99.990") + Decimal("199.800")
    assert cost.slippage == Decimal("0.010") + Decimal("0.200")
    beyond = flattening(Side.BUY).cost(DEPTH, 10_000)
    assert beyond.qty_lots == 450, "nothing of what is one tick beyond the limit"
    assert beyond.slippage == Decimal("0.020") + Decimal("0.200") + Decimal("0.250")
    assert flattening(Side.BUY).cost(Depth((), ()), 10) == Cost(0, Decimal(0), Decimal(0))


@pytest.mark.parametrize(
    ("left_lots", "lots"),
    [
        (1_000, 245),  # a slice
        (250, 245 + 5),  # 5 lots would be left, which are no order
        (251, 245),  # 6 would be
        (6, 6),
    ],
)
def test_a_slice_leaves_nothing_that_is_no_order(left_lots: int, lots: int) -> None:
    """Guards a remnant that the venue's least notional keeps for ever."""
    assert flattening(Side.SELL).next_lots(DEPTH, left_lots) == lots


def test_a_slice_is_what_the_book_has() -> None:
    """And nothing while there is nothing; little is asked for as the least that may be, to be cut by the book."""
    flat = flattening(Side.SELL, slice_notional=100_000)
    assert flat.next_lots(DEPTH, 10_000) == 400
    assert flat.next_lots(DEPTH._replace(bids=(Level(9_949_999, 900),)), 10_000) == 0
    assert flat.next_lots(DEPTH._replace(bids=(Level(9_999_000, 1),)), 10_000) == flat.smallest_lots


_LEVELS = st.lists(st.tuples(st.integers(1, 3_000), st.integers(1, 5_000)), max_size=8)


@given(
    side=st.sampled_from(list(Side)),
    levels=_LEVELS,
    left=st.integers(1, 100_000),
    notional=st.integers(1, 5_000),
    band=st.integers(1, 400),
)
def test_whatever_the_book_no_order_is_beyond_its_bounds(
    side: Side, levels: list[tuple[int, int]], left: int, notional: int, band: int
) -> None:
    """Never more than is left, never an order that the venue refuses, never a worse price, and it comes to an end."""
    flat = flattening(side, str(Decimal(band) / 10_000), notional)
    worst_off = 10_000_000 * Decimal(band) / 10_000
    assert abs(flat.limit_ticks - 10_000_000) <= worst_off
    bids = tuple(Level(10_000_000 - off, lots) for off, lots in sorted(dict(levels).items()))
    asks = tuple(Level(10_000_000 + off, lots) for off, lots in sorted(dict(levels).items()))
    while left >= flat.smallest_lots:
        before, lots = left, flat.next_lots(Depth(bids, asks), left)
        within = sum(lots for off, lots in dict(levels).items() if off <= worst_off)
        assert (lots == 0) == (within == 0)
        if not lots:
            break
        price = BTCUSDT.ticks_to_price(flat.limit_ticks)
        assert flat.smallest_lots <= lots <= left
        assert BTCUSDT.lots_to_qty(lots) * price >= RULES.notional_min
        most = max(Decimal(notional), 3 * RULES.notional_min + 3 * BTCUSDT.lot_size * price)
        assert BTCUSDT.lots_to_qty(lots) * price <= most
        left -= lots
        assert left == 0 or left >= flat.smallest_lots or before < 2 * flat.smallest_lots

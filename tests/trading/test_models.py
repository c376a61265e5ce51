"""Skew, levels, centre and spread of the quoting models: tables worked by hand, and what holds of all of them."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.codes import Side
from market.depth import Depth, Level
from tests.trading.markets import at_mid
from trading.models import MODELS, model_named
from trading.models.parameters import Parameters
from trading.quoting import Estimates, Market, Quote

PLAIN = Parameters(Decimal("0.002"), Decimal(1_000))
MID = at_mid(2 * 9_138_500)  # 91,385.00: one bitcoin is 91,385 USDT, a quote of 1,000 is 1,094 lots
FULL = Decimal(10_000) / 91_385  # BTC: worth 10,000, the default of `inventory`


def quoted(name: str, parameters: Parameters, market: Market) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return what a model quotes, bids and asks, as (price_ticks, qty_lots)."""
    quotes: list[Quote] = list(model_named(name, parameters).quotes(market))
    bids, asks = ([quote for quote in quotes if quote.side == side] for side in (Side.BUY, Side.SELL))
    return [(each.price_ticks, each.qty_lots) for each in bids], [(each.price_ticks, each.qty_lots) for each in asks]


@pytest.mark.parametrize(
    ("position", "bid", "ask"),
    [
        # skew 0.001 of 9,138,500 is 9,138.5 ticks at full inventory; half-spread 0.002 is 18,277.
        ("0", (9_120_223, 1_094), (9_156_777, 1_094)),
        # half: 4,569.25 lower, 9,115,653.75 and 9,152,207.75; the bid loses 0.8 / 2 of 1,094.27 lots: 656.56
        ("0.5", (9_115_653, 656), (9_152_208, 1_094)),
        # full: 9,138.5 lower, 9,111,084.5 and 9,147,638.5; the bid loses 0.8: 218.85
        ("1", (9_111_084, 218), (9_147_639, 1_094)),
        ("7", (9_111_084, 218), (9_147_639, 1_094)),  # more than full is full
        # half short: 4,569.25 higher, 9,124,792.25 and 9,161,346.25
        ("-0.5", (9_124_792, 1_094), (9_161_347, 656)),
    ],
)
def test_skew_moves_prices_and_sizes_as_worked_by_hand(
    position: str, bid: tuple[int, int], ask: tuple[int, int]
) -> None:
    """Both quotes move against the position, and the side that adds to it becomes smaller."""
    parameters = replace(PLAIN, skew=Decimal("0.001"), size_skew=Decimal("0.8"))
    market = MID._replace(position=Decimal(position) * FULL)
    assert quoted("symmetric", parameters, market) == ([bid], [ask])


def test_side_that_adds_is_gone_at_full_inventory_with_a_size_skew_of_one() -> None:
    """One side only at the limit."""
    parameters = replace(PLAIN, size_skew=Decimal(1))
    assert quoted("symmetric", parameters, MID._replace(position=FULL * 2)) == ([], [(9_156_777, 1_094)])
    assert quoted("symmetric", parameters, MID._replace(position=-FULL * 2)) == ([(9_120_223, 1_094)], [])


def test_levels_stand_a_step_apart_and_grow() -> None:
    """Step 0.0005 is 4,569.25 ticks: 18,277, 22,846.25, 27,415.5 from the mid; 1,094.27 lots x 1, 1.5, 2.25."""
    parameters = replace(PLAIN, levels=3, level_growth=Decimal("1.5"))
    assert quoted("symmetric", parameters, MID) == (
        [(9_120_223, 1_094), (9_115_653, 1_641), (9_111_084, 2_462)],
        [(9_156_777, 1_094), (9_161_347, 1_641), (9_165_916, 2_462)],
    )


def test_micro_price_leans_to_the_side_with_less() -> None:
    """Bid 9,138,400 x 3 lots, ask 9,138,600 x 1: (9,138,400 x 1 + 9,138,600 x 3) / 4 = 9,138,550; 0.2 % is 18,277.1."""
    market = MID._replace(depth=Depth((Level(9_138_400, 3),), (Level(9_138_600, 1),)))
    assert quoted("symmetric", replace(PLAIN, centre="micro"), market) == (
        [(9_120_272, 1_094)],
        [(9_156_828, 1_094)],
    )


@pytest.mark.parametrize(
    ("volatility", "bid_ticks", "ask_ticks"),
    [
        (None, 9_120_223, 9_156_777),  # not known: as at the reference, 0.0001
        (0.00005, 9_129_361, 9_147_639),  # half of it: 0.001 is 9,138.5 ticks
        (0.000001, 9_133_930, 9_143_070),  # a hundredth of it counts as a quarter: 0.0005 is 4,569.25
        (1.0, 9_065_392, 9_211_608),  # counts as four times: 0.008 is 73,108
    ],
)
def test_half_spread_follows_the_volatility(volatility: float | None, bid_ticks: int, ask_ticks: int) -> None:
    """In proportion, within bounds."""
    market = MID._replace(seen=Estimates(volatility))
    assert quoted("volatility", PLAIN, market) == ([(bid_ticks, 1_094)], [(ask_ticks, 1_094)])


SEEN = st.builds(Estimates, st.none() | st.floats(1e-9, 0.1))
PARAMETERS = st.builds(
    Parameters,
    half_spread=st.decimals("0.00001", "0.4", places=5),
    notional=st.just(Decimal(1_000)),
    centre=st.sampled_from(["mid", "micro"]),
    skew=st.decimals("0", "0.4", places=5),
    levels=st.integers(1, 5),
    level_step=st.decimals("0.0001", "0.02", places=4),
)
BOOKS = st.tuples(st.integers(9_000_000, 9_200_000), st.integers(1, 5_000), st.integers(1, 99), st.integers(1, 99))


def market_of(book: tuple[int, int, int, int], position: Decimal, seen: Estimates) -> Market:
    """Return a market with a bid, a spread in ticks, and the lots of both sides."""
    bid_ticks, spread_ticks, bid_lots, ask_lots = book
    depth = Depth((Level(bid_ticks, bid_lots),), (Level(bid_ticks + spread_ticks, ask_lots),))
    return MID._replace(depth=depth, position=position, seen=seen)


@pytest.mark.parametrize("name", MODELS)
@given(PARAMETERS, BOOKS, SEEN, st.decimals("-0.3", "0.3", places=5), st.decimals("0", "0.3", places=5))
def test_quotes_never_cross_and_never_rise_with_the_inventory(
    name: str, parameters: Parameters, book: tuple[int, int, int, int], seen: Estimates, low: Decimal, more: Decimal
) -> None:
    """Neither each other nor the market: a post-only order that would trade is refused. The sides are best first."""
    poor, rich = (quoted(name, parameters, market_of(book, held, seen)) for held in (low, low + more))
    for bids, asks in (poor, rich):
        prices = [*reversed(bids), *asks]
        assert all(nearer[0] <= farther[0] for nearer, farther in pairwise(prices))
        if bids:
            assert bids[0][0] < book[0] + book[1]
        if asks:
            assert asks[0][0] > book[0]
        if bids and asks:
            assert bids[0][0] < asks[0][0]
    for before, after in zip(poor, rich, strict=True):
        assert all(then[0] <= now[0] for now, then in zip(before, after, strict=False))


@pytest.mark.parametrize("name", MODELS)
@given(PARAMETERS, SEEN)
def test_quotes_are_symmetric_without_inventory(name: str, parameters: Parameters, seen: Estimates) -> None:
    """As far below the mid as above it, and as large: with equal quantities the micro-price is the mid."""
    bids, asks = quoted(
        name, parameters, MID._replace(depth=Depth((Level(9_138_400, 5),), (Level(9_138_600, 5),)), seen=seen)
    )
    assert [(9_138_500 - price, qty) for price, qty in bids] == [(price - 9_138_500, qty) for price, qty in asks][
        : len(bids)
    ]

"""Skew, levels, centre and spread of the quoting models: tables worked by hand, and what holds of all of them."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.codes import Side
from market.depth import Depth, Level
from market.instrument import format_decimal
from tests.trading.markets import at_mid
from trading.models import MODELS, model_named
from trading.models.ladder import Ladder
from trading.models.parameters import Parameters
from trading.models.spreads import Distances, Symmetric
from trading.order_rules import OrderRules
from trading.quoting import Arrivals, Estimates, Market, Quote
from trading.reasons import Rule

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


def test_quotes_know_their_level_and_their_model() -> None:
    """What is traded can be told by both; a first quote that the venue would not take leaves the second its number."""
    parameters = replace(PLAIN, levels=3, level_growth=Decimal("1.5"))
    named = [(each.side, each.level, each.model) for each in model_named("volatility", parameters).quotes(MID)]
    assert named == [(side, level, "volatility") for side in (Side.BUY, Side.SELL) for level in (1, 2, 3)]
    rules = replace(MID.rules, qty_min=MID.instrument.lots_to_qty(1_500))  # the first quotes are of 1,094 lots
    left = model_named("symmetric", parameters).quotes(MID._replace(rules=rules))
    assert [each.level for each in left] == [2, 3, 2, 3]


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


MANY = 1e15  # takers seen: nothing is left of what was expected
RISKY = replace(PLAIN, skew=Decimal("0.001"), arrival_rate=Decimal(2))


@pytest.mark.parametrize(
    ("parameters", "position", "seen", "bid_ticks", "ask_ticks"),
    [
        # Full inventory is 10 quotes; gamma = 0.001 / (10 x 0.0001^2 x 100 s) = 100; k = 1 / 0.002 = 500;
        # ln(1 + 100 / 500) / 100 = 0.001823215568; gamma x 0.0001^2 x 100 / 2 = 0.00005. Together 17,118.3805 ticks.
        (replace(RISKY, horizon_s=Decimal(100)), "0", Estimates(), 9_121_381, 9_155_619),
        # 5 quotes x 0.0001 = 0.0005 lower: 4,569.25 ticks; 9,116,812.37 and 9,151,049.13
        (replace(RISKY, horizon_s=Decimal(100)), "0.5", Estimates(), 9_116_812, 9_151_050),
        # Twice the volatility: half-spread 0.001823215568 + 0.0002 is 18,489.1555 ticks, the lean 0.002 is 18,277.
        (replace(RISKY, horizon_s=Decimal(100)), "0.5", Estimates(0.0002), 9_101_733, 9_138_713),
        # Asks with k = 100: ln(2) / 100 = 0.006931471806, + 0.00005 is 63,800.18 ticks.
        (
            replace(RISKY, horizon_s=Decimal(100)),
            "0",
            Estimates(0.0001, None, Arrivals(1.0, 100.0, MANY, 1.0)),
            9_121_381,
            9_202_301,
        ),
    ],
)
def test_avellaneda_stoikov_as_worked_by_hand(
    parameters: Parameters, position: str, seen: Estimates, bid_ticks: int, ask_ticks: int
) -> None:
    """A market of 91,385.00; the volatility is in fractions, the horizon rolls."""
    market = MID._replace(position=Decimal(position) * FULL, seen=seen)
    assert quoted("avellaneda-stoikov", parameters, market) == ([(bid_ticks, 1_094)], [(ask_ticks, 1_094)])


@pytest.mark.parametrize(
    ("position", "seen", "bid_ticks", "ask_ticks"),
    [
        # A = 2: at gamma / k = 1, c2 = sqrt(1 / 4 x 2^2) = 1, and 10 quotes x 0.0001 x 1 is the skew, 0.001. So gamma
        # is k = 500, c1 = ln(2) / 500 = 0.001386294361; with 0.0001 / 2 that is 13,125.576 ticks.
        ("0", Estimates(), 9_125_374, 9_151_626),
        # 5 quotes x 0.0001 lower: 4,569.25 ticks; 9,120,805.17 and 9,147,056.33
        ("0.5", Estimates(), 9_120_805, 9_147_057),
        # Twice the volatility: 0.001386294361 + 0.0001 is 13,582.50 ticks, and 0.001 lower, 9,138.5
        ("0.5", Estimates(0.0002), 9_115_778, 9_142_945),
        # Bids with A = 8: c2 = sqrt(1 / 16 x 4) = 0.5; 0.001386294361 + 0.000025 is 12,897.11 ticks.
        ("0", Estimates(0.0001, Arrivals(8.0, 500.0, MANY, 1.0)), 9_125_602, 9_151_626),
    ],
)
def test_glft_as_worked_by_hand(position: str, seen: Estimates, bid_ticks: int, ask_ticks: int) -> None:
    """A market of 91,385.00; the risk aversion is found from the skew."""
    market = MID._replace(position=Decimal(position) * FULL, seen=seen)
    assert quoted("glft", RISKY, market) == ([(bid_ticks, 1_094)], [(ask_ticks, 1_094)])


@pytest.mark.parametrize(
    ("name", "bid_ticks", "ask_ticks"),
    [
        # 17,118.3805 ticks without a fee, see above, and 0.001 is 9,138.5: 26,256.88
        ("avellaneda-stoikov", 9_112_243, 9_164_757),
        # 13,125.576 + 9,138.5 = 22,264.08
        ("glft", 9_116_235, 9_160_765),
        ("symmetric", 9_120_223, 9_156_777),
    ],
)
def test_models_that_reckon_with_takers_quote_farther_by_the_fee(name: str, bid_ticks: int, ask_ticks: int) -> None:
    """Guards a spread of 1 / k, less than a basis point, under a fee of ten: each fill of it lost money."""
    parameters = replace(RISKY, horizon_s=Decimal(100), fee=Decimal("0.001"))
    assert quoted(name, parameters, MID) == ([(bid_ticks, 1_094)], [(ask_ticks, 1_094)])


@pytest.mark.parametrize("name", ["avellaneda-stoikov", "glft"])
@pytest.mark.parametrize("seen", [Arrivals(3.0, 20_000.0, 100.001, 1.0), Arrivals(3.0, 20_000.0, 1e6, 0.50001)])
def test_quotes_do_not_jump_when_arrivals_become_known(name: str, seen: Arrivals) -> None:
    """Guards a half-spread that went from 20 bps to one half from one second to the next."""
    spread = MODELS[name](replace(RISKY, horizon_s=Decimal(100)))
    before, after = (spread.distances(Decimal("0.3"), Estimates(0.0001, side, side)) for side in (None, seen))
    assert [float(distance) for distance in after] == pytest.approx([float(distance) for distance in before], rel=1e-3)


@pytest.mark.parametrize("name", ["avellaneda-stoikov", "glft"])
@pytest.mark.parametrize("skew", ["0", "1e-12"])
def test_without_risk_aversion_both_sides_stand_at_one_over_k(name: str, skew: str) -> None:
    """The limit of gamma to 0, whatever is held: 1 / k is the half-spread, a total of 2 / k; not reached by a jump."""
    spread = MODELS[name](replace(PLAIN, skew=Decimal(skew)))
    for distance in spread.distances(Decimal(1), Estimates()):
        assert float(distance) == pytest.approx(0.002, rel=1e-6)


@pytest.mark.parametrize(
    ("position", "bid_rate", "ask_rate", "quotes"),
    [
        # Asks with A = 0.02: c2 = sqrt(1 / 0.04 x 4) = 10; 0.001386294361 + (0.5 - 10) x 0.0001 x 10 is -74,147.1
        # ticks, so 9,064,353. Bids are 13,125.576 + 9,138.5 lower, at 9,116,235, were it not for that.
        ("1", 2.0, 0.02, ([(9_064_352, 1_094)], [(9_064_353, 1_094)])),
        ("-1", 0.02, 2.0, ([(9_212_647, 1_094)], [(9_212_648, 1_094)])),
    ],
)
def test_side_that_adds_to_the_position_makes_way_for_the_other(
    position: str, bid_rate: float, ask_rate: float, quotes: tuple[list[tuple[int, int]], list[tuple[int, int]]]
) -> None:
    """In a wide market a bid was wanted above our own ask: each was cancelled for the other, or refused, for ever."""
    bid, ask = (Arrivals(rate, 500.0, MANY, 1.0) for rate in (bid_rate, ask_rate))
    depth = Depth((Level(8_000_000, 1),), (Level(10_277_000, 1),))
    market = MID._replace(depth=depth, position=Decimal(position) * FULL, seen=Estimates(0.0001, bid, ask))
    assert quoted("glft", RISKY, market) == quotes


def test_levels_of_a_side_that_is_held_back_keep_their_steps() -> None:
    """Under a lean of twice the half-spread three asks were held at one price: one order of three times the size.

    A step of 0.0005 is 4,569.25 ticks; the first ask stands a tick above the best bid, the others that much behind.
    """
    parameters = replace(PLAIN, skew=Decimal("0.004"), levels=3)
    market = MID._replace(depth=Depth((Level(9_138_500, 1),), (Level(9_138_501, 1),)), position=FULL)
    _, asks = quoted("symmetric", parameters, market)
    assert [price for price, _ in asks] == [9_138_501, 9_143_071, 9_147_640]
    reasons = {each.why.rule for each in model_named("symmetric", parameters).quotes(market) if each.side == Side.SELL}
    assert reasons == {Rule.WOULD_TAKE}
    bids, _ = quoted("symmetric", parameters, market._replace(position=-FULL))
    assert [price for price, _ in bids] == [9_138_500, 9_133_930, 9_129_361]


@pytest.mark.parametrize(("position", "side", "wanted"), [(FULL, Side.BUY, 9_321_270), (-FULL, Side.SELL, 8_955_730)])
def test_quote_that_is_held_back_twice_tells_where_the_model_wanted_it(
    position: Decimal, side: Side, wanted: int
) -> None:
    """Held at the touch and then by our own other side it told the touch for what the model wanted."""

    class Beyond(Symmetric):
        def distances(self, *_: object) -> Distances:
            return Distances(Decimal("-0.02"), Decimal("-0.02"))

    market = MID._replace(depth=Depth((Level(9_138_499, 1),), (Level(9_138_501, 1),)), position=position)
    (quote,) = [each for each in Ladder(PLAIN, Beyond(PLAIN)).quotes(market) if each.side == side]
    price = market.instrument.ticks_to_price(wanted)
    assert (quote.why.rule, quote.why.numbers["wanted_price"]) == (Rule.CROSSING, price)
    assert f"at {format_decimal(price)}, would" in quote.why.text


def test_levels_whose_step_is_less_than_a_tick_stand_a_tick_apart() -> None:
    """At a mid of 50.5 ticks a step of 5 bps is a fortieth of a tick."""
    market = at_mid(101)._replace(rules=OrderRules())
    bids, asks = quoted("symmetric", replace(PLAIN, levels=3, notional=Decimal("0.001")), market)
    assert [price for price, _ in bids] == [50, 49, 48]
    assert [price for price, _ in asks] == [51, 52, 53]


ARRIVALS = st.none() | st.builds(
    Arrivals, st.floats(1e-3, 1e3), st.floats(10, 1e6), st.sampled_from([100.0, 200.0, MANY]), st.just(1.0)
)
SEEN = st.builds(Estimates, st.none() | st.floats(1e-9, 0.1), ARRIVALS, ARRIVALS)
SEEN_ALIKE = SEEN.map(lambda seen: seen._replace(ask=seen.bid))
PARAMETERS = st.builds(
    Parameters,
    half_spread=st.decimals("0.00001", "0.4", places=5),
    notional=st.just(Decimal(1_000)),
    centre=st.sampled_from(["mid", "micro"]),
    skew=st.decimals("0", "0.4", places=5),
    levels=st.integers(1, 5),
    level_step=st.decimals("0.0001", "0.02", places=4),
)
SPREADS = st.integers(1, 5_000) | st.integers(1, 500_000)
BOOKS = st.tuples(st.integers(9_000_000, 9_200_000), SPREADS, st.integers(1, 99), st.integers(1, 99))


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
        assert all(nearer[0] < farther[0] for nearer, farther in pairwise(prices)), "one price has one quote of ours"
        step_ticks = parameters.level_step * (2 * book[0] + book[1]) / 2
        if parameters.centre == "mid":
            gaps = [abs(nearer[0] - farther[0]) for side in (bids, asks) for nearer, farther in pairwise(side)]
            assert all(gap >= step_ticks - 1 for gap in gaps)
        if bids:
            assert bids[0][0] < book[0] + book[1]
        if asks:
            assert asks[0][0] > book[0]
        if bids and asks:
            assert bids[0][0] < asks[0][0]
    for before, after in zip(poor, rich, strict=True):
        assert all(then[0] <= now[0] for now, then in zip(before, after, strict=False))


@pytest.mark.parametrize("name", MODELS)
@given(PARAMETERS, SEEN_ALIKE)
def test_quotes_are_symmetric_without_inventory(name: str, parameters: Parameters, seen: Estimates) -> None:
    """As far below the mid as above it, and as large: with equal quantities the micro-price is the mid."""
    bids, asks = quoted(
        name, parameters, MID._replace(depth=Depth((Level(9_138_400, 5),), (Level(9_138_600, 5),)), seen=seen)
    )
    assert [(9_138_500 - price, qty) for price, qty in bids] == [(price - 9_138_500, qty) for price, qty in asks][
        : len(bids)
    ]

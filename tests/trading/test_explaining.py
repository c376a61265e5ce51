"""What a model would quote elsewhere, and what its parameters change: as worked by hand at a mid of 91,385."""

from dataclasses import fields, replace
from decimal import Decimal
from functools import partial

import pytest

from market.codes import Side
from tests.pairs import default_instruments
from trading.limits import Limits
from trading.models import MODELS, model_named
from trading.models.explaining import Rung, Stand, effect, market_around, stands, uneven_market
from trading.models.parameters import MEANINGS, STEPS, Parameters
from trading.models.spreads import DECAY, RATE, VOLATILITY
from trading.quoting import Arrivals, Estimates, Market
from trading.reasons import Rule

BTCUSDT = default_instruments()[0]
FEE = Decimal("0.001")
LEVELS_TWICE = {"quotes": ("2", "4"), "quoted in all, USDT": ("1999.50", "3999.01")} | dict.fromkeys(
    ("first to last bid, bps", "first to last ask, bps"), ("0.00", "5.00")
)
LEANING = Parameters(Decimal("0.002"), Decimal(1_000), skew=FEE, fee=FEE)


def market(mid: str = "91385") -> Market:
    """Return a market around a mid, of which nothing else is known."""
    return market_around(Decimal(mid), BTCUSDT, Estimates())


@pytest.mark.parametrize("mid", ["91385", "91385.005", "0.02", "0.025"])
def test_market_is_around_the_mid(mid: str) -> None:
    """Half ticks too; the book has two sides, and no quote is kept from its price by it."""
    assert market(mid).mid == Decimal(mid)
    assert market(mid).depth.bids[0].price_ticks < market(mid).depth.asks[0].price_ticks


def test_quotes_at_five_positions_are_as_worked_by_hand() -> None:
    """Half-spread 182.77, skew 91.385 at full inventory, quantity 0.01094; of both fills 10 bps are paid."""
    short, half_short, flat, half_long, long = stands(model_named("symmetric", LEANING), market(), Decimal(10_000), FEE)
    assert flat[:5] == (Decimal(0), Decimal("91202.23"), Decimal("91567.77"), Decimal("0.01094"), Decimal("0.01094"))
    assert flat.spread == Decimal("365.54")
    assert flat.skew == flat.skew_cost == Decimal(0)
    assert flat.earned == Decimal("0.01094") * (Decimal("365.54") - Decimal("182.77"))  # 0.001 of 182,770.00
    assert round(long.position, 8) == Decimal("0.10942715")  # 10,000 / 91,385
    assert long[1:3] == (Decimal("91110.84"), Decimal("91476.39"))  # 91,202.23 and 91,567.77 less 91.385
    assert (long.spread, long.skew) == (Decimal("365.55"), Decimal("-91.385"))
    assert long.skew_cost == Decimal("0.01094") * Decimal("91.385")
    assert half_long[1:3] == (Decimal("91156.53"), Decimal("91522.08"))  # less 45.6925
    assert half_short.skew == -half_long.skew if half_long.skew is not None else False
    assert short.skew == Decimal("91.385")


def test_side_that_is_not_quoted_has_no_price_and_no_spread() -> None:
    """At full inventory with a size skew of one."""
    *_, long = stands(model_named("symmetric", replace(LEANING, size_skew=Decimal(1))), market(), Decimal(10_000), FEE)
    assert long[1:9] == Stand(long.position, None, Decimal("91476.39"), Decimal(0), Decimal("0.01094"))[1:9]


def test_every_level_is_told() -> None:
    """Of three levels the first was told, and nobody saw that all asks stood at one price."""
    model = model_named("symmetric", replace(LEANING, skew=Decimal("0.004"), levels=3))
    *_, long = stands(model, market(), Decimal(10_000), FEE)
    # At full: bids 0.006 below 91,385, and 45.6925 apart; the asks, wanted 0.002 below it, are held a tick above the
    # best bid, which is a tick below the mid.
    qty = Decimal("0.01094")
    asks = "91385.00", "91430.70", "91476.39"
    bids = "90836.69", "90790.99", "90745.30"
    assert list(long.levels) == [
        Rung(level, Decimal(bid), qty, Decimal(ask), qty)
        for level, (bid, ask) in enumerate(zip(bids, asks, strict=True), 1)
    ]


def test_what_keeps_a_quote_and_what_limits_would_take_is_told() -> None:
    """A bid that stood at the mid looked like the model's own; limits were not told at all."""
    model = model_named("avellaneda-stoikov", replace(LEANING, skew=Decimal("0.004")))
    limits = Limits(exposure=Decimal(9_000), band=Decimal("0.0035"), order=Decimal(900))
    told = [
        [(side, why.rule) for side, why in stand.kept]
        for stand in stands(model, market(), Decimal(10_000), FEE, limits)
    ]
    buy, sell = ((side, Rule.ORDER_LIMIT) for side in Side)
    far = Rule.BAND_LIMIT
    assert told == [
        [(Side.BUY, Rule.WOULD_TAKE), buy, (Side.SELL, Rule.EXPOSURE_LIMIT), (Side.SELL, far), sell],
        [buy, (Side.SELL, far), sell],
        [buy, sell],
        [(Side.BUY, far), buy, sell],
        [(Side.BUY, Rule.EXPOSURE_LIMIT), (Side.BUY, far), buy, (Side.SELL, Rule.WOULD_TAKE), sell],
    ]
    assert all(not stand.kept for stand in stands(model_named("symmetric", LEANING), market(), Decimal(10_000), FEE))


SEEN = Estimates(0.0003, Arrivals(2.0, 900.0, 1e6, 1.0), Arrivals(2.0, 900.0, 1e6, 1.0))


@pytest.mark.parametrize("name", MODELS)
def test_a_model_goes_by_what_it_says_that_it_reads_and_by_nothing_else(name: str) -> None:
    """`explain symmetric` told A and k, of which it knows nothing."""
    spread = MODELS[name](LEANING)
    assert SEEN.bid is not None
    other = {
        VOLATILITY: SEEN._replace(volatility=0.0004),
        RATE: SEEN._replace(bid=SEEN.bid._replace(rate=5.0)),
        DECAY: SEEN._replace(bid=SEEN.bid._replace(decay=400.0)),
    }
    changing = {
        what
        for what, seen in other.items()
        if spread.distances(Decimal("0.5"), seen) != spread.distances(Decimal("0.5"), SEEN)
    }
    assert changing == set(spread.reads)


def skewed(half: tuple[str, str], full: tuple[str, str], costs: tuple[str, str]) -> dict[str, tuple[str, str]]:
    """Return what changes with a skew, each before and after."""
    return {"skew at half, bps": half, "skew at full, bps": full, "skew costs at full, USDT": costs}


@pytest.mark.parametrize(
    ("name", "parameter", "changes"),
    [
        # 0.004 of 91,385 is 365.54 on each side; 0.01094 x (731.08 - 182.77) = 5.998
        ("symmetric", "half_spread", {"spread, bps": ("40.00", "80.00"), "earned by both, USDT": ("2.00", "6.00")}),
        # 0.01094 x 91.385 = 1.00
        ("symmetric", "skew", skewed(("-5.00", "-10.00"), ("-10.00", "-20.00"), ("1.00", "2.00"))),
        # The same positions are half as full.
        ("symmetric", "inventory", skewed(("-5.00", "-2.50"), ("-10.00", "-5.00"), ("1.00", "0.50"))),
        # 0.01094 x 91,202.23 + 0.01094 x 91,567.77 = 1,999.50; the second level is 5 bps behind: the same again
        ("symmetric", "levels", LEVELS_TWICE),
        ("symmetric", "arrival_rate", {}),
        ("symmetric", "fee", {"earned by both, USDT": ("2.00", "0.00")}),
        # gamma = 0.001 / (10 x 0.0001^2 x 60) = 166.67; 0.001 + 0.00005 + ln(1 + 1 / 3) / 166.67 = 0.00277609. With
        # twice the fee both quotes are 10 bps farther, which it takes.
        ("avellaneda-stoikov", "fee", {"spread, bps": ("55.52", "75.52")}),
    ],
)
def test_doubling_a_parameter_changes_what_it_says(
    name: str, parameter: str, changes: dict[str, tuple[str, str]]
) -> None:
    """And nothing else."""
    told = effect(parameter, partial(model_named, name), LEANING, market())
    assert told == {figure: tuple(map(Decimal, change)) for figure, change in changes.items()}


@pytest.mark.parametrize("name", MODELS)
def test_first_step_from_nothing_changes_what_it_says(name: str) -> None:
    """Of what is 0 twice is 0: nothing told what a skew would do, nor that it costs anything."""
    plain, make = replace(LEANING, skew=Decimal(0)), partial(model_named, name)
    told = effect("skew", make, plain, market(), STEPS["skew"])
    assert told["skew at full, bps"] == (Decimal("0.00"), Decimal("-5.00"))
    assert told["skew costs at full, USDT"] == (Decimal("0.00"), Decimal("0.50"))  # 0.01094 x 45.6925
    told = effect("size_skew", make, plain, market(), STEPS["size_skew"])
    assert told == {"first bid at full, BTC": (Decimal("0.01094"), Decimal("0.00547"))}


@pytest.mark.parametrize("mid", ["91385", "91385.005", "0.02"])
def test_other_centre_is_told_in_a_book_in_which_it_is_another(mid: str) -> None:
    """With sizes of three to one it lies a quarter of the book's width higher; 2 bps of it are half a basis point."""
    uneven = uneven_market(Decimal(mid), BTCUSDT, Estimates())
    assert uneven.mid == Decimal(mid)
    bid, ask = uneven.depth.bids[0], uneven.depth.asks[0]
    assert (bid.price_ticks < ask.price_ticks, bid.qty_lots) == (True, 3 * ask.qty_lots)
    if Decimal(mid) > 1:
        told = effect("centre", partial(model_named, "symmetric"), LEANING, uneven, "micro")
        assert told["skew when flat, bps"] == (Decimal("0.00"), Decimal("0.50"))


def test_step_of_several_levels_changes_something_and_what_rounding_changes_is_not_told() -> None:
    """`nothing of the above changes`, just below the levels that moved; 1,997.86 became 1,997.42 of it."""
    told = effect("level_step", partial(model_named, "symmetric"), replace(LEANING, levels=3), market())
    assert told == dict.fromkeys(("first to last bid, bps", "first to last ask, bps"), (Decimal(10), Decimal(20)))
    told = effect("half_spread", partial(model_named, "symmetric"), LEANING, market("91385.37"))
    assert set(told) == {"spread, bps", "earned by both, USDT"}


def test_every_parameter_has_its_unit_and_meaning() -> None:
    """In the order in which they are told."""
    assert list(MEANINGS) == [each.name for each in fields(Parameters)]
    assert all(meaning.unit and meaning.text for meaning in MEANINGS.values())


@pytest.mark.parametrize("name", MODELS)
def test_any_model_can_be_explained(name: str) -> None:
    """Through what all have in common; the skew leans against the position, from long to short."""
    skews = [stand.skew for stand in stands(model_named(name, LEANING), market(), Decimal(10_000), FEE)]
    known = [skew for skew in skews if skew is not None]
    assert len(known) == 5
    assert known == sorted(known, reverse=True)

"""The default quote, and how little motion gets the book to hold it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.settings import SettingsError, load_settings
from market.codes import Side
from market.depth import Depth
from tests.pairs import default_instruments
from tests.trading.markets import at_mid
from trading.decision import reconcile
from trading.models import MODELS
from trading.models.symmetric import Symmetric
from trading.quoting import Quote

BTCUSDT = default_instruments()[0]
HALF_SPREAD, NOTIONAL = Decimal("0.002"), Decimal(1_000)
BID, ASK = Quote(Side.BUY, 9_120_223, 1_094), Quote(Side.SELL, 9_156_777, 1_094)


def test_default_quote_at_the_start_mid_is_exact() -> None:
    """At mid 91,385.00: 0.01094 at 91,202.23 and at 91,567.77."""
    assert Symmetric(HALF_SPREAD, NOTIONAL).quotes(at_mid(2 * 9_138_500)) == (BID, ASK)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_quotes_a_side_once_and_nothing_without_a_mid(name: str) -> None:
    """What the maker takes from a model of whatever name."""
    model = MODELS[name](HALF_SPREAD, NOTIONAL)
    quotes = model.quotes(at_mid(2 * 9_138_500))
    assert len({quote.side for quote in quotes}) == len(quotes)
    assert not model.quotes(at_mid(0)._replace(depth=Depth((), ())))
    assert model.obstacle(at_mid(2 * 9_138_500)) is None


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    """Guards `maker.model` against a typing error."""
    with pytest.raises(SettingsError, match=r"maker\.model: expected one of symmetric, was 'symetric'"):
        load_settings({"maker.model": "symetric"})


def test_quotes_nothing_when_a_side_is_less_than_a_lot() -> None:
    """A notional that buys no lot is no order."""
    assert not Symmetric(HALF_SPREAD, Decimal("0.5")).quotes(at_mid(2 * 9_138_500))


@given(st.integers(2, 200_000_000), st.decimals("0.00001", "0.49", places=5), st.integers(1, 10**6))
def test_quote_is_never_closer_than_the_half_spread_nor_larger_than_the_notional(
    mid_x2: int, half_spread: Decimal, notional: int
) -> None:
    """Prices round away from the mid, quantities down."""
    quotes = Symmetric(half_spread, Decimal(notional)).quotes(at_mid(mid_x2))
    if not quotes:
        return
    bid, ask = quotes
    mid = Decimal(mid_x2) / 2
    assert bid.price_ticks <= mid * (1 - half_spread) < bid.price_ticks + 1
    assert ask.price_ticks - 1 < mid * (1 + half_spread) <= ask.price_ticks
    assert bid.qty_lots == ask.qty_lots
    assert bid.qty_lots * BTCUSDT.lot_size * mid * BTCUSDT.tick_size <= notional


def plan(
    wanted: Sequence[Quote],
    live: Mapping[str, Quote],
    tolerance_ticks: int = 23,
    replace_below: str = "0",
    held: Collection[Side] = (),
) -> tuple[dict[str, str], list[Quote]]:
    """Return what to cancel and what to place."""
    return reconcile(wanted, live, tolerance_ticks, Decimal(replace_below), held, "no mid")


def test_nothing_moves_while_prices_are_within_the_tolerance() -> None:
    """An order keeps its place in the queue."""
    live = {"1": Quote(Side.BUY, 9_120_200, 500), "2": Quote(Side.SELL, 9_156_800, 1_094)}
    assert plan((BID, ASK), live) == ({}, [])


def test_only_the_side_that_is_off_is_replaced() -> None:
    """One tick beyond the tolerance, and that order alone is cancelled and placed again."""
    live = {"1": Quote(Side.BUY, 9_120_199, 1_094), "2": Quote(Side.SELL, 9_156_777, 1_094)}
    assert plan((BID, ASK), live) == ({"1": "requote: 24 ticks off, 23 are tolerated"}, [BID])


def test_doubled_orders_are_reduced_to_the_closest() -> None:
    """After an unknown fate two orders may stand on one side."""
    live = {"1": Quote(Side.BUY, 9_120_210, 1_094), "2": Quote(Side.BUY, 9_120_222, 1_094)}
    assert plan((BID,), live, 100) == ({"1": "another one on this side is closer"}, [])


def test_everything_is_cancelled_when_nothing_is_wanted() -> None:
    """No mid, no quotes."""
    live = {"1": Quote(Side.BUY, 1, 1), "2": Quote(Side.SELL, 2, 1)}
    assert plan((), live, 0) == ({"1": "no mid", "2": "no mid"}, [])


@pytest.mark.parametrize(
    ("leaves_lots", "is_kept"), [(547, True), (546, False), (1, False), (1_641, True), (1_642, False)]
)
def test_what_is_left_of_a_quote_is_replaced_when_its_size_is_far_off(leaves_lots: int, is_kept: bool) -> None:
    """One lot was kept for ever; and after a smaller notional was set, the larger order of before."""
    cancels, places = plan((BID,), {"1": replace(BID, qty_lots=leaves_lots)}, 23, "0.5")
    assert (list(cancels), places) == (([], []) if is_kept else (["1"], [BID]))


def test_size_does_not_matter_at_zero_nor_where_nothing_could_take_its_place() -> None:
    """A side without money keeps what is left; a price that is off is pulled all the same."""
    live = {"1": replace(BID, qty_lots=1)}
    assert plan((BID,), live) == ({}, [])
    assert plan((BID,), live, 23, "0.5", held={Side.BUY}) == ({}, [])
    off = {"1": Quote(Side.BUY, BID.price_ticks - 24, 1)}
    assert list(plan((BID,), off, 23, "0.5", held={Side.BUY})[0]) == ["1"]

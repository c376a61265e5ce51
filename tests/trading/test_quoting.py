"""The default quote."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.settings import SettingsError, load_settings
from market.codes import Side
from market.depth import Depth
from tests.pairs import default_instruments
from tests.trading.markets import at_mid, symmetric
from trading.models import MODELS, model_named
from trading.models.parameters import Parameters
from trading.quoting import Quote

BTCUSDT = default_instruments()[0]
HALF_SPREAD, NOTIONAL = Decimal("0.002"), Decimal(1_000)
BID, ASK = Quote(Side.BUY, 9_120_223, 1_094), Quote(Side.SELL, 9_156_777, 1_094)


def test_default_quote_at_the_start_mid_is_exact() -> None:
    """At mid 91,385.00: 0.01094 at 91,202.23 and at 91,567.77."""
    assert symmetric(HALF_SPREAD, NOTIONAL).quotes(at_mid(2 * 9_138_500)) == [BID, ASK]


@pytest.mark.parametrize("name", MODELS)
def test_every_model_quotes_each_side_once_by_default_and_nothing_without_a_mid(name: str) -> None:
    """What the maker takes from a model of whatever name."""
    model = model_named(name, Parameters(HALF_SPREAD, NOTIONAL))
    quotes = model.quotes(at_mid(2 * 9_138_500))
    assert [quote.side for quote in quotes] == [Side.BUY, Side.SELL]
    assert not model.quotes(at_mid(0)._replace(depth=Depth((), ())))
    assert model.obstacle(at_mid(2 * 9_138_500)) is None


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    """Guards `maker.model` against a typing error."""
    with pytest.raises(
        SettingsError,
        match=r"maker\.model: expected one of symmetric, volatility, avellaneda-stoikov, glft, was 'symetric'",
    ):
        load_settings({"maker.model": "symetric"})


def test_quotes_nothing_when_a_side_is_less_than_a_lot() -> None:
    """A notional that buys no lot is no order."""
    assert not symmetric(HALF_SPREAD, Decimal("0.5")).quotes(at_mid(2 * 9_138_500))


@given(st.integers(2, 200_000_000), st.decimals("0.00001", "0.49", places=5), st.integers(1, 10**6))
def test_quote_is_never_closer_than_the_half_spread_nor_larger_than_the_notional(
    mid_x2: int, half_spread: Decimal, notional: int
) -> None:
    """Prices round away from the mid, quantities down."""
    quotes = symmetric(half_spread, Decimal(notional)).quotes(at_mid(mid_x2))
    if len(quotes) < 2:
        return
    bid, ask = quotes
    mid = Decimal(mid_x2) / 2
    assert bid.price_ticks <= mid * (1 - half_spread) < bid.price_ticks + 1
    assert ask.price_ticks - 1 < mid * (1 + half_spread) <= ask.price_ticks
    assert bid.qty_lots == ask.qty_lots
    assert bid.qty_lots * BTCUSDT.lot_size * mid * BTCUSDT.tick_size <= notional

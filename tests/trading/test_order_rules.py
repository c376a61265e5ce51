"""Which settings no venue would take, and what the text names instead."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.instrument import Instrument
from tests.pairs import default_instruments
from tests.trading.markets import at_mid, symmetric
from trading.order_rules import OrderRules

BTCUSDT = default_instruments()[0]
MID_X2 = 2 * 9_138_500
HALF_SPREAD = Decimal("0.002")


def obstacle(
    instrument: Instrument, rules: OrderRules, mid_x2: int, half_spread: Decimal, notional: Decimal
) -> str | None:
    """Return what the model says."""
    return symmetric(half_spread, notional).obstacle(at_mid(mid_x2, instrument, rules))


def named(text: str | None) -> Decimal:
    """Return the value that the text expects."""
    assert text is not None
    found = re.search(r"expected at (?:least|most) ([0-9.]+)$", text)
    assert found, text
    return Decimal(found[1])


@pytest.mark.parametrize(
    ("rules", "notional", "expected"),
    [
        (OrderRules(notional_min=Decimal(5)), "5", "5.49"),
        (OrderRules(notional_min=Decimal(5)), "0.5", "5.49"),
        (OrderRules(notional_min=Decimal(10)), "5.49", "10.06"),
        (OrderRules(qty_min=Decimal("0.001")), "91", "91.39"),
        (OrderRules(), "0.5", "0.92"),
        (OrderRules(qty_max=Decimal("0.01")), "1000", "913.85"),
        (OrderRules(notional_max=Decimal(900)), "1000", "897.40"),
        (OrderRules(position_max=Decimal("0.005")), "1000", "456.92"),
    ],
)
def test_notional_that_cannot_be_an_order_is_answered_with_one_that_can(
    rules: OrderRules, notional: str, expected: str
) -> None:
    """For each bound of a quantity; what is named works, and is the nearest to it."""
    text = obstacle(BTCUSDT, rules, MID_X2, HALF_SPREAD, Decimal(notional))
    assert named(text) == Decimal(expected)
    assert "maker.notional" in str(text)
    assert obstacle(BTCUSDT, rules, MID_X2, HALF_SPREAD, named(text)) is None


@pytest.mark.parametrize(
    ("rules", "half_spread", "expected"),
    [
        (OrderRules(bid_reach=(Decimal("0.8"), Decimal("1.2"))), "0.25", "0.2"),
        (OrderRules(ask_reach=(Decimal("0.8"), Decimal("1.1"))), "0.25", "0.1"),
        (OrderRules(price_min=Decimal(90_000)), "0.1", "0.015155"),
        (OrderRules(price_max=Decimal(92_000)), "0.1", "0.006729"),
    ],
)
def test_half_spread_that_reaches_too_far_is_answered_with_one_that_does_not(
    rules: OrderRules, half_spread: str, expected: str
) -> None:
    """Percent filters and the range of prices."""
    text = obstacle(BTCUSDT, rules, MID_X2, Decimal(half_spread), Decimal(1_000))
    assert named(text) == Decimal(expected)
    assert "maker.half_spread" in str(text)
    assert obstacle(BTCUSDT, rules, MID_X2, named(text), Decimal(1_000)) is None


def test_market_of_one_tick_is_refused_because_its_bid_would_be_zero() -> None:
    """A tick that is wider than the half-spread leaves no price below the mid."""
    text = obstacle(BTCUSDT, OrderRules(), 2, HALF_SPREAD, Decimal(1_000))
    assert "expected another symbol" in str(text)


def test_rules_that_contradict_each_other_are_told() -> None:
    """The least quantity is more than the most: no setting helps."""
    rules = OrderRules(notional_min=Decimal(100), position_max=Decimal("0.001"))
    assert "expected another symbol" in str(obstacle(BTCUSDT, rules, MID_X2, HALF_SPREAD, Decimal(1_000)))


@given(
    st.integers(20, 200_000_000),
    st.decimals("0.00001", "0.49", places=5),
    st.decimals("0.01", "100000", places=2),
    st.decimals("1", "1000", places=2),
)
def test_quotes_are_within_the_rules_exactly_when_there_is_no_obstacle(
    mid_x2: int, half_spread: Decimal, notional: Decimal, least: Decimal
) -> None:
    """The check and the quotes it is about are two computations."""
    instrument = Instrument(0, "BTCUSDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.00001"))
    rules = OrderRules(notional_min=least, qty_min=Decimal("0.0001"))
    quotes = symmetric(half_spread, notional).quotes(at_mid(mid_x2, instrument))
    is_fine = bool(quotes) and all(
        instrument.ticks_to_price(quote.price_ticks) * instrument.lots_to_qty(quote.qty_lots) >= least
        and instrument.lots_to_qty(quote.qty_lots) >= rules.qty_min
        for quote in quotes
    )
    assert (obstacle(instrument, rules, mid_x2, half_spread, notional) is None) == is_fine

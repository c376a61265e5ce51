"""The default quote, and how little motion gets the book to hold it."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from market.codes import Side
from market.instrument import default_instruments
from trading.quoting import Quote, symmetric_quotes
from trading.reconcile import LiveOrder, reconcile

BTCUSDT = default_instruments()[0]
HALF_SPREAD, NOTIONAL = Decimal("0.002"), Decimal(1_000)
BID, ASK = Quote(Side.BUY, 9_120_223, 1_094), Quote(Side.SELL, 9_156_777, 1_094)


def test_default_quote_at_the_start_mid_is_exact() -> None:
    """At mid 91,385.00: 0.01094 at 91,202.23 and at 91,567.77."""
    assert symmetric_quotes(BTCUSDT, 2 * 9_138_500, HALF_SPREAD, NOTIONAL) == (BID, ASK)


def test_quotes_nothing_when_a_side_is_less_than_a_lot() -> None:
    """A notional that buys no lot is no order."""
    assert symmetric_quotes(BTCUSDT, 2 * 9_138_500, HALF_SPREAD, Decimal("0.5")) is None


@given(st.integers(2, 200_000_000), st.decimals("0.00001", "0.49", places=5), st.integers(1, 10**6))
def test_quote_is_never_closer_than_the_half_spread_nor_larger_than_the_notional(
    mid_x2: int, half_spread: Decimal, notional: int
) -> None:
    """Prices round away from the mid, quantities down."""
    quotes = symmetric_quotes(BTCUSDT, mid_x2, half_spread, Decimal(notional))
    if quotes is None:
        return
    bid, ask = quotes
    mid = Decimal(mid_x2) / 2
    assert bid.price_ticks <= mid * (1 - half_spread) < bid.price_ticks + 1
    assert ask.price_ticks - 1 < mid * (1 + half_spread) <= ask.price_ticks
    assert bid.qty_lots == ask.qty_lots
    assert bid.qty_lots * BTCUSDT.lot_size * mid * BTCUSDT.tick_size <= notional


def test_nothing_moves_while_prices_are_within_the_tolerance() -> None:
    """An order keeps its place in the queue."""
    live = [LiveOrder("1", Side.BUY, 9_120_200, 500), LiveOrder("2", Side.SELL, 9_156_800, 1_094)]
    assert reconcile((BID, ASK), live, 23) == ((), ())


def test_only_the_side_that_is_off_is_replaced() -> None:
    """One tick beyond the tolerance, and that order alone is cancelled and placed again."""
    bid, ask = LiveOrder("1", Side.BUY, 9_120_199, 1_094), LiveOrder("2", Side.SELL, 9_156_777, 1_094)
    assert reconcile((BID, ASK), [bid, ask], 23) == ((bid,), (BID,))


def test_doubled_orders_are_reduced_to_the_closest() -> None:
    """After an unknown fate two orders may stand on one side."""
    far, near = LiveOrder("1", Side.BUY, 9_120_210, 1_094), LiveOrder("2", Side.BUY, 9_120_222, 1_094)
    assert reconcile((BID,), [far, near], 100) == ((far,), ())


def test_everything_is_cancelled_when_nothing_is_wanted() -> None:
    """No mid, no quotes."""
    live = [LiveOrder("1", Side.BUY, 1, 1), LiveOrder("2", Side.SELL, 2, 1)]
    assert reconcile((), live, 0) == (tuple(live), ())

"""When an order is replaced by the quote that is wanted now: each rule at its bound, with its code and numbers."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.depth import Depth, Level
from tests.trading.markets import BTCUSDT
from trading.keeping import Keeping, Requoting
from trading.quoting import Quote
from trading.reasons import flaw_of_reason
from trading.strategy import OwnOrder

MID_X2 = 200_000  # a tolerance of 0.0001 is 10 ticks
BID = Quote(Side.BUY, 99_000, 100)
NO_BOOK = Depth((), ())


def rule_of(
    requoting: Requoting,
    price_ticks: int = 99_000,
    leaves_lots: int = 100,
    *,
    age_ns: int = 0,
    depth: Depth = NO_BOOK,
    ask_ticks: int = 101_000,
    is_held: bool = False,
) -> str | None:
    """Return the code of the rule by which an order of ours does not stand for `BID`; None: it does."""
    wanted = [BID, Quote(Side.SELL, ask_ticks, 100)]
    keeping = Keeping(requoting, BTCUSDT, age_ns, MID_X2, depth, wanted)
    why = keeping.flaw(OwnOrder("tb-1", Side.BUY, price_ticks, leaves_lots, 0), BID, is_held=is_held)
    assert why is None or not flaw_of_reason(why)
    return why and why.rule


@pytest.mark.parametrize(("price_ticks", "rule"), [(98_990, None), (99_010, None), (98_989, "TOLERANCE")])
def test_price_may_be_as_far_off_as_the_tolerance(price_ticks: int, rule: str | None) -> None:
    """A tick further, and it is replaced."""
    assert rule_of(Requoting(Decimal("0.0001")), price_ticks) == rule


@pytest.mark.parametrize(("age_ms", "rule"), [(499, None), (500, "TOLERANCE")])
def test_young_order_stays_wherever_it_is(age_ms: int, rule: str | None) -> None:
    """A requote a quarter of a second after the last one has never had a place in the queue."""
    requoting = Requoting(Decimal("0.0001"), life_min_ns=500 * NS_PER_MS)
    assert rule_of(requoting, 98_000, age_ns=age_ms * NS_PER_MS) == rule


@pytest.mark.parametrize(("age_s", "rule"), [(59, None), (60, "AGE")])
def test_old_order_is_replaced(age_s: int, rule: str | None) -> None:
    """But not where nothing could take its place."""
    requoting = Requoting(Decimal("0.0001"), age_max_ns=60 * NS_PER_SECOND)
    assert rule_of(requoting, age_ns=age_s * NS_PER_SECOND) == rule
    assert rule_of(requoting, age_ns=age_s * NS_PER_SECOND, is_held=True) is None


@pytest.mark.parametrize(("ask_ticks", "rule"), [(98_996, None), (98_995, "CROSSING"), (98_994, "CROSSING")])
def test_order_with_which_our_own_ask_would_trade_leaves_however_young(ask_ticks: int, rule: str | None) -> None:
    """After a fall the ask is wanted where the bid still is, within the tolerance: the venue would refuse it."""
    requoting = Requoting(Decimal("0.0001"), life_min_ns=NS_PER_SECOND)
    assert rule_of(requoting, 98_995, ask_ticks=ask_ticks, is_held=True) == rule


@pytest.mark.parametrize(
    ("gain", "last_ticks", "price_ticks", "rule"),
    [
        ("0", 98_000, 98_995, None),
        ("0.5", 98_000, 98_995, "QUEUE"),  # 20 lots before a new one, 50 before this one
        ("0.4", 98_000, 98_995, None),
        ("0.5", 98_996, 98_995, None),  # the book that we see does not reach to it
        ("0.9", 98_000, 99_005, None),  # a new one would stand behind it
        ("0.9", 98_000, 99_000, None),
    ],
)
def test_order_within_the_tolerance_stays_while_a_new_one_would_stand_worse(
    gain: str, last_ticks: int, price_ticks: int, rule: str | None
) -> None:
    """What is before an order is what others have at its price and at better ones."""
    levels = [(99_010, 8), (99_000, 12), (98_996, 10), (98_995, 20), (98_000, 5)]
    depth = Depth(tuple(Level(*each) for each in levels if each[0] >= last_ticks), ())
    assert rule_of(Requoting(Decimal("0.0001"), queue_gain=Decimal(gain)), price_ticks, depth=depth) == rule


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 10), st.integers(0, 20))
def test_what_was_just_placed_is_not_replaced_at_once(
    price_ticks: int, qty_lots: int, tolerance: int, depth_ticks: int
) -> None:
    """An order that is just what is wanted stands for it by every rule but its age: nothing goes round in circles."""
    quote = Quote(Side.BUY, price_ticks, qty_lots)
    requoting = Requoting(Decimal(tolerance), Decimal("0.5"), Decimal("0.9"), 0, 10)
    book = Depth(tuple(Level(ticks, 5) for ticks in range(20, depth_ticks, -1)), ())
    keeping = Keeping(requoting, BTCUSDT, 9, 2, book, [quote])
    assert keeping.flaw(OwnOrder("tb-1", Side.BUY, price_ticks, qty_lots, 0), quote) is None


def test_wakes_when_an_order_comes_of_age() -> None:
    """In a market that stands still nothing else would."""
    orders = [OwnOrder("tb-1", Side.BUY, 1, 1, since_ns=100), OwnOrder("tb-2", Side.SELL, 9, 1, since_ns=200)]
    assert Requoting(Decimal(0), life_min_ns=50, age_max_ns=500).wakes_ns(orders, 160) == [600, 250, 700]
    assert Requoting(Decimal(0)).wakes_ns(orders, 160) == []

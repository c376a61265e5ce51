"""While a side of the book is empty, its last best price stands for it, for a while."""

from decimal import Decimal

import pytest

from market.clock import NS_PER_SECOND
from market.codes import Side
from market.depth import Depth, Level
from tests.pairs import default_instruments
from tests.trading.markets import symmetric
from trading.model_strategy import ModelStrategy
from trading.order_rules import OrderRules
from trading.strategy import Inbox, Wanted

BTCUSDT = default_instruments()[0]
BOOK = Depth((Level(9_138_400, 5),), (Level(9_138_600, 5),))
START_NS, REFERENCE_NS = 10**18, 5 * NS_PER_SECOND


def wanted(strategy: ModelStrategy, depth: Depth, after_ns: int) -> Wanted:
    """Return what the strategy wants."""
    return strategy.step(START_NS + after_ns, Inbox(BTCUSDT, OrderRules(), depth))


def _strategy(reference_ns: int) -> ModelStrategy:
    return ModelStrategy(symmetric(Decimal("0.002"), Decimal(1_000)), 300, reference_ns)


@pytest.mark.parametrize("depth", [Depth((), ()), Depth(BOOK.bids, ()), Depth((), BOOK.asks)])
def test_quotes_around_the_last_mid_until_it_is_too_old(depth: Depth) -> None:
    """The quotes are the same, with a code of their own; they are taken back when the time is over, news or not."""
    strategy = _strategy(REFERENCE_NS)
    first = wanted(strategy, BOOK, 0)
    assert {quote.why.rule for quote in first.quotes} == {"WANTED"}
    stale = wanted(strategy, depth, REFERENCE_NS - 1)
    assert stale.quotes == first.quotes
    assert [(quote.why.rule, dict(quote.why.numbers)) for quote in stale.quotes] == [
        ("REFERENCE", {"age_ms": 4_999})
    ] * 2
    assert stale.wake_ns == START_NS + REFERENCE_NS
    none = wanted(strategy, depth, REFERENCE_NS)
    assert (none.quotes, {side: why.rule for side, why in none.why_idle.items()}) == ((), dict.fromkeys(Side, "NO_MID"))
    assert none.why_idle[Side.BUY].numbers == {"age_ms_max": 5_000}
    assert wanted(strategy, BOOK, REFERENCE_NS).quotes == first.quotes


def test_side_that_is_left_is_believed() -> None:
    """All bids are gone, and asks stand where they were: the old bid is no price any more."""
    strategy = _strategy(REFERENCE_NS)
    wanted(strategy, BOOK, 0)
    fallen = wanted(strategy, Depth((), (Level(9_000_000, 5),)), 1)
    assert [quote.price_ticks for quote in fallen.quotes] == [8_981_999, 9_018_000]


def test_nothing_stands_for_an_empty_side_by_default_nor_before_there_was_one() -> None:
    """No price to believe in, no quote."""
    strategy = _strategy(0)
    wanted(strategy, BOOK, 0)
    assert wanted(strategy, Depth(BOOK.bids, ()), 0).quotes == ()
    assert wanted(_strategy(REFERENCE_NS), Depth(BOOK.bids, ()), 0).quotes == ()

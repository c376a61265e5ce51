"""The settings of the maker are the terms of its trader, each in its unit."""

from decimal import Decimal

from desk.settings import load_settings
from desk.strategy import strategy_of, terms_of
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.depth import Depth, Level
from trading.keeping import Requoting
from trading.order_rules import OrderRules
from trading.refills import Refilling
from trading.strategy import Inbox

GIVEN = {
    "requote_tolerance": "0.0001",
    "replace_below": "0.2",
    "queue_gain": "0.3",
    "life_min_ms": "400",
    "age_max_s": "0.5",
    "hanging": "0.006",
    "refill_pause_s": "0.7",
    "run_over_orders": "8",
    "run_over_s": "9.5",
}


def test_each_rule_of_refreshing_has_its_setting() -> None:
    """Every value another one: none can take the place of its neighbour."""
    settings = load_settings({f"maker.{name}": value for name, value in GIVEN.items()}).settings
    terms = terms_of(settings, "tb-", 0)
    assert terms.requoting == Requoting(
        Decimal("0.0001"), Decimal("0.2"), Decimal("0.3"), 400 * NS_PER_MS, NS_PER_SECOND // 2
    )
    assert terms.refilling == Refilling(700 * NS_PER_MS, 8, 9_500 * NS_PER_MS)
    assert terms.hanging == Decimal("0.006")


def test_reference_is_of_the_models_of_the_house() -> None:
    """In seconds."""
    settings = load_settings({"maker.reference_s": "1.5"}).settings
    strategy, bids = strategy_of(settings), (Level(9_138_400, 5),)
    for after_ns, count in ((0, 2), (1_500 * NS_PER_MS - 1, 2), (1_500 * NS_PER_MS, 0)):
        depth = Depth(bids, () if after_ns else (Level(9_138_600, 5),))
        wanted = strategy.step(10**18 + after_ns, Inbox(settings.instrument, OrderRules(), depth))
        assert len(wanted.quotes) == count
    assert set(wanted.why_idle) == set(Side)

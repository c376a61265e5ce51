"""The made-up market is one in which a maker can live: deep, calm at first, swept now and then, the same for a seed."""

from collections import Counter
from itertools import count

import pytest

from flow.synthetic import SyntheticFlow, SyntheticSettings
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.events import Executed
from market.instrument import default_instruments
from tests.flow.simulated_market import (
    FLOW_OWNER,
    Exchange,
    SimpleMaker,
    SimulatedMarket,
)

BTCUSDT, ETHUSDT = default_instruments()
START_MID_TICKS = 9_138_500
LEVELS_MIN = 50


def flow_of(settings: SyntheticSettings) -> SyntheticFlow:
    return SyntheticFlow(BTCUSDT, settings, FLOW_OWNER, count(1_000_000_000_001))


def look_at_book(now_ns: int, exchange: Exchange) -> None:
    """Check what must hold of the book at every moment, and of the mid in the opening phase."""
    depth = exchange.engine.depth(0, LEVELS_MIN)
    assert len(depth.bids) == len(depth.asks) == LEVELS_MIN, f"a side has too few levels at {now_ns} ns"
    assert depth.bids[0].price_ticks < depth.asks[0].price_ticks, f"crossed at {now_ns} ns"
    if now_ns < 8 * NS_PER_SECOND:
        assert depth.mid_ticks_x2 == 2 * START_MID_TICKS, f"the mid moved at {now_ns} ns"


def look_once_built(now_ns: int, exchange: Exchange) -> None:
    if now_ns > 5 * NS_PER_MS:
        look_at_book(now_ns, exchange)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_fills_a_maker_20_bps_away_soon_and_about_five_times_a_minute(seed: int) -> None:
    """Guards the promise of the default desk, on ten minutes of market with a maker that starts two seconds late."""
    minutes = 10
    maker = SimpleMaker(half_spread_bps=20, tolerance_bps=3, qty_lots=1_094)
    market = SimulatedMarket(
        flow_of(SyntheticSettings(seed=seed)), maker, maker_start_ns=2 * NS_PER_SECOND, look=look_once_built
    )
    market.run(minutes * 60 * NS_PER_SECOND)

    assert maker.first_quote_ns is not None
    assert maker.mids_x2[0][1] == 2 * START_MID_TICKS
    assert maker.fills[0][0] - maker.first_quote_ns < 30 * NS_PER_SECOND
    assert 3 <= len(maker.fills) / minutes <= 8
    sides = Counter(side for _, side in maker.fills)
    assert min(sides[Side.BUY], sides[Side.SELL]) * 2 >= max(sides[Side.BUY], sides[Side.SELL]), sides
    takers = {event.taker_order_id for event in market.told if isinstance(event, Executed)}
    assert len(takers) / (60 * minutes) >= 3, "expected several takers a second"
    assert 30 <= len(market.sent) / (60 * minutes) <= 150, "expected a modest rate of commands"
    assert maker.quotes < 12 * minutes, "expected a maker that is not made to chase the mid"
    market.exchange.engine.check_invariants()

"""The made-up market: deep, calm at first, swept now and then, the same for a seed."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from itertools import count, pairwise
from typing import Any

import pytest

from flow.synthetic import SyntheticFlow, SyntheticSettings
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.commands import Command, MassCancel
from market.events import Executed, Rejected
from market.instrument import default_instruments
from tests.flow.simulated_market import FLOW_OWNER, Exchange, SimpleMaker, SimulatedMarket

BTCUSDT, ETHUSDT, *_ = default_instruments()
START_MID_TICKS = 9_138_500
LEVELS_MIN = 50
MINUTE_NS = 60 * NS_PER_SECOND
BUILT_NS = 100 * NS_PER_MS  # by when the first commands have reached the engine


def flow_of(seed: int, **changes: Any) -> SyntheticFlow:
    """Return the default flow of a seed, with changed settings."""
    settings = replace(SyntheticSettings(seed=seed), **changes)
    return SyntheticFlow(BTCUSDT, settings, FLOW_OWNER, count(1_000_000_000_001))


def look_at_book(now_ns: int, exchange: Exchange) -> None:
    """Check what must hold of the book whenever one looks, and of the mid in the opening phase."""
    if now_ns < BUILT_NS:
        return
    depth = exchange.engine.depth(0, LEVELS_MIN)
    assert len(depth.bids) == len(depth.asks) == LEVELS_MIN, f"a side has too few levels at {now_ns} ns"
    assert depth.bids[0].price_ticks < depth.asks[0].price_ticks, f"the book is crossed at {now_ns} ns"
    if now_ns < 8 * NS_PER_SECOND:
        assert depth.mid_ticks_x2 == 2 * START_MID_TICKS, f"the mid moved at {now_ns} ns"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_fills_a_maker_20_bps_away_soon_and_about_five_times_a_minute(seed: int) -> None:
    """Guards the promise of the default desk, on ten minutes of market with a maker that starts two seconds late."""
    minutes = 10
    maker = SimpleMaker(half_spread_bps=20, tolerance_bps=3, qty_lots=1_094)
    market = SimulatedMarket(flow_of(seed), maker, maker_start_ns=2 * NS_PER_SECOND)
    market.run(minutes * MINUTE_NS)

    assert maker.mids_x2[0][1] == 2 * START_MID_TICKS, "the maker's first mid"
    assert maker.first_quote_ns is not None
    quiet_ns = [late - early for early, late in pairwise([maker.first_quote_ns, *(at_ns for at_ns, _ in maker.fills)])]
    assert quiet_ns[0] < 30 * NS_PER_SECOND, "until the first fill"
    assert 3 <= len(maker.fills) / minutes <= 8
    sides = Counter(side for _, side in maker.fills)
    assert abs(sides[Side.BUY] - sides[Side.SELL]) <= len(maker.fills) // 4, sides
    assert len(maker.fills) <= maker.quotes <= len(maker.fills) + 5 * minutes, "a maker that need not chase the mid"
    takers = {event.taker_order_id for event in market.told if isinstance(event, Executed)}
    assert len(takers) / (60 * minutes) >= 3, "several takers a second"
    assert 30 <= len(market.sent) / (60 * minutes) <= 150, "a modest rate of commands"
    market.exchange.engine.check_invariants()


@pytest.mark.parametrize(("seed", "latency_ms"), [(4, 0), (5, 1), (6, 40)])
def test_keeps_fifty_levels_a_side_and_its_opening_mid_at_every_moment(seed: int, latency_ms: int) -> None:
    """Guards against sweeps that empty a side and knowledge that comes late: the book is looked at in each turn."""
    market = SimulatedMarket(flow_of(seed), latency_ns=latency_ms * NS_PER_MS, look=look_at_book)
    market.run(MINUTE_NS)
    assert len([command for command in market.sent if getattr(command, "qty_lots", 0) > 500_000]) >= 3, "sweeps"


def test_mid_comes_back_after_a_sweep_and_drifts_a_few_bps_a_minute() -> None:
    """Guards against a mid that a maker has to chase: every look a quarter of a second apart stays near the last."""
    maker = SimpleMaker(half_spread_bps=20, tolerance_bps=3, qty_lots=1)
    SimulatedMarket(flow_of(7), maker).run(2 * MINUTE_NS)
    mids = [mid_x2 for _, mid_x2 in maker.mids_x2]
    moves_bps = [abs(later / earlier - 1) * 10_000 for earlier, later in pairwise(mids)]
    assert max(moves_bps) < 2
    assert 0.5 < (max(mids) / min(mids) - 1) * 10_000 < 30


def test_same_seed_gives_the_same_commands_and_another_seed_others() -> None:
    """Guards reproducible runs."""

    def commands(seed: int) -> list[Command]:
        market = SimulatedMarket(flow_of(seed))
        market.run(20 * NS_PER_SECOND)
        return market.sent

    assert commands(1) == commands(1)
    assert commands(1) != commands(2)


def test_knows_its_own_orders_exactly_once_all_is_answered() -> None:
    """Guards the knowledge from events: what the flow believes to rest is what the engine holds of its owner."""
    flow = flow_of(8)
    market = SimulatedMarket(flow, SimpleMaker(20, 3, 1_094), latency_ns=5 * NS_PER_MS)
    market.run(MINUTE_NS)
    market.settle()
    held = {(side, price): 0 for _, side, price, *_ in market.exchange.engine.orders(0).tolist()}
    for _, side, price_ticks, lots, _, owner in market.exchange.engine.orders(0).tolist():
        held[side, price_ticks] += lots if owner == FLOW_OWNER else 0
    believed = {
        (int(side), price_ticks): level.expected_lots for side in Side for price_ticks, level in flow.own.levels(side)
    }
    assert believed == {key: lots for key, lots in held.items() if lots}


def test_builds_the_book_again_around_the_present_mid_when_the_engine_lost_it() -> None:
    """Guards the restart of the engine: own orders are forgotten, the market goes on where it was."""
    flow = flow_of(9, drift_bps=30.0)
    market = SimulatedMarket(flow)
    market.run(MINUTE_NS)
    mid_x2 = market.exchange.engine.depth(0, 1).mid_ticks_x2
    market.lose_book()
    market.run(MINUTE_NS + BUILT_NS)
    depth = market.exchange.engine.depth(0, LEVELS_MIN)
    assert depth.mid_ticks_x2 is not None
    assert mid_x2 is not None
    assert abs(depth.mid_ticks_x2 / mid_x2 - 1) * 10_000 < 3
    assert abs(depth.mid_ticks_x2 / (2 * START_MID_TICKS) - 1) * 10_000 > 6, "a mid that had drifted away"
    assert len(depth.bids) == len(depth.asks) == LEVELS_MIN


def test_cancels_what_its_former_life_left_in_the_book() -> None:
    """Guards a flow that died and started again while the engine lived: no orphans, no crossed prices, no refusals."""
    market = SimulatedMarket(flow_of(10))
    market.run(15 * NS_PER_SECOND)
    orphans = {row[0] for row in market.exchange.engine.orders(0).tolist()}
    successor = SyntheticFlow(BTCUSDT, SyntheticSettings(seed=11), FLOW_OWNER, count(5_000_000_000_001))
    market.succeed(successor)
    market.run(20 * NS_PER_SECOND)
    rows = market.exchange.engine.orders(0).tolist()
    assert not orphans & {row[0] for row in rows}
    assert market.exchange.engine.depth(0, 1).mid_ticks_x2 == 2 * START_MID_TICKS


def test_fills_the_book_again_after_somebody_cancelled_everything() -> None:
    """Guards against knowledge that is assumed: a mass cancel by others is heard of and made good."""
    market = SimulatedMarket(flow_of(12))
    market.run(NS_PER_SECOND)
    market.handle(MassCancel())
    assert market.exchange.engine.live_order_count == 0
    market.run(3 * NS_PER_SECOND)
    look_at_book(market.now_ns, market.exchange)


def test_stands_still_while_the_engine_does_not_answer() -> None:
    """Guards the link: an engine that is down for minutes is not buried under commands."""
    flow = flow_of(14)
    sent = len(flow.start(0))
    now_ns = 0
    while now_ns < 5 * MINUTE_NS:
        now_ns = flow.wake_ns(now_ns)
        sent += len(flow.step(now_ns, [], 0))
    assert sent < 3_000


def test_is_refused_nothing_but_cancels_of_orders_that_were_filled_meanwhile() -> None:
    """Guards the order of commands: own post-only orders never meet own orders on the other side."""
    market = SimulatedMarket(flow_of(13), latency_ns=20 * NS_PER_MS)
    market.run(MINUTE_NS)
    reasons = Counter(event.reason for event in market.told if isinstance(event, Rejected))
    assert sum(reasons.values()) < len(market.sent) // 100, reasons


def test_makes_a_market_of_another_instrument() -> None:
    """Guards against sizes and distances that only fit bitcoin."""
    settings = SyntheticSettings(mid=Decimal("2700.00"))
    flow = SyntheticFlow(replace(ETHUSDT, symbol_id=0), settings, FLOW_OWNER, count(1))
    market = SimulatedMarket(flow)
    market.run(30 * NS_PER_SECOND)
    depth = market.exchange.engine.depth(0, LEVELS_MIN)
    assert len(depth.bids) == len(depth.asks) == LEVELS_MIN
    assert depth.mid_ticks_x2 is not None
    assert abs(depth.mid_ticks_x2 / 540_000 - 1) * 10_000 < 20


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"far_bands": 20}, "50 far ones, were 60 and 20"),
        ({"sweep_depth_bps": (20.0, 50.0)}, "sweep depth 20.0-50.0"),
        ({"sweep_interval_s": (0.0, 5.0)}, "sweep interval"),
        ({"mid": Decimal("0.05")}, "bands of a tick or more"),
        ({"mid": Decimal("91385.001")}, "multiple of 0.01"),
    ],
)
def test_refuses_settings_that_make_no_market(changes: dict[str, Any], said: str) -> None:
    """Guards the start: the message says what was expected and what was there."""
    with pytest.raises(ValueError, match=said):
        flow_of(1, **changes)

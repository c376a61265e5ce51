"""The made-up market: deep, calm at first, swept now and then, toxic by its informed traders, the same for a seed."""

import hashlib
import random
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from itertools import count, pairwise
from typing import Any

import pytest

from flow.hawkes import HawkesArrivals
from flow.market_settings import PRESETS, settings_of
from flow.price_formation import HiddenValue, MakersPrice
from flow.synthetic import SyntheticFlow
from flow.takers import Takers
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import OrderType, RejectReason, Side
from market.commands import MassCancel, NewOrder
from market.events import Executed, Rejected
from tests.flow.simulated_market import FLOW_OWNER, MAKER_OWNER, Exchange, SimpleMaker, SimulatedMarket
from tests.pairs import default_instruments

BTCUSDT, ETHUSDT, *_ = default_instruments()
START_MID_TICKS = 9_138_500
LEVELS_MIN = 50
MINUTE_NS = 60 * NS_PER_SECOND
BUILT_NS = 100 * NS_PER_MS  # by when the first commands have reached the engine


def flow_of(seed: int, preset: str = "practice", **changes: Any) -> SyntheticFlow:
    """Return the default desk's flow of a seed, or another preset's, with changed settings."""
    settings = settings_of(preset, "BTCUSDT", seed=seed, **changes)
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
@pytest.mark.parametrize("seed", [1, 7])
def test_fills_a_maker_20_bps_away_soon_and_about_five_times_a_minute(seed: int) -> None:
    """Guards the promise of the default desk, on three minutes of market with a maker that starts two seconds late."""
    minutes = 3
    maker = SimpleMaker(half_spread_bps=20, tolerance_bps=3, qty_lots=1_094)
    market = SimulatedMarket(flow_of(seed), maker, maker_start_ns=2 * NS_PER_SECOND, book="fast")
    market.run(minutes * MINUTE_NS)

    assert maker.mids_x2[0][1] == 2 * START_MID_TICKS, "the maker's first mid"
    assert maker.first_quote_ns is not None
    quiet_ns = [late - early for early, late in pairwise([maker.first_quote_ns, *(at_ns for at_ns, _ in maker.fills)])]
    assert quiet_ns[0] < 30 * NS_PER_SECOND, "until the first fill"
    assert 3 <= len(maker.fills) / minutes <= 8
    sides = Counter(side for _, side in maker.fills)
    assert abs(sides[Side.BUY] - sides[Side.SELL]) <= len(maker.fills) // 4, sides
    assert len(maker.fills) <= maker.quotes <= len(maker.fills) + 20 * minutes, "a maker that need not chase the mid"
    takers = {event.taker_order_id for event in market.told if isinstance(event, Executed)}
    assert len(takers) / (60 * minutes) >= 3, "several takers a second"
    assert 30 <= len(market.sent) / (60 * minutes) <= 250, "a modest rate of commands"
    market.exchange.engine.check_invariants()


@pytest.mark.parametrize(
    ("preset", "seed", "latency_ms"),
    [("practice", 4, 0), ("practice", 5, 1), ("practice", 6, 40), ("crash", 2, 1)],
)
def test_keeps_fifty_levels_a_side_and_its_opening_mid_at_every_moment(preset: str, seed: int, latency_ms: int) -> None:
    """Guards against sweeps and falls that empty a side: the book is looked at in each turn."""
    sooner = {"crash_interval_s": (5.0, 5.0)} if preset == "crash" else {}
    flow = flow_of(seed, preset, **sooner)
    market = SimulatedMarket(flow, latency_ns=latency_ms * NS_PER_MS, look=look_at_book, book="fast")
    market.run(MINUTE_NS // 2)
    summary = market.flow.summary()
    assert int(summary["sweeps"]) >= 2 if preset == "practice" else summary["sweeps"] == 0
    assert int(summary["crashes"]) >= (preset == "crash")


def test_keeps_fifty_levels_a_side_where_ticks_are_coarse() -> None:
    """Guards pairs of other instruments: a band that is narrower than a tick is no band of its own."""
    mid = 60

    def look(now_ns: int, exchange: Exchange) -> None:
        if now_ns >= BUILT_NS:
            depth = exchange.engine.depth(0, LEVELS_MIN)
            assert len(depth.bids) == len(depth.asks) == LEVELS_MIN, f"a side has too few levels at {now_ns} ns"
            assert depth.bids[0].price_ticks < depth.asks[0].price_ticks, f"the book is crossed at {now_ns} ns"

    market = SimulatedMarket(flow_of(3, mid=Decimal(mid), opening_s=1.0), look=look, book="fast")
    market.run(MINUTE_NS // 2)
    summary = market.flow.summary()
    assert int(summary["sweeps"]) >= 2
    assert int(summary["trades"]) > 60
    mid_x2 = market.exchange.engine.depth(0, 1).mid_ticks_x2
    assert mid_x2 is not None
    assert abs(mid_x2 / (200 * mid) - 1) * 10_000 < 80


def test_mid_comes_back_after_a_sweep_that_knew_nothing() -> None:
    """Guards against a mid that is displaced by a sweep: looks a quarter of a second apart stay near each other."""
    maker = SimpleMaker(half_spread_bps=20, tolerance_bps=3, qty_lots=1)
    market = SimulatedMarket(flow_of(7, sweep_impact=(0.0, 0.0)), maker, book="fast")
    market.run(2 * MINUTE_NS)
    mids = [mid_x2 for _, mid_x2 in maker.mids_x2]
    moves_bps = [abs(later / earlier - 1) * 10_000 for earlier, later in pairwise(mids)]
    assert int(market.flow.summary()["sweeps"]) >= 8
    assert max(moves_bps) < 8, "a sweep is at least 20 bps deep"
    assert 3 < (max(mids) / min(mids) - 1) * 10_000 < 80


def test_a_sweep_that_knew_something_moves_the_mid_once_to_where_it_stays() -> None:
    """Guards honesty: a maker is not paid for every sweep, and sees the new value at once, not half of a sweep."""
    maker = SimpleMaker(half_spread_bps=20, tolerance_bps=3, qty_lots=1)
    flow = flow_of(7)
    market = SimulatedMarket(flow, maker, book="fast")
    market.run(2 * MINUTE_NS)
    mids = [mid_x2 for _, mid_x2 in maker.mids_x2]
    moves_bps = [(later / earlier - 1) * 10_000 for earlier, later in pairwise(mids)]
    jumps = [(move, after) for move, after in pairwise(moves_bps) if abs(move) > 10]
    assert len(jumps) >= int(flow.summary()["sweeps"]) / 3
    assert max(abs(move) for move, _ in jumps) < 1.4 * 40 + 8
    assert max(abs(after) for _, after in jumps) < 8, "it stays there"
    assert abs(flow.makers_price.ticks / flow.value.price - 1) * 10_000 < 30, "the hidden value moves with it"


@pytest.mark.slow
def test_a_maker_may_lose_in_the_default_market() -> None:
    """Guards against a market that only teaches winning: with Binance's fees these eight minutes are lost."""
    maker = SimpleMaker(half_spread_bps=20, tolerance_bps=3, qty_lots=1_094)
    market = SimulatedMarket(flow_of(9), maker, maker_start_ns=2 * NS_PER_SECOND, book="fast")
    market.run(8 * MINUTE_NS)
    fills = [event for event in market.told if isinstance(event, Executed) and event.maker_owner == MAKER_OWNER]
    signed = [(1 if fill.taker_side == Side.SELL else -1) * fill.qty_lots for fill in fills]
    cash = -sum(lots * fill.price_ticks for lots, fill in zip(signed, fills, strict=True))
    fees = sum(fill.qty_lots * fill.price_ticks for fill in fills) // 1_000
    gross = cash + sum(signed) * maker.mids_x2[-1][1] // 2
    assert gross > 0, "the spread is earned"
    assert gross - fees < 0, "and the fees take more"


def commands_hash(seed: int, preset: str) -> str:
    """Return a hash of all commands of six seconds of market."""
    market = SimulatedMarket(flow_of(seed, preset, opening_s=1.0), book="fast")
    market.run(6 * NS_PER_SECOND)
    return hashlib.sha256(repr(market.sent).encode()).hexdigest()


@pytest.mark.parametrize("preset", PRESETS)
def test_same_seed_gives_the_same_market_and_another_seed_another(preset: str) -> None:
    """Guards reproducible runs, by a hash of the commands."""
    assert commands_hash(1, preset) == commands_hash(1, preset)
    assert commands_hash(1, preset) != commands_hash(2, preset)


def test_prices_and_takers_of_a_seed_are_the_same_however_often_it_is_called() -> None:
    """Guards the market's own time: value, makers' price and takers do not depend on when a busy node calls."""

    def path(poll_ms: int) -> tuple[float, float, object, object]:
        flow = flow_of(3, "normal")
        SimulatedMarket(flow, poll_ns=poll_ms * NS_PER_MS, book="fast").run(15 * NS_PER_SECOND)
        flow.step(15 * NS_PER_SECOND, [], 0)
        summary = flow.summary()
        return flow.value.price, flow.makers_price.ticks, summary["informed_takers"], summary["noise_takers"]

    assert path(0) == path(5) == path(50)


def price_path(seed: int, minutes: int, **changes: Any) -> tuple[list[tuple[float, float]], list[tuple[int, int]]]:
    """Return value and makers' price beat by beat, and at which beat which sign was taken, without a book."""
    settings, beat_s = settings_of("normal", "BTCUSDT", **changes), 0.05
    value = HiddenValue(settings, random.Random(seed), beat_s, float(START_MID_TICKS))
    price = MakersPrice(settings, beat_s, float(START_MID_TICKS))
    takers = Takers(settings, random.Random(seed + 1), random.Random(seed + 2))
    path: list[tuple[float, float]] = []
    taken: list[tuple[int, int]] = []
    next_s = takers.wait_s()
    for beat in range(minutes * 60 * 20):
        while next_s <= beat * beat_s:
            taker = takers.arrive(price.mispricing_bps(value.price))
            price.on_taker(taker.surprise, taker.amount)
            taken.append((beat, 1 if taker.side == Side.BUY else -1))
            next_s += takers.wait_s()
        value.advance()
        price.on_beat(value.price)
        path.append((value.price, price.ticks))
    return path, taken


def gain_bps(toxicity: float) -> float:
    """Return what a taker gains by the hidden value, on average, before the spread: what a maker loses."""
    path, taken = price_path(5, 60, toxicity=toxicity)
    gains = [sign * (path[beat - 1][0] / path[beat - 1][1] - 1) * 10_000 for beat, sign in taken if beat]
    return sum(gains) / len(gains)


def test_informed_traders_are_the_market_s_toxicity() -> None:
    """Guards the meaning of the setting: their share is as set, and makers lose to takers only because of them."""
    flow = flow_of(5, "normal", toxicity=0.6, edge_bps=0.0, opening_s=1.0)
    SimulatedMarket(flow, book="fast").run(20 * NS_PER_SECOND)
    assert 0.4 < float(flow.summary()["toxicity"]) < 0.8
    assert gain_bps(0.0) < 0.1
    assert gain_bps(0.3) > 0.3


def test_makers_price_finds_the_hidden_value_by_the_informed_alone() -> None:
    """Guards price discovery: nobody tells the makers the value, yet with informed takers they stay near it."""

    def mean_error_bps(toxicity: float) -> float:
        path, _ = price_path(6, 20, toxicity=toxicity)
        return sum(abs(value / price - 1) for value, price in path) / len(path) * 10_000

    assert mean_error_bps(0.5) < 5
    assert mean_error_bps(0.0) > 3 * mean_error_bps(0.5)


def test_returns_are_not_correlated_though_signs_are() -> None:
    """Guards the makers' forecast of signs: without it the price would trend after every cluster of takers."""
    path, taken = price_path(8, 60, toxicity=0.0)
    signs = [sign for _, sign in taken]
    sign_correlation = sum(a * b for a, b in pairwise(signs)) / len(signs)
    returns = [later[1] / earlier[1] - 1 for earlier, later in pairwise(path[::20])]
    return_correlation = sum(a * b for a, b in pairwise(returns)) / sum(a * a for a in returns)
    assert sign_correlation > 0.2
    assert abs(return_correlation) < 0.08


def test_hawkes_arrivals_have_their_rate_and_come_in_clusters() -> None:
    """Guards the takers' clock: its mean rate, and variance over mean of long counts, 1 / (1 - branching)^2."""
    arrivals: HawkesArrivals[int] = HawkesArrivals(random.Random(1), 8.0, 0.7, 10.0)
    times, now_s = [], 0.0
    for _ in range(40_000):
        now_s += arrivals.wait_s()
        arrivals.excite(0)
        times.append(now_s)
    counts = Counter(int(at_s // 10) for at_s in times)
    numbers = [counts[window] for window in range(int(now_s // 10))]
    mean = sum(numbers) / len(numbers)
    variance = sum((number - mean) ** 2 for number in numbers) / len(numbers)
    assert abs(mean / 80 - 1) < 0.1
    assert 8 < variance / mean < 14, "about 11"


def test_stale_quote_of_somebody_else_is_taken_when_the_price_has_moved_through_it() -> None:
    """Guards honesty towards a slow maker: a touch that would stand in the way of its order trades with it."""
    flow = flow_of(9, "crash", opening_s=0.5, crash_interval_s=(1.0, 1.0))
    market = SimulatedMarket(flow, SimpleMaker(100, 10_000, 5), book="fast")
    market.run(2 * NS_PER_SECOND)
    bid_ticks = round(START_MID_TICKS * 0.998)
    market.handle(NewOrder(9_001, 0, Side.BUY, bid_ticks, 1_000, OrderType.POST_ONLY, owner=8))
    market.run(MINUTE_NS // 2)
    fills = [event for event in market.told if isinstance(event, Executed) and event.maker_order_id == 9_001]
    assert sum(fill.qty_lots for fill in fills) == 1_000
    assert {fill.price_ticks for fill in fills} == {bid_ticks}


def test_knows_its_own_orders_exactly_once_all_is_answered() -> None:
    """Guards the knowledge from events: what the flow believes to rest is what the engine holds of its owner."""
    flow = flow_of(8)
    market = SimulatedMarket(flow, SimpleMaker(20, 3, 1_094), latency_ns=5 * NS_PER_MS, book="fast")
    market.run(MINUTE_NS // 3)
    market.settle()
    held = {(side, price): 0 for _, side, price, *_ in market.exchange.engine.orders(0).tolist()}
    for _, side, price_ticks, lots, _, owner in market.exchange.engine.orders(0).tolist():
        held[side, price_ticks] += lots if owner == FLOW_OWNER else 0
    believed = {(int(side), level.price_ticks): level.expected_lots for side in Side for level in flow.own.levels(side)}
    assert believed == {key: lots for key, lots in held.items() if lots}


def test_builds_the_book_again_around_the_present_mid_when_the_engine_lost_it() -> None:
    """Guards the restart of the engine: own orders are forgotten, the market goes on where it was."""
    flow = flow_of(9, value_bps=40.0, toxicity=0.6)
    market = SimulatedMarket(flow, book="fast")
    market.run(MINUTE_NS)
    mid_x2 = market.exchange.engine.depth(0, 1).mid_ticks_x2
    market.lose_book()
    market.run(MINUTE_NS + BUILT_NS)
    depth = market.exchange.engine.depth(0, LEVELS_MIN)
    assert depth.mid_ticks_x2 is not None
    assert mid_x2 is not None
    assert abs(depth.mid_ticks_x2 / mid_x2 - 1) * 10_000 < 3
    assert abs(depth.mid_ticks_x2 / (2 * START_MID_TICKS) - 1) * 10_000 > 4, "a mid that had drifted away"
    assert len(depth.bids) == len(depth.asks) == LEVELS_MIN


def test_cancels_what_its_former_life_left_in_the_book() -> None:
    """Guards a flow that died and started again while the engine lived: no orphans, no crossed prices, no refusals."""
    market = SimulatedMarket(flow_of(10))
    market.run(15 * NS_PER_SECOND)
    orphans = {row[0] for row in market.exchange.engine.orders(0).tolist()}
    successor = SyntheticFlow(BTCUSDT, settings_of("normal", "BTCUSDT", seed=11), FLOW_OWNER, count(5_000_000_000_001))
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
    market = SimulatedMarket(flow_of(13), latency_ns=20 * NS_PER_MS, book="fast")
    market.run(MINUTE_NS)
    reasons = Counter(event.reason for event in market.told if isinstance(event, Rejected))
    assert set(reasons) <= {RejectReason.UNKNOWN_ORDER}
    assert sum(reasons.values()) < len(market.sent) // 10, reasons


def test_makes_a_market_of_another_instrument() -> None:
    """Guards against sizes and distances that only fit bitcoin."""
    settings = settings_of("practice", "ETHUSDT", mid=Decimal("2700.00"))
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
        ({"toxicity": 1.5}, "toxicity from 0 to 1, was 1.5"),
        ({"noise_traders": 0}, "expected traders, were 0 noise and 4 informed"),
        ({"taker_branching": 1.0}, "a branching below 1, were 8.4, 10.0 and 1.0"),
        ({"sweep_interval_s": (0.0, 5.0)}, "rising bounds of sweep_interval_s"),
        ({"mid": Decimal(50)}, "expected 50 far bands of a tick or more, but a bp of 50 is 0.5 ticks"),
        ({"mid": Decimal("91385.001")}, "multiple of 0.01"),
    ],
)
def test_refuses_settings_that_make_no_market(changes: dict[str, Any], said: str) -> None:
    """Guards the start: the message says what was expected and what was there."""
    with pytest.raises(ValueError, match=said):
        flow_of(1, **changes)


def test_refuses_a_preset_that_is_none() -> None:
    """Guards the start."""
    with pytest.raises(ValueError, match="no preset 'storm': expected practice, calm, normal, toxic, busy, crash"):
        settings_of("storm", "BTCUSDT")


def test_tells_how_late_it_was_at_most() -> None:
    """A machine that is too busy shows in the figures, also of a market that does not catch up."""
    flow = flow_of(3)
    sent_count, now_ns = len(flow.start(0)), 0
    for late_ms in (0, 700, 5, 4_000):
        now_ns = flow.wake_ns(now_ns) + late_ms * NS_PER_MS
        sent_count += len(flow.step(now_ns, (), sent_count))
        assert flow.summary()["behind_ms_max"] == {5: 700}.get(late_ms, late_ms)

"""Recordings replayed in one compiled call: what the flow of a replay does, command for command."""

import random
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from engine.capacity import Capacity
from engine.fast.engine import FastEngine
from flow.book_mirror import new_mirror
from flow.order_flow import OrderFlow
from flow.queue_models import QUEUE_MODELS
from flow.recordings.cache import changes_of
from flow.recordings.recording import BookTicker, DepthUpdate, Record, RecordedTrade, Snapshot
from flow.replay import ReplayFlow, ReplaySettings
from flow.side_by_side import SideBySide, align
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import OrderType, Side, Tag, TimeInForce
from market.commands import CancelOrder, Command, NewOrder
from market.depth import Level
from market.events import Event
from market.kernels.rows import ROW_WIDTH, TAG, Int64Array
from market.messages import COMMAND_BY_TAG
from simulation.market import FlowMarket, Market
from simulation.recorded_market import RecordedMarket, Track
from tests.flow.recordings.written import write_recording
from tests.pairs import default_instruments

BTCUSDT, *_ = default_instruments()
FLOW, OTHER = 7, 9
START_NS = 1_700_000_000_000_000_000
SEED = 3


def made_up(seed: int, record_count: int, start_ns: int = START_NS) -> Iterator[Record]:
    """Yield a market that nobody has seen: a walk of best prices, with depth and trades."""
    dice = random.Random(seed)
    mid, at_ns, update_id = 1_000, start_ns, 1
    yield Snapshot(
        at_ns,
        update_id,
        tuple(Level(mid - 1 - step, 5 + step) for step in range(20)),
        tuple(Level(mid + 1 + step, 5 + step) for step in range(20)),
    )
    for trade_id in range(record_count):
        at_ns += dice.choice((0, 0, 200_000, NS_PER_MS, 3 * NS_PER_MS))
        update_id += 1
        kind = dice.random()
        if kind < 0.6:
            mid += dice.choice((-1, 0, 0, 1))
            bid, ask = Level(mid - 1, dice.randint(1, 9)), Level(mid + dice.randint(1, 2), dice.randint(1, 9))
            yield BookTicker(at_ns, update_id, bid, ask)
        elif kind < 0.8:
            side = dice.choice(list(Side))
            price = mid - 1 if side == Side.SELL else mid + 1
            yield RecordedTrade(at_ns, trade_id, price, dice.randint(1, 6), side)
        else:
            bids = tuple(Level(mid - dice.randint(1, 9), dice.randint(0, 9)) for _ in range(3))
            asks = tuple(Level(mid + dice.randint(2, 9), dice.randint(0, 9)) for _ in range(3))
            yield DepthUpdate(at_ns, update_id, update_id, bids, asks)


class Log:
    """All commands, and all events, in their order."""

    def __init__(self) -> None:
        self.commands: list[list[int]] = []
        self.events: list[list[int]] = []

    def add_rows(self, rows: Int64Array) -> None:
        for row in rows.reshape(-1, ROW_WIDTH).tolist():
            (self.commands if row[TAG] in COMMAND_BY_TAG else self.events).append(row)


def flow_market(settings: ReplaySettings, log: Log) -> Market:
    flow = ReplayFlow(BTCUSDT, settings, FLOW, count(1))
    return FlowMarket(FastEngine(Capacity(1)), flow, FLOW, START_NS, log.add_rows)


def recorded_market(settings: ReplaySettings, log: Log, cache: Path | None = None) -> RecordedMarket:
    window_ns = settings.trade_window_ms * NS_PER_MS
    parts = ((part, changes_of(part, BTCUSDT, window_ns, settings.reach_bps, cache, print)) for part in settings.parts)
    track = Track(parts, new_mirror(0, FLOW, settings.queue_model, settings.seed), count(1), settings.speed)
    opening_ns = round(settings.opening_s * NS_PER_SECOND)
    return RecordedMarket(FastEngine(Capacity(1)), {0: track}, FLOW, START_NS, opening_ns, log.add_rows)


def traded_in(market: Market, seed: int, until_ns: int) -> list[tuple[int, list[Event]]]:
    """Let somebody trade and quote at the best prices now and then; return what the market tells, and when."""
    dice, order_ids = random.Random(seed), count(10**12)
    told, now_ns, open_ids = [], START_NS, list[int]()
    while now_ns < until_ns:
        next_ns = now_ns + dice.randint(1, 30) * NS_PER_MS
        while now_ns < next_ns:
            now_ns, events = market.advance(next_ns)
            told.append((now_ns, [event for event in events if OTHER in _owners(event)]))
        best = market.engine.best(0)
        if not best.bid_price_ticks or not best.ask_price_ticks:
            continue
        commands: list[Command] = [CancelOrder(order_id, 0, OTHER, now_ns) for order_id in open_ids]
        open_ids = [next(order_ids) for _ in range(3)]
        bid, ask = best.bid_price_ticks, best.ask_price_ticks
        post, taker = (OrderType.POST_ONLY, TimeInForce.GTC), (OrderType.LIMIT, TimeInForce.IOC)
        commands += [
            NewOrder(open_ids[0], 0, Side.BUY, bid, 4, *post, owner=OTHER, time_ns=now_ns),
            NewOrder(open_ids[1], 0, Side.SELL, ask, 4, *post, owner=OTHER, time_ns=now_ns),
        ]
        if dice.random() < 0.2:
            commands.append(NewOrder(open_ids[2], 0, Side.BUY, ask, 3, *taker, owner=OTHER, time_ns=now_ns))
        told.append((now_ns, market.submit(commands)))
    return told


def _owners(event: Event) -> tuple[int, ...]:
    owners = (getattr(event, name, 0) for name in ("owner", "taker_owner", "maker_owner"))
    return tuple(owners)


@pytest.fixture
def recordings(tmp_path: Path) -> list[Path]:
    paths = []
    for seed in (1, 2):
        paths.append(tmp_path / f"{seed}.gz")
        write_recording(paths[-1], BTCUSDT, made_up(seed, 1_500, START_NS + seed * NS_PER_SECOND))
    return paths


@pytest.mark.parametrize("model", QUEUE_MODELS)
@pytest.mark.parametrize("speed", [1.0, 3.0])
def test_it_is_the_flow_of_a_replay_to_the_last_bit(recordings: list[Path], model: str, speed: float) -> None:
    """Guards the one call: same commands, same events, same times, with somebody trading in it, and a second part."""
    settings = ReplaySettings(
        tuple((path,) for path in recordings), speed, opening_s=0.05, queue_model=model, seed=SEED
    )
    logs = Log(), Log()
    slow, fast = flow_market(settings, logs[0]), recorded_market(settings, logs[1])
    until_ns = START_NS + 6 * NS_PER_SECOND
    for one, other in zip(traded_in(slow, 5, until_ns), traded_in(fast, 5, until_ns), strict=True):
        assert one == other
    assert len(logs[0].commands) > 10_000
    assert logs[0].commands == logs[1].commands
    assert logs[0].events == logs[1].events
    assert slow.engine.state_hash() == fast.engine.state_hash()
    fast.engine.check_invariants()
    assert fast.summary()[0]["filled_by_others_lots"] != 0


def test_recordings_of_two_symbols_run_side_by_side(tmp_path: Path) -> None:
    """Guards the order of several: each symbol's commands are those of the flows side by side."""
    ethusdt = default_instruments()[1]
    tracks, flows, order_ids = dict[int, Track](), dict[int, OrderFlow](), [count(1), count(1)]
    for instrument in (BTCUSDT, ethusdt):
        path = tmp_path / instrument.symbol
        write_recording(path, instrument, made_up(instrument.symbol_id, 300, START_NS + instrument.symbol_id * 10**8))
        flows[instrument.symbol_id] = ReplayFlow(instrument, ReplaySettings(((path,),)), FLOW, order_ids[0])
        parts = iter([((path,), changes_of((path,), instrument, 50 * NS_PER_MS, 1_000, None, print))])
        mirror = new_mirror(instrument.symbol_id, FLOW, "behind", 1)
        tracks[instrument.symbol_id] = Track(parts, mirror, order_ids[1])
    align(list(tracks.values()))
    align([flow for flow in flows.values() if isinstance(flow, ReplayFlow)])
    slow, fast = Log(), Log()
    for market in (
        FlowMarket(FastEngine(Capacity(2)), SideBySide(flows), FLOW, START_NS, slow.add_rows),
        RecordedMarket(FastEngine(Capacity(2)), tracks, FLOW, START_NS, 0, fast.add_rows),
    ):
        market.advance(START_NS + 2 * NS_PER_SECOND)
    said = [[said_of(log, symbol_id) for symbol_id in (0, 1)] for log in (slow, fast)]
    assert said[0] == said[1]
    assert all(len(rows) > 500 for rows in said[0])


def said_of(log: Log, symbol_id: int) -> list[tuple[int, ...]]:
    """Return a symbol's trades and what rests, with their times; order ids are handed out in another order."""
    columns = {Tag.EXECUTED: (0, 2, 5, 6), Tag.ACCEPTED: (0, 2, 6, 7, 8)}
    rows = (row for row in log.events if row[TAG] in columns and row[3] == symbol_id)
    return [tuple(row[column] for column in columns[Tag(row[TAG])]) for row in rows]

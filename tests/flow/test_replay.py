"""A replayed recording: the book follows it, its trades hit the book, and a maker in it is filled by them."""

import os
from dataclasses import replace
from itertools import count, takewhile
from pathlib import Path

import pytest

from flow.recordings.recording import (
    BookTicker,
    DepthUpdate,
    Record,
    RecordedTrade,
    RecordingError,
    Snapshot,
    read_recording,
)
from flow.replay import ReplayFlow, ReplaySettings
from flow.side_by_side import SideBySide, align
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import OrderType, Side, TimeInForce
from market.commands import NewOrder
from market.depth import Level
from market.events import Executed
from tests.flow.recordings.written import write_recording
from tests.flow.simulated_market import FLOW_OWNER, MAKER_OWNER, SimpleMaker, SimulatedMarket
from tests.pairs import default_instruments

BTCUSDT, ETHUSDT, *_ = default_instruments()


def flow_of(path: Path, *, speed: float = 1.0, opening_s: float = 0.0) -> ReplayFlow:
    """Return a flow of a BTCUSDT recording."""
    settings = ReplaySettings(((path,),), speed=speed, opening_s=opening_s)
    return ReplayFlow(BTCUSDT, settings, FLOW_OWNER, count(1_000_000_000_001))


def background_self_trades(market: SimulatedMarket) -> list[Executed]:
    """Return the trades of two background orders with each other, of which there must be none."""
    trade_ids = {
        command.order_id
        for command in market.sent
        if isinstance(command, NewOrder) and command.time_in_force == TimeInForce.IOC
    }
    return [
        event
        for event in market.told
        if isinstance(event, Executed)
        and event.taker_owner == event.maker_owner == FLOW_OWNER
        and event.taker_order_id not in trade_ids
    ]


def ticker(at_ns: int, bid: tuple[int, int], ask: tuple[int, int]) -> BookTicker:
    return BookTicker(at_ns, at_ns, Level(*bid), Level(*ask))


def at(recorded_ns: int) -> int:
    """Return when a moment of the small recording comes: the first record after the snapshot is due at once."""
    return recorded_ns - 200


@pytest.fixture
def small_recording(tmp_path: Path) -> Path:
    """Return a recording of ten events, 100 ns apart."""
    records: list[Record] = [
        RecordedTrade(90, 1, 100, 1, Side.SELL),
        Snapshot(100, 100, (Level(100, 5), Level(99, 6)), (Level(102, 5), Level(103, 6))),
        ticker(200, (100, 4), (102, 5)),
        RecordedTrade(300, 2, 102, 2, Side.BUY),
        ticker(400, (100, 4), (102, 3)),
        DepthUpdate(500, 101, 500, (Level(100, 4), Level(98, 9)), (Level(102, 3), Level(103, 1))),
        ticker(600, (101, 1), (102, 3)),
        ticker(700, (102, 2), (103, 1)),
        ticker(800, (98, 2), (99, 1)),
        RecordedTrade(900, 3, 98, 1, Side.SELL),
    ]
    path = tmp_path / "small.gz"
    write_recording(path, BTCUSDT, records)
    return path


def test_book_follows_the_recording_to_the_lot(small_recording: Path) -> None:
    """Guards the whole way: snapshot, best prices, trades, depth updates, a touch that jumps through old levels."""
    market = SimulatedMarket(flow_of(small_recording), latency_ns=10)
    market.run(NS_PER_SECOND)
    assert market.flow.is_finished
    assert market.exchange.engine.depth(0, 9) == ((Level(98, 1),), (Level(99, 1), Level(103, 1)))
    assert background_self_trades(market) == []
    summary = market.flow.summary()
    assert summary["matching_share"] == 1
    assert (summary["ticker_count"], summary["trade_count"], summary["trade_lots"]) == (5, 2, 3)
    assert (summary["traded_lots"], summary["filled_by_others_lots"]) == (3, 0)
    assert (summary["record_count"], summary["command_count"]) == (10, len(market.sent))


def test_burst_of_late_records_ends_in_the_same_book(small_recording: Path) -> None:
    """Guards speed: all records due are handled at once, before any of their commands is answered."""
    market = SimulatedMarket(flow_of(small_recording), latency_ns=NS_PER_MS, poll_ns=NS_PER_MS)
    market.run(NS_PER_SECOND)
    assert market.exchange.engine.depth(0, 9) == ((Level(98, 1),), (Level(99, 1), Level(103, 1)))
    assert market.flow.summary()["matching_share"] == 1


def test_maker_ahead_of_the_background_is_filled_by_a_recorded_trade(small_recording: Path) -> None:
    """Guards the point of a replay, and the count of what others traded with it."""
    market = SimulatedMarket(flow_of(small_recording), latency_ns=10)
    market.run(at(250))
    market.handle(NewOrder(9_001, 0, Side.SELL, 101, 1, OrderType.POST_ONLY, owner=MAKER_OWNER))
    market.run(at(350))
    fills = [event for event in market.told if isinstance(event, Executed) and event.maker_owner == MAKER_OWNER]
    assert [(fill.price_ticks, fill.qty_lots, fill.maker_leaves_lots) for fill in fills] == [(101, 1, 0)]
    market.run(NS_PER_SECOND)
    assert market.flow.summary()["filled_by_others_lots"] == 1
    assert market.exchange.engine.depth(0, 9) == ((Level(98, 1),), (Level(99, 1), Level(103, 1)))


def test_background_order_trades_with_a_maker_that_it_crosses(small_recording: Path) -> None:
    """Guards honesty: the recorded ask falls to a maker's bid, which is filled; the level is restored later."""
    market = SimulatedMarket(flow_of(small_recording), latency_ns=10)
    market.run(at(650))
    market.handle(NewOrder(9_001, 0, Side.BUY, 99, 3, OrderType.POST_ONLY, owner=MAKER_OWNER))
    market.run(NS_PER_SECOND)
    summary = market.flow.summary()
    assert summary["filled_by_others_lots"] == 1 + 1  # the ask of one lot at 99, then the trade down to 98
    assert summary["matching_count"] == 4
    assert market.exchange.engine.depth(0, 2).bids == (Level(99, 1), Level(98, 2))


def test_recording_waits_for_an_engine_that_lost_its_book(small_recording: Path) -> None:
    """Guards the restart of the engine: the book is built as it stands, then the recording goes on."""
    market = SimulatedMarket(flow_of(small_recording), latency_ns=10)
    market.run(at(450))
    market.now_ns += NS_PER_SECOND
    market.lose_book()
    market.run(market.now_ns + 20)
    bids = (Level(100, 4), Level(99, 6), Level(98, 9))  # the next record, the depth update, was due at once
    assert market.exchange.engine.depth(0, 9) == (bids, (Level(102, 3), Level(103, 1)))
    market.run(market.now_ns + NS_PER_SECOND)
    assert market.exchange.engine.depth(0, 9) == ((Level(98, 1),), (Level(99, 1), Level(103, 1)))
    assert market.flow.summary()["matching_share"] == 1


def test_opening_holds_the_first_book_and_speed_hastens_the_rest(small_recording: Path) -> None:
    """Guards the two settings of time."""
    flow = flow_of(small_recording, opening_s=2.0, speed=0.5)
    flow.start(1_000)
    assert flow.wake_ns(1_000) == 1_000 + 2 * NS_PER_SECOND
    first_due_ns = flow.wake_ns(1_000)
    flow.step(first_due_ns, [], 5)
    assert flow.wake_ns(first_due_ns) == first_due_ns + 200


def test_refuses_a_recording_without_a_snapshot(tmp_path: Path) -> None:
    """Guards the start: a book cannot be built from changes alone."""
    path = tmp_path / "changes"
    write_recording(path, BTCUSDT, [DepthUpdate(1, 1, 1, (Level(1, 1),), ())])
    with pytest.raises(RecordingError, match=r"changes: expected a depth snapshot .* or best prices, found none"):
        flow_of(path)


def next_recording(path: Path) -> Path:
    """Write a recording that begins in another world: other prices, lower update ids, a best price before its book."""
    records: list[Record] = [
        ticker(10, (201, 1), (203, 1)),
        DepthUpdate(20, 1, 20, (Level(200, 9),), ()),
        Snapshot(30, 5, (Level(201, 2), Level(199, 3)), (Level(203, 4),)),
        RecordedTrade(40, 9, 203, 1, Side.BUY),
        ticker(50, (201, 1), (203, 3)),
    ]
    write_recording(path, BTCUSDT, records)
    return path


def test_next_recording_takes_over_where_the_last_one_ended(small_recording: Path, tmp_path: Path) -> None:
    """Guards a list of recordings: no level of the last one is left, no update of the last one counts."""
    settings = ReplaySettings(((small_recording,), (next_recording(tmp_path / "next"),)))
    market = SimulatedMarket(ReplayFlow(BTCUSDT, settings, FLOW_OWNER, count(1)), latency_ns=10)
    market.run(NS_PER_SECOND)
    assert market.flow.is_finished
    assert market.exchange.engine.depth(0, 9) == ((Level(201, 1), Level(200, 9), Level(199, 3)), (Level(203, 3),))
    assert background_self_trades(market) == []
    summary = market.flow.summary()
    assert (summary["recording"], summary["recording_number"], summary["gap_count"]) == ("next", 2, 0)
    assert (summary["matching_share"], summary["ticker_count"], summary["trade_count"]) == (1, 6, 3)


def test_looping_replay_never_ends_and_begins_again_with_the_first_book(small_recording: Path) -> None:
    """Guards the loop, and that the shortest recording does not spin."""
    flow = ReplayFlow(BTCUSDT, ReplaySettings(((small_recording,),), is_looping=True), FLOW_OWNER, count(1))
    market = SimulatedMarket(flow, latency_ns=10)
    market.run(20 * NS_PER_MS)
    assert not flow.is_finished
    summary = flow.summary()
    assert 15 <= int(summary["recording_number"]) <= 21
    assert summary["matching_share"] == 1
    assert background_self_trades(market) == []


def test_public_trades_alone_fill_a_maker_at_the_prices_at_which_somebody_was(tmp_path: Path) -> None:
    """Guards a replay of trades without a book: the inferred touch, no ghosts behind it, a better maker goes first."""
    path = tmp_path / "BTCUSDT-trades-2025-01-01.csv"
    rows = [(1.05, 0, "True"), (1.03, 1_000, "False"), (1.06, 2_000, "False"), (1.02, 3_000, "True")]
    lines = [
        f"{number},{price:.8f},0.00005000,0.00005,{1_735_689_600_000_000 + us},{is_sell},True"
        for number, (price, us, is_sell) in enumerate(rows, start=1)
    ]
    path.write_text("\n".join(lines))
    market = SimulatedMarket(flow_of(path), latency_ns=10)
    market.run(1_500_000)
    assert market.exchange.engine.depth(0, 9).bids == (Level(102, 5),)
    market.handle(NewOrder(9_001, 0, Side.SELL, 104, 3, OrderType.POST_ONLY, owner=MAKER_OWNER))
    market.run(NS_PER_SECOND)
    fills = [event for event in market.told if isinstance(event, Executed) and event.maker_owner == MAKER_OWNER]
    assert [(fill.price_ticks, fill.qty_lots) for fill in fills] == [(104, 3)]
    summary = market.flow.summary()
    assert (summary["ticker_count"], summary["trade_count"], summary["gap_count"]) == (3, 4, 0)
    bids, asks = market.exchange.engine.depth(0, 9)
    assert [level.price_ticks for level in bids] in ([], [102])
    assert [level.price_ticks for level in asks] == [106]


def test_later_recording_that_is_damaged_is_told(small_recording: Path, tmp_path: Path) -> None:
    """Guards the second file: the error names it, in the step that comes to it."""
    path = tmp_path / "bad"
    path.write_text("nonsense\n")
    flow = ReplayFlow(BTCUSDT, ReplaySettings(((small_recording,), (path,))), FLOW_OWNER, count(1))
    with pytest.raises(RecordingError, match="bad line 1"):
        SimulatedMarket(flow, latency_ns=10).run(NS_PER_SECOND)


def test_two_symbols_run_side_by_side_in_their_own_time(small_recording: Path, tmp_path: Path) -> None:
    """Guards the merge of flows: each hears of its own orders alone, and recordings keep their distance in time."""
    path = tmp_path / "eth"
    records: list[Record] = [
        Snapshot(250, 5, (Level(201, 2),), (Level(203, 4),)),
        ticker(300, (201, 1), (203, 4)),
        RecordedTrade(700, 9, 203, 1, Side.BUY),
        ticker(800, (201, 1), (203, 3)),
    ]
    write_recording(path, ETHUSDT, records)
    replays = {
        instrument.symbol_id: ReplayFlow(instrument, ReplaySettings(((recording,),)), FLOW_OWNER, order_ids)
        for order_ids in [count(1)]
        for instrument, recording in ((BTCUSDT, small_recording), (ETHUSDT, path))
    }
    align(list(replays.values()))
    market = SimulatedMarket(SideBySide(replays), latency_ns=10, symbol_count=2)
    assert replays[1].wake_ns(0) == 100, "100 ns after the other one's first record"
    market.run(NS_PER_SECOND)
    assert market.flow.is_finished
    assert market.exchange.engine.depth(0, 9) == ((Level(98, 1),), (Level(99, 1), Level(103, 1)))
    assert market.exchange.engine.depth(1, 9) == ((Level(201, 1),), (Level(203, 3),))
    summary = market.flow.summary()
    assert (summary["BTCUSDT.matching_share"], summary["ETHUSDT.matching_share"]) == (1, 1)
    assert (summary["BTCUSDT.traded_lots"], summary["ETHUSDT.traded_lots"]) == (3, 1)


@pytest.mark.slow
@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])
def test_best_prices_equal_the_recorded_ones_after_every_update(
    symbol: str, recorded_btcusdt: Path, recorded_ethusdt: Path, tmp_path: Path
) -> None:
    """Guards the replay of a real recording, ten times as fast as recorded, in bursts of 5 ms.

    Forty seconds of it; the whole with REPLAYED=all.
    """
    whole, instrument = {
        "BTCUSDT": (recorded_btcusdt, BTCUSDT),
        "ETHUSDT": (recorded_ethusdt, replace(ETHUSDT, symbol_id=0)),
    }[symbol]
    found = read_recording(whole, instrument)
    first = next(found)
    if os.environ.get("REPLAYED") == "all":
        path, records = whole, [first, *found]
    else:
        until_ns = first.received_ns + 40 * NS_PER_SECOND
        path, records = tmp_path / whole.name, [first, *takewhile(lambda each: each.received_ns < until_ns, found)]
        write_recording(path, instrument, records)
    flow = ReplayFlow(instrument, ReplaySettings(((path,),), speed=10), FLOW_OWNER, count(1))
    market = SimulatedMarket(flow, poll_ns=5 * NS_PER_MS)
    market.run(60 * NS_PER_SECOND)
    assert flow.is_finished
    summary = flow.summary()
    assert summary["matching_share"] == 1
    assert summary["gap_count"] == 0
    assert float(summary["traded_lots"]) > 0.8 * float(summary["trade_lots"])
    assert background_self_trades(market) == []
    last = [record for record in records if isinstance(record, BookTicker)][-1]
    assert market.exchange.engine.best(0)[::2] == (last.bid.price_ticks, last.ask.price_ticks)
    market.exchange.engine.check_invariants()


@pytest.mark.slow
def test_maker_with_a_half_spread_of_a_bp_is_filled_by_recorded_trades(recording: Path) -> None:
    """Guards the maker's fills on real data, a hundred seconds of it, both sides."""
    maker = SimpleMaker(half_spread_bps=1, tolerance_bps=0.5, qty_lots=1_600)
    flow = flow_of(recording)
    market = SimulatedMarket(flow, maker)
    market.run(100 * NS_PER_SECOND)
    sides = [side for _, side in maker.fills]
    assert sides.count(Side.BUY) >= 2
    assert sides.count(Side.SELL) >= 2
    assert flow.summary()["filled_by_others_lots"] == maker.filled_lots
    assert float(flow.summary()["matching_share"]) > 0.999
    assert background_self_trades(market) == []

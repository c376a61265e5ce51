"""A desk on recordings: in the order of time, without a look ahead, and no recorded lot twice."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from random import Random
from typing import Any

import pytest

from desk.settings import Settings, load_settings
from flow.recordings.inspection import inspect
from flow.recordings.recording import BookTicker, DepthUpdate, Record, RecordedTrade, Snapshot, read_recording
from market.clock import NS_PER_SECOND
from market.codes import Side
from market.depth import Level
from market.instrument import Instrument
from reports.performance import is_sound
from simulation.backtest import WINDOW_NS, BacktestError, Stretch, plan
from simulation.desk import SimulatedDesk
from tests.flow.recordings.written import write_recording
from tests.pairs import default_instruments
from tests.recordings import KEPT, real_recording
from trading.actions import Action, Place, apart
from trading.quoting import Quote
from trading.strategy import Inbox, Strategy, Wanted

BTCUSDT, ETHUSDT, *_ = default_instruments()
S = NS_PER_SECOND
AT = 1_795_000_000 * S  # 2026-11-18 11:06:40 UTC
DAY = 86_400 * S
MOMENTS = 100 if os.environ.get("MOMENTS") == "all" else 24


@dataclass
class Fixed:
    """A strategy that wants the same quotes for ever, and remembers what it was filled."""

    quotes: Sequence[Quote]
    filled_lots: int = 0

    def step(self, now_ns: int, inbox: Inbox) -> Wanted:
        self.filled_lots += sum(fill.qty_lots for fill in inbox.fills)
        return Wanted(self.quotes)


@dataclass
class Restless:
    """A strategy that wants another price whenever it is asked."""

    count: int = 0

    def step(self, now_ns: int, inbox: Inbox) -> Wanted:
        self.count += 1
        bid_ticks = inbox.depth.bids[0].price_ticks
        return Wanted([Quote(Side.BUY, bid_ticks - 3_000 - self.count % 2, 1_000)])


@dataclass
class Decided:
    """What a desk has asked of its exchange, and when."""

    desk: SimulatedDesk
    actions: list[tuple[int, tuple[Action, ...]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        act = self.desk.line.act

        def noted(actions: Sequence[Action]) -> None:
            if actions:
                self.actions.append((self.desk.heap.now_ns, tuple(actions)))
            act(actions)

        setattr(self.desk.line, "act", noted)  # noqa: B010 - a method is put in another's place

    def up_to(self, time_ns: int) -> list[tuple[int, tuple[Action, ...]]]:
        return [each for each in self.actions if each[0] <= time_ns]


def settings_of(**sets: Any) -> Settings:
    return load_settings(
        {"maker.half_spread": "0.0001", **{key.replace("__", "."): sets[key] for key in sets}}
    ).settings


def stretches_of(settings: Settings, *paths: Path) -> list[Stretch]:
    known = {each.symbol: each for each in settings.instruments}
    return plan(settings, [inspect(path, known["ETHUSDT" if "eth" in path.name else "BTCUSDT"]) for path in paths])


def desk_of(stretch: Stretch, folder: Path, strategy: Strategy | None = None) -> SimulatedDesk:
    return SimulatedDesk(stretch.settings, stretch.start_ns, folder, strategy=strategy)


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Return what writes a recording of a book of five levels a side, and what comes after it."""

    def write(name: str, at_ns: int = AT, *more: Record, bid_lots: int = 5_000) -> Path:
        bids = tuple(Level(price, bid_lots) for price in range(10_000, 9_995, -1))
        asks = tuple(Level(price, 5_000) for price in range(10_002, 10_007))
        best = BookTicker(at_ns + S, 2, bids[0], asks[0])
        write_recording(
            tmp_path / name, ETHUSDT if "eth" in name else BTCUSDT, [Snapshot(at_ns, 1, bids, asks), best, *more]
        )
        return tmp_path / name

    return write


def last_best(at_ns: int) -> BookTicker:
    return BookTicker(at_ns, 1_000, Level(10_000, 5_000), Level(10_002, 5_000))


def test_recordings_of_a_time_are_one_stretch_and_a_later_day_another(written: Callable[..., Path]) -> None:
    """Whatever their order on the command line; what goes on over midnight is one, and so are two symbols."""
    first, second = written("a", AT), written("b", AT + 60 * S)
    over_midnight = written("c", AT + 61 * S, last_best(AT + DAY))
    next_day, ether = written("d", AT + DAY + 60 * S), written("eth", AT)
    far = written("e", AT + 5 * DAY)
    stretches = stretches_of(settings_of(), far, next_day, ether, over_midnight, second, first)
    assert [[each.path for each in stretch.found] for stretch in stretches] == [
        [first, ether, second, over_midnight, next_day],
        [far],
    ]
    assert stretches[1].start_ns == AT + 5 * DAY + S + WINDOW_NS
    assert stretches[1].settings.flow.recordings == ((far,),)


def test_nothing_is_carried_over_the_end_of_a_day(written: Callable[..., Path]) -> None:
    """The clock is later than the recording by a moment; a day of which there is no more than that has no report."""
    midnight_ns = AT - AT % DAY + DAY
    (stretch,) = stretches_of(settings_of(), written("a", AT, last_best(midnight_ns - 1)))
    assert stretch.end_ns == midnight_ns - 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "expected recorded market data"),
        ('1795000000000000000 {"e":"kline","s":"BTCUSDT"}\n', "expected recorded market data, found none"),
        ("soon {}\n", "line 1: expected `<receive time"),
    ],
)
def test_file_that_cannot_be_traded_on_is_refused_with_its_name(content: str, said: str, tmp_path: Path) -> None:
    """Before anything runs, in one line."""
    path = tmp_path / "odd"
    path.write_text(content)
    with pytest.raises(BacktestError, match=f"odd.*{said}"):
        stretches_of(settings_of(), path)


def test_same_time_twice_is_refused(written: Callable[..., Path]) -> None:
    """A file that is named twice would be a market of its own, twice as long."""
    with pytest.raises(BacktestError, match="one recording after the other"):
        stretches_of(settings_of(), written("a"), written("b"))


def test_maker_trades_on_a_recorded_market_and_the_books_agree(tmp_path: Path) -> None:
    """Guards the whole: the recorded day's file, money conserved, fills at the time at which they were recorded."""
    (stretch,) = stretches_of(settings_of(), KEPT)
    desk = desk_of(stretch, tmp_path)
    desk.run(stretch.end_ns)
    day = desk.close_books()
    document = desk.folder.read(day)
    assert document is not None
    assert is_sound(document)
    assert document["total_trades"] >= 5
    assert str(day) == "2026-11-28"
    desk.exchange.ledger.check()
    desk.market.engine.check_invariants()
    assert desk.told.counts["Filled"] == document["total_trades"]


def changed(record: Record) -> Record:
    """Return another future: other prices and other quantities."""

    def other(level: Level) -> Level:
        return Level(level.price_ticks + 5_000, level.qty_lots * 3)

    match record:
        case RecordedTrade():
            return record._replace(price_ticks=record.price_ticks + 5_000, qty_lots=record.qty_lots * 3)
        case BookTicker():
            return record._replace(bid=other(record.bid), ask=other(record.ask))
        case Snapshot() | DepthUpdate():
            return record._replace(bids=tuple(map(other, record.bids)), asks=tuple(map(other, record.asks)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("instrument", "is_real"),
    [
        pytest.param(BTCUSDT, False, id="kept"),
        pytest.param(BTCUSDT, True, id="real-btcusdt"),
        pytest.param(ETHUSDT, True, id="real-ethusdt"),
    ],
)
def test_nothing_decided_up_to_a_moment_knows_what_was_received_after_it(
    instrument: Instrument, *, is_real: bool, tmp_path: Path
) -> None:
    """At MOMENTS everything after is replaced, and each order and cancel up to there is the same."""
    source = real_recording(instrument.symbol) if is_real else KEPT
    whole = read_recording(source, instrument)
    first_ns = (first_record := next(whole)).received_ns
    records = [first_record, *takewhile(lambda record: record.received_ns < first_ns + 12 * S, whole)]
    path = tmp_path / f"recording of {instrument.symbol.lower()}"
    write_recording(path, instrument, records)
    sets = {"symbol": instrument.symbol, "maker__half_spread": "0.00003" if is_real else "0.0001"}
    (stretch,) = stretches_of(settings_of(maker__requote_tolerance="0", **sets), path)
    first = Decided(desk_of(stretch, tmp_path / "first"))
    first.desk.run(stretch.end_ns)
    assert len(first.actions) > 10
    assert first.desk.told.counts["Filled"] >= 3
    dice = Random(11)
    differs_after = 0
    for number in range(MOMENTS):
        at_ns = dice.randrange(stretch.start_ns, stretch.end_ns) if number % 2 else dice.choice(first.actions)[0]
        other = [record if record.received_ns <= at_ns else changed(record) for record in records]
        write_recording(path, instrument, other)
        again = Decided(desk_of(stretch, tmp_path / f"{number}"))
        again.desk.run(min(at_ns + 2 * S, stretch.end_ns))
        assert again.up_to(at_ns) == first.up_to(at_ns), at_ns
        differs_after += again.actions != first.up_to(again.desk.heap.now_ns)
    assert differs_after > 0.8 * MOMENTS  # the other future is one that a desk notices


def test_fill_is_not_known_before_its_trade_was_received(written: Callable[..., Path], tmp_path: Path) -> None:
    """A trade is put before the best prices that show it, which came 30 ms earlier: the clock has to be as late."""
    told_ns = AT + 5 * S + 30_000_000
    shown = BookTicker(AT + 5 * S, 3, Level(9_999, 5_000), Level(10_002, 5_000))
    trade = RecordedTrade(told_ns, 1, 10_000, 5_000 + 20_000, Side.SELL)
    path = written("a", AT, shown, trade, last_best(AT + 9 * S))
    (stretch,) = stretches_of(settings_of(), path)
    desk = desk_of(stretch, tmp_path / "out", Fixed([Quote(Side.BUY, 10_000, 40_000)]))
    desk.run(told_ns)
    assert "Filled" not in desk.told.counts
    desk.run(told_ns + S)
    assert desk.told.counts["Filled"] == 1


def test_a_recorded_lot_fills_only_once(written: Callable[..., Path], tmp_path: Path) -> None:
    """Two orders of ours at one price share what a recorded trade has left for them."""
    trade = RecordedTrade(AT + 5 * S, 1, 9_998, 3_000 + 45_000, Side.SELL)
    # The book at the trade's price and better is 3,000 lots: what is more, is ours.
    gone = BookTicker(AT + 5 * S + 1, 3, Level(9_997, 1_000), Level(10_002, 5_000))
    path = written("a", AT, trade, gone, last_best(AT + 9 * S), bid_lots=1_000)
    strategy = Fixed([Quote(Side.BUY, 9_998, 40_000), Quote(Side.BUY, 9_998, 30_000)])
    (stretch,) = stretches_of(settings_of(), path)
    desk = desk_of(stretch, tmp_path / "out", strategy)
    desk.run(stretch.end_ns)
    assert strategy.filled_lots == 45_000


def test_rate_limit_of_the_exchange_holds(tmp_path: Path) -> None:
    """Fifty orders in ten seconds, however restless a strategy is: the others are refused as Binance refuses them."""
    restless = {"maker__interval_ms": 50, "maker__requote_tolerance": "0", "maker__limits__orders_in_10_s": 1_000}
    (stretch,) = stretches_of(settings_of(**restless), KEPT)
    strategy = Restless()
    decided = Decided(desk_of(stretch, tmp_path, strategy))
    desk = decided.desk
    desk.run(stretch.start_ns + 30 * S)
    rows = desk.account.orders(BTCUSDT, limit=1_000)
    entered = Counter(order.time_ms // 10_000 for order in rows)
    assert 40 < max(entered.values()) <= 50  # one that would have traded at once counts, and is no order
    assert desk.told.counts["Paused"] > 0
    placed = sum(isinstance(action, Place) for _, actions in decided.actions for action in apart(actions))
    assert placed > len(rows)


def test_filters_of_the_exchange_hold(tmp_path: Path) -> None:
    """An order below the least notional is refused, and nothing of it trades."""
    (stretch,) = stretches_of(settings_of(), KEPT)
    best = next(record for record in read_recording(KEPT, BTCUSDT) if isinstance(record, BookTicker)).bid
    desk = desk_of(stretch, tmp_path, Fixed([Quote(Side.BUY, best.price_ticks - 1, 1)]))
    desk.run(stretch.start_ns + 3 * S)
    assert desk.told.counts["Declined"] > 0
    assert desk.account.orders(BTCUSDT) == []

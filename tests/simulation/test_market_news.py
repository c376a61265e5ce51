"""The market as the trader hears of it: at each look; not before it matters, which changes nothing."""

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import pytest

from engine.capacity import Capacity
from engine.fast.engine import FastEngine
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.depth import Depth
from paper.exchange.tape import PublicTrade
from paper.units import Symbol
from simulation.backtest import Stretch
from simulation.delays import Delays
from simulation.desk import SimulatedDesk
from simulation.heap import EventHeap
from simulation.looks import Looks
from simulation.market_news import MarketNews
from simulation.recorded_market import RecordedMarket, make_tracks
from simulation.replaying.looking import LEVELS, LOOKS_MAX
from tests.pairs import default_instruments
from tests.recordings import KEPT
from tests.simulation.test_backtest import settings_of, stretches_of
from tests.simulation.test_desk import START_NS
from trading import news
from trading.outbox import Outbox
from trading.trader import Trader

BTCUSDT, *_ = default_instruments()
EVERY_NS = 100 * NS_PER_MS
OWNER = 1


class Eager(Trader):
    """Wants to hear of everything as it arrives."""

    def step(self, now_ns: int, said: Sequence[news.News]) -> Outbox:
        """Do as every trader does."""
        return super().step(now_ns, said)._replace(market_ns=now_ns)


def kept(**sets: str) -> Stretch:
    """Return a recording to trade on, at narrow quotes."""
    (stretch,) = stretches_of(settings_of(maker__half_spread="0.00005", **sets), KEPT)
    return stretch


def digest(stretch: Stretch, folder: Path, delays: Delays) -> str:
    """Return that of a run."""
    desk = SimulatedDesk(stretch.settings, stretch.start_ns, folder, delays)
    desk.run(stretch.end_ns)
    desk.close_books()
    assert desk.told.counts["Filled"] > 0
    return desk.digest.hexdigest()


def practice(**sets: str) -> Stretch:
    """Return some seconds of the synthetic market."""
    settings = settings_of(maker__half_spread="0.00005", flow__opening_s="2", **sets)
    return Stretch(settings, START_NS, START_NS + 30 * NS_PER_SECOND, ())


@pytest.mark.parametrize("market", [kept, practice])
@pytest.mark.parametrize("interval_ms", ["250", "10"])
@pytest.mark.parametrize("more_ns", [0, 3 * NS_PER_MS])
def test_who_hears_of_everything_as_it_arrives_decides_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, market: Callable[..., Stretch], interval_ms: str, more_ns: int
) -> None:
    """What waits until it matters is only waited with: not seen earlier, later, or in another order."""
    stretch, delays = market(maker__interval_ms=interval_ms), Delays(venue_more_ns=more_ns)
    waited = digest(stretch, tmp_path / "waited", delays)
    monkeypatch.setattr("simulation.desk.Trader", Eager)
    assert digest(stretch, tmp_path / "eager", delays) == waited


def test_run_sees_at_each_look_what_the_engine_shows_then(tmp_path: Path) -> None:
    """In one call for a thousand looks as in one for each; where nothing has changed there is nothing to see."""
    stretch = kept()

    def market(looks_of: Callable[[FastEngine], Looks]) -> tuple[RecordedMarket, Looks]:
        engine = FastEngine(Capacity(len(stretch.settings.instruments)))
        looks = looks_of(engine)
        tracks = make_tracks(stretch.settings, OWNER, count(1), tmp_path, print)
        return RecordedMarket(engine, tracks, OWNER, stretch.start_ns, looks=looks), looks

    seeing, looks = market(lambda engine: Looks(engine, 0, stretch.start_ns, EVERY_NS))
    seeing.advance(stretch.end_ns)
    seen = [(look.time_ns, look.depth()) for look in looks.take()]
    stopping, _ = market(Looks)
    shown: list[tuple[int, Depth]] = []
    for time_ns in range(stretch.start_ns, stretch.end_ns + 1, EVERY_NS):
        stopping.advance(time_ns)
        depth = stopping.engine.depth(0, LEVELS)
        if not shown or shown[-1][1] != depth:
            shown.append((time_ns, depth))
    assert seen == shown
    assert len(seen) > LOOKS_MAX


def test_trades_are_told_of_with_the_look_after_them_and_of_books_the_last_is_heard() -> None:
    """Neither a millisecond before its travel is over, and the trades first."""
    heap, travel_ns = EventHeap(0), NS_PER_MS
    looks = Looks(FastEngine(Capacity(1)), 0, EVERY_NS, EVERY_NS)
    told = MarketNews(heap, looks, lambda: travel_ns, 0)
    trades = [PublicTrade(number, 10, 1, Side.BUY, at_ns) for number, at_ns in enumerate((1, EVERY_NS, EVERY_NS + 1))]
    told.on_trades(Symbol.of(BTCUSDT), trades)
    told.tell()
    assert told.due_ns is None
    looks.pass_to(EVERY_NS)
    told.tell()
    assert told.due_ns == EVERY_NS + travel_ns
    heard: list[news.News] = []
    for at_ns in (EVERY_NS + travel_ns - 1, EVERY_NS + travel_ns):
        heap.at(at_ns, lambda: heard.extend(told.take()))
        heap.now_ns = at_ns
        heap.run_due()
        assert len(heard) == 2 * (at_ns == EVERY_NS + travel_ns)
    assert heard == [news.TradesNews([news.MarketTrade(*each) for each in trades[:2]]), news.BookNews(Depth((), ()))]

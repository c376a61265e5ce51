"""A desk of which everything runs in this process, on one clock, from a seed: market, engine, exchange and trader.

Nothing here reads a clock, sleeps, or waits for a socket: two runs of the same settings are the same to the last bit.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final

from bus.topology import Source, first_order_id, first_owner
from desk.quoting_told import quoting_told
from desk.sections import VenueSettings
from desk.settings import Settings, setting_texts
from desk.strategy import strategy_of, terms_of
from engine.capacity import Capacity
from engine.fast.engine import FastEngine
from flow.recordings.cache import cache_folder
from flow.side_by_side import SideBySide
from market.clock import NS_PER_MS, NS_PER_SECOND, Now, day_bounds_ns, utc_date
from market.exact_json import JsonObject
from nodes.flow.market import OrderIds
from nodes.flow.market_flows import make_flows
from nodes.tracker.bookkeeper import Bookkeeper
from reports.folder import ReportsFolder
from simulation.calls import SimulatedAccount
from simulation.delays import Delays
from simulation.digest import Digest
from simulation.exchange import SimulatedExchange
from simulation.heap import EventHeap
from simulation.journaled import JournaledFlow
from simulation.line import SimulatedLine
from simulation.looks import Looks
from simulation.market import FlowMarket, Keep, Market, Watch
from simulation.market_news import MarketNews
from simulation.others_mids import OthersMids
from simulation.placed_orders import PlacedOrders
from simulation.recorded_market import RecordedMarket, make_tracks
from trading import news, notes
from trading.model_strategy import ModelStrategy
from trading.quoting_day import QuotingRecord
from trading.quoting_watch import QuotingWatch
from trading.strategy import Strategy
from trading.trader import Trader

PREFIX: Final = "tb-simulated-"
LIST_NS: Final = 5 * NS_PER_SECOND


@dataclass(slots=True)
class Told:
    """What the trader has told, for the figures of a run.

    Attributes:
        counts: notes, by kind.
        declined: quotes that the exchange refused, by code and reason.
        idle: rounds in which a side was not quoted, by code and reason; one for each side.
        rules: by what came of them (`quoted`, `ended`, `refused`, and in rounds of a side, `idle`), codes.
    """

    counts: Counter[str] = field(default_factory=Counter)
    declined: Counter[str] = field(default_factory=Counter)
    idle: Counter[str] = field(default_factory=Counter)
    rules: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def take(self, told: Sequence[notes.Note]) -> None:
        """Count each kind of note."""
        for note in told:
            self.counts[type(note).__name__] += 1
            match note:
                case notes.Quoted():
                    self.rules["quoted"][note.why.rule] += 1
                case notes.Ended():
                    self.rules["ended"][note.why.rule] += 1
                case notes.Declined():
                    self.declined[str(note.why)] += 1
                    self.rules["refused"][note.why.rule] += 1
                case notes.Looked() if note.idle:
                    self.idle.update(map(str, note.idle.values()))
                    self.rules["idle"].update(why.rule for why in note.idle.values())

    @property
    def why_unfilled(self) -> str | None:
        """Why no quote was filled, as far as that is known: what was refused most, or why nothing was wanted."""
        quoted, declined = self.counts["Quoted"], self.counts["Declined"]
        if self.counts["Filled"] or not (declined or (self.idle and not quoted)):
            return None
        ((why, count),) = (self.declined or self.idle).most_common(1)
        what = f"{declined} of {quoted + declined} were declined" if declined else "none was sent"
        return f"no quote was filled: {what}, {count} times for {why}"


class SimulatedDesk:
    """One desk.

    Args:
        settings: those of a real one; its seeds stand in them.
        start_ns: when it starts, ns since 1970 UTC.
        folder: of the daily files.
        strategy: who decides; None is that of the settings.
        others: what they sent, instead of the market of the settings.
        keep: as `FlowMarket` has it.

    Attributes:
        heap: the clock.
        account: reads what the desk's account has, as the tracker does.
        folder: the daily files.
        told: what the trader has told.
        others: knows the mid without our orders.
        digest: of all commands and events so far.
        problems: what a person should know of how it ran; what the trader has to add to them stands in `told`.
    """

    def __init__(
        self,
        settings: Settings,
        start_ns: int,
        folder: Path,
        delays: Delays | None = None,
        strategy: Strategy | None = None,
        others: JournaledFlow | None = None,
        keep: Keep | None = None,
    ) -> None:
        self._symbol_id = settings.instrument.symbol_id
        self._delays = delays or Delays()
        self.heap = EventHeap(start_ns)
        self.digest = Digest()
        self.told = Told()
        self.problems: list[str] = []
        engine = FastEngine(Capacity(len(settings.instruments)))
        book_ns = self._delays.book_ns
        looks = Looks(engine, self._symbol_id, -(-start_ns // book_ns) * book_ns, book_ns)  # as the exchange ticks
        watch = self.digest.add_rows
        if others is not None:
            others.begin_book(engine, start_ns)
            self.market: Market = FlowMarket(engine, others, first_owner(Source.FLOW), start_ns, watch, looks, keep)
        else:
            self.market = _market(engine, settings, start_ns, watch, looks, keep, self.problems.append)
        self.exchange = SimulatedExchange(settings, self.heap, self.market, self._delays.order_ns)
        self.account = SimulatedAccount(self.exchange.calls)
        instrument = settings.instrument
        travel = self._delays.venue()
        self.line = SimulatedLine(self.exchange.calls, self.heap, instrument, travel, self._on_news)
        self._looks, self._market_news = looks, MarketNews(self.heap, looks, travel, self._symbol_id)
        self.others = OthersMids(looks, self._symbol_id)
        self._placed = PlacedOrders()
        self.exchange.exchange.account_listeners += self.others.hear, self._placed.hear, self.line.hear
        self.exchange.exchange.market.listeners.append(self._market_news)
        self._strategy = strategy or strategy_of(settings)
        self.trader = Trader(
            self._strategy,
            instrument,
            self.account.load(instrument),
            terms_of(settings, PREFIX, LIST_NS),
            (f"{PREFIX}{number}" for number in count(1)),
        )
        self._wake_ns: int | None = None
        self._market_ns: int | None = start_ns  # when news of the market matter to the trader
        self._quoting = QuotingRecord(settings.maker.presence_within, start_ns)
        self._quoting_watch = QuotingWatch(self._quoting, instrument.tick_size)
        self.folder = ReportsFolder(folder)
        self._books = Bookkeeper(
            self.account,
            instrument,
            self.folder,
            self._clock,
            _described(settings),
            settings.instruments,
            partial(self._quoting_of, settings),
            mids=self.others.mids,
            fill_orders=self._placed,
        )
        self._on_midnight()
        looks.pass_to(start_ns)
        self._tell_of_market()

    def run(self, until_ns: int) -> None:
        """Go on until a time."""
        heap = self.heap
        while heap.now_ns < until_ns:
            heap.now_ns, events = self.market.advance(min(until_ns, self._next_ns()))
            if events:
                self.exchange.hear(events)
            self._tell_of_market()
            heap.run_due()

    def close_books(self) -> date:
        """Bring the daily file up to date, take all of them into the digest, and return the day."""
        self._update_books()
        for day in self.folder.days():
            self.digest.add_file(self.folder.file_of(day).read_bytes())
        return utc_date(self.heap.now_ns)

    def _on_midnight(self) -> None:
        """Begin a day's file, and see to it that the last moment of the day is in it."""
        self._update_books()
        _, end_ns = day_bounds_ns(utc_date(self.heap.now_ns))
        self.heap.at(end_ns - 1, self._update_books)
        self.heap.at(end_ns, self._on_midnight)

    def _update_books(self) -> None:
        self.others.pass_to(self.heap.now_ns)
        self._books.update()

    def _quoting_of(self, settings: Settings, day: date) -> JsonObject | None:
        """Return a day of the trader's quotes as the daily document tells it, as a desk's maker keeps it."""
        self._quoting.pass_to(self.heap.now_ns)
        kept = self._quoting.day
        if kept.day != day:
            return None
        if isinstance(self._strategy, ModelStrategy):
            kept.seen = self._strategy.seen
        return quoting_told(settings, kept, setting_texts(settings))

    def _clock(self) -> Now:
        return Now(self.heap.now_ns, self.heap.now_ns)

    def _next_ns(self) -> int:
        """Return until when nothing but the market can matter to anybody."""
        next_ns = self.heap.next_ns
        assert next_ns is not None, "there is always a midnight to come"
        is_patient = self._market_ns is None or self._market_ns > self.heap.now_ns
        if is_patient or self._market_news.due_ns is not None:
            return next_ns
        return min(next_ns, self._looks.next_ns)  # what is seen then may matter at once

    def _tell_of_market(self) -> None:
        """Let news of the market go to the trader, and wake it with them as soon as they matter to it."""
        self._market_news.tell()
        due_ns = self._market_news.due_ns
        if due_ns is not None and self._market_ns is not None:
            self._wake_at(max(due_ns, self._market_ns))

    def _on_news(self, said: Sequence[news.News]) -> None:
        now_ns = self.heap.now_ns
        outbox = self.trader.step(now_ns, [*self._market_news.take(), *said])
        self.told.take(outbox.notes)
        self._quoting_watch.take(now_ns, outbox, self.trader.orders)
        self._placed.act(outbox.actions, now_ns // NS_PER_MS)
        self.line.act(outbox.actions)
        self._market_ns = outbox.market_ns
        for wake_ns in (outbox.market_ns, outbox.wake_ns):
            if wake_ns is not None and wake_ns > now_ns:
                self._wake_at(wake_ns)
        self._tell_of_market()

    def _wake_at(self, wake_ns: int) -> None:
        if self._wake_ns is None or wake_ns < self._wake_ns:
            self._wake_ns = wake_ns
            self.heap.at(wake_ns, lambda: self._wake(wake_ns))

    def _wake(self, at_ns: int) -> None:
        if self._wake_ns == at_ns:
            self._wake_ns = None
            self._on_news(())


def _described(settings: Settings) -> JsonObject:
    """Return what the daily file says of the market; not where recordings lie: the same bytes give the same file."""
    described = settings.model_copy(update={"venue": VenueSettings()}).market  # wherever the real desk trades
    return described | {"flow": "replay"} if settings.flow.source == "replay" else described


def _market(
    engine: FastEngine,
    settings: Settings,
    start_ns: int,
    watch: Watch,
    looks: Looks,
    keep: Keep | None,
    tell: Callable[[str], None],
) -> Market:
    """Return all markets of the settings as one."""
    owner, order_ids = first_owner(Source.FLOW), OrderIds(first_order_id(Source.FLOW))
    if settings.flow.source == "replay":
        tracks = make_tracks(settings, owner, order_ids, cache_folder(), tell)
        opening_ns = round(settings.flow.opening_s * NS_PER_SECOND)
        return RecordedMarket(engine, tracks, owner, start_ns, opening_ns, watch, looks)
    flows = {} if settings.flow.source == "none" else make_flows(settings, owner, order_ids)
    flow = SideBySide(flows) if len(flows) > 1 else next(iter(flows.values()), None)
    return FlowMarket(engine, flow, owner, start_ns, watch, looks, keep)

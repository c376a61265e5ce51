"""The two runs that `benchmarks.parity` compares: a trader on a desk of real processes, and the same one simulated."""

import select
import subprocess
import sys
import time
from bisect import bisect
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final

from benchmarks.engine_process import ROOT, folder_of_a_desk, settings_of
from benchmarks.parity_records import OURS, PREFIX, Order, Orders, Run, Step, Watched, by_market, names
from bus.topology import Source, first_order_id, first_owner
from desk.client import DeskError, desk_settings, desk_status
from desk.sections import flow_in_short
from desk.settings import Settings, load_settings
from desk.strategy import terms_of
from desk.venue import desk_line, desk_venue
from engine.matching_engine import make_engine
from journal.reader import JournalReader
from market.clock import NS_PER_MS, NS_PER_SECOND, steady_clock
from market.codec import decode_commands
from market.commands import CancelOrder, Command, MassCancel, NewOrder
from market.depth import Depth
from market.events import Accepted
from nodes.engine.command_record import COMMANDS
from nodes.flow.market import OrderIds
from nodes.flow.market_flows import make_flows
from simulation.delays import Delays
from simulation.desk import BOOK_LEVELS, SimulatedDesk
from simulation.market import FlowMarket
from trading.actions import Action, Cancel, Place
from trading.news import BookNews, News, OrderNews
from trading.trader import Outbox, Trader

OPENING_S: Final = 15.0  # the first book stands still for so long: the trader is there when the recording begins
READY_S: Final = 240.0  # kernels may be compiled first
LOOK_MS: Final = 3  # how old a book is, about, when a trader sees it
LOOK_MS_MAX: Final = 50
HEARD_NS_MAX: Final = 300 * NS_PER_MS  # after which this trader hears what the other one has not


# --- live


def live(market: str, settings_given: Mapping[str, str], seconds: float) -> tuple[Run, list[Step]]:
    """Let a trader quote on a desk of real processes, for so long after its market has begun to move."""
    with folder_of_a_desk() as run_dir, _desk(market, settings_given, run_dir):
        settings, now = desk_settings(run_dir), steady_clock()
        url = next(row["endpoints"]["http"] for row in desk_status(run_dir)["nodes"] if row["node"] == "paper")
        settings = settings.model_copy(update={"venue": settings.venue.model_copy(update={"url": url})})
        venue = desk_venue(settings)
        rules = venue.load(settings.instrument)
        line = desk_line(settings, venue, now)
        strategy = Watched(settings)
        trader = Trader(strategy, settings.instrument, rules, terms_of(settings, PREFIX, line.list_ns), names())
        steps: list[tuple[int, list[News], Outbox]] = []
        until_ns = now() + round((OPENING_S + seconds) * NS_PER_SECOND)
        while (now_ns := now()) < until_ns:
            said = line.take()
            outbox = trader.step(now_ns, said)
            steps.append((now_ns, said, outbox))
            if outbox.actions:
                line.act(outbox.actions)
            wait_ns = NS_PER_SECOND if outbox.wake_ns is None else outbox.wake_ns - now()
            select.select([line.ready], [], [], max(0, wait_ns) / NS_PER_SECOND)
        end_ns = now()
        line.close()
        (engine,) = settings.plan.engines.values()
        records = [record for _, record in JournalReader(engine.journal_folder, COMMANDS).records()]
    commands = [(record.time_ns, each) for record in records for each in decode_commands(record.payload)]
    flow = first_owner(Source.FLOW)
    start_ns = next(each.time_ns for _, each in commands if isinstance(each, MassCancel) and each.owner == flow)
    clock = _MarketClock(commands, _due_ns(settings, start_ns, end_ns))
    commands = [(clock.time_of(at_ns), each) for at_ns, each in commands]
    timed = _timed(steps, commands, clock)
    return Run(
        start_ns, end_ns, by_market(strategy.decisions, timed), _orders_of(commands, settings), line.list_ns
    ), timed


@contextmanager
def _desk(flow: str, settings_given: Mapping[str, str], run_dir: Path) -> Iterator[None]:
    """Run a desk without a maker, from before its market moves, and end it."""
    without = [word for node in ("maker", "tracker", "api") for word in ("--without", node)]
    ports = ("--paper-port", "0", "--gateway-port", "0")
    command = [sys.executable, str(ROOT / "cli.py"), "up", *ports, *without, "--flow", flow]
    named = {key.upper().replace(".", "__"): value for key, value in settings_given.items()}
    environment = settings_of(run_dir, named | {"FLOW__OPENING_S": str(OPENING_S)})
    with (run_dir.parent / "desk.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + READY_S
        while not _is_ready(run_dir):
            assert process.poll() is None, (run_dir.parent / "desk.log").read_text()
            assert time.monotonic() < deadline, "the desk is not ready"
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def _is_ready(run_dir: Path) -> bool:
    try:
        return bool(desk_status(run_dir)["is_ready"])
    except DeskError:
        return False


def _orders_of(commands: Sequence[tuple[int, Command]], settings: Settings) -> list[Order]:
    """Return the trader's orders, by matching all that the journal holds once more."""
    orders = Orders()
    market = FlowMarket(make_engine("fast", len(settings.instruments)), None, first_owner(Source.FLOW), 0)
    for at_ns, command in commands:
        orders.take(market.submit([command]), at_ns)
    return list(orders.by_id.values())


def _due_ns(settings: Settings, start_ns: int, end_ns: int) -> dict[int, int]:
    """Return when each order of the market is due, by its id."""
    owner = first_owner(Source.FLOW)
    (flow,) = make_flows(settings, owner, OrderIds(first_order_id(Source.FLOW))).values()
    market = FlowMarket(make_engine("fast", len(settings.instruments)), flow, owner, start_ns)
    _, events = market.advance(end_ns)
    return {event.order_id: event.time_ns for event in events if isinstance(event, Accepted)}


class _MarketClock:
    """Tells the time by what the live market had done by then: it may have been late, a simulated one never is.

    Args:
        commands: all that was at the engine, with their times.
        due_ns: when the market's orders were due, by their ids.
    """

    def __init__(self, commands: Sequence[tuple[int, Command]], due_ns: Mapping[int, int]) -> None:
        orders = [(at_ns, each) for at_ns, each in commands if isinstance(each, NewOrder) and each.order_id in due_ns]
        self._times_ns = [at_ns for at_ns, _ in orders]
        self._late_ns = [at_ns - due_ns[each.order_id] for at_ns, each in orders]

    def time_of(self, at_ns: int) -> int:
        """Return the market's time at a time, of which it never goes back."""
        number = bisect(self._times_ns, at_ns) - 1
        if number < 0:
            return at_ns
        return max(at_ns - self._late_ns[number], self._times_ns[number] - self._late_ns[number])


def _timed(
    steps: Sequence[tuple[int, list[News], Outbox]], commands: Sequence[tuple[int, Command]], clock: _MarketClock
) -> list[Step]:
    """Return the steps, each with the times at which what it wanted was at the engine."""
    arrived = [
        (at_ns, each) for at_ns, each in commands if isinstance(each, NewOrder | CancelOrder) and each.owner in OURS
    ]
    timed = []
    for now_ns, said, outbox in steps:
        at_ns, acts_ns = clock.time_of(now_ns), []
        for action in outbox.actions:
            if isinstance(action, Place | Cancel):
                found = next((at for at, each in enumerate(arrived) if _is_of(each[1], action)), None)
                acts_ns.append(at_ns if found is None else max(at_ns, arrived.pop(found)[0]))
        timed.append(Step(at_ns, now_ns, tuple(said), tuple(acts_ns)))
    return timed


def _is_of(command: NewOrder | CancelOrder, action: Place | Cancel) -> bool:
    if isinstance(action, Cancel):
        return isinstance(command, CancelOrder) and str(command.order_id) == action.order_id
    terms = action.side, action.price_ticks, action.qty_lots
    return isinstance(command, NewOrder) and (command.side, command.price_ticks, command.qty_lots) == terms


# --- simulated


class Moment(Enum):
    """What the live trader did at a time."""

    LOOK = auto()  # its book was as it was then
    STEP = auto()
    ACT = auto()  # one of its actions was at the engine


class Stepped(Trader):
    """Steps when another trader did, hears what that one had heard by then, and acts when its actions arrived.

    Of how old a book was when the other one saw it nothing is known but that it was in the last `LOOK_MS_MAX`: of the
    books of that time the newest is taken that has the same best prices, else one of `LOOK_MS`.

    Args:
        see: returns the book.
        steps: the other one's.
    """

    def __init__(self, see: Callable[[], Depth], steps: Sequence[Step], *given: Any) -> None:
        super().__init__(*given)
        self._see = see
        looks = [
            (step.at_ns - age_ms * NS_PER_MS, Moment.LOOK, step)
            for step in steps
            if any(isinstance(each, BookNews) for each in step.heard)
            for age_ms in range(LOOK_MS_MAX)
        ]
        decides = [(step.at_ns, Moment.STEP, step) for step in steps]
        acts = [(at_ns, Moment.ACT, step) for step in steps for at_ns in step.acts_ns]
        self._moments = deque(sorted([*looks, *decides, *acts], key=lambda each: each[0]))
        self._books: deque[Depth] = deque(maxlen=LOOK_MS_MAX)
        self._unheard: list[tuple[int, News]] = []
        self._going: deque[Action] = deque()

    def step(self, now_ns: int, said: Sequence[News]) -> Outbox:
        """Keep what is said until the other one heard the like, then do as it did."""
        self._unheard += [(now_ns, each) for each in said if not isinstance(each, BookNews)]
        actions: list[Action] = []
        while self._moments and self._moments[0][0] <= now_ns:
            _, moment, step = self._moments.popleft()
            if moment is Moment.LOOK:
                self._books.append(self._see())
            elif moment is Moment.STEP:
                actions += self._stepped(now_ns, step)
            elif self._going:
                actions.append(self._going.popleft())
        return Outbox(actions, max(now_ns + 1, self._moments[0][0]) if self._moments else None, ())

    def _stepped(self, now_ns: int, step: Step) -> Iterator[Action]:
        old = [each for heard_ns, each in self._unheard if now_ns - heard_ns > HEARD_NS_MAX]
        heard = [*old, *(each for theirs in step.heard for each in self._like(theirs))]
        self._unheard = [each for each in self._unheard if not any(each[1] is one for one in heard)]
        for action in super().step(step.now_ns, heard).actions:
            if isinstance(action, Place | Cancel) and len(self._going) < len(step.acts_ns):
                self._going.append(action)
            else:
                yield action

    def _like(self, theirs: News) -> Sequence[News]:
        """Return what this trader hears where the other one heard that: of the same order, or else of the same kind."""
        if isinstance(theirs, BookNews):
            same = (each for each in reversed(self._books) if _best(each) == _best(theirs.depth))
            return [BookNews(next(same, self._books[-LOOK_MS]))]
        if name := _order_of(theirs):
            return [each for _, each in self._unheard if _order_of(each) == name]
        return [each for _, each in self._unheard if type(each) is type(theirs)][:1]


def _order_of(said: News) -> str:
    return said.order.client_order_id if isinstance(said, OrderNews) else getattr(said, "client_order_id", "")


def _best(depth: Depth) -> tuple[int, ...]:
    return tuple(levels[0].price_ticks for levels in depth if levels)


def backtest(flow: str, settings_given: Mapping[str, str], other: Run, steps: Sequence[Step]) -> Run:
    """Let the same trader quote in a simulation of the same market, stepping when the other one did."""
    with folder_of_a_desk() as run_dir:
        opening = {"run_dir": run_dir, "flow.opening_s": OPENING_S}
        settings = load_settings({**opening, **flow_in_short(flow), **settings_given}).settings
        desk = SimulatedDesk(settings, other.start_ns, run_dir / "reports", Delays(venue_ns=0))
        instrument, symbol_id = settings.instrument, settings.instrument.symbol_id
        strategy, orders, list_ns = Watched(settings), Orders(), other.list_ns
        desk.trader = Stepped(
            lambda: desk.market.engine.depth(symbol_id, BOOK_LEVELS),
            steps,
            *(strategy, instrument, desk.account.load(instrument), terms_of(settings, PREFIX, list_ns), names()),
        )
        desk.exchange.exchange.account_listeners.append(lambda said: orders.hear(said, desk.heap.now_ns))
        desk.run(other.end_ns)
    return Run(
        other.start_ns, other.end_ns, by_market(strategy.decisions, steps), list(orders.by_id.values()), other.list_ns
    )

"""A simulated desk at an exchange with fault switches, watched at each step: what must hold does, whatever is set."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Any, Final

import structlog

from desk.settings import load_settings
from desk.strategy import strategy_of, terms_of
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from nodes.maker.ids import SentOrders
from paper.access.accounts import FIRST_ACCOUNT
from paper.errors import ExchangeError
from paper.exchange.news import AccountNews, ExecutionType, OrderNews
from paper.fault_events import StreamEvent, pass_on
from paper.faults import Channel, Fault, FaultKind
from paper.money.history import Span
from paper.money.orders import Order
from paper.units import UNITS_PER_ONE
from simulation.calls import ADDRESS
from simulation.delays import Delays
from simulation.desk import LIST_NS, PREFIX, SimulatedDesk, Told
from simulation.line import SimulatedLine
from tests.simulation.test_desk import START_NS
from trading import notes
from trading.reasons import STOPPING
from trading.trader import Trader
from venues.binance_documents import retry_after_s

LOOK_NS: Final = 20 * NS_PER_MS
BACK_NS_MAX: Final = 10 * NS_PER_SECOND  # in which it quotes both sides after the end of a fault,
BACK_IN_TIME_MIN: Final = 0.99  # nearly always: a market that runs away may refuse a quote again and again,
LOCKED_OUT_NS: Final = 60 * NS_PER_SECOND  # but never for so long
ON_ITS_WAY_NS_MAX: Final = NS_PER_SECOND  # a fill, and the balances with its fee
OUT_NS_MAX: Final = 7 * NS_PER_SECOND  # in which a stop has taken all away, whatever is set
BUSY: Final = HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.IM_A_TEAPOT
USED_MAX: Final = 0.6  # of each of the exchange's limits
WINDOW_NS: Final = 10 * NS_PER_SECOND  # in which the exchange counts orders

# A market of its size, and a maker near enough to it to be filled every few seconds, and to move often.
_SETTINGS: Final[Mapping[str, Any]] = {
    "flow.opening_s": 2,
    "maker.half_spread": "0.0002",
    "maker.notional": "100",  # of which the account has a hundred
    "maker.requote_tolerance": "0.00005",
}
NEUTRAL: Final = 1  # BTC: what an account begins with
_ALL: Final = Span(1_000_000)


class _Watched(Told):
    """What the trader tells, told on."""

    def __init__(self, tell: Callable[[Sequence[notes.Note]], None]) -> None:
        super().__init__()
        self._tell = tell

    def take(self, told: Sequence[notes.Note]) -> None:
        """Count each kind of note, and tell on."""
        super().take(told)
        self._tell(told)


@dataclass(slots=True)
class Figures:
    """What a campaign has measured, over all its desks.

    Attributes:
        back_ns: of each fault and each start, how long after it both sides were quoted.
        used_max: the highest part of any of the exchange's limits.
        quiet_max: the most commands a minute and side in a quiet market.
    """

    back_ns: list[int] = field(default_factory=list)
    used_max: float = 0.0
    quiet_max: float = 0.0

    @property
    def in_time(self) -> float:
        """Which part of the faults were followed by quotes of both sides in time."""
        return sum(each <= BACK_NS_MAX for each in self.back_ns) / len(self.back_ns) if self.back_ns else 1.0

    def __str__(self) -> str:
        ordered = sorted(self.back_ns) or [0]
        p99, longest = (ordered[at] / NS_PER_SECOND for at in (len(ordered) * 99 // 100, -1))
        return (
            f"both sides quoted within 10 s after {self.in_time:.2%} of {len(self.back_ns)} faults and starts, "
            f"p99 {p99:.1f} s, max {longest:.1f} s; at most {self.used_max:.0%} of a limit used; "
            f"{self.quiet_max:.2f} commands a minute and side in a quiet market"
        )


class SwitchedDesk(SimulatedDesk):
    """A desk, and what is watched of it.

    Attributes:
        figures: what is measured.
        filled: what the trader has told to be filled of each order, in lots.
        place_count: how many orders have left.
        calls: how many calls of each kind have come to the exchange, by method and path.
    """

    def __init__(self, folder: Path, seed: int, figures: Figures, given: Mapping[str, Any] = _SETTINGS) -> None:
        of_this_one = {"run_dir": folder, "flow.seed": seed, "maker.neutral": str(NEUTRAL)}
        settings = load_settings({**of_this_one, **given}).settings
        self.figures = figures
        self.filled: Counter[str] = Counter()
        self.place_count = 0
        self.calls: Counter[tuple[str, str]] = Counter()
        self._busy_until_ns = 0  # by when the exchange has asked to be left alone
        self._late_until_ns = 0  # by when all calls that a fault has met are answered
        self._turned_back: list[tuple[int, int]] = []  # the exchange's clock: when, and by how much, ns
        self._of_before: set[str] = set()  # names of orders that the exchange has wiped out
        self._settings = settings
        self._kill_count = 0
        self._instrument = settings.instrument
        delays = Delays(venue_ns=2 * NS_PER_MS, venue_more_ns=8 * NS_PER_MS, seed=seed)
        super().__init__(settings, START_NS, folder / "reports", delays)
        self._faults = self.exchange.calls.faults
        listeners = self.exchange.exchange.account_listeners
        listeners[listeners.index(self.line.hear)] = self._hear
        self.told = _Watched(self._take)
        self._connect()

    def _connect(self) -> None:
        self.line = SimulatedLine(self, self.heap, self._instrument, self._delays.venue(), self._on_news)

    def begin(self, method: str, path: str, asked: Mapping[str, object], done: Callable[[Any], None]) -> None:
        """Let the trader's call come to the exchange, as a Caller does.

        Raises:
            AssertionError: if the exchange has asked to be left alone.
        """
        is_told = self.heap.now_ns < self._busy_until_ns and not self.trader.why_out
        assert not is_told, f"nobody asks who was told to wait: {method} {path}"
        self.calls[method, path] += 1
        delays = self._faults.of_kind(FaultKind.DELAY)
        delays_ms = [each.options["ms"] for each in delays if each.fits(method, path, Channel.SOCKET, FIRST_ACCOUNT)]
        self._late_until_ns = max(self._late_until_ns, self.heap.now_ns + sum(delays_ms) * NS_PER_MS)

        def told(answer: Any) -> None:
            if isinstance(answer, ExchangeError) and answer.status in BUSY:
                wait_s = retry_after_s(str(answer.retry_after_s or ""))
                self._busy_until_ns = self.heap.now_ns + round(wait_s * NS_PER_SECOND)
            done(answer)

        self.exchange.calls.begin(method, path, asked, told)

    def set(self, **switch: Any) -> Fault:
        """Set a switch."""
        with self._clock_watched():
            return self._faults.arm(self._faults.read(switch))

    def clear_all(self) -> None:
        """Clear all that are still armed."""
        with self._clock_watched():
            for number in list(self._faults.armed):
                self._faults.disarm(number)

    def cancel_silently(self) -> None:
        """Cancel all that is open, and tell nobody."""
        if not (orders := self.ours()):
            return
        self._faults.silenced.update(order.order_id for order in orders)
        self.exchange.exchange.cancel(orders, self.heap.now_ns)

    def wipe(self) -> None:
        """Let the exchange begin anew, without a word."""
        symbol = self.exchange.ledger.symbols[self._instrument.symbol]
        orders = self.exchange.ledger.history.orders(FIRST_ACCOUNT, symbol, _ALL)
        self._of_before |= {order.client_order_id for order in orders}
        self.exchange.exchange.reset_account(FIRST_ACCOUNT, self.heap.now_ns)

    def kill(self) -> None:
        """Let the trader die where it stands, and its successor begin with the note that it left, as a maker does."""
        self.line.close()
        note = self._note()
        self._connect()
        self._kill_count += 1
        self._busy_until_ns = 0  # which nobody knows any more
        self.trader = Trader(
            strategy_of(self._settings),
            self._instrument,
            self.account.load(self._instrument),
            terms_of(self._settings, PREFIX, LIST_NS),
            (f"{PREFIX}{self._kill_count}-{number}" for number in count(1)),
        )
        self.trader.take_over(note.orders, note.lately, self.heap.now_ns)
        self._on_news(())

    def _note(self) -> SentOrders:
        """Return the trader's note, from disk."""
        args = self._settings.run_dir, PREFIX, self._instrument.symbol, "simulated", structlog.get_logger()
        SentOrders(*args).keep(self.trader.orders.to_leave(self.heap.now_ns), self.trader.to_leave())
        return SentOrders(*args)

    def ours(self) -> list[Order]:
        """Return the trader's orders that are open at the exchange."""
        return [order for order in self.exchange.ledger.open_orders_of(FIRST_ACCOUNT) if order.engine_epoch]

    def watch(self, duration_ns: int) -> None:
        """Go on for a while.

        Raises:
            AssertionError: as soon as a side has two orders, one of them is nobody's, or a limit is near.
        """
        until_ns = self.heap.now_ns + duration_ns
        while self.heap.now_ns < until_ns:
            self.run(min(until_ns, self.heap.now_ns + LOOK_NS))
            ours, known = self.ours(), self.trader.orders
            sides = Counter(order.side for order in ours)
            assert max(sides.values(), default=0) <= 1, f"one intention is executed once: {ours}"
            known_names = known.standing.keys() | known.sent.keys() | known.unknown.keys()
            orphans = [order for order in ours if order.client_order_id not in known_names]
            assert not orphans, f"each order is known to be there: {orphans}"
            self._look_at_limits()

    def is_two_sided(self) -> bool:
        """Return whether both sides are quoted."""
        return {order.side for order in self.ours()} == set(Side)

    def come_back(self, stay_ns: int = BACK_NS_MAX) -> None:
        """Go on until both sides are quoted, which `figures` tells when, and all is as the exchange has it.

        A fault is over when what it has met is answered, and the exchange may be asked again; from then on it is
        watched for `stay_ns`.
        """
        over_ns = max(self.heap.now_ns, self._late_until_ns, self._busy_until_ns)
        while not self.is_two_sided():
            assert self.heap.now_ns < over_ns + LOCKED_OUT_NS, "it is never locked out"
            self.watch(LOOK_NS)
        self.figures.back_ns.append(max(0, self.heap.now_ns - over_ns))
        until_ns = max(self.heap.now_ns, over_ns + stay_ns)
        self.watch(until_ns - self.heap.now_ns)
        until_ns += ON_ITS_WAY_NS_MAX
        while (flaw := self._flaw()) and self.heap.now_ns < until_ns:
            self.watch(LOOK_NS)
        assert not flaw, flaw

    def leave(self) -> None:
        """Stop trading, as a maker does that is stopped; then nothing of it is there.

        What is asked of a slow exchange, one thing after the other, is not its time: it begins when that is answered.
        """
        self.trader.leave(STOPPING, self.heap.now_ns, ())
        began_ns = self.heap.now_ns
        self._on_news(())
        while not self.trader.is_out:
            assert self.heap.now_ns < max(began_ns, self._late_until_ns) + OUT_NS_MAX, "it is out in time"
            self.run(self.heap.now_ns + LOOK_NS)
        assert self.ours() == [], "nothing is left when it says that it is out"
        self.run(self.heap.now_ns + OUT_NS_MAX)
        assert self.ours() == [], "nothing comes after it has said that it is out"

    @contextmanager
    def _clock_watched(self) -> Iterator[None]:
        """Note by how much the exchange's clock is turned back inside."""
        before_ns = self.exchange.calls.now_ns
        yield
        back_ns = before_ns - self.exchange.calls.now_ns
        if 0 < back_ns < WINDOW_NS:  # one that goes back farther is in another window, and counts anew
            self._turned_back.append((self.heap.now_ns, back_ns))

    def _look_at_limits(self) -> None:
        """Look at what is used of the exchange's limits.

        While its clock is turned back, what it takes for 10 s is longer: so many more orders may leave in it, but never
        so many that it refuses one.
        """
        since_ns = self.heap.now_ns - 2 * WINDOW_NS
        back_ns = sum(by_ns for at_ns, by_ns in self._turned_back if at_ns >= since_ns)
        for used in self.exchange.usage.documents(ADDRESS, FIRST_ACCOUNT, self.exchange.calls.now_ns // NS_PER_SECOND):
            longer = 1 + back_ns / WINDOW_NS if used["interval"] == "SECOND" else 1
            part = used["count"] / (used["limit"] * longer)
            self.figures.used_max = max(self.figures.used_max, part)
            assert part <= USED_MAX, f"it stays far from each limit: {used}, in {longer:.1f} times the time"
            assert used["count"] < used["limit"], f"it is never refused for a limit: {used}"

    def _flaw(self) -> str:
        """Return what the trader does not know rightly of its fills, or of what it owns; empty if there is nothing."""
        symbol = self.exchange.ledger.symbols[self._instrument.symbol]
        orders = self.exchange.ledger.history.orders(FIRST_ACCOUNT, symbol, _ALL)
        names = Counter(order.client_order_id for order in orders)
        assert not names or max(names.values()) == 1, f"nothing is sent twice: {names.most_common(1)}"
        filled = {order.client_order_id: order.filled_lots for order in orders if order.filled_lots}
        told = {name: lots for name, lots in self.filled.items() if name not in self._of_before}
        if told != filled:
            return f"each fill is told once: {told.items() ^ filled.items()}"
        wallet = self.exchange.ledger.wallets.of(FIRST_ACCOUNT)[self._instrument.base]
        position, units = self.trader.position, wallet.free + wallet.locked
        is_known = position is not None and (position + NEUTRAL) * UNITS_PER_ONE == units
        return "" if is_known else f"its position is what it owns: {position} {units}"

    def _hear(self, told: AccountNews) -> None:
        """Take what happens to the account, as faults have it."""
        if not isinstance(told, OrderNews):
            return
        if told.execution is ExecutionType.CANCELED and told.order.order_id in self._faults.silenced:
            return
        event = StreamEvent(told.account, "executionReport")
        pass_on(self._faults, event, partial(self.line.hear, told))

    def _take(self, told: Sequence[notes.Note]) -> None:
        for note in told:
            if isinstance(note, notes.Filled):
                assert note.order.client_order_id.startswith(PREFIX)
                self.filled[note.order.client_order_id] += self._instrument.qty_to_lots(note.qty)
            self.place_count += isinstance(note, notes.Quoted)

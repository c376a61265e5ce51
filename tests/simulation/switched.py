"""A simulated desk at an exchange with fault switches, watched at each step: what must hold does, whatever is set."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
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
BACK_NS_MAX: Final = 10 * NS_PER_SECOND  # in which it quotes both sides after the end of a fault
ON_ITS_WAY_NS_MAX: Final = NS_PER_SECOND  # a fill, and the balances with its fee
OUT_NS_MAX: Final = 7 * NS_PER_SECOND  # in which a stop has taken all away, whatever is set
BUSY: Final = HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.IM_A_TEAPOT
USED_MAX: Final = 0.6  # of each of the exchange's limits

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


class SwitchedDesk(SimulatedDesk):
    """A desk, and what is watched of it.

    Attributes:
        filled: what the trader has told to be filled of each order, in lots.
        place_count: how many orders have left.
        calls: how many calls of each kind have come to the exchange, by method and path.
    """

    def __init__(self, folder: Path, seed: int, given: Mapping[str, Any] = _SETTINGS) -> None:
        of_this_one = {"run_dir": folder, "flow.seed": seed, "maker.neutral": str(NEUTRAL)}
        settings = load_settings({**of_this_one, **given}).settings
        self.filled: Counter[str] = Counter()
        self.place_count = 0
        self.calls: Counter[tuple[str, str]] = Counter()
        self._busy_until_ns = 0  # by when the exchange has asked to be left alone
        self._late_until_ns = 0  # by when all calls that a fault has met are answered
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
        return self._faults.arm(self._faults.read(switch))

    def clear_all(self) -> None:
        """Clear all that are still armed."""
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
        self.trader.orders.take_over(note.orders, self.heap.now_ns)
        self._on_news(())

    def _note(self) -> SentOrders:
        """Return the trader's note, from disk."""
        args = self._settings.run_dir, PREFIX, self._instrument.symbol, "simulated", structlog.get_logger()
        SentOrders(*args).keep(self.trader.orders.to_leave(self.heap.now_ns))
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
            for used in self.exchange.usage.documents(ADDRESS, FIRST_ACCOUNT, self.heap.now_ns // NS_PER_SECOND):
                assert used["count"] <= USED_MAX * used["limit"], f"it stays far from each limit: {used}"

    def is_two_sided(self) -> bool:
        """Return whether both sides are quoted."""
        return {order.side for order in self.ours()} == set(Side)

    def come_back(self) -> None:
        """Go on until both sides are quoted, as they must be in time, and all is as the exchange has it.

        A fault is over when what it has met is answered, and the exchange may be asked again.
        """
        until_ns = max(self.heap.now_ns, self._late_until_ns, self._busy_until_ns) + BACK_NS_MAX
        while not self.is_two_sided():
            assert self.heap.now_ns < until_ns, "both sides are quoted again in time"
            self.watch(LOOK_NS)
        self.watch(until_ns - self.heap.now_ns)
        until_ns += ON_ITS_WAY_NS_MAX
        while (flaw := self._flaw()) and self.heap.now_ns < until_ns:
            self.watch(LOOK_NS)
        assert not flaw, flaw

    def leave(self) -> None:
        """Stop trading, as a maker does that is stopped; then nothing of it is there."""
        self.trader.leave(STOPPING, self.heap.now_ns, ())
        until_ns = self.heap.now_ns + OUT_NS_MAX
        self._on_news(())
        while not self.trader.is_out:
            assert self.heap.now_ns < until_ns, "it is out in time"
            self.run(self.heap.now_ns + LOOK_NS)
        assert self.ours() == [], "nothing is left when it says that it is out"
        self.run(self.heap.now_ns + OUT_NS_MAX)
        assert self.ours() == [], "nothing comes after it has said that it is out"

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

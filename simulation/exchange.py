"""The paper exchange in front of a simulated market: the same exchange and the same calls, without HTTP and waiting.

A call is what a client of Binance makes: method, path and parameters as text go in, the document or the refusal comes
out. So filters, funds, rate limits and error codes are those of the real exchange.
"""

import json
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from bus.topology import Source, first_order_id, first_owner
from desk.settings import Settings
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.commands import Command
from market.depth import Depth
from market.events import Event, Executed, Halted
from market.feed_messages import BookTrade
from paper.access.accounts import FIRST_ACCOUNT
from paper.access.usage import Usage
from paper.calls.call import Call
from paper.calls.endpoints import ENDPOINTS, Endpoint
from paper.calls.parameters import read_values, without_signature
from paper.errors import ErrorKind, ExchangeError
from paper.exchange.exchange import Exchange
from paper.exchange.pending import Pending
from paper.exchange.public_market import Touched
from paper.money.ledger import Ledger
from simulation.heap import EventHeap
from simulation.market import Market
from venues.binance_account import BinanceAccount
from venues.venue import VenueError

EPOCH: Final = 1
ADDRESS: Final = "127.0.0.1"
_IN_MEMORY: Final = Path(":memory:")
_ENDPOINTS: Final = {(each.method, each.name): each for each in ENDPOINTS}

Answer = TypeVar("Answer")


class SimulatedLink:
    """The exchange's link end at the engine of a market: commands arrive after a while, in their order."""

    is_connected = True

    def __init__(self, heap: EventHeap, deliver: Callable[[Sequence[Command]], None], delay_ns: int) -> None:
        self._heap = heap
        self._deliver = deliver
        self._delay_ns = delay_ns
        self.sent_count = 0

    def send(self, commands: Sequence[Command]) -> int:
        """Send commands; return the number of the last one."""
        self.sent_count += len(commands)
        self._heap.after(self._delay_ns, lambda: self._deliver(commands))
        return self.sent_count


class EngineBooks:
    """The public books, straight from the engine."""

    def __init__(self, market: Market) -> None:
        self._engine = market.engine

    def depth(self, symbol_id: int, level_count: int) -> Depth:
        """Return the best levels."""
        return self._engine.depth(symbol_id, level_count)

    def level_lots(self, symbol_id: int, side: Side, price_ticks: int) -> int:
        """Return what is shown at a price."""
        raise NotImplementedError("nobody streams a simulated book")

    def take_touched(self, symbol_id: int) -> Touched:
        """Never called: nobody streams a simulated book."""
        raise NotImplementedError("nobody streams a simulated book")


class SimulatedCall(Call):
    """A call that waits for the engine by giving the pending command to whoever drives it."""

    async def wait_for_engine(self, pending: Pending) -> None:
        """Wait until the engine has handled a command."""
        if not pending.is_done:
            await _Wait(pending)
        if pending.is_lost:
            raise ExchangeError(ErrorKind.TIMEOUT)


class _Wait:
    def __init__(self, pending: Pending) -> None:
        self._pending = pending

    def __await__(self) -> Generator[Pending]:
        yield self._pending


class SimulatedExchange:
    """The exchange of a simulated desk, all symbols at one engine.

    Args:
        market: whose engine matches its orders.
        order_delay_ns: how long a command takes to the engine, and a report back.
    """

    def __init__(
        self, settings: Settings, heap: EventHeap, market: Market, commission: Any, order_delay_ns: int = 0
    ) -> None:
        self._heap = heap
        self._market = market
        self._delay_ns = order_delay_ns
        self._owners = range(first_owner(Source.PAPER), first_owner(Source.PAPER + 1))
        (engine,) = set(settings.plan.engine_of.values())
        self.ledger = Ledger(_IN_MEMORY, settings.instruments, settings.plan.engine_of)
        self.usage = Usage(is_limiting=settings.paper.rate_limits)
        self._link = SimulatedLink(heap, self._arrive, order_delay_ns)
        self._handled_count = self._report_count = 0
        self.exchange = Exchange(
            self.ledger,
            {engine: self._link},
            EngineBooks(market),
            first_order_id=first_order_id(Source.PAPER),
            first_owner=self._owners.start,
            commission=commission,
        )
        self._orders = self.exchange.engines[engine]
        self._orders.on_connected(EPOCH, 0, heap.now_ns)
        self.exchange.open_account(FIRST_ACCOUNT)

    def hear(self, events: Sequence[Event]) -> None:
        """Take what has happened at the engine, whoever it concerns: the tape, and reports of our orders."""
        for event in events:
            if isinstance(event, Executed):
                trade = BookTrade(event.trade_id, event.price_ticks, event.qty_lots, event.taker_side, event.time_ns)
                self.exchange.market.on_trades(EPOCH, event.symbol_id, [trade], self._heap.now_ns)
        reports = [event for event in events if self._is_ours(event)]
        handled_count = self._handled_count
        if reports:
            self._report_count += len(reports)
            report_count = self._report_count
            self._heap.after(self._delay_ns, lambda: self._report(reports, report_count, handled_count))

    def begin(self, method: str, path: str, asked: Mapping[str, object], done: Callable[[Any], None]) -> None:
        """Begin a call; `done` gets the document, or the ExchangeError, once the engine has answered."""
        self._drive(self._call(_ENDPOINTS[method, path], asked), done)

    def ask(self, method: str, path: str, asked: Mapping[str, object]) -> Any:
        """Return the document that answers a call that no engine is needed for.

        Raises:
            ExchangeError: if it is refused.
        """
        answers: list[Any] = []
        self.begin(method, path, asked, answers.append)
        assert answers, f"{method} {path} waits for the engine"
        if isinstance(answers[0], ExchangeError):
            raise answers[0]
        return answers[0]

    def _arrive(self, commands: Sequence[Command]) -> None:
        self._handled_count += len(commands)
        events = self._market.submit(commands)
        self.hear(events)
        handled_count = self._handled_count
        self._heap.after(self._delay_ns, lambda: self._orders.pending.acknowledge(handled_count))

    def _report(self, reports: Sequence[Event], report_count: int, handled_count: int) -> None:
        self._orders.on_reports(EPOCH, reports, report_count, handled_count)

    def _is_ours(self, event: Event) -> bool:
        if isinstance(event, Executed):
            return event.taker_owner in self._owners or event.maker_owner in self._owners
        return not isinstance(event, Halted) and event.owner in self._owners

    async def _call(self, endpoint: Endpoint, asked: Mapping[str, object]) -> Any:
        now_ns = self._heap.now_ns
        texts = {name: str(value) for name, value in asked.items() if value is not None}
        table = endpoint.parameters
        if endpoint.is_signed:
            texts["timestamp"], table = str(now_ns // NS_PER_MS), without_signature(table)
        values = read_values(texts, table)
        self.usage.charge_weight(ADDRESS, endpoint.weight_of(values), now_ns // NS_PER_SECOND)
        account = FIRST_ACCOUNT if endpoint.is_signed else 0
        return await endpoint.handler(SimulatedCall(self.exchange, account, values, now_ns, 0.0, self.usage))

    def _drive(self, call: Coroutine[Pending, None, Any], done: Callable[[Any], None]) -> None:
        """Take a call up to where it waits, and on from there when that has come."""
        try:
            pending = call.send(None)
        except StopIteration as end:
            done(end.value)
        except ExchangeError as error:
            done(error)
        else:
            pending.when_done(lambda: self._drive(call, done))


class SimulatedAccount(BinanceAccount):
    """The desk's account at the simulated exchange: what the tracker reads its books from."""

    def __init__(self, exchange: SimulatedExchange) -> None:
        super().__init__("paper", None, "", "")
        self._exchange = exchange

    def refusal(self, method: str, error: ExchangeError) -> VenueError:
        """Return what a client makes of a refusal."""
        return self._refusal(method, error.status, str(error.retry_after_s or ""), json.dumps(error.document))

    def _answer(self, method: str, path: str, given: Mapping[str, object]) -> Any:
        try:
            return self._exchange.ask(method, path, given)
        except ExchangeError as error:
            raise self.refusal(method, error) from None

"""The paper exchange in front of a simulated market: the same exchange, and a link without sockets behind it."""

from collections.abc import Callable, Sequence
from typing import Final

from bus.topology import Source, first_order_id, first_owner
from desk.fees import commission_of
from desk.settings import Settings
from engine.capacity import ORDERS_MAX_LIMIT
from market.clock import NS_PER_SECOND
from market.codes import Side
from market.commands import Command
from market.depth import Depth, Level
from market.events import Event, Executed, Halted
from market.feed_messages import BookTrade
from paper.access.accounts import FIRST_ACCOUNT
from paper.access.usage import Usage
from paper.exchange.exchange import Exchange
from paper.exchange.public_market import Touched
from paper.front_desk import give_back_traded
from paper.money.ledger import Ledger
from simulation.calls import Calls
from simulation.heap import EventHeap
from simulation.market import Market

EPOCH: Final = 1
ENGINE: Final = "engine"


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
    """The public books, straight from the engine: they show each change at once."""

    def __init__(self, market: Market) -> None:
        self._engine = market.engine
        self._taken: dict[int, Depth] = {}  # by symbol id, as of the last `take_touched`

    def depth(self, symbol_id: int, level_count: int) -> Depth:
        """Return the best levels."""
        return self._engine.depth(symbol_id, level_count)

    def level_lots(self, symbol_id: int, side: Side, price_ticks: int) -> int:
        """Return what is shown at a price."""
        return dict(self._engine.depth(symbol_id, ORDERS_MAX_LIMIT)[side]).get(price_ticks, 0)

    def take_touched(self, symbol_id: int) -> Touched:
        """Return every level that is not as it was at the last call."""
        before, now = self._taken.get(symbol_id, Depth((), ())), self._engine.depth(symbol_id, ORDERS_MAX_LIMIT)
        self._taken[symbol_id] = now
        return Touched(*map(_differing, before, now))


def _differing(before: Sequence[Level], now: Sequence[Level]) -> set[int]:
    """Return the prices that one of two sides has other quantities at."""
    former, present = dict(before), dict(now)
    return {price for price in (*former, *present) if former.get(price) != present.get(price)}


class SimulatedExchange:
    """The exchange of a simulated desk, all symbols at one engine.

    Args:
        market: whose engine matches its orders.
        order_delay_ns: how long a command takes to the engine, and a report back.
    """

    def __init__(self, settings: Settings, heap: EventHeap, market: Market, order_delay_ns: int = 0) -> None:
        self._heap = heap
        self._market = market
        self._delay_ns = order_delay_ns
        self._owners = range(first_owner(Source.PAPER), first_owner(Source.PAPER + 1))
        places = dict.fromkeys(settings.plan.engine_of, ENGINE)  # however many the desk has, in one process one will do
        self.ledger = Ledger(None, settings.instruments, places)
        self.usage = Usage(is_limiting=settings.paper.rate_limits)
        self._link = SimulatedLink(heap, self._arrive, order_delay_ns)
        self._handled_count = self._report_count = 0
        self.exchange = Exchange(
            self.ledger,
            {ENGINE: self._link},
            EngineBooks(market),
            first_order_id=first_order_id(Source.PAPER),
            first_owner=self._owners.start,
            commission=commission_of(settings),
        )
        self._orders = self.exchange.engines[ENGINE]
        self._orders.on_connected(EPOCH, 0, heap.now_ns)
        self.exchange.open_account(FIRST_ACCOUNT)
        self.calls = Calls(self.exchange, self.usage, heap)
        self.exchange.account_listeners.append(
            lambda news: give_back_traded(self.usage, news, self.calls.now_ns // NS_PER_SECOND)
        )
        self._each_second()

    def hear(self, events: Sequence[Event]) -> None:
        """Take what has happened at the engine, whoever it concerns: the tape, and reports of our orders."""
        trades: dict[int, list[BookTrade]] = {}
        for event in events:
            if isinstance(event, Executed):
                trade = BookTrade(event.trade_id, event.price_ticks, event.qty_lots, event.taker_side, event.time_ns)
                trades.setdefault(event.symbol_id, []).append(trade)
        for symbol_id, of_symbol in trades.items():
            self.exchange.market.on_trades(EPOCH, symbol_id, of_symbol, self._heap.now_ns)
        reports = [event for event in events if self._concerns_us(event)]
        handled_count = self._handled_count
        if reports:
            self._report_count += len(reports)
            report_count = self._report_count
            self._heap.after(self._delay_ns, lambda: self._report(reports, report_count, handled_count))

    def is_ours(self, owner: int) -> bool:
        """Whether an order of this owner is one of the exchange's accounts'."""
        return owner in self._owners

    def _each_second(self) -> None:
        """Do what the exchange does each second: whenever something happens here would depend on who stops."""
        now_ns = self._heap.now_ns
        self.exchange.each_second(now_ns)
        self._heap.at((now_ns // NS_PER_SECOND + 1) * NS_PER_SECOND, self._each_second)

    def _arrive(self, commands: Sequence[Command]) -> None:
        self._handled_count += len(commands)
        events = self._market.submit(commands)
        self.hear(events)
        handled_count = self._handled_count
        self._heap.after(self._delay_ns, lambda: self._orders.pending.acknowledge(handled_count))

    def _report(self, reports: Sequence[Event], report_count: int, handled_count: int) -> None:
        self._orders.on_reports(EPOCH, reports, report_count, handled_count)

    def _concerns_us(self, event: Event) -> bool:
        if isinstance(event, Executed):
            return self.is_ours(event.taker_owner) or self.is_ours(event.maker_owner)
        return not isinstance(event, Halted) and self.is_ours(event.owner)

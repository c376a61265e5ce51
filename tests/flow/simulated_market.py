"""An order flow and a simple market maker on an engine in this process, on a simulated clock."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from engine.matching_engine import make_engine
from flow.order_flow import OrderFlow
from market.clock import NS_PER_MS
from market.codes import OrderType, Side
from market.commands import CancelOrder, Command, NewOrder
from market.depth import Depth
from market.events import Canceled, Event, Executed, Rejected
from market.kernels.rows import write_command
from simulation.market import read_events

FLOW_OWNER, MAKER_OWNER = 7, 9
MAKER_PERIOD_NS = 250 * NS_PER_MS


class Exchange:
    """An engine, as a function from a command to its events."""

    def __init__(self, book: Literal["fast", "reference"] = "reference", symbol_count: int = 1) -> None:
        self.engine = make_engine(book, symbol_count)

    def handle(self, command: Command) -> list[Event]:
        """Return all events of a command."""
        commands, events = self.engine.commands, self.engine.events
        write_command(commands.rows, commands.claim(), command)
        commands.publish()
        told: list[Event] = []
        while len(commands):
            self.engine.match()
            while len(events):
                rows = events.readable()
                told += read_events(rows)
                events.consume(len(rows))
        return told


def is_about(event: Event, owner: int) -> bool:
    """Whether an owner gets to see an event."""
    if isinstance(event, Executed):
        return owner in (event.taker_owner, event.maker_owner)
    return getattr(event, "owner", None) == owner


@dataclass
class SimpleMaker:
    """Quotes a post-only order a side; both anew when one was filled or the mid moved by more than a tolerance."""

    half_spread_bps: float
    tolerance_bps: float
    qty_lots: int
    first_quote_ns: int | None = None
    quotes: int = 0
    fills: list[tuple[int, Side]] = field(default_factory=list)
    filled_lots: int = 0
    mids_x2: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._order_ids: Iterator[int] = iter(range(2_000_000_000_001, 3_000_000_000_000))
        self._open: dict[int, tuple[Side, int, int]] = {}
        self._quoted_mid_x2 = 0

    def step(self, now_ns: int, depth: Depth) -> list[Command]:
        """Read the mid without the own orders and quote around it."""
        own: dict[tuple[int, int], int] = {}
        for side, price_ticks, lots in self._open.values():
            own[side, price_ticks] = own.get((side, price_ticks), 0) + lots
        mid_x2 = depth.without(own).mid_ticks_x2
        if mid_x2 is None:
            return []
        self.mids_x2.append((now_ns, mid_x2))
        moved = abs(mid_x2 - self._quoted_mid_x2) * 10_000 > self.tolerance_bps * mid_x2
        if len(self._open) == 2 and not moved:
            return []
        self._quoted_mid_x2 = mid_x2
        if self.first_quote_ns is None:
            self.first_quote_ns = now_ns
        half_x2 = mid_x2 * self.half_spread_bps / 10_000
        prices = {Side.BUY: int((mid_x2 - half_x2) / 2), Side.SELL: int((mid_x2 + half_x2) / 2) + 1}
        commands: list[Command] = [CancelOrder(order_id, 0, MAKER_OWNER) for order_id in self._open]
        for side, price_ticks in prices.items():
            order_id = next(self._order_ids)
            self._open[order_id] = side, price_ticks, self.qty_lots
            commands.append(
                NewOrder(order_id, 0, side, price_ticks, self.qty_lots, OrderType.POST_ONLY, owner=MAKER_OWNER)
            )
        self.quotes += 1
        return commands

    def hear(self, now_ns: int, event: Event) -> None:
        """Take in an event about an own order."""
        if isinstance(event, Executed):
            assert event.maker_owner == MAKER_OWNER, f"a post-only order took: {event}"
            side, price_ticks, lots = self._open[event.maker_order_id]
            self._open[event.maker_order_id] = side, price_ticks, lots - event.qty_lots
            self.filled_lots += event.qty_lots
            if event.maker_leaves_lots == 0:
                del self._open[event.maker_order_id]
                self.fills.append((now_ns, side))
        elif isinstance(event, Rejected | Canceled):
            self._open.pop(event.order_id, None)


@dataclass
class SimulatedMarket:
    """Runs a flow, and maybe a maker, on an exchange; commands and events travel for `latency_ns` each way."""

    flow: OrderFlow
    maker: SimpleMaker | None = None
    latency_ns: int = NS_PER_MS
    maker_start_ns: int = 0
    poll_ns: int = 0
    look: Callable[[int, Exchange], None] | None = None
    book: Literal["fast", "reference"] = "reference"
    symbol_count: int = 1

    def __post_init__(self) -> None:
        self.now_ns = 0
        self.sent: list[Command] = []
        self.told: list[Event] = []
        self.told_at: list[tuple[int, Event]] = []
        self._maker_ns = self.maker_start_ns
        self.lose_book()

    def lose_book(self) -> None:
        """Let the engine start anew with an empty book, and the flow with it."""
        self.exchange = Exchange(self.book, self.symbol_count)
        self.succeed(self.flow)

    def succeed(self, flow: OrderFlow) -> None:
        """Let a flow, maybe another one, start on the book as it is."""
        self.flow = flow
        self._to_engine: deque[tuple[int, Sequence[Command]]] = deque()
        self._to_flow: deque[tuple[int, list[Event], int]] = deque()
        self._handled = 0
        self._acknowledged = 0
        self._send(self.flow.start(self.now_ns))

    def run(self, until_ns: int) -> None:
        """Go on until a time, or until the flow is finished and everything it sent is answered."""
        while self.now_ns < until_ns and not (self.flow.is_finished and not self._to_engine and not self._to_flow):
            wake_ns = max(self.flow.wake_ns(self.now_ns), self.now_ns + self.poll_ns)
            due = [wake_ns, until_ns] if not self.flow.is_finished else [until_ns]
            due += [queue[0][0] for queue in (self._to_engine, self._to_flow) if queue]
            due += [self._maker_ns] if self.maker else []
            self.now_ns = min(due)
            self._turn(is_flow_due=wake_ns <= self.now_ns)

    def settle(self) -> None:
        """Let everything in flight be answered while the clock stands still."""
        while self._to_engine or self._to_flow:
            while self._to_engine:
                self._match(self._to_engine.popleft()[1])
            while self._to_flow:
                _, events, self._acknowledged = self._to_flow.popleft()
                self._send(self.flow.step(self.now_ns, events, self._acknowledged))

    def handle(self, command: Command) -> None:
        """Let somebody else's command reach the engine now."""
        self._handle(command)

    def _turn(self, *, is_flow_due: bool) -> None:
        while self._to_engine and self._to_engine[0][0] <= self.now_ns:
            self._match(self._to_engine.popleft()[1])
        if self.maker and self._maker_ns <= self.now_ns:
            self._maker_ns += MAKER_PERIOD_NS
            for command in self.maker.step(self.now_ns, self.exchange.engine.depth(0, 50)):
                self._handle(command)
        events: list[Event] = []
        acknowledged = None
        while self._to_flow and self._to_flow[0][0] <= self.now_ns:
            _, more, acknowledged = self._to_flow.popleft()
            events += more
        if is_flow_due or acknowledged is not None:
            self._acknowledged = acknowledged if acknowledged is not None else self._acknowledged
            self._send(self.flow.step(self.now_ns, events, self._acknowledged))
        if self.look is not None:
            self.look(self.now_ns, self.exchange)

    def _send(self, commands: Sequence[Command]) -> None:
        self.sent += commands
        if commands:
            self._to_engine.append((self.now_ns + self.latency_ns, commands))

    def _match(self, commands: Sequence[Command]) -> None:
        events: list[Event] = []
        for command in commands:
            events += self._handle(command, is_flow=True)
        self._handled += len(commands)
        self._to_flow.append((self.now_ns + self.latency_ns, events, self._handled))

    def _handle(self, command: Command, *, is_flow: bool = False) -> list[Event]:
        """Let the engine handle a command; the flow hears of the maker's commands at once, as a batch of their own."""
        events = self.exchange.handle(command)
        self.told += events
        self.told_at += [(self.now_ns, event) for event in events]
        if self.maker:
            for event in events:
                if is_about(event, MAKER_OWNER):
                    self.maker.hear(self.now_ns, event)
        heard = [event for event in events if is_about(event, FLOW_OWNER)]
        if not is_flow and heard:
            self._to_flow.append((self.now_ns + self.latency_ns, heard, self._handled))
        return heard

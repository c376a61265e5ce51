"""How long messages travel between a client and the exchange: a fixed or random time each way, their order kept."""

import asyncio
import random
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

DELAY_MS_MAX: Final = 10_000

_LINES_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Delay:
    """A time of travel: drawn evenly between two bounds, or always the same if they are."""

    low_ms: float = 0.0
    high_ms: float = 0.0

    def draw_s(self, dice: random.Random) -> float:
        """Return the time that one message takes."""
        return dice.uniform(self.low_ms, self.high_ms) / 1_000


class Line:
    """One way from one end to another; what is sent first arrives first, whatever was drawn.

    Args:
        delay: how long a message travels.
        dice: where random times come from.
        clock: s, monotonic.
    """

    def __init__(self, delay: Delay, dice: random.Random, clock: Callable[[], float] = time.monotonic) -> None:
        self._delay = delay
        self._dice = dice
        self._clock = clock
        self._last_s = 0.0
        self._on_the_way: deque[tuple[float, asyncio.Future[None]]] = deque()

    def arrival_s(self) -> float:
        """Return when a message that is sent now arrives; not before any that was sent earlier."""
        self._last_s = max(self._clock() + self._delay.draw_s(self._dice), self._last_s)
        return self._last_s

    async def travel(self) -> None:
        """Send a message, and return when it arrives."""
        arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._on_the_way.append((self.arrival_s(), arrived))
        if len(self._on_the_way) == 1:
            self._wait_for_first()
        await arrived

    def _wait_for_first(self) -> None:
        # One timer for the first of them, not one for each: an event loop may round timers, and then swaps neighbours.
        pause_s = max(0.0, self._on_the_way[0][0] - self._clock())
        asyncio.get_running_loop().call_later(pause_s, self._deliver)

    def _deliver(self) -> None:
        now_s = self._clock()
        while self._on_the_way and self._on_the_way[0][0] <= now_s:
            _, arrived = self._on_the_way.popleft()
            if not arrived.done():  # its sender is gone
                arrived.set_result(None)
        if self._on_the_way:
            self._wait_for_first()


class Latency:
    """The ways of all clients.

    Args:
        orders: of signed calls and their replies, and of accounts' own streams.
        market_data: of public calls and their replies, and of market streams.
        seed: of random times.
    """

    def __init__(self, orders: Delay | None = None, market_data: Delay | None = None, seed: int = 1) -> None:
        self._dice = random.Random(f"{seed} latency")  # noqa: S311 - a network, not a secret
        self._lines: OrderedDict[Hashable, Line] = OrderedDict()
        self.change(orders or Delay(), market_data or Delay())

    def change(self, orders: Delay, market_data: Delay) -> None:
        """Let calls, and connections that are made from now on, have other delays."""
        self._orders = orders
        self._market_data = market_data
        self._lines.clear()

    @property
    def longest_s(self) -> float:
        """How long a call and its reply travel at most, together."""
        return 2 * max(self._orders.high_ms, self._market_data.high_ms) / 1_000

    async def arrive(self, who: Hashable, *, is_signed: bool) -> bool:
        """Let a call travel to the exchange; return whether that took time."""
        return await self._travel((who, is_signed, "in"), is_signed=is_signed)

    async def leave(self, who: Hashable, *, is_signed: bool) -> None:
        """Let a reply travel back."""
        await self._travel((who, is_signed, "out"), is_signed=is_signed)

    def orders_line(self) -> Line | None:
        """Return a new way for all that goes out over one connection of the WebSocket API, None without delay."""
        return self._line_of(self._orders)

    def market_data_line(self) -> Line | None:
        """Return a new way for all that goes out over one connection of market streams, None without delay."""
        return self._line_of(self._market_data)

    def _line_of(self, delay: Delay) -> Line | None:
        return Line(delay, self._dice) if delay.high_ms else None

    async def _travel(self, key: Hashable, *, is_signed: bool) -> bool:
        delay = self._orders if is_signed else self._market_data
        if not delay.high_ms:
            return False
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = Line(delay, self._dice)
            if len(self._lines) > _LINES_MAX:
                self._lines.popitem(last=False)
        await line.travel()
        return True

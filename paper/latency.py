"""How long messages travel between a client and the exchange: a fixed or random time each way, their order kept."""

import asyncio
import random
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Final

from paper.delay import NO_DELAY, Delay

_LINES_MAX: Final = 10_000


class Line:
    """One way from one end to another; what is sent first arrives first, whatever was drawn. The clock counts s."""

    def __init__(self, delay: Delay, dice: random.Random, clock: Callable[[], float] = time.monotonic) -> None:
        self._delay = delay
        self._dice = dice
        self._clock = clock
        self._last_s = 0.0
        self._on_the_way: deque[tuple[float, asyncio.Future[None]]] = deque()

    def arrival_s(self) -> float:
        """Return when a message that is sent now arrives; not before any that was sent earlier."""
        drawn_ms = self._dice.uniform(self._delay.low_ms, self._delay.high_ms)
        self._last_s = max(self._clock() + drawn_ms / 1_000, self._last_s)
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

    def __init__(self, orders: Delay = NO_DELAY, market_data: Delay = NO_DELAY, seed: int = 1) -> None:
        self._dice = random.Random(f"{seed} latency")  # noqa: S311 - a network, not a secret
        self._lines: OrderedDict[Hashable, Line] = OrderedDict()
        self._orders = orders
        self._market_data = market_data

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

    def line(self, *, is_signed: bool) -> Line | None:
        """Return a new way, for all that goes out over one connection for instance; None without delay."""
        delay = self._orders if is_signed else self._market_data
        return Line(delay, self._dice) if delay.high_ms else None

    async def _travel(self, key: Hashable, *, is_signed: bool) -> bool:
        line = self._lines.get(key) or self.line(is_signed=is_signed)
        if line is None:
            return False
        self._lines[key] = line
        if len(self._lines) > _LINES_MAX:
            self._lines.popitem(last=False)
        await line.travel()
        return True

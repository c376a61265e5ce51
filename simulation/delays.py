"""How long things travel, and the lanes that they travel on: what is sent first arrives first."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TypeAlias

from market.clock import NS_PER_MS
from simulation.heap import EventHeap, Happening

Travel: TypeAlias = Callable[[], int]  # draws how long the next thing travels, ns


def fixed(delay_ns: int) -> Travel:
    """Return a travel that always takes as long."""
    return lambda: delay_ns


def drawn(least_ns: int, mean_more_ns: int, dice: random.Random) -> Travel:
    """Return a travel of at least `least_ns`, and an exponential time more."""
    return lambda: least_ns + round(dice.expovariate(1.0 / mean_more_ns)) if mean_more_ns else least_ns


def recorded(least_ns: int, more_ns: Sequence[int]) -> Travel:
    """Return a travel of at least `least_ns`, and what others took more, one after the other, again and again."""
    mores_ns = cycle(more_ns)
    return lambda: least_ns + next(mores_ns)


class Lane:
    """One direction of a connection: what is sent arrives, each after its travel, and in the order of its sending."""

    def __init__(self, heap: EventHeap, travel: Travel) -> None:
        self._heap = heap
        self._travel = travel
        self._last_ns = heap.now_ns

    def send(self, happening: Happening) -> None:
        """Let something happen at the other end."""
        self._last_ns = max(self._last_ns, self._heap.now_ns + self._travel())
        self._heap.at(self._last_ns, happening)


@dataclass(frozen=True, slots=True)
class Delays:
    """How long everything travels in a simulated desk, each way.

    Attributes:
        order_ns: between the exchange and its engine.
        venue_ns: between the trader and the exchange, at least.
        venue_more_ns: the mean of what comes to that by chance, drawn anew for each message.
        venue_lags_ns: what comes to it instead, if there are any: as much as other messages took more.
        book_ns: how often the exchange tells of the book.
        seed: of the dice.
    """

    order_ns: int = 0
    venue_ns: int = NS_PER_MS
    venue_more_ns: int = 0
    venue_lags_ns: Sequence[int] = ()
    book_ns: int = 100 * NS_PER_MS
    seed: int = 1

    def venue(self) -> Travel:
        """Return the travel between trader and exchange."""
        if self.venue_lags_ns:
            return recorded(self.venue_ns, self.venue_lags_ns)
        return drawn(self.venue_ns, self.venue_more_ns, random.Random(self.seed))  # noqa: S311 - no secret

"""Time: what is to happen, in the order of its time, and of two things of one time that first which was said first."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

Happening = Callable[[], object]
Place = tuple[int, int]  # in the order of things: a time, and which of those of one time


class EventHeap:
    """A clock that goes from one event to the next.

    Attributes:
        now_ns: the time, ns since 1970 UTC; it never goes back.
        place: of what happens now.
    """

    def __init__(self, start_ns: int) -> None:
        self.now_ns = start_ns
        self.place: Place = (start_ns, -1)
        self._happenings: list[tuple[int, int, Happening]] = []
        self._numbers = count()

    @property
    def next_ns(self) -> int | None:
        """When the next thing happens, None if nothing is to."""
        return self._happenings[0][0] if self._happenings else None

    def at(self, time_ns: int, happening: Happening) -> None:
        """Let something happen at a time, now at the earliest."""
        heappush(self._happenings, (max(time_ns, self.now_ns), next(self._numbers), happening))

    def place_at(self, time_ns: int) -> Place:
        """Return the place that something has which is to happen at a time, without an event for it."""
        return time_ns, next(self._numbers)

    def after(self, delay_ns: int, happening: Happening) -> None:
        """Let something happen in a while."""
        self.at(self.now_ns + delay_ns, happening)

    def run_due(self) -> None:
        """Let everything happen whose time has come."""
        while self._happenings and self._happenings[0][0] <= self.now_ns:
            time_ns, number, happening = heappop(self._happenings)
            self.place = time_ns, number
            happening()

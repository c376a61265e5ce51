"""Time: what is to happen, in the order of its time, and of two things of one time that first which was said first."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

Happening = Callable[[], object]


class EventHeap:
    """A clock that goes from one event to the next.

    Attributes:
        now_ns: the time, ns since 1970 UTC; it never goes back.
    """

    def __init__(self, start_ns: int) -> None:
        self.now_ns = start_ns
        self._happenings: list[tuple[int, int, Happening]] = []
        self._numbers = count()

    @property
    def next_ns(self) -> int | None:
        """When the next thing happens, None if nothing is to."""
        return self._happenings[0][0] if self._happenings else None

    def at(self, time_ns: int, happening: Happening) -> None:
        """Let something happen at a time, now at the earliest."""
        heappush(self._happenings, (max(time_ns, self.now_ns), next(self._numbers), happening))

    def after(self, delay_ns: int, happening: Happening) -> None:
        """Let something happen in a while."""
        self.at(self.now_ns + delay_ns, happening)

    def run_due(self) -> None:
        """Let everything happen whose time has come."""
        while self._happenings and self._happenings[0][0] <= self.now_ns:
            heappop(self._happenings)[2]()

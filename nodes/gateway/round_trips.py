"""How long a gateway's commands take to an engine and back."""

from collections import deque

from nodes.latencies import Latencies


class RoundTrips:
    """Those over one order link, a group of commands at a time: what left after one look at a client's socket.

    Args:
        latencies: takes how long each command took.
    """

    def __init__(self, latencies: Latencies) -> None:
        self._latencies = latencies
        self._last = 0
        self._groups: deque[tuple[int, int, int]] = deque()  # the number of its last command, how many, when it left

    def begin(self, last: int) -> None:
        """Begin anew: the engine is another one, or has come back, and `last` is the number of the last command."""
        self._last = last
        self._groups.clear()

    def sent(self, last: int, now_ns: int) -> None:
        """Note that commands up to the number `last` have left; `now_ns` is monotonic."""
        if last > self._last:
            self._groups.append((last, last - self._last, now_ns))
            self._last = last

    def acknowledged(self, last: int, now_ns: int) -> None:
        """Note that the engine is done with the commands up to the number `last`."""
        while self._groups and self._groups[0][0] <= last:
            _, count, sent_ns = self._groups.popleft()
            self._latencies.add(now_ns - sent_ns, count)

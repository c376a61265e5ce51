"""How long to leave a venue, or a side of its book, alone after it has said no."""

from collections.abc import Callable

from market.clock import NS_PER_SECOND

BACK_OFF_NS_MAX = 10 * NS_PER_SECOND
REFUSED_PAUSE_NS = 2 * NS_PER_SECOND
REFUSED_PAUSE_NS_MAX = 60 * NS_PER_SECOND
_DOUBLINGS_MAX = 10


class BackOff:
    """Waits that double with every failure in a row.

    Args:
        first_ns: half of the first wait.
        jitter: draws what part of it is really waited, so that many do not come back at the same moment.
    """

    def __init__(self, first_ns: int, jitter: Callable[[], float]) -> None:
        self._first_ns = first_ns
        self._jitter = jitter
        self.failure_count = 0  # in a row

    def fail(self, at_least_ns: int = 0) -> int:
        """Return how long to wait after one more failure, `at_least_ns` if the venue has named a time."""
        self.failure_count += 1
        doubled_ns = self._first_ns << min(self.failure_count, _DOUBLINGS_MAX)
        return max(int(min(BACK_OFF_NS_MAX, doubled_ns) * self._jitter()), at_least_ns)

    def succeed(self) -> None:
        """Begin anew with the shortest wait."""
        self.failure_count = 0


class SidePause:
    """Until when a side is not quoted after its quotes were refused: longer with every refusal in a row."""

    def __init__(self) -> None:
        self._refusal_count = 0
        self._until_ns = 0
        self.why = ""

    def refuse(self, now_ns: int, why: str) -> int:
        """Take note of a refusal and return how long the side pauses."""
        wait_ns = min(REFUSED_PAUSE_NS_MAX, REFUSED_PAUSE_NS << min(self._refusal_count, _DOUBLINGS_MAX))
        self._refusal_count += 1
        self._until_ns, self.why = now_ns + wait_ns, why
        return wait_ns

    def end(self) -> None:
        """Forget the refusals: an order was taken, or what they were for has changed."""
        self._refusal_count, self._until_ns, self.why = 0, 0, ""

    def is_on(self, now_ns: int) -> bool:
        """Say whether the side pauses."""
        return now_ns < self._until_ns

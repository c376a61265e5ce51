"""How long to leave alone what has failed: twice as long after each failure in a row, up to a bound."""

from collections.abc import Callable
from dataclasses import dataclass

_DOUBLINGS_MAX = 20


@dataclass(slots=True)
class Backoff:
    """A pause that grows with every failure in a row.

    Attributes:
        first_ns: how long the first one is.
        max_ns: the longest, but for what `fail` is told.
        jitter: draws what part of it is really waited, so that many do not come back at the same moment.
        until_ns: when it ends.
        why: what the last failure was.
    """

    first_ns: int
    max_ns: int
    jitter: Callable[[], float] = lambda: 1.0
    until_ns: int = 0
    failure_count: int = 0
    why: str = ""

    def fail(self, now_ns: int, at_least_ns: int = 0, why: str = "") -> int:
        """Take note of one more failure; return how long to wait, `at_least_ns` if the other side has named a time."""
        longest_ns = min(self.max_ns, self.first_ns << min(self.failure_count, _DOUBLINGS_MAX))
        wait_ns = max(int(longest_ns * self.jitter()), at_least_ns)
        self.failure_count += 1
        self.until_ns, self.why = now_ns + wait_ns, why
        return wait_ns

    def end(self) -> None:
        """Forget the failures: it went well, or what they were for has changed."""
        self.until_ns, self.failure_count, self.why = 0, 0, ""

    def is_on(self, now_ns: int) -> bool:
        """Return whether to wait still."""
        return now_ns < self.until_ns

"""The others' mid over the last minutes: what the market was worth just before a fill, and a while after it.

A mid is known from when it was heard until the next one, as long as whoever tells of it is followed. What is not known
is None, never the last that was: an error of ten seconds looks like a gain or a loss.
"""

from array import array
from bisect import bisect_left, bisect_right
from typing import Final

from market.clock import NS_PER_SECOND

KEPT_NS: Final = 600 * NS_PER_SECOND
_DROPPED_MIN: Final = 1_024  # changes that are forgotten together, so that each costs little
_UNKNOWN: Final = 0


class Mids:
    """A mid as it changed, in half ticks, oldest first; times are ns since 1970 UTC.

    Args:
        kept_ns: for how long it is remembered.

    Attributes:
        heard_ns: until when it is known whether there was a change.
    """

    def __init__(self, kept_ns: int = KEPT_NS) -> None:
        self._kept_ns = kept_ns
        self._times_ns = array("q")
        self._mids_x2 = array("q")
        self.heard_ns = 0

    @property
    def count(self) -> int:
        """How many changes are remembered."""
        return len(self._times_ns)

    def hear(self, time_ns: int, mid_x2: int | None) -> None:
        """Take the mid from a time on; None: from then on it is not known.

        What was heard of later times, before a clock was set back, is forgotten.
        """
        while self._times_ns and self._times_ns[-1] >= time_ns:
            self._times_ns.pop()
            self._mids_x2.pop()
        if not self._mids_x2 or self._mids_x2[-1] != (mid_x2 or _UNKNOWN):
            self._times_ns.append(time_ns)
            self._mids_x2.append(mid_x2 or _UNKNOWN)
            self._forget(time_ns - self._kept_ns)
        self.heard_ns = time_ns

    def pass_to(self, time_ns: int) -> None:
        """Know that nothing has changed until then."""
        self.heard_ns = max(self.heard_ns, time_ns)

    def lose(self, time_ns: int) -> None:
        """Know nothing from the last news on: what tells of changes is silent, and nobody knows since when."""
        self.hear(self.heard_ns + 1, None)
        self.heard_ns = max(self.heard_ns, time_ns)

    def at(self, time_ns: int) -> int | None:
        """Return what held at a time; None where that is not known, or not known yet."""
        return self._mid(bisect_right(self._times_ns, time_ns)) if time_ns <= self.heard_ns else None

    def before(self, time_ns: int) -> int | None:
        """Return what held just before a time; see `at`."""
        return self._mid(bisect_left(self._times_ns, time_ns)) if time_ns - 1 <= self.heard_ns else None

    def _mid(self, end: int) -> int | None:
        return self._mids_x2[end - 1] or None if end else None

    def _forget(self, before_ns: int) -> None:
        """Forget what had changed again before a time."""
        first = bisect_right(self._times_ns, before_ns) - 1
        if first >= _DROPPED_MIN:
            del self._times_ns[:first], self._mids_x2[:first]

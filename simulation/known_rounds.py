"""When a live maker began its rounds, as far as its journal of decisions tells.

A maker looks at the market a quarter of a second after it has last begun to, and as much later as the machine let it.
Where it decided nothing that is kept nowhere, and made no difference.
"""

from bisect import bisect_right
from collections.abc import Sequence


class KnownRounds:
    """The rounds of a maker: those in which it decided something, and between them as many as there was time for.

    Args:
        decided_ns: when it decided anything, oldest first; a round may decide several times, as answers come.
        start_ns, end_ns: of the time.
        interval_ns: the least time from one round to the next.
    """

    def __init__(self, decided_ns: Sequence[int], start_ns: int, end_ns: int, interval_ns: int) -> None:
        self._interval_ns = interval_ns
        self._begun_ns: list[int] = []
        last_ns = start_ns
        for at_ns in (*(each for each in decided_ns if start_ns <= each < end_ns), end_ns):
            since_ns = at_ns - last_ns
            if since_ns > interval_ns // 2:
                count = max(1, since_ns // interval_ns)
                self._begun_ns += [last_ns + since_ns * number // count for number in range(1, count + 1)]
                last_ns = at_ns

    def next_ns(self, now_ns: int) -> int:
        """Return when the round after one that begins now may begin."""
        place = bisect_right(self._begun_ns, now_ns + self._interval_ns // 4)
        return self._begun_ns[place] if place < len(self._begun_ns) else now_ns + self._interval_ns

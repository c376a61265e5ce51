"""How long things take, in buckets: what `/metrics` tells of each stage of an order's way."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from market.clock import NS_PER_SECOND

# 1, 2 and 5 of each power of ten, from 1 µs to 10 s: a percentile read off them is wrong by a factor of 2.5 at most.
BOUNDS_NS: Final = (*(digit * 10**power for power in range(3, 10) for digit in (1, 2, 5)), 10 * NS_PER_SECOND)


class Latencies:
    """How often something has taken how long; a batch counts once for each of its orders, and costs as much as one."""

    __slots__ = ("_counts", "_sum_ns")

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_NS) + 1)
        self._sum_ns = 0

    def add(self, took_ns: int, count: int = 1) -> None:
        """Take in that `count` of them have taken so long."""
        self._counts[bisect_left(BOUNDS_NS, took_ns)] += count
        self._sum_ns += took_ns * count

    def figure(self) -> dict[str, list[int] | int]:
        """Return what a node shows: `counts` up to each of `BOUNDS_NS`, without those before, and what is beyond."""
        return {"counts": [*self._counts], "sum_ns": self._sum_ns}


def bucket_of(counts: Sequence[int], share: float) -> int:
    """Return in which bucket the one stands that so large a share of them is not above; there must be some.

    Args:
        counts: as `Latencies.figure` tells them; the last bucket is what is beyond all `BOUNDS_NS`.
    """
    due, seen = share * sum(counts), 0
    for index, count in enumerate(counts):
        seen += count
        if count and seen >= due:
            return index
    raise AssertionError(f"expected {share} of {counts} in a bucket")


def bucket_bounds_ns(index: int) -> tuple[int, int | None]:
    """Return what is in a bucket: more than the first, and no more than the second; None: without end."""
    return BOUNDS_NS[index - 1] if index else 0, BOUNDS_NS[index] if index < len(BOUNDS_NS) else None

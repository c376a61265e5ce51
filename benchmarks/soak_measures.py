"""What `benchmarks.soak` measures: how long orders take, and whether memory grows although processes die."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from market.clock import NS_PER_MS

# Bins of 2 % each, from 10 us to 100 s.
BIN_RATIO: Final = 1.02
BIN_FIRST_NS: Final = 10_000
BINS: Final = 816
MB: Final = 1_000_000

Counts = np.ndarray[Any, Any]


class Sample(NamedTuple):
    """What a node used at a time: s since the beginning, bytes of resident memory, open files."""

    at_s: float
    memory: int
    handles: int


class Death(NamedTuple):
    """Who was killed when, s since the beginning, and how long no report came within the ten seconds after it."""

    at_s: float
    node: str
    silent_s: float


class Silence(NamedTuple):
    """A time without a report: when it ended, s since the beginning, and how long it had lasted."""

    ended_s: float
    lasted_s: float


def bins_of(took_ns: Counts) -> Counts:
    """Return the bin of each time."""
    bins = np.log(np.maximum(took_ns, BIN_FIRST_NS) / BIN_FIRST_NS) / np.log(BIN_RATIO)
    places: Counts = np.minimum(bins.astype(np.int64), BINS - 1)
    return places


def quantile_ms(counts: Counts, share: float) -> float:
    """Return the upper end of the bin that a quantile lies in, ms; nan of nothing."""
    if not counts.sum():
        return float("nan")
    place = int(np.searchsorted(np.cumsum(counts), share * counts.sum()))
    return float(BIN_FIRST_NS * BIN_RATIO ** (place + 1) / NS_PER_MS)


def slope_mb_per_hour(lives: Sequence[Sequence[Sample]], after_s: float) -> tuple[float, float]:
    """Return how fast memory grows, and the standard error of that, by one slope and a level for each life.

    Of each life that begins later its first minute is left out: what a process loads, it loads then.
    """
    x, y, levels = [], [], 0
    for life in lives:
        begin_s = max(after_s, life[0].at_s + 60) if life[0].at_s > 1 else after_s
        part = np.array([(each.at_s, each.memory) for each in life if each.at_s >= begin_s])
        if len(part) > 2:
            x.append(part[:, 0] - part[:, 0].mean())
            y.append(part[:, 1] - part[:, 1].mean())
            levels += 1
    if not x:
        return float("nan"), float("nan")
    times, bytes_ = np.concatenate(x), np.concatenate(y)
    slope = float(times @ bytes_ / (times @ times))
    rest = bytes_ - slope * times
    error = float(np.sqrt(rest @ rest / max(1, len(times) - levels - 1) / (times @ times)))
    return slope * 3_600 / MB, error * 3_600 / MB

"""How long the stages of an order's way took over the last minute, in percentiles, as the nodes have counted."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from market.clock import NS_PER_SECOND
from market.exact_json import JsonObject
from nodes.latencies import bucket_bounds_ns, bucket_of

WINDOW_NS: Final = 60 * NS_PER_SECOND
SHARES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
ABOVE_MIN: Final = 1  # so many must be expected above a percentile: of 20 times there is no 99th
_SAME_NS: Final = NS_PER_SECOND // 2  # two that are nearer are the same word of a node


class _Counts(NamedTuple):
    at_ns: int
    counts: Sequence[int]


class LatencyMeter:
    """Keeps the counts of the last minute, of each stage by its process: one that starts anew counts from 0."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int, str], deque[_Counts]] = {}

    def look(self, status: Mapping[str, Any], now_ns: int) -> list[JsonObject]:
        """Take in a status; return of each node and stage how many took how long, since a minute or the first look.

        A percentile is told as the bucket that it is in: more than `[0]` and at most `[1]` ns, null: without end. It
        is null where there are too few for it.

        Args:
            now_ns: monotonic, when the status came.
        """
        stages = {
            (row["node"], row["pid"], stage): (now_ns - round((row["heard_s"] or 0) * NS_PER_SECOND), figure["counts"])
            for row in status["nodes"]
            if row["state"] == "ready"
            for stage, figure in row["figures"].get("latencies", {}).items()
        }
        self._kept = {key: self._kept.get(key, deque()) for key in stages}
        for key, (heard_ns, counts) in stages.items():
            kept = self._kept[key]
            if not kept or heard_ns - kept[-1].at_ns > _SAME_NS:
                kept.append(_Counts(heard_ns, counts))
            while len(kept) > 2 and kept[1].at_ns <= heard_ns - WINDOW_NS:
                kept.popleft()
        return [{"node": node, "stage": stage, **_of(kept)} for (node, _, stage), kept in self._kept.items()]


def _of(kept: Sequence[_Counts]) -> JsonObject:
    first, last = kept[0], kept[-1]
    counts = [now - then for now, then in zip(last.counts, first.counts, strict=True)]
    n = sum(counts)
    told: JsonObject = {"n": n, "over_s": round((last.at_ns - first.at_ns) / NS_PER_SECOND)}
    for name, share in SHARES.items():
        is_told = n * (1 - share) >= ABOVE_MIN
        told[name] = list(bucket_bounds_ns(bucket_of(counts, share))) if is_told else None
    return told

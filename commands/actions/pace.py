"""How fast the nodes of a desk go: made of what they count, as two looks at its status tell it."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from market.clock import NS_PER_SECOND
from nodes.flow_counts import flow_counts
from nodes.latencies import BOUNDS_NS, bucket_bounds_ns, bucket_of
from screens.pace import Pace

WINDOW_NS: Final = 10 * NS_PER_SECOND  # nodes tell their counts once a second
_SAME_NS: Final = NS_PER_SECOND // 2  # two that are nearer are the same word of a node, told once a second
_HALF: Final = 0.5
_MOST: Final = 0.99
_STAGES: Final = {"engine": "engine", "gateway": "gateway", "maker": "decision"}  # of a kind's latencies, in its row


class _Counts(NamedTuple):
    at_ns: int
    total: float | None
    stages: Mapping[str, Sequence[int]]


class PaceMeter:
    """Keeps the counts of the last seconds, of each node by its process: one that starts anew counts from 0."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], deque[_Counts]] = {}

    def look(self, status: Mapping[str, Any], now_ns: int) -> dict[str, Pace]:
        """Take in a status, and return by node how fast it went over the last 10 s, or since the first look at it."""
        alive = {(row["node"], row["pid"]): row for row in status["nodes"] if row["state"] == "ready"}
        self._kept = {key: self._kept.get(key, deque()) for key in alive}
        for key, row in alive.items():
            kept = self._kept[key]
            heard_ns = now_ns - round((row["heard_s"] or 0) * NS_PER_SECOND)
            counts = _Counts(heard_ns, _total(row), _stages(row))
            if not kept or heard_ns - kept[-1].at_ns > _SAME_NS:
                kept.append(counts)
            while len(kept) > 2 and kept[1].at_ns <= heard_ns - WINDOW_NS:
                kept.popleft()
        return {name: _pace(kept[0], kept[-1], alive[name, pid]["kind"]) for (name, pid), kept in self._kept.items()}


def _pace(first: _Counts, last: _Counts, kind: str) -> Pace:
    took_ns = last.at_ns - first.at_ns
    if not took_ns:  # of one look alone nothing can be said
        return Pace()
    per_s = None
    if first.total is not None and last.total is not None:
        per_s = (last.total - first.total) * NS_PER_SECOND / took_ns
    median_ns, most_ns = _percentiles(first, last, _STAGES.get(kind, "")) or (None, None)
    return Pace(per_s, median_ns, most_ns, _percentiles(first, last, "venue"))


def _percentiles(first: _Counts, last: _Counts, stage: str) -> tuple[int, int] | None:
    """Return what half of them, and 99 of 100, took at most: the upper bounds of their buckets."""
    counts = last.stages.get(stage, ())
    before = first.stages.get(stage) or [0] * len(counts)
    of_late = [now - then for now, then in zip(counts, before, strict=True)]
    if not sum(of_late):
        return None
    return _bound(of_late, _HALF), _bound(of_late, _MOST)


def _bound(counts: Sequence[int], share: float) -> int:
    return bucket_bounds_ns(bucket_of(counts, share))[1] or BOUNDS_NS[-1]


def _total(row: Mapping[str, Any]) -> float | None:
    """Return what a node has done since its start, of that which its row tells a rate of; None if it counts nothing."""
    figures = row["figures"]
    if row["kind"] == "flow":
        return flow_counts(figures).get("commands")
    if row["kind"] == "maker":
        venue = figures.get("venue")
        return None if venue is None else sum(venue["requests"].values())
    name = {"engine": "commands", "gateway": "orders", "api": "sequence"}.get(row["kind"])
    return None if name is None else figures.get(name)


def _stages(row: Mapping[str, Any]) -> dict[str, Sequence[int]]:
    return {stage: figure["counts"] for stage, figure in row["figures"].get("latencies", {}).items()}

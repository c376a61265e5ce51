"""Percentiles of the last minute: of late alone, as the bucket that they are in, and none of too few."""

from typing import Any

import pytest

from market.clock import NS_PER_SECOND
from nodes.api.latency_meter import LatencyMeter
from nodes.latencies import BOUNDS_NS, Latencies, bucket_bounds_ns, bucket_of

US, MS = 1_000, 1_000_000


def _status(latencies: Latencies, pid: int = 1, **row: Any) -> dict[str, Any]:
    figures = {"latencies": {"engine": latencies.figure()}}
    return {"nodes": [{"node": "engine", "pid": pid, "state": "ready", "heard_s": 0.0, "figures": figures, **row}]}


def _added(latencies: Latencies, *took_ns: int) -> Latencies:
    for each in took_ns:
        latencies.add(each)
    return latencies


@pytest.mark.parametrize(
    ("counts", "share", "bucket"),
    [([1, 0, 0], 0.99, 0), ([1, 1, 0], 0.5, 0), ([1, 2, 0], 0.5, 1), ([99, 0, 1], 0.99, 0), ([98, 0, 2], 0.99, 2)],
)
def test_a_percentile_is_the_first_bucket_with_so_many(counts: list[int], share: float, bucket: int) -> None:
    """An empty bucket has nobody in it, whatever is due."""
    assert bucket_of(counts, share) == bucket


def test_buckets_have_both_ends() -> None:
    """The first begins at nothing, the last has no end."""
    assert [bucket_bounds_ns(index) for index in (0, 1, len(BOUNDS_NS))] == [
        (0, US),
        (US, 2 * US),
        (BOUNDS_NS[-1], None),
    ]


def test_tells_the_last_minute_alone() -> None:
    """What was slow an hour ago is not how it is now."""
    meter, latencies = LatencyMeter(), _added(Latencies(), *[500 * MS] * 1_000)
    for second in range(3):
        meter.look(_status(latencies), second * NS_PER_SECOND)
    for second in range(3, 71):
        (told,) = meter.look(_status(_added(latencies, 4 * US, 4 * US, 90 * US)), second * NS_PER_SECOND)
    assert told == {
        "node": "engine",
        "stage": "engine",
        "n": 180,
        "over_s": 60,
        "p50": [2 * US, 5 * US],
        "p90": [50 * US, 100 * US],
        "p99": [50 * US, 100 * US],
    }


def test_of_too_few_there_is_no_percentile() -> None:
    """Of 20 times nobody knows what one in a hundred is."""
    meter, latencies = LatencyMeter(), Latencies()
    assert meter.look(_status(latencies), 0)[0]["n"] == 0
    (told,) = meter.look(_status(_added(latencies, *[4 * US] * 20)), NS_PER_SECOND)
    assert (told["n"], told["p50"], told["p90"], told["p99"]) == (20, [2 * US, 5 * US], [2 * US, 5 * US], None)


def test_a_process_that_begins_anew_counts_anew_and_a_dead_one_not_at_all() -> None:
    """Its counts would be less than before."""
    meter = LatencyMeter()
    meter.look(_status(_added(Latencies(), *[4 * US] * 50)), 0)
    (told,) = meter.look(_status(_added(Latencies(), 9 * MS), pid=2), NS_PER_SECOND)
    assert told["n"] == 0
    assert meter.look(_status(Latencies(), pid=2, state="silent"), 2 * NS_PER_SECOND) == []

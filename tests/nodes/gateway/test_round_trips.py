"""How long commands take to an engine and back: each once, by the group that it left in."""

from nodes.gateway.round_trips import RoundTrips
from nodes.latencies import BOUNDS_NS, Latencies

US = 1_000


def _counts(latencies: Latencies) -> dict[int, int]:
    counts = latencies.figure()["counts"]
    assert isinstance(counts, list)
    return {bound: count for bound, count in zip(BOUNDS_NS, counts, strict=False) if count}


def test_each_command_counts_once_with_its_group() -> None:
    """Also where the engine is done with a part of a group: the group is over with its last command."""
    latencies = Latencies()
    trips = RoundTrips(latencies)
    trips.begin(100)
    trips.sent(100, 0)
    trips.sent(103, 1 * US)
    trips.sent(103, 2 * US)  # a look that has sent nothing
    trips.sent(104, 11 * US)
    trips.acknowledged(101, 20 * US)
    assert _counts(latencies) == {}
    trips.acknowledged(104, 51 * US)
    assert _counts(latencies) == {50 * US: 4}
    assert latencies.figure()["sum_ns"] == 3 * 50 * US + 40 * US


def test_begins_anew_with_another_engine() -> None:
    """Its numbers begin elsewhere, and what was on its way to the former has no time."""
    latencies = Latencies()
    trips = RoundTrips(latencies)
    trips.sent(1_000, 0)
    trips.begin(7)
    trips.sent(8, 10 * US)
    trips.acknowledged(8, 12 * US)
    assert _counts(latencies) == {2 * US: 1}

"""Travelling: as long as is said, and never overtaking."""

import random
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from simulation.delays import Lane, drawn, fixed, recorded
from simulation.heap import EventHeap


def arrivals(lane: Lane, heap: EventHeap, sent_ns: list[int]) -> list[tuple[int, int]]:
    """Return the number and the time of each thing that arrives, sent at those times."""
    seen: list[tuple[int, int]] = []

    def send(number: int) -> None:
        lane.send(lambda: seen.append((number, heap.now_ns)))

    for number, at_ns in enumerate(sorted(sent_ns)):
        heap.at(at_ns, partial(send, number))
    while (next_ns := heap.next_ns) is not None:
        heap.now_ns = next_ns
        heap.run_due()
    return seen


def test_fixed_and_recorded_travels_take_as_long_as_they_say() -> None:
    """Recorded ones begin again from the first."""
    heap = EventHeap(0)
    assert arrivals(Lane(heap, fixed(5)), heap, [0, 10]) == [(0, 5), (1, 15)]
    heap = EventHeap(0)
    assert arrivals(Lane(heap, recorded(1, [0, 1])), heap, [0, 10, 20]) == [(0, 1), (1, 12), (2, 21)]


@given(st.lists(st.integers(0, 1_000), max_size=30), st.integers(0, 100), st.integers(0, 1_000), st.integers(0, 9))
def test_nothing_overtakes_and_nothing_arrives_too_soon(
    sent_ns: list[int], least_ns: int, more_ns: int, seed: int
) -> None:
    """Whatever the dice say; and they say the same again."""
    runs = []
    for _ in range(2):
        heap = EventHeap(0)
        runs.append(arrivals(Lane(heap, drawn(least_ns, more_ns, random.Random(seed))), heap, sent_ns))
    assert runs[0] == runs[1]
    assert [number for number, _ in runs[0]] == list(range(len(sent_ns)))
    assert all(at_ns >= sent + least_ns for (_, at_ns), sent in zip(runs[0], sorted(sent_ns), strict=True))

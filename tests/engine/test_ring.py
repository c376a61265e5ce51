"""The ring: claim, publish, consume; never more than its slots, never out of order."""

import numpy as np
import pytest

from engine.rows.ring import CONSUMED, PUBLISHED, Ring


def test_a_row_is_readable_only_after_it_is_published() -> None:
    """A claimed row belongs to the writer alone."""
    ring = Ring(4)
    ring.rows[ring.claim()] = 7
    assert len(ring.readable()) == 0
    ring.publish()
    assert ring.readable().tolist() == [[7] * 16]


def test_a_full_ring_refuses_a_claim_until_a_row_is_consumed() -> None:
    """Back-pressure starts exactly at the number of slots."""
    ring = Ring(4)
    for value in range(4):
        ring.rows[ring.claim()] = value
        ring.publish()
    assert ring.free_count == 0
    with pytest.raises(AssertionError, match="expected a free row of 4"):
        ring.claim()
    ring.consume()
    assert ring.free_count == 1
    assert ring.claim() == 0


def test_rows_around_the_end_come_in_two_blocks_and_in_order() -> None:
    """Readers of blocks see the end of the ring, never a row twice."""
    ring = Ring(8)
    ring.publish(6)
    ring.consume(6)
    for value in (1, 2, 3):
        ring.rows[ring.claim()] = value
        ring.publish()
    told = []
    while len(rows := ring.readable()):
        told.append(rows[:, 0].tolist())
        ring.consume(len(rows))
    assert told == [[1, 2], [3]]


def test_positions_go_on_beyond_32_bits() -> None:
    """Sequences never wrap, only slots do."""
    ring = Ring(4)
    ring.positions[:] = 2**40 + 3
    assert ring.claim() == 3
    ring.publish()
    assert ring.positions.tolist() == [2**40 + 3, 2**40 + 4]
    assert ring.positions[PUBLISHED] - ring.positions[CONSUMED] == len(ring) == 1


@pytest.mark.parametrize("slot_count", [0, -8, 3, 12])
def test_slots_are_a_power_of_two(slot_count: int) -> None:
    """A slot is a sequence under a mask."""
    with pytest.raises(ValueError, match=f"power of two, was {slot_count}"):
        Ring(slot_count)


def test_publishing_or_consuming_too_much_is_our_own_bug() -> None:
    """A position can not overtake the other."""
    ring = Ring(4)
    with pytest.raises(AssertionError, match="at most 4 rows, were 5"):
        ring.publish(5)
    with pytest.raises(AssertionError, match="at most 0 rows, were 1"):
        ring.consume()
    assert np.array_equal(ring.positions, [0, 0])

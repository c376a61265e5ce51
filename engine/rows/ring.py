"""A preallocated ring of rows between decoding and matching, and between matching and encoding.

One writer and one reader in one thread. The writer claims the next row, writes it and publishes it; the reader reads
what is published and consumes it. Both positions are 64-bit sequences that never wrap; a slot is a sequence under a
mask. They live in an array, so that kernels move them too.
"""

from typing import Final

import numpy as np

from market.kernels.rows import ROW_WIDTH, Int64Array

CONSUMED: Final = 0  # rows that the reader is done with
PUBLISHED: Final = 1  # rows that the writer has handed over


class Ring:
    """Rows in memory that is taken once.

    Attributes:
        rows: `[slot_count, ROW_WIDTH]`.
        positions: `[2]`: `CONSUMED` and `PUBLISHED`, sequences that only rise.
    """

    __slots__ = ("_mask", "positions", "rows", "slot_count")

    def __init__(self, slot_count: int) -> None:
        if slot_count < 1 or slot_count & (slot_count - 1):
            raise ValueError(f"slot_count must be a power of two, was {slot_count}")
        self.slot_count = slot_count
        self.rows: Int64Array = np.zeros((slot_count, ROW_WIDTH), np.int64)
        self.positions: Int64Array = np.zeros(2, np.int64)
        self._mask = slot_count - 1

    def __len__(self) -> int:
        """Return how many rows are published and not yet consumed."""
        consumed, published = self.positions.tolist()
        count: int = published - consumed
        return count

    @property
    def free_count(self) -> int:
        """How many rows can be published before the reader must consume."""
        return self.slot_count - len(self)

    def claim(self) -> int:
        """Return the slot of the next row to write."""
        consumed, published = self.positions.tolist()
        assert published - consumed < self.slot_count, f"expected a free row of {self.slot_count}"
        slot: int = published & self._mask
        return slot

    def publish(self, count: int = 1) -> None:
        """Hand the next `count` written rows over to the reader."""
        assert 0 <= count <= self.free_count, f"expected at most {self.free_count} rows, were {count}"
        self.positions[PUBLISHED] += count

    def readable(self) -> Int64Array:
        """Return the published rows that lie side by side, oldest first: a view, valid until they are consumed.

        The rest of the published rows, if the ring's end lies between, comes with the next call after `consume`.
        """
        consumed, published = self.positions.tolist()
        first = consumed & self._mask
        return self.rows[first : first + min(published - consumed, self.slot_count - first)]

    def consume(self, count: int = 1) -> None:
        """Give the oldest `count` published rows back to the writer."""
        assert 0 <= count <= len(self), f"expected at most {len(self)} rows, were {count}"
        self.positions[CONSUMED] += count

"""A session's reports as the bytes that its client gets: kept, so that they can be sent again."""

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Final

import msgpack
import numpy as np

from engine.wire.codec import PieceDecoder
from market.codes import Tag
from market.events import Event
from market.kernels.row_codes import ACCEPTED, REJECTED
from market.kernels.rows import TAG, read_event

CHUNK_BYTES: Final = 65_536  # one that has so many takes no more
PIECE_BYTES_MAX: Final = 1 << 21  # what is added at once: two rows for each event of a frame

Kept = tuple[int, int, list[tuple[int, int, bytes, int, int]]]


@dataclass(slots=True)
class _Chunk:
    """Reports side by side.

    Attributes:
        first_sequence: of the first of them.
        start: where they begin, in bytes since the session began.
        answered_id: the highest order id that has had its first report when they end.
        late_count: how many first reports have come by then after that of a higher id.
    """

    first_sequence: int
    start: int
    data: bytes | bytearray
    answered_id: int
    late_count: int = 0


class ReportStream:
    """The reports of a session from number 1 on, of which the last are kept. A place is a count of bytes.

    Attributes:
        end: where the last report ends.
        last_sequence: its number, 0 before the first.
    """

    def __init__(self, bytes_max: int) -> None:
        self.end = 0
        self.last_sequence = 0
        self._bytes_max = bytes_max
        self._chunks: deque[_Chunk] = deque()

    @classmethod
    def of(cls, bytes_max: int, kept: Kept) -> "ReportStream":
        """Return a stream as another one had it."""
        stream = cls(bytes_max)
        stream.end, stream.last_sequence, chunks = kept
        stream._chunks = deque(_Chunk(*chunk) for chunk in chunks)
        return stream

    @property
    def kept(self) -> Kept:
        """All of it: where it ends, the last sequence, and each chunk's fields."""
        chunks = [
            (one.first_sequence, one.start, bytes(one.data), one.answered_id, one.late_count) for one in self._chunks
        ]
        return self.end, self.last_sequence, chunks

    @property
    def start(self) -> int:
        """Where the oldest kept report begins."""
        return self._chunks[0].start if self._chunks else self.end

    @property
    def first_sequence(self) -> int:
        """The number of the oldest kept report; of the next one, if none is kept."""
        return self._chunks[0].first_sequence if self._chunks else self.last_sequence + 1

    def add(self, data: bytes, count: int, answered_id: int, late_count: int = 0) -> None:
        """Keep `count` more reports, and forget the oldest while there are too many bytes."""
        last = self._chunks[-1] if self._chunks else None
        if last is not None and len(last.data) + len(data) <= CHUNK_BYTES:
            if isinstance(last.data, bytes):
                last.data = bytearray(last.data)
            last.data += data
            last.answered_id, last.late_count = answered_id, late_count
        else:
            self._chunks.append(_Chunk(self.last_sequence + 1, self.end, data, answered_id, late_count))
        self.end += len(data)
        self.last_sequence += count
        while self.end - self.start > self._bytes_max:
            self._chunks.popleft()

    def read(self, place: int) -> bytes | memoryview:
        """Return reports from `place` on, as many bytes as lie side by side; nothing at the end.

        What is returned may share memory with what is kept: use it before the next `add`.
        """
        assert self.start <= place <= self.end, f"expected a place from {self.start} to {self.end}, was {place}"
        if place == self.end:
            return b""
        chunk = self._chunks[-1]  # where a client that keeps up always is
        if place < chunk.start:
            chunk = self._chunks[bisect_left(self._chunks, place + 1, key=lambda one: one.start) - 1]
        data, start = chunk.data, place - chunk.start
        return memoryview(data)[start:] if isinstance(data, bytes) else bytes(data[start:])

    def place_after(self, sequence: int) -> int:
        """Return where the report after number `sequence` begins; of the oldest kept one, if that is forgotten."""
        if sequence < self.first_sequence:
            return self.start
        if sequence >= self.last_sequence:
            return self.end
        chunk = self._chunks[bisect_left(self._chunks, sequence + 2, key=lambda one: one.first_sequence) - 1]
        return chunk.start + _size_of(bytes(chunk.data), sequence + 1 - chunk.first_sequence)

    def first_reply(self, order_id: int, decoder: PieceDecoder) -> Event | None:
        """Return the first report of an order that has had one, None if it is no longer kept or there was no such id.

        Args:
            decoder: of events, with room for PIECE_BYTES_MAX; what it held is overwritten.
        """
        index = bisect_left(self._chunks, order_id, key=lambda one: one.answered_id)
        late_count = None
        for chunk in islice(self._chunks, index, None):
            if chunk.late_count != late_count:  # the first one, where it is unless it was late; then one with late ones
                if (reply := _first_reply_in(chunk, order_id, decoder)) is not None:
                    return reply
                late_count = chunk.late_count
        return None


def _first_reply_in(chunk: _Chunk, order_id: int, decoder: PieceDecoder) -> Event | None:
    decoder.load(b"", bytes(chunk.data))
    while len(rows := decoder.next_rows()):
        is_new_refused = (rows[:, TAG] == Tag.REJECTED) & (rows[:, REJECTED.command] == Tag.NEW_ORDER)
        is_first = is_new_refused | (rows[:, TAG] == Tag.ACCEPTED) | (rows[:, TAG] == Tag.CANCELED)
        found = np.flatnonzero(is_first & (rows[:, ACCEPTED.order_id] == order_id))
        if len(found):
            return read_event(rows[found[0]])
    return None


def _size_of(data: bytes, count: int) -> int:
    """Return how many bytes the first `count` messages have."""
    unpacker = msgpack.Unpacker(max_buffer_size=PIECE_BYTES_MAX)
    unpacker.feed(data)
    for _ in range(count):
        unpacker.skip()
    size: int = unpacker.tell()
    return size

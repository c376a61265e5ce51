"""Recordings as arrays: what each record changes, so that nothing is left to look up in a replay.

All that a recorded book is made of is known before anybody trades on it: which levels a record touches, and what rests
there then. So it is worked out once, and kept.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from flow.mirror.changes import BEST, BOOK, LEVELS, TRADE, Changes
from flow.recordings.book import RecordedBook, Touched
from flow.recordings.recording import BookTicker, Record, RecordedTrade
from market.codes import Side

RECORDS_MAX: Final = 100_000  # of one piece, or a few more: some 10 MB


def levels_of(book: RecordedBook, touched: Touched) -> tuple[list[int], list[int]]:
    """Return touched levels as keys and lots: bids before asks, each by price."""
    keys: list[int] = []
    lots: list[int] = []
    for side in Side:
        prices = sorted(touched[side])
        keys += [price_ticks * 2 + side for price_ticks in prices]
        lots += [book.qty_lots(side, price_ticks) for price_ticks in prices]
    return keys, lots


def read_changes(
    placed: Iterable[tuple[int, Record]], reach_bps: int, skipped: Counter[str], records_max: int = RECORDS_MAX
) -> Iterator[Changes]:
    """Yield what records change, piece by piece, from the first book on.

    Args:
        placed: records with the times at which they are due, as `place_trades` gives them.
        reach_bps: as `RecordedBook` has it.
        skipped: of the reader of `placed`.

    Raises:
        as the reader of `placed`.
    """
    book, piece = RecordedBook(reach_bps), _Piece()
    for time_ns, record in placed:
        if len(piece.times_ns) >= records_max and piece.times_ns[-1] != time_ns:  # those of one time stay together
            yield piece.take(skipped.total(), book.gap_count)
        piece.record_count += 1
        if isinstance(record, RecordedTrade):
            if book.is_built:
                piece.add(time_ns, TRADE, (record.taker_side, record.price_ticks, record.qty_lots, 0))
        else:
            was_built = book.is_built
            touched = book.apply(record)
            if not was_built and book.is_built:
                piece.add(time_ns, BOOK, (0, 0, 0, 0), levels_of(book, book.prices()))
            elif isinstance(record, BookTicker) and was_built:
                piece.add(time_ns, BEST, (*record.bid, *record.ask), levels_of(book, touched))
            elif was_built and (touched[Side.BUY] or touched[Side.SELL]):
                piece.add(time_ns, LEVELS, (0, 0, 0, 0), levels_of(book, touched))
    yield piece.take(skipped.total(), book.gap_count)


class _Piece:
    """Changes in the making."""

    def __init__(self) -> None:
        self._told = (0, 0)  # skipped and gaps of the pieces before
        self._clear()

    def _clear(self) -> None:
        self.times_ns: list[int] = []
        self.record_count = 0
        self._kinds: list[int] = []
        self._values: list[int] = []
        self._ends: list[int] = []
        self._keys: list[int] = []
        self._lots: list[int] = []

    def add(
        self,
        time_ns: int,
        kind: int,
        values: tuple[int, int, int, int],
        levels: tuple[list[int], list[int]] = ([], []),
    ) -> None:
        self.times_ns.append(time_ns)
        self._kinds.append(kind)
        self._values += values
        self._keys += levels[0]
        self._lots += levels[1]
        self._ends.append(len(self._keys))

    def take(self, skipped_count: int, gap_count: int) -> Changes:
        """Return the piece and begin the next one."""
        before, self._told = self._told, (skipped_count, gap_count)
        counts = (self.record_count, skipped_count - before[0], gap_count - before[1])
        columns = (self.times_ns, self._kinds, self._values, self._ends, self._keys, self._lots, counts)
        times_ns, kinds, values, *rest = (np.array(each, np.int64) for each in columns)
        self._clear()
        return Changes(times_ns, kinds, values.reshape(-1, 4), *rest)

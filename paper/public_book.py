"""The public book with one running number of its changes, over all lives of the engine and all its silences."""

from typing import NamedTuple, Protocol

from market.depth import Depth


class Position(NamedTuple):
    """Where a view of the book stands: in which life of the engine (0: it is silent), after how many changes."""

    epoch: int
    sequence: int


class BookView(Protocol):
    """What the exchange sees of the public book; it may lag behind the engine."""

    def depth(self, symbol_id: int, level_count: int) -> Depth:
        """Return the best `level_count` levels of each side, best price first."""
        ...

    def position(self, symbol_id: int) -> Position:
        """Return where the view stands; a book that differs has another position."""
        ...


class PublicBook:
    """A view whose changes are numbered without a step back.

    Clients keep a book by these numbers, so a new engine, which counts from 1 again, and a silence, in which the book
    is empty, must move them forward too. The number is that of the engine plus an offset, chosen anew at each such
    break; nobody needs it to survive the process, since no client's connection does.
    """

    def __init__(self, view: BookView) -> None:
        self._view = view
        self._epochs: dict[int, int] = {}
        self._offsets: dict[int, int] = {}
        self._update_ids: dict[int, int] = {}

    def depth(self, symbol_id: int, level_count: int) -> Depth:
        """Return the best `level_count` levels of each side, best price first."""
        return self._view.depth(symbol_id, level_count)

    def update_id(self, symbol_id: int) -> int:
        """Return the number of the last change that `depth` shows."""
        epoch, sequence = self._view.position(symbol_id)
        last = self._update_ids.get(symbol_id, 0)
        offset = self._offsets.get(symbol_id, 0)
        if self._epochs.get(symbol_id) != epoch or sequence + offset < last:
            offset = max(0, last + 1 - sequence)
            self._epochs[symbol_id], self._offsets[symbol_id] = epoch, offset
        self._update_ids[symbol_id] = sequence + offset
        return sequence + offset

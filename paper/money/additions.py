"""Rows that are only ever added: which are new since the last `settle`, to be taken back, and which are not saved."""

from collections.abc import Iterator
from typing import Generic, TypeVar

Row = TypeVar("Row")


class Additions(Generic[Row]):
    """What a ledger adds to one of its tables.

    Attributes:
        unsaved: what has settled since the last `note_saved`, in the order in which it was added.
    """

    def __init__(self) -> None:
        self._new: list[Row] = []
        self.unsaved: list[Row] = []

    def __iter__(self) -> Iterator[Row]:
        """Return all that is not saved, oldest first."""
        yield from self.unsaved
        yield from self._new

    def append(self, row: Row) -> None:
        """Add a row."""
        self._new.append(row)

    def settle(self) -> None:
        """Keep what is new: it can no longer be taken back."""
        self.unsaved += self._new
        self._new.clear()

    def undo(self) -> None:
        """Take back what is new since the last `settle`."""
        self._new.clear()

    def note_saved(self) -> None:
        """Take all that has settled for saved."""
        self.unsaved.clear()

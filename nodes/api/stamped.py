"""Rows of JSON with the version at which each last changed: who has seen a version is told what came after it."""

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

GONE_MAX: Final = 2_000  # rows that are gone are remembered so that a reader a while behind can be told of them


class StampedRows(Generic[Key]):
    """Rows by key, in the order in which they last changed.

    A row is JSON text. One that goes leaves a text that says so, until too many have gone.

    Args:
        rows_max: the oldest go beyond it, without a word: a reader bounds its window itself; None: as many as are put.
    """

    def __init__(self, rows_max: int | None = None) -> None:
        self._rows_max = rows_max
        self._rows: dict[Key, tuple[int, str]] = {}
        self._gone: dict[Key, tuple[int, str]] = {}
        self.known_since = 0  # the version after which everything that has gone is known

    def put(self, key: Key, text: str, version: int) -> bool:
        """Have a row with this text; return whether that is news."""
        found = self._rows.get(key)
        if found is not None and found[1] == text:
            return False
        self._rows.pop(key, None)
        self._gone.pop(key, None)
        self._rows[key] = version, text
        if self._rows_max is not None and len(self._rows) > self._rows_max:
            del self._rows[next(iter(self._rows))]
        return True

    def drop(self, key: Key, text: str, version: int) -> None:
        """Have no such row any more; `text` tells a reader so."""
        del self._rows[key]
        self._gone[key] = version, text
        if len(self._gone) > GONE_MAX:
            oldest = next(iter(self._gone))
            self.known_since = self._gone.pop(oldest)[0]

    def known(self) -> list[Key]:
        """Return the keys of the rows."""
        return list(self._rows)

    def since(self, version: int, most: int | None = None) -> list[str]:
        """Return what has changed after `version`, oldest change first: of much the newest `most`."""
        changed = _after(self._rows, version, most)
        return changed if version < self.known_since else [*_after(self._gone, version, most), *changed]


def _after(rows: dict[Key, tuple[int, str]], version: int, most: int | None) -> list[str]:
    found: list[str] = []
    for stamp, text in reversed(rows.values()):
        if stamp <= version or len(found) == most:
            break
        found.append(text)
    return found[::-1]

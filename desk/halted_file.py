"""halted.json: the symbols that the operator has halted, in a file that outlives every node.

`halt` writes it before it asks anybody, so that whoever is away then holds the halt when he is back. Engines, the maker
and the paper exchange read it when they start and ten times a second; it can only halt. What ends a halt is `resume`,
which takes the symbol out of it and then has the engine's word.
"""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from market.lock import locked_folder
from market.whole_file import write_whole

HALTED_FILE = "halted.json"
LOOK_MS = 100  # how often nodes look at it
LOCKED_S_MAX = 5.0

_CONTENT = TypeAdapter(frozenset[str])
_Mark = tuple[int, int, int]
_UNREADABLE: Final = (0, 0, 0)  # no file's mark: of one that cannot be read


class HaltedFile:
    """The file of one run directory; one that cannot be read halts every one of the `symbols` that the desk knows."""

    def __init__(self, run_dir: Path, symbols: Collection[str]) -> None:
        self.path = run_dir / HALTED_FILE
        self._symbols = frozenset(symbols)
        self._mark: _Mark | None = None
        self._halted: frozenset[str] = frozenset()

    def read(self) -> frozenset[str]:
        """Return the symbols that are halted; looks at the file's content only if it is another one than before."""
        try:
            found = self.path.stat()
            mark = found.st_ino, found.st_size, found.st_mtime_ns
            if mark != self._mark:
                self._halted = self._content()
                self._mark = mark
        except FileNotFoundError:
            self._mark, self._halted = None, frozenset()
        except OSError:
            self._mark, self._halted = _UNREADABLE, self._symbols
        return self._halted

    @property
    def version(self) -> str:
        """Which content was last read: another one for every change, empty if there is no file."""
        return "" if self._mark is None else ".".join(map(str, self._mark))

    def change(self, symbols: Collection[str], *, is_halted: bool) -> None:
        """Halt these symbols, or take their halts away; the others stay as they are.

        Raises:
            OSError: if the disk does not take it, or another process does not let go of the file.
        """
        with locked_folder(self.path.parent, LOCKED_S_MAX):  # other commands do not change it meanwhile
            before = self._content()
            after = before | set(symbols) if is_halted else before - set(symbols)
            write_whole(self.path, json.dumps(sorted(after)).encode() + b"\n")

    def _content(self) -> frozenset[str]:
        try:
            return _CONTENT.validate_json(self.path.read_bytes(), strict=True)
        except FileNotFoundError:
            return frozenset()
        except ValueError:
            return self._symbols

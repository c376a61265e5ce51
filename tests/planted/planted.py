"""A planted defect: a unified diff, and how it gets into a copy of the sources."""

import re
import shutil
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = Path(__file__).parent
TABLE: Final = FOLDER / "README.md"
# Found along the path in the tree itself, where they are compiled: numba keeps machine code by the folder of a source.
KERNEL_ROOMS: Final = ("engine", "market", "sessions", "flow", "simulation")

_ROW: Final = re.compile(r"\| `([a-z_]+)` \| (.+) \| `(tests/.+)` \|")
_HUNK: Final = re.compile(r"^@@ .*\n", re.MULTILINE)
_FILE: Final = re.compile(r"^--- a/(\S+)\n\+\+\+ b/\1\n", re.MULTILINE)


class PatchError(ValueError):
    """A patch that does not apply any more."""


class Row(NamedTuple):
    """A line of the table: the patch's name, what is wrong with it, and the test that finds it."""

    name: str
    what: str
    found_by: str


class Change(NamedTuple):
    """A hunk: lines of one file as they are, and as the defect has them."""

    path: str
    before: str
    after: str

    def of(self, source: str) -> str:
        """Return a file's text with it.

        Raises:
            PatchError: if its lines are not there exactly once, wherever that is.
        """
        if (count := source.count(self.before)) != 1:
            raise PatchError(f"{self.path} has {count} times, where once is expected:\n{self.before}")
        return source.replace(self.before, self.after)


def rows() -> list[Row]:
    """Return the table."""
    return [Row(*found.groups()) for found in _ROW.finditer(TABLE.read_text(encoding="utf-8"))]


def read_patch(path: Path) -> list[Change]:
    """Return the hunks of a unified diff; the numbers of its lines do not matter."""
    parts = _FILE.split(path.read_text(encoding="utf-8"))[1:]  # what precedes the first file is for a reader
    changes = []
    for name, hunks in zip(parts[::2], parts[1::2], strict=True):
        for hunk in _HUNK.split(hunks)[1:]:
            lines = hunk.splitlines(keepends=True)
            before = "".join(line[1:] for line in lines if line[0] in " -")
            after = "".join(line[1:] for line in lines if line[0] in " +")
            changes.append(Change(name, before, after))
    return changes


def planted(changes: list[Change], root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """Yield each changed file below `root` and its text with the defect.

    Raises:
        PatchError: if a hunk does not apply.
    """
    for name, of_file in groupby(changes, key=lambda change: change.path):
        source = (root / name).read_text(encoding="utf-8")
        for change in of_file:
            source = change.of(source)
        yield name, source


def copy_sources(folder: Path, touched: set[str]) -> None:
    """Copy all that a test imports or starts, but for rooms of kernels that are not touched."""
    left_out = [room for room in KERNEL_ROOMS if not any(path.startswith(f"{room}/") for path in touched)]

    def is_left_out(at: str, names: list[str]) -> set[str]:
        of_top = {"build", "run", *left_out} if Path(at) == ROOT else set()
        return {name for name in names if name[0] == "." or name == "__pycache__" or name in of_top}

    shutil.copytree(ROOT, folder, ignore=is_left_out, dirs_exist_ok=True)

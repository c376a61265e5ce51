"""Plant defects, each in a copy of the sources, and say which test finds it: `python -m tests.planted [NAME...]`.

Of one in the table, the test that is named there runs first; then those of the rooms that the patch touches, to the
first that fails. NAME may be any other patch: `python -m tests.planted ../mine.patch`. Returns 1 if one is not found,
or not by the test that is named; or if a test that finds one fails without it, too.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from tests.planted.planted import FOLDER, ROOT, Change, copy_sources, planted, read_patch, rows

# Where the defects of a room are looked for.
TESTS_OF: Final = {
    "trading": ("tests/trading", "tests/nodes/maker", "tests/venues", "tests/simulation"),
    "nodes/maker": ("tests/nodes/maker", "tests/desk/test_watchdog.py", "tests/simulation"),
    "venues": ("tests/venues", "tests/trading", "tests/nodes/maker"),
    "commands": ("tests/commands", "tests/desk/test_flatten.py"),
}
_FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (tests/\S+?::\w+)", re.MULTILINE)


class Defect(NamedTuple):
    """What is planted, and the test that finds it as far as that is known."""

    name: str
    patch: Path
    found_by: str

    def runs(self, changes: Sequence[Change]) -> list[list[str]]:
        """Return what to run, one after the other: in one run pytest would sort them."""
        rooms = [room for room in TESTS_OF if any(change.path.startswith(f"{room}/") for change in changes)]
        of_rooms = dict.fromkeys(test for room in rooms for test in TESTS_OF[room])
        return [*([[self.found_by]] if self.found_by else []), list(of_rooms or ["tests"])]


def defects(names: Sequence[str]) -> list[Defect]:
    """Return those that are named, all of the table if none is."""
    known = {row.name: Defect(row.name, FOLDER / f"{row.name}.patch", row.found_by) for row in rows()}
    return [known.get(name) or Defect(name, Path(name), "") for name in names or known]


def find(defect: Defect) -> str:
    """Return which test finds a defect; empty if none does.

    Raises:
        PatchError: if it cannot be planted.
    """
    changes = read_patch(defect.patch)
    with TemporaryDirectory(prefix="planted-") as folder:
        copy_sources(Path(folder), {change.path for change in changes})
        for name, source in planted(changes):
            (Path(folder) / name).write_text(source, encoding="utf-8")
        return next(filter(None, (failed(Path(folder), tests) for tests in defect.runs(changes))), "")


def failed(folder: Path, tests: Sequence[str]) -> str:
    """Run tests on the sources in a folder; return the first that fails, empty if none does.

    Raises:
        RuntimeError: if they do not run.
    """
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode == 0:
        return ""
    first = _FAILED.search(found.stdout)
    if found.returncode != 1 or first is None:
        raise RuntimeError(f"the tests do not run:\n{found.stdout[-4_000:]}{found.stderr[-4_000:]}")
    return first[1]


def main() -> int:
    """Return 1 if anything is not as the table says."""
    parser = argparse.ArgumentParser(prog="python -m tests.planted", description=__doc__)
    parser.add_argument("name", nargs="*", help="of the table, or the path of a patch; all of the table without one")
    finders: dict[str, str] = {}
    is_well, of = True, defects(parser.parse_args().name)
    if unknown := [each.name for each in of if not each.patch.exists()]:
        parser.error(f"neither in the table nor a file: {', '.join(unknown)}")
    for defect in of:
        began = time.monotonic()
        finder = finders[defect.name] = find(defect)
        is_as_said = bool(finder) and defect.found_by in ("", finder)
        is_well &= is_as_said
        said = "" if is_as_said or not finder else f", not by {defect.found_by}"
        took = f"{time.monotonic() - began:.0f} s"
        print(f"{defect.name}: {f'found by {finder}{said}' if finder else 'NOT FOUND'} ({took})", flush=True)
    tests = list(dict.fromkeys(filter(None, finders.values())))
    with TemporaryDirectory(prefix="planted-") as folder:
        copy_sources(Path(folder), set())
        if tests and (liar := failed(Path(folder), tests)):
            print(f"{liar} fails without any defect, and so finds none")
            is_well = False
    print(f"{sum(map(bool, finders.values()))} of {len(of)} found")
    return int(not is_well)


if __name__ == "__main__":
    sys.exit(main())

"""The desk's logs on the terminal."""

import os
import sys
import time
from collections import deque
from pathlib import Path
from typing import TextIO

from desk.client import DeskError

FOLLOW_S = 0.2


def print_logs(run_dir: Path, name: str | None, line_count: int, *, is_following: bool) -> None:
    """Print the last lines of one node's log or of all, and what is added to them if `is_following`.

    Raises:
        DeskError: if there is no such log.
    """
    paths = {path: path.stem.split("+") for path in sorted((run_dir / "logs").glob("*.log"))}
    found = [path for path, names in paths.items() if name is None or name in names]
    if not found:
        others = ", ".join(name for names in paths.values() for name in names)
        raise DeskError(
            f"there are no logs of {name or 'any node'} in {run_dir / 'logs'}"
            + (f", but of {others}" if others else "")
        )
    files: dict[Path, TextIO] = {path: path.open(errors="replace") for path in found}
    for file in files.values():
        sys.stdout.writelines(deque(file, maxlen=line_count))
    while is_following:
        sys.stdout.flush()
        time.sleep(FOLLOW_S)
        for path, file in files.items():
            sys.stdout.write(file.read())
            if (fresh := _successor(path, file)) is not None:
                sys.stdout.write(file.read() + fresh.read())  # the last lines of the old one, for nothing follows them
                file.close()
                files[path] = fresh
    for file in files.values():
        file.close()


def _successor(path: Path, file: TextIO) -> TextIO | None:
    """Return the log that has taken the place of `file`, if one has."""
    try:
        fresh = path.open(errors="replace")
    except FileNotFoundError:
        return None  # it is just being put aside
    if os.path.samestat(os.fstat(file.fileno()), os.fstat(fresh.fileno())):
        fresh.close()
        return None
    return fresh

"""The desk's logs on the terminal."""

import ast
import json
import os
import re
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TextIO

from desk.client import DeskError

FOLLOW_S = 0.2
_PAIR: Final = re.compile(r"""(\w+)=('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\S+)""")


def print_logs(run_dir: Path, name: str | None, line_count: int, *, is_following: bool, as_json: bool) -> None:
    """Print the last lines of one node's log or of all, and what is added to them if `is_following`.

    As JSON each line is a document: `log`, whose it is, and its keys with their values; `line` of one without any.

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
    write: dict[Path, Callable[[str], object]] = {
        path: _Documents(path.stem).write if as_json else sys.stdout.write for path in found
    }
    for path, file in files.items():
        write[path]("".join(deque(file, maxlen=line_count)))
    while is_following:
        sys.stdout.flush()
        time.sleep(FOLLOW_S)
        for path, file in files.items():
            write[path](file.read())
            if (fresh := _successor(path, file)) is not None:
                write[path](file.read() + fresh.read())  # the last lines of the old one, for nothing follows them
                file.close()
                files[path] = fresh
    for file in files.values():
        file.close()


class _Documents:
    """Prints what is added to a log, a document for each line that is whole."""

    def __init__(self, log: str) -> None:
        self._log = log
        self._begun = ""

    def write(self, text: str) -> None:
        """Take what comes next of the log."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            print(json.dumps({"log": self._log, **_fields(line)}))


def _fields(line: str) -> dict[str, Any]:
    """Return the keys of a line with their values; of one that is not ours, as of a traceback, the `line` itself."""
    if line.startswith("{"):  # an alert
        with suppress(ValueError):
            told: dict[str, Any] = json.loads(line)
            return told
    if not line.startswith("timestamp="):
        return {"line": line}
    return {name: _value(text) for name, text in _PAIR.findall(line)}


def _value(text: str) -> Any:
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return found if isinstance(found, str | int | float | None) else text


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

"""The desk's alerts for a screen: those that stand, and the last that were told, as its supervisor has written them."""

import json
import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from desk.alerts.desk_alerts import FILE, read_told
from market.exact_json import JsonObject

LOG: Final = "alerts.log"
LAST_MAX: Final = 50
_OF_A_FILL: Final = b'"severity": "info"'  # as no text has it: quotes within one are escaped
_Mark = tuple[int, int, int] | None


class ToldAlerts:
    """Those of the desk in `run_dir`; its files are read when they have changed."""

    def __init__(self, run_dir: Path) -> None:
        self._paths = run_dir / FILE, run_dir / "logs" / LOG
        self._log = _EndOfLog(self._paths[1])
        self._marks: Sequence[_Mark] = ()
        self._value: JsonObject = {"standing": [], "last": []}

    def look(self) -> JsonObject:
        """Return `standing` (key, severity, text) and `last`, newest first: what began, ended, happened; no fills.

        A file that cannot be read is said so in `last`, and tried again the next time.
        """
        try:
            marks = [_mark_of(path) for path in self._paths]
            if marks != self._marks:
                told = read_told(self._paths[0]).values()
                standing = [{"key": each.key, "severity": each.severity, "text": each.text} for each in told]
                self._value = {"standing": standing, "last": self._log.look()}
                self._marks = marks
        except OSError as error:
            said = _event(f"what the desk has told cannot be read: {error.strerror or error}: {error.filename}")
            if self._value["last"] != [said]:
                self._value = {"standing": [], "last": [said]}
            self._marks = ()
        return self._value


def tail_of(path: Path, bytes_max: int, lines_max: int) -> list[str]:
    """Return the last lines of a log, oldest first; of a line that begins before `bytes_max` from its end nothing.

    Raises:
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - bytes_max)
        file.seek(start)
        lines = file.read(bytes_max).decode(errors="replace").split("\n")
    return [line for line in lines[1 if start else 0 :] if line][-lines_max:]


class _EndOfLog:
    """The last events of a log, fills left out: however many of these came since. It is read on where that ended."""

    def __init__(self, path: Path) -> None:
        self._paths = path.with_name(f"{path.name}.1"), path  # a long one is put aside, and another one begun
        self._inode = self._place = 0
        self._events: deque[JsonObject] = deque(maxlen=LAST_MAX)

    def look(self) -> list[JsonObject]:
        """Return them, newest first.

        Raises:
            OSError: if it cannot be read; what is just being put aside is read the next time.
        """
        marks = map(_mark_of, self._paths)
        inodes = [0 if mark is None else mark[0] for mark in marks]
        for path in self._paths[inodes.index(self._inode) if self._inode in inodes else 0 :]:
            with suppress(FileNotFoundError), path.open("rb") as file:
                found = os.fstat(file.fileno())
                is_same = found.st_ino == self._inode and found.st_size >= self._place
                place = self._place if is_same else 0
                file.seek(place)
                whole, end, _ = file.read().rpartition(b"\n")  # the rest of a line that is being written comes later
                self._inode, self._place = found.st_ino, place + len(whole) + len(end)
                lines = (line for line in whole.split(b"\n") if line and _OF_A_FILL not in line)
                self._events.extend(_event(line.decode(errors="replace")) for line in lines)
        return [*reversed(self._events)]


def _event(line: str) -> JsonObject:
    """Return a line of the log; one that is no alert says itself that something was not written."""
    try:
        event: Any = json.loads(line)
    except ValueError:
        event = None
    if isinstance(event, dict) and {"time", "state", "severity", "text"} <= event.keys():
        return {name: event[name] for name in ("time", "state", "severity", "text")}
    return {"time": None, "state": "happens", "severity": "warning", "text": line[:400]}


def _mark_of(path: Path) -> _Mark:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns

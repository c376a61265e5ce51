"""The desk's alerts for a screen: those that stand, and the last that were told, as its supervisor has written them."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from desk.alerts.desk_alerts import FILE, read_told
from market.exact_json import JsonObject

LOG: Final = "alerts.log"
TAIL_BYTES: Final = 64 << 10  # of the log that are looked at
LAST_MAX: Final = 50
_Mark = tuple[int, int, int] | None


class ToldAlerts:
    """Those of the desk in `run_dir`; its files are read when they have changed."""

    def __init__(self, run_dir: Path) -> None:
        self._paths = run_dir / FILE, run_dir / "logs" / LOG
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
                self._value = {"standing": standing, "last": _last(self._paths[1])}
                self._marks = marks
        except FileNotFoundError:
            self._marks = ()  # the log is just being put aside
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


def _last(path: Path) -> list[JsonObject]:
    if _mark_of(path) is None:
        return []
    found = [_event(line) for line in tail_of(path, TAIL_BYTES, TAIL_BYTES)]
    return [each for each in reversed(found) if each["severity"] != "info"][:LAST_MAX]


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

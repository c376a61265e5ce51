"""The journal of decisions in the run directory: `decisions_YYYYMMDD.jsonl`, a file for each UTC day.

One JSON object a line, oldest first: `time` (UTC), `symbol`, `side`, `action`, `price`, `qty`, `client_order_id`,
`rule`, `why`, `numbers`, `level`, `model`. What an action has not is null; prices and quantities are exact. A crash may
cut a line. Files of former versions lack the last two.
"""

import contextlib
import os
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO, Final

from market.clock import NS_PER_MS, iso_time, utc_date
from market.exact_json import JsonObject, dumps, loads
from reports.trade_history import Placing

DAYS_MAX: Final = 14  # of which files are kept
DAY_SIZE_MAX: Final = 64 * 1024 * 1024  # of a day's file; some 250,000 decisions
_NAMES: Final = frozenset(
    ("time", "symbol", "side", "action", "price", "qty", "client_order_id", "rule", "why", "numbers")
)
_TAIL_SIZE: Final = 512 * 1024  # what is read for the last ones
_CANCEL_MS: Final = 600_000  # before a fill, in which its order's cancel is looked for
_OF_ORDERS: Final = ("place", "cancel", "amend")
_FATES: Final = ("cancel", "kept")  # an order is to go, and stands all the same
_ENDS: Final = (*_FATES, "ended")
_AROUND_MS: Final = 60_000  # by which the time of an order may be another one than that of its decision


def decisions_path(run_dir: Path, day: date) -> Path:
    """Return where the decisions of a UTC day are."""
    return run_dir / f"decisions_{day:%Y%m%d}.jsonl"


def last_decisions(run_dir: Path, count: int) -> list[JsonObject]:
    """Return the last decisions, oldest first: `count` at most, of the newest day that has any; no cut line.

    Raises:
        OSError: if the file cannot be read.
    """
    paths = _paths(run_dir)
    if not paths:
        return []
    with paths[-1].open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_SIZE))
        lines = file.read().split(b"\n")[1 if size > _TAIL_SIZE else 0 :]
    found = [each for line in lines if (each := _decision(line)) is not None]
    return found[max(0, len(found) - count) :]


def is_decision(told: JsonObject) -> bool:
    """Say whether a line has all that a decision has: anybody may have written it."""
    texts = (told.get(name) for name in ("time", "symbol", "action", "rule", "why"))
    return told.keys() >= _NAMES and all(isinstance(text, str) for text in texts) and isinstance(told["numbers"], dict)


def decision_days(run_dir: Path) -> list[date]:
    """Return the days that have a file, oldest first."""
    return [day for path in _paths(run_dir) if (day := _day_of(path)) is not None]


def decisions_from(run_dir: Path, day: date, start: int) -> tuple[list[JsonObject], int]:
    """Return the decisions of a day from a byte of its file on, and the byte after the last one.

    Not all at once: what 512 KiB hold, and none of a line that is not whole yet. A file that is shorter than `start` is
    another one than it was, and is read from its first byte.

    Raises:
        OSError: if the file cannot be read.
    """
    with decisions_path(run_dir, day).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = start if start <= size else 0
        file.seek(start)
        content = file.read(_TAIL_SIZE)
    lines, _, rest = content.rpartition(b"\n")
    if len(rest) == _TAIL_SIZE:
        return [], start + _TAIL_SIZE  # no decision is that long: what is left of the line is none, either
    found: list[JsonObject] = []
    for line in lines.split(b"\n"):
        with contextlib.suppress(ValueError):  # cut by a crash, or by a full disk
            found.append(loads(line))
    return found, start + len(lines) + bool(lines)


def decided_ns(run_dir: Path, day: date, symbol: str) -> list[int]:
    """Return when anything was decided of orders in a pair on a day, ns since 1970 UTC to the ms, oldest first.

    Raises:
        OSError: if the file cannot be read.
    """
    path = decisions_path(run_dir, day)
    if not path.exists():
        return []
    found = []
    for line in path.read_bytes().split(b"\n"):
        told = _decision(line)
        if told and told.get("symbol") == symbol and told.get("action") in _OF_ORDERS and _is_moment(_time_of(told)):
            found.append(round(datetime.fromisoformat(_time_of(told)).timestamp() * 1_000) * NS_PER_MS)
    return sorted(found)


def decisions_until(run_dir: Path, time_ns: int) -> list[JsonObject]:
    """Return decisions of until a time, ns since 1970 UTC, oldest first: some hundreds of the last ones.

    A line that is cut, or no decision, is left out.

    Raises:
        OSError: if a file cannot be read.
    """
    until = iso_time(time_ns // NS_PER_MS)
    day = utc_date(time_ns)
    for path in reversed([each for each in _paths(run_dir) if each.name <= decisions_path(run_dir, day).name]):
        with path.open("rb") as file:
            end = _end_of(file, until)
            file.seek(max(0, end - _TAIL_SIZE))
            lines = file.read(min(end, _TAIL_SIZE)).split(b"\n")[1 if end > _TAIL_SIZE else 0 :]
        if found := [each for line in lines if (each := _decision(line)) is not None and is_decision(each)]:
            return found
    return []


def placing_of(run_dir: Path, client_order_id: str, time_ms: int) -> Placing | None:
    """Return what an order was placed for that was entered at a time, ms since 1970 UTC; None if no file has it.

    It is looked for a minute around that time, which costs the same however long the day is, and if it is not there in
    all of the day: a clock may have been set meanwhile.

    Raises:
        OSError: if a file cannot be read.
    """
    times = [iso_time(time_ms + each) for each in (-_AROUND_MS, _AROUND_MS)]
    days = sorted({utc_date((time_ms + each) * NS_PER_MS) for each in (-_AROUND_MS, _AROUND_MS)}, reverse=True)
    files = [path for day in days if (path := decisions_path(run_dir, day)).exists()]
    name = _name_of(client_order_id)
    for first, last in (times, (None, None)):
        for path in files:
            with path.open("rb") as file:
                start = 0 if first is None else _end_of(file, first)
                end = file.seek(0, os.SEEK_END) if last is None else _end_of(file, last)
                file.seek(start)
                text = file.read(end - start)
            if (found := _placing_in(text, name)) is not None:
                return found
    return None


def was_cancelled(run_dir: Path, client_order_id: str, until_ms: int) -> bool:
    """Say whether the cancel of an order had been sent in the ten minutes until a time, ms since 1970 UTC.

    One that was not carried out by then, as far as the maker knew, is none. It costs the same however long the day is,
    and however long the order had stood.

    Raises:
        OSError: if a file cannot be read.
    """
    first, last = iso_time(until_ms - _CANCEL_MS), iso_time(until_ms)
    name = _name_of(client_order_id)
    days = sorted({utc_date(time_ms * NS_PER_MS) for time_ms in (until_ms - _CANCEL_MS, until_ms)}, reverse=True)
    for path in [path for day in days if (path := decisions_path(run_dir, day)).exists()]:
        with path.open("rb") as file:
            start, end = _end_of(file, first), _end_of(file, last)
            file.seek(start)
            told = list(_about(file.read(max(0, end - start)), name))
        fates = [each["action"] for each in told if each.get("action") in _FATES and _time_of(each) <= last]
        if fates:
            return bool(fates[-1] == "cancel")
    return False


def last_end(run_dir: Path, client_order_id: str, since_ms: int) -> JsonObject | None:
    """Return the last decision that an order is to go or has ended, of one that was entered at a time, ms since 1970.

    None if there is none, or if it stood all the same.

    Raises:
        OSError: if a file cannot be read.
    """
    since_ms -= _AROUND_MS
    oldest = decisions_path(run_dir, utc_date(since_ms * NS_PER_MS))
    for path in reversed([each for each in _paths(run_dir) if each.name >= oldest.name]):
        with path.open("rb") as file:
            file.seek(_end_of(file, iso_time(since_ms)))
            told = [each for each in _about(file.read(), _name_of(client_order_id)) if each.get("action") in _ENDS]
        if told:
            return None if told[-1]["action"] == "kept" else told[-1]
    return None


def decisions_of(run_dir: Path, client_order_id: str) -> list[JsonObject]:
    """Return all decisions about an order, oldest first; none if no file that is kept has any.

    Files are looked through from the newest one back, to the one that tells why it was placed.

    Raises:
        OSError: if a file cannot be read.
    """
    found: list[JsonObject] = []
    for path in reversed(_paths(run_dir)):
        told = _about(path.read_bytes(), _name_of(client_order_id))
        found = [*(each for each in told if is_decision(each) and _is_moment(each["time"])), *found]
        if found and found[0]["action"] == "place":
            break
    return found


def _placing_in(text: bytes, name: bytes) -> Placing | None:
    """Return what the last line with a name and the action `place` tells."""
    placed = [told for told in _about(text, name) if told.get("action") == "place"]
    return Placing(placed[-1]["rule"], placed[-1].get("level"), placed[-1].get("model")) if placed else None


def _name_of(client_order_id: str) -> bytes:
    """Return how an order stands in a line about it."""
    return f'"client_order_id": {dumps(client_order_id)}'.encode()


def _about(text: bytes, name: bytes) -> Iterator[JsonObject]:
    """Yield what the lines with a name tell, in their order; one that is cut is left out."""
    at = text.find(name)
    while at >= 0:
        start, end = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at)
        end = end if end >= 0 else len(text)
        told = _decision(text[start:end])
        if told is not None:
            yield told
        at = text.find(name, end)


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _end_of(file: BinaryIO, until: str) -> int:
    """Return the offset of the first line that is later than a time: lines stand in its order, but for cut ones."""
    low, high = 0, file.seek(0, os.SEEK_END)
    while low < high:
        middle = (low + high) // 2
        file.seek(middle)
        start = middle + (len(file.readline()) if middle else 0)
        file.seek(start)
        line = file.readline()
        while line and (decision := _decision(line)) is None:  # cut
            line = file.readline()
        if line and decision is not None and _time_of(decision) <= until:
            low = file.tell()
        else:
            high = middle
    file.seek(low)  # the halves looked behind this line, not at it
    for line in file:
        if (decision := _decision(line)) is not None and _time_of(decision) > until:
            break
        low += len(line)
    return low


def _decision(line: bytes) -> JsonObject | None:
    with contextlib.suppress(ValueError):  # cut by a crash, or by a full disk
        found: JsonObject = loads(line)
        return found if isinstance(found, dict) else None
    return None


def _time_of(decision: JsonObject) -> str:
    time = decision.get("time")
    return time if isinstance(time, str) else ""


class DecisionsFile:
    """Writes it. Nothing waits for the disk: what was told last may be lost with the machine, not with the process.

    Attributes:
        lost_count: decisions that the disk did not take, or that were beyond the most of a day.
    """

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._day: date | None = None
        self.lost_count = 0

    def write(self, decisions: list[JsonObject], now_ns: int) -> None:
        """Add decisions of now, ns since 1970 UTC, to the file of the day.

        Raises:
            OSError: if the disk does not take them, or the day has too many; then they are lost.
        """
        day = utc_date(now_ns)
        lines = "".join(f"{dumps(each)}\n" for each in decisions).encode()
        try:
            if day != self._day:
                self._forget_old(day)
            self._append(decisions_path(self._run_dir, day), lines)
        except OSError:
            self.lost_count += len(decisions)
            raise

    def _append(self, path: Path, lines: bytes) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                lines = b"\n" + lines  # the last one was cut
            if size + len(lines) > DAY_SIZE_MAX:
                raise OSError(f"{path.name} has {DAY_SIZE_MAX} bytes, the most of a day")
            written = os.write(descriptor, lines)
            if written < len(lines):
                raise OSError(f"{path.name}: the disk took {written} of {len(lines)} bytes")
        finally:
            os.close(descriptor)

    def _forget_old(self, day: date) -> None:
        """Remove the files of the days that are too old, when one begins."""
        others = [path for path in _paths(self._run_dir) if path != decisions_path(self._run_dir, day)]
        for path in others[: -DAYS_MAX + 1]:
            path.unlink(missing_ok=True)
        self._day = day


def _paths(run_dir: Path) -> list[Path]:
    """Return the files that there are, oldest first; 20251332 is no day, and somebody else's."""
    return [path for path in sorted(run_dir.glob(f"decisions_{'[0-9]' * 8}.jsonl")) if _day_of(path) is not None]


def _day_of(path: Path) -> date | None:
    with contextlib.suppress(ValueError):
        return date.fromisoformat(path.stem.rpartition("_")[2])
    return None

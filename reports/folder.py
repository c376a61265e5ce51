"""The folder of daily files: written whole or not at all, read with a clear word on what is damaged, never lost."""

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

from market.collecting import uncollected
from market.exact_json import JsonObject
from market.lock import lock_folder
from market.mendable import MendableError
from market.whole_file import make_folder, sync_folder, write_whole
from reports.checking import checked_book
from reports.daily_file import FILE_BYTES_MAX, SealedHistory, decode, decode_sealed, encode
from reports.day_book import DayBook
from reports.kinds import check_kinds
from reports.pnl import TRIPS_KEPT

T = TypeVar("T")

_FILE_NAME = re.compile(r"performance_([0-9]{8})\.json", re.ASCII)
_LOCK_S_MAX: Final = 5.0
_ASIDE_MAX: Final = 10_000
MADE_AGAIN_BYTES: Final = 750_000  # of the newest files of several days: a week of 200 trades a day

FileMark = tuple[int, int, int]  # inode, size, time of the last change in ns


class DamagedReportError(MendableError):
    """A daily file that does not hold a daily document; the message names the file and what is wrong with it."""

    def __init__(self, path: Path, reason: str) -> None:
        """Say what is wrong with the file at `path`."""
        super().__init__(f"{path} is damaged: {reason}")
        self.path, self.reason = path, reason


class FolderBusyError(MendableError):
    """Another process keeps the folder to itself for longer than writing a file takes."""


class ReportsFolder:
    """The daily files of one desk, `performance_YYYYMMDD.json`, one for each UTC day."""

    def __init__(self, path: Path, tell: Callable[[int, int], None] = lambda _done, _all: None) -> None:
        """Use the folder at `path`; it is made when first written to.

        Args:
            tell: told while several days are read, after each how many are, and of how many.
        """
        self.path = path
        self._tell = tell

    def file_of(self, day: date) -> Path:
        """Return where the file of `day` is or would be."""
        return self.path / f"performance_{day:%Y%m%d}.json"

    def days(self) -> list[date]:
        """Return the days that have a file, oldest first."""
        if not self.path.is_dir():
            return []
        days = (_day_of(entry.name) for entry in self.path.iterdir())
        return sorted(day for day in days if day is not None)

    def read(self, day: date) -> JsonObject | None:
        """Return the document of `day`, or None if there is no file.

        Raises:
            DamagedReportError: if the file does not hold the document of `day`.
            OSError: if it cannot be read.
        """
        found = self.read_book(day)
        return None if found is None else found[0]

    def read_book(
        self, day: date, *, is_sealed: bool = False, trips_kept: int | None = TRIPS_KEPT
    ) -> tuple[JsonObject, DayBook | None] | None:
        """Return what `read` does, with the book that the document was checked by; none of one by other hands.

        Args:
            is_sealed: whether `trade_history` may be a `SealedHistory`: who looks at the book alone need not hold all
                entries of a long day, too.
            trips_kept: as `DayBook` has it.

        Raises:
            DamagedReportError, OSError: as `read`.
        """
        path, content = self.file_of(day), self._content(day)
        if content is None:
            return None
        try:
            with uncollected():
                document = decode_sealed(content, day) or decode(content, day)
                del content  # of a long day as much as a tenth of all that its reader holds
                if not is_sealed and isinstance(document.get("trade_history"), SealedHistory):
                    document["trade_history"] = list(document["trade_history"])
                book = checked_book(document, trips_kept)
        except ValueError as error:
            raise DamagedReportError(path, str(error)) from error
        return document, book

    def read_shown(
        self, day: date, trips_kept: int | None = TRIPS_KEPT
    ) -> tuple[JsonObject | None, DayBook | None, str | None]:
        """Return the document of `day`, its `trade_history` sealed where it can be, its book, and why it is damaged.

        A file that cannot be read counts as damaged; of no file all three are None. `trips_kept` as `DayBook` has it.
        """
        found, damaged = _each_read([day], lambda one: self.read_book(one, is_sealed=True, trips_kept=trips_kept))
        document, book = found.get(day, (None, None))
        return document, book, damaged.get(day)

    def read_days(self, last: date, count: int) -> tuple[dict[date, JsonObject], dict[date, str]]:
        """Return the documents of the `count` days that end with `last`, and why those that are damaged are so.

        A file that cannot be read counts as damaged.
        """
        return _each_read(
            self._told(count, (last - timedelta(days=back) for back in reversed(range(count)))), self.read
        )

    def read_sums(
        self, last: date, count: int, known: Mapping[date, JsonObject] = MappingProxyType({})
    ) -> tuple[dict[date, JsonObject], dict[date, str]]:
        """Return what `read_days` does, in a fraction of its time: for what is told of many days together.

        All figures are made again of the newest days, as long as their files have together at most `MADE_AGAIN_BYTES`.
        Of those before, the checksum says that a file is what was written, and its `trade_history` is a
        `SealedHistory`; one without a right checksum, or in another layout, is read as the newest are.

        Args:
            known: documents that were read already.
        """
        left = MADE_AGAIN_BYTES

        def read(day: date) -> JsonObject | None:
            nonlocal left
            if day in known:
                return known[day]
            left -= 0 if (mark := self.mark_of(day)) is None else mark[1]
            return self.read(day) if left >= 0 else self._read_sealed(day)

        documents, damaged = _each_read(self._told(count, (last - timedelta(days=back) for back in range(count))), read)
        return {day: documents[day] for day in sorted(documents)}, {day: damaged[day] for day in sorted(damaged)}

    def _told(self, count: int, days: Iterable[date]) -> Iterator[date]:
        for done, day in enumerate(days, 1):
            yield day
            self._tell(done, count)

    def write(self, day: date, document: JsonObject) -> Path:
        """Replace the file of `day`: a reader, and a crash at any moment, finds the old one or the new one whole.

        The caller holds `locked`: the temporary file has one name, so that a crash leaves at most one behind.

        Raises:
            OSError: if the disk does not take it; the old file stays.
        """
        return self.write_bytes(day, encode(document))

    def write_bytes(self, day: date, content: bytes) -> Path:
        """Do what `write` does, with a document that is encoded already."""
        path = self.file_of(day)
        write_whole(path, content)
        return path

    def mark_of(self, day: date) -> FileMark | None:
        """Return what tells the file of `day` from every other one that stood there, None if there is none.

        Raises:
            OSError: if that cannot be found out.
        """
        try:
            found = self.file_of(day).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def keep_aside(self, day: date, why: str) -> Path:
        """Give the file of `day` a name of its own, `performance_YYYYMMDD.WHY-1.json`, and return it.

        The caller holds `locked`.
        """
        aside = self._free_name(day, why)
        self.file_of(day).rename(aside)
        sync_folder(self.path)
        return aside

    def keep_also_as(self, day: date, why: str) -> Path:
        """Copy the file of `day` to a name as in `keep_aside`, and return it; `write` then replaces the first.

        So a crash between the two leaves the file as it was, and the next try finds the copy there. A second name for
        the same file would not do: of a symbolic link it is a link again, and not every disk has such names.

        The caller holds `locked`.

        Raises:
            OSError: if the disk does not take it; nothing is left then.
        """
        content = self.file_of(day).read_bytes()
        aside = self._free_name(day, why)
        number = int(aside.stem.rpartition("-")[2]) - 1
        last = aside.with_name(f"{aside.stem.rpartition('-')[0]}-{number}.json")
        if number and last.read_bytes() == content:
            return last
        write_whole(aside, content)
        return aside

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from changing the folder meanwhile; it is made if there is none.

        The kernel lets go of the lock when the process dies, and no lock file is left.

        Raises:
            FolderBusyError: if another process has not let go within 5 s.
        """
        make_folder(self.path)
        try:
            folder = lock_folder(self.path, _LOCK_S_MAX)
        except BlockingIOError as error:
            raise FolderBusyError(f"{self.path} is being written by another process for more than 5 s") from error
        try:
            yield
        finally:
            os.close(folder)

    def _content(self, day: date) -> bytes | None:
        """Return the bytes of the file of `day`, None if there is none.

        Raises:
            DamagedReportError: if they are more than a day can have.
            OSError: if it cannot be read.
        """
        path = self.file_of(day)
        try:
            with path.open("rb") as file:
                content = file.read(FILE_BYTES_MAX + 1)
        except FileNotFoundError:
            return None
        if len(content) > FILE_BYTES_MAX:
            raise DamagedReportError(path, f"expected at most {FILE_BYTES_MAX} bytes")
        return content

    def _read_sealed(self, day: date) -> JsonObject | None:
        """Return the document of `day` by its checksum alone; by its trades, as `read`, where that is not enough."""
        content = self._content(day)
        document = None if content is None else decode_sealed(content, day)
        if document is None:
            return self.read(day)
        try:
            check_kinds(document)
        except ValueError as error:
            raise DamagedReportError(self.file_of(day), str(error)) from error
        return document

    def _free_name(self, day: date, why: str) -> Path:
        names = (self.file_of(day).with_suffix(f".{why}-{number}.json") for number in range(1, _ASIDE_MAX))
        return next(name for name in names if not name.exists())


def _each_read(days: Iterable[date], read: Callable[[date], T | None]) -> tuple[dict[date, T], dict[date, str]]:
    documents: dict[date, T] = {}
    damaged: dict[date, str] = {}
    for day in days:
        try:
            document = read(day)
        except DamagedReportError as error:
            damaged[day] = error.reason
        except OSError as error:
            damaged[day] = f"cannot be read: {error.strerror or error}"
        else:
            if document is not None:
                documents[day] = document
    return documents, damaged


def _day_of(name: str) -> date | None:
    """Return the day that a file's name says, or None if it is no daily file's name."""
    match = _FILE_NAME.fullmatch(name)
    with contextlib.suppress(ValueError):  # 20251332 is no day
        return date.fromisoformat(match[1]) if match else None
    return None

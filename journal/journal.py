"""A journal: what its owner was told, on disk before it acts, so that it can be told again after a restart.

A batch of everything that waits is one write. The first thing that goes wrong is the last thing that the journal does:
after a failed write nobody knows what the file holds, and after a failed sync the kernel may have dropped what it could
not write, so that a second one "succeeds" (A. Rebello et al., Can Applications Recover from fsync Failures?, USENIX ATC
2020).
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, NamedTuple, NoReturn

from journal.format import (
    HEADER_SIZE,
    PREFIX_SIZE,
    FileHeader,
    JournalBusyError,
    JournalError,
    JournalMode,
    R,
    Schema,
    read_prefix,
)
from journal.reader import JournalReader, LastRecord, Place, TornTail
from journal.replay import Replay, replay
from market.clock import NS_PER_MS, monotonic_ns
from market.limits import JOURNAL_FILE_BYTES_MAX, JOURNAL_FILES_MAX
from market.lock import lock_folder
from market.whole_file import make_folder

_CLOSED: Final = -1


class LentFile(NamedTuple):
    """Where records are written in our place: a descriptor, below 0 in mode `none`; its size, and the most."""

    descriptor: int
    size: int
    size_max: int


class Journal(Generic[R]):
    """The journal of one owner: `recover` once, then `append` before every act.

    Args:
        folder: where the files are; it is made if there is none. One process at a time keeps it.
        schema: of its records.
        figures: the owner's, for the header; with others it would make something else of the same records.
        epoch: of this life of the owner.
        mode: when a command that was appended may be acknowledged.
        group_ns: in mode `group`, the longest that a record waits for the disk.
        file_bytes_max: the size of a file that the next record would exceed begins the next file.

    Attributes:
        folder: where the files are.
        figures: the owner's.
        sequence: of the last record that was appended.
        synced_sequence: of the last record that the disk is known to have.
        last: that record's place, size and CRC, None before the first one.

    Raises:
        JournalBusyError: if another process keeps the journal.
        JournalError: if the folder cannot be had.
    """

    def __init__(
        self,
        folder: Path,
        schema: Schema[R],
        figures: tuple[int, ...],
        epoch: int,
        mode: JournalMode = JournalMode.WRITE,
        group_ns: int = 5 * NS_PER_MS,
        file_bytes_max: int = JOURNAL_FILE_BYTES_MAX,
    ) -> None:
        file_bytes_min = HEADER_SIZE + schema.record_size_max
        if not file_bytes_min <= file_bytes_max <= JOURNAL_FILE_BYTES_MAX:
            limits = f"{file_bytes_min} to {JOURNAL_FILE_BYTES_MAX}"
            raise ValueError(f"file_bytes_max must be {limits}, was {file_bytes_max}")
        if group_ns < 0:
            raise ValueError(f"group_ns must not be negative, was {group_ns}")
        self.mode = mode
        self._is_synced = mode.is_synced
        self.sequence = 0
        self.synced_sequence = 0
        self.last: LastRecord | None = None
        self.folder = folder
        self._schema = schema
        self.figures = figures
        self._epoch = epoch
        self._group_ns = group_ns
        self._file_bytes_max = file_bytes_max
        self._path = folder
        self._number = 0
        self._first_number = 1  # no file is before it
        self._file = _CLOSED
        self._file_size = 0
        self._failure = ""
        self._is_recovered = False
        self._unsynced_since_ns: int | None = None
        self._lock = _CLOSED if mode is JournalMode.NONE else _locked(folder)

    def __enter__(self) -> "Journal[R]":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def acknowledged_sequence(self) -> int:
        """The sequence up to which records may be acknowledged; it rises with `append` or `sync`, as the mode says."""
        return self.synced_sequence if self._is_synced else self.sequence

    def sync_due(self, now_ns: int) -> bool:
        """Return whether a record has waited for the disk as long as it may: call `sync`."""
        return self._unsynced_since_ns is not None and now_ns - self._unsynced_since_ns >= self._group_ns

    def recover(
        self,
        take: Callable[[int, R], None],
        tell: Callable[[Replay], None] | None = None,
        clock: Callable[[], int] = monotonic_ns,
        after: LastRecord | None = None,
    ) -> Replay:
        """Give all that was journaled to `take`, cut off a torn tail, and make ready to append.

        Args:
            take: is given each record with its sequence.
            tell: is told how far it has come.
            clock: monotonic, ns.
            after: what a checkpoint stands behind; only what follows it is given.

        Raises:
            CorruptJournalError: naming file and offset; nothing was changed.
            JournalMismatchError: if the journal is of another version or has other figures; nothing was changed.
            JournalError: if a file cannot be read, cut or made; in mode `none`, if there is a journal: what it does not
                get to know would be missing in its next replay.
        """
        assert not self._is_recovered, "expected one call of recover"
        self._is_recovered = True
        try:
            if self.mode is JournalMode.NONE:
                return self._found_none()
            reader = JournalReader(self.folder, self._schema, self.figures)
            self.last = after
            done = replay(reader, take, tell, clock, after.place if after else None)
            self._prepare(reader)
        except OSError as error:
            self._fail(f"{error.filename or self.folder} cannot be recovered: {error.strerror}", error)
        except JournalError as error:
            self._failure = str(error)
            raise
        return done

    def append(self, records: Sequence[R], now_ns: int) -> int:
        """Write the records with one call of the kernel and return the sequence of the last one.

        Args:
            records: of all frames that were waiting; none is fine.
            now_ns: monotonic; what `sync_due` will be asked with.

        Raises:
            JournalError: if not all of it was written, and from then on always.
        """
        if self._file < 0:
            self._check_is_none()
            self.sequence += len(records)
            return self.sequence
        if not records:
            return self.sequence
        encode = self._schema.encode
        encoded_records = [encode(sequence, record) for sequence, record in enumerate(records, self.sequence + 1)]
        total = sum(map(len, encoded_records))
        if self._file_size > HEADER_SIZE and self._file_size + total > self._file_bytes_max:
            self._next_file()  # what is told together stays together, if a file can hold it
        batch: list[bytes] = []
        size = self._file_size
        for encoded in encoded_records:
            size += len(encoded)
            if size > self._file_bytes_max:
                self._write(b"".join(batch))
                self.sequence += len(batch)
                self._next_file()
                batch, size = [], self._file_size + len(encoded)
            batch.append(encoded)
        self._write(b"".join(batch))
        self.sequence += len(batch)
        crc, *_ = read_prefix(encoded)
        self.last = LastRecord(Place(self._number, self._file_size, self.sequence), len(encoded), crc)
        if self._is_synced:
            if self.mode is JournalMode.SYNC:
                self.sync()
            elif self._unsynced_since_ns is None:
                self._unsynced_since_ns = now_ns
        return self.sequence

    def lend(self) -> LentFile:
        """Return where records may be written in our place: until `take_back` nothing is to happen here.

        Raises:
            JournalError: if the journal takes nothing more.
        """
        assert not self._is_synced, f"expected a mode in which nobody waits for the disk, was {self.mode}"
        if self._file < 0:
            self._check_is_none()
        return LentFile(self._file, self._file_size, self._file_bytes_max)

    def take_back(self, sequence: int, size: int, last_size: int, last_crc: int) -> None:
        """Know what was written in our place: up to which record, how large the file is, and the last record."""
        self.sequence = sequence
        if self._file >= 0:
            self._file_size = size
            self.last = LastRecord(Place(self._number, size, sequence), last_size, last_crc)

    def fail_write(self, size: int, written: int) -> NoReturn:
        """Take nothing more: of `size` bytes so many were written in our place, or the call failed, error below 0.

        Raises:
            JournalError: always.
        """
        if written < 0:
            error = OSError(-written, os.strerror(-written))
            self._fail(f"{size} bytes could not be written to {self._path}: {error.strerror}", error)
        self._fail(f"expected {size} bytes to be written to {self._path}, were {written}")

    def sync(self) -> None:
        """Wait until the disk has all that was appended.

        Raises:
            JournalError: if it does not say so, and from then on always.
        """
        if self._file < 0:
            self._check_is_none()
            return
        try:
            os.fdatasync(self._file)
        except OSError as error:
            self._fail(f"fdatasync of {self._path} failed: {error.strerror}", error)
        self.synced_sequence = self.sequence
        self._unsynced_since_ns = None

    def close(self) -> None:
        """Sync what was appended, in whichever mode, and let another process keep the journal.

        Raises:
            JournalError: if the sync fails; all is closed nevertheless.
        """
        try:
            if self._file >= 0:
                self.sync()
        finally:
            self._failure = self._failure or "it is closed"
            self._file = _closed(self._file)
            self._lock = _closed(self._lock)

    def _check_is_none(self) -> None:
        """Let only mode `none` go on without an open file."""
        if self._failure:
            raise JournalError(f"the journal takes nothing more: {self._failure}")
        assert self._is_recovered, "expected recover before append"
        assert self.mode is JournalMode.NONE, f"expected an open file in mode {self.mode}"

    def _found_none(self) -> Replay:
        if paths := self._schema.files(self.folder):
            raise JournalError(f"expected no journal in mode none, was {paths[0]}: move {self.folder} away")
        return Replay(0, 0, 0, 0)

    def _prepare(self, reader: JournalReader[R]) -> None:
        """Begin a file of our own behind what was read; a file without records gives way to it."""
        self.sequence = reader.last_sequence
        if reader.torn_tail is not None:
            _cut(reader.torn_tail)
        if self.last is None or self.last.place != reader.place:
            self.last = _last_record(self.folder / self._schema.file_name(reader.place.number), reader)
        if self._is_synced:
            for file in reader.files:
                _sync_file(file.path)  # a former life may have been killed before its sync, or have had no need of one
        self._number = (reader.first_number + len(reader.files)) if reader.files else 1
        last = reader.files[-1] if reader.files else None
        if last is not None and (last.header is None or last.header.start_sequence > self.sequence):
            last.path.unlink()  # it has no record
            self._number -= 1
        self._begin_file()

    def _begin_file(self) -> None:
        if self._number - self._first_number >= JOURNAL_FILES_MAX:  # of those before it many may be pruned
            numbers = [self._schema.number_of(path) for path in self._schema.found(self.folder)]
            self._first_number = min(numbers, default=self._number)
            if self._number - self._first_number >= JOURNAL_FILES_MAX:
                self._fail(f"expected at most {JOURNAL_FILES_MAX} files in {self.folder}")
        header = FileHeader(self._epoch, self.sequence + 1, self._number, self.figures, self.mode, self._schema.version)
        self._path = self.folder / self._schema.file_name(self._number)
        try:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            if self._is_synced:
                os.fsync(self._lock)  # for the name of the file: the lock is the folder
        except OSError as error:
            self._fail(f"{self._path} cannot be made: {error.strerror}", error)
        self._file_size = 0
        self._write(self._schema.encode_header(header))
        if self._is_synced:
            self.sync()

    def _next_file(self) -> None:
        if self._is_synced:
            self.sync()  # else a power failure could leave the next file whole and this one not
        file, self._file = self._file, _CLOSED
        try:
            os.close(file)
        except OSError as error:
            self._fail(f"{self._path} could not be closed: {error.strerror}", error)
        self._number += 1
        self._begin_file()

    def _write(self, batch: bytes) -> None:
        try:
            size = os.write(self._file, batch)
        except OSError as error:
            self._fail(f"{len(batch)} bytes could not be written to {self._path}: {error.strerror}", error)
        if size != len(batch):
            self._fail(f"expected {len(batch)} bytes to be written to {self._path}, were {size}")
        self._file_size += size

    def _fail(self, why: str, cause: OSError | None = None) -> NoReturn:
        self._failure = why
        self._unsynced_since_ns = None
        self._file = _closed(self._file)
        raise JournalError(why) from cause


def _locked(folder: Path) -> int:
    """Return a descriptor of the folder that keeps others out; the kernel lets go whatever happens to us."""
    try:
        make_folder(folder)
        return lock_folder(folder)
    except BlockingIOError:
        raise JournalBusyError(f"another process keeps the journal in {folder}") from None
    except OSError as error:
        raise JournalError(f"{folder} must be a folder for the journal: {error.strerror}") from error


def _closed(descriptor: int) -> int:
    if descriptor >= 0:
        os.close(descriptor)
    return _CLOSED


def _last_record(path: Path, reader: JournalReader[R]) -> LastRecord | None:
    """Return the last record that was read, None if there is none."""
    if not reader.place.sequence:
        return None
    with path.open("rb") as file:
        crc, *_ = read_prefix(os.pread(file.fileno(), PREFIX_SIZE, reader.last_offset))
    return LastRecord(reader.place, reader.place.offset - reader.last_offset, crc)


def _cut(tail: TornTail) -> None:
    with tail.path.open("r+b") as file:
        file.truncate(tail.offset)
        os.fsync(file.fileno())


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())

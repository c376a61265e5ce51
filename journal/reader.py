"""Reads a journal from its first record to its last, and tells a torn tail from corruption.

A process that dies while it writes, and a disk that fills up, leave the beginning of a record at the end of the last
file: a torn tail, which was never acknowledged. Any other difference from what was written is corruption. So bytes that
are no record are a torn tail only if they are in the last file and no whole record follows them anywhere.
"""

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Generic, NamedTuple

import numpy as np

from journal.format import (
    HEADER_SIZE,
    PREFIX_SIZE,
    CorruptJournalError,
    FileHeader,
    JournalError,
    JournalMismatchError,
    R,
    Schema,
    read_prefix,
    record_crc,
)

UPGRADES: Final = "docs/journal.md, Upgrades"  # where a person finds how to go on
_BUFFER_SIZE: Final = 1 << 20
_WINDOW_SIZE: Final = 1 << 22  # of the search for a record after a bad one; a multiple of 8

_NoRecord = tuple[int, str]  # at which offset, and why


@dataclass(frozen=True, slots=True)
class TornTail:
    """Bytes at the end of the last file that are no whole record: `size` of them, from `offset` on."""

    path: Path
    offset: int
    size: int
    why: str

    def __str__(self) -> str:
        return f"{self.path} has a torn tail of {self.size} bytes at offset {self.offset}: {self.why}"


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file that was begun to be read; the header is None if the file ends before its header does."""

    path: Path
    size: int
    header: FileHeader | None


class Place(NamedTuple):
    """Behind a record: the number of its file, the offset of what follows there, and its sequence."""

    number: int
    offset: int
    sequence: int


class LastRecord(NamedTuple):
    """Where a journal ends: behind which record, and by which size and CRC that is known again."""

    place: Place
    size: int
    crc: int


class JournalReader(Generic[R]):
    """One reading of a journal; it changes nothing.

    Args:
        folder: of the journal; an absent one is a journal without records.
        schema: of its records.
        figures: of whom the records are for, None to take them from any.

    Attributes:
        files: those that were begun to be read.
        last_sequence: of the last record that was read, 0 before the first.
        place: behind the record that was yielded last.
        last_offset: where that record begins.
        torn_tail: known when `records` has ended.
    """

    def __init__(self, folder: Path, schema: Schema[R], figures: tuple[int, ...] | None = None) -> None:
        self.schema = schema
        self.files: list[OpenedFile] = []
        self.last_sequence = 0
        self.place = self._first = Place(1, HEADER_SIZE, 0)
        self.last_offset = HEADER_SIZE
        self.torn_tail: TornTail | None = None
        self._folder = folder
        self._figures = figures

    def records(self, after: Place | None = None) -> Iterator[tuple[int, R]]:
        """Yield every record with its sequence, in order; to be called once.

        Args:
            after: where an earlier reading of this journal has come to, or a checkpoint stands; what is before it is
                not looked at, and may be gone.

        Raises:
            CorruptJournalError: naming file and offset.
            JournalMismatchError: if a file has other figures, is of a later version, or of an earlier one with records.
            OSError: if a file cannot be read.
        """
        if after is not None:
            self.place, self._first, self.last_sequence = after, after, after.sequence
        paths = self.schema.files(self._folder, self._first.number)
        if paths and (number := self.schema.number_of(paths[0])) != self._first.number:
            missing = self._folder / self.schema.file_name(self._first.number)
            raise CorruptJournalError(missing, 0, f"the file is missing, the next is {self.schema.file_name(number)}")
        for path in paths:
            with path.open("rb", buffering=_BUFFER_SIZE) as file:
                size = os.fstat(file.fileno()).st_size
                no_record = yield from self._records_of(path, file, size)
                if no_record is not None:
                    offset, why = no_record
                    self._check_is_tail(path, file.fileno(), offset, size, why, is_last=path == paths[-1])
                    self.torn_tail = TornTail(path, offset, size - offset, why)

    @property
    def first_number(self) -> int:
        """The number of the first file that is read."""
        return self._first.number

    def beginning(self) -> Place:
        """Return where the first record begins that is there to be read: before it some may be pruned.

        Those of an earlier version are passed over: what they have led to, a checkpoint tells. If all are of one, it is
        where the first of them begins, and `records` says why they are not read.

        Raises:
            JournalError: if a file that is looked at is none.
            OSError: if it cannot be read.
        """
        first = Place(1, HEADER_SIZE, 0)
        for index, path in enumerate(self.schema.found(self._folder)):
            number = self.schema.number_of(path)
            with path.open("rb") as file:
                head = file.read(HEADER_SIZE)
            try:
                header = self.schema.decode_header(path, head)
            except JournalError:
                if index or number == 1:
                    break  # `records` says what it is
                raise
            place = Place(number, HEADER_SIZE, header.start_sequence - 1)
            if header.version == self.schema.version:
                return place
            first = first if index else place
        return first

    def _records_of(self, path: Path, file: BinaryIO, size: int) -> Generator[tuple[int, R], None, _NoRecord | None]:
        """Yield what follows a file's header; return where there is something else than a record, and why, if so."""
        schema, read = self.schema, file.read
        head_size, length_min, length_max = schema.head_size, schema.length_min, schema.length_max
        head = read(HEADER_SIZE)
        if len(head) < HEADER_SIZE:
            self.files.append(OpenedFile(path, size, None))
            return 0, f"the header has {HEADER_SIZE} bytes, were {len(head)}"
        number, offset = self._begin(path, size, schema.decode_header(path, head))
        file.seek(offset)
        while offset < size:
            head = read(head_size)
            if len(head) < head_size:
                return offset, f"a record has at least {head_size} bytes, were {size - offset}"
            crc, length, sequence = read_prefix(head)
            if not length_min <= length <= length_max:
                return offset, f"the length must be {length_min} to {length_max}, was {length}"
            payload = read(length - length_min)
            if len(payload) < length - length_min:
                return offset, f"{length} bytes must follow the sequence, were {size - offset - PREFIX_SIZE}"
            if record_crc(head, payload) != crc:
                return offset, f"the CRC must be {record_crc(head, payload):08x}, was {crc:08x}"
            if sequence != self.last_sequence + 1:
                why = f"the sequence must be {self.last_sequence + 1}, was {sequence}"
                raise CorruptJournalError(path, offset, why)
            try:
                record = schema.decode(head, payload)
            except ValueError as error:
                raise CorruptJournalError(path, offset, str(error)) from None
            self.last_offset, offset = offset, offset + PREFIX_SIZE + length
            self.place = Place(number, offset, sequence)
            yield sequence, record
            self.last_sequence = sequence
        return None

    def _begin(self, path: Path, size: int, header: FileHeader) -> tuple[int, int]:
        """Refuse a file that does not go on where the one before it ended, or is of another owner.

        Return its number and where to go on in it.
        """
        number, sequence = self._first.number + len(self.files), self.last_sequence + 1
        offset = HEADER_SIZE if self.files else self._first.offset
        self.files.append(OpenedFile(path, size, header))
        if header.number != number:
            raise CorruptJournalError(path, 0, f"its number must be {number} as in its name, was {header.number}")
        if header.start_sequence != sequence and offset == HEADER_SIZE:
            raise CorruptJournalError(path, 0, f"it must start with sequence {sequence}, was {header.start_sequence}")
        self._figures = header.figures if self._figures is None else self._figures
        self.schema.check_figures(path, header.figures, self._figures)
        if header.version != self.schema.version and size > offset:
            raise JournalMismatchError(
                f"{path} has records of version {header.version} behind offset {offset}, "
                f"of which this release, of version {self.schema.version}, would make something else: see {UPGRADES}"
            )
        return number, offset

    def _check_is_tail(self, path: Path, descriptor: int, offset: int, size: int, why: str, *, is_last: bool) -> None:
        """Refuse what begins at `offset`, which is no record, unless it can be a torn tail."""
        if not is_last:
            raise CorruptJournalError(path, offset, f"{why}; another file follows")
        good = _find_record(self.schema, descriptor, offset + 1, size, self.last_sequence)
        if good is not None:
            raise CorruptJournalError(path, offset, f"{why}; a good record follows at offset {good}")


def _find_record(schema: Schema[Any], descriptor: int, start: int, size: int, last_sequence: int) -> int | None:
    """Return where the first whole record at or after `start` begins, at any byte; None if there is none.

    A place is looked at closely only if a possible length and a possible sequence stand there: no sequence can be
    higher than if all of the bytes were the shortest records. That leaves so few places that the CRCs cost nothing.
    """
    sequence_max = last_sequence + 1 + (size - start) // schema.head_size
    for base in range(start, size, _WINDOW_SIZE):
        window = os.pread(descriptor, _WINDOW_SIZE + PREFIX_SIZE, base)
        for place in _likely_places(schema, window, size - base, sequence_max):
            if _is_record(schema, descriptor, base + place):
                return base + place
    return None


def _likely_places(schema: Schema[Any], window: bytes, size: int, sequence_max: int) -> list[int]:
    """Return where in the window a record may begin that ends within `size`, in order."""
    found: list[int] = []
    for shift in range(8):
        count = (len(window) - shift - PREFIX_SIZE) // 8 + 1
        if count < 1:
            break
        places = np.arange(shift, shift + 8 * count, 8)
        lengths = np.ndarray(count, "<u4", window, shift + 4, (8,)).astype(np.int64)
        sequences = np.ndarray(count, "<u8", window, shift + 8, (8,))
        is_likely = (sequences >= 1) & (sequences <= sequence_max)
        is_likely &= (lengths >= schema.length_min) & (lengths <= schema.length_max)
        is_likely &= places + PREFIX_SIZE + lengths <= size
        found += places[is_likely].tolist()
    return sorted(found)


def _is_record(schema: Schema[Any], descriptor: int, offset: int) -> bool:
    head = os.pread(descriptor, schema.head_size, offset)
    crc, length, _ = read_prefix(head)
    return record_crc(head, os.pread(descriptor, length - schema.length_min, offset + schema.head_size)) == crc

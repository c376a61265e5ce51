"""The bytes of a journal: file names, the header of a file, records, and what can be wrong with them.

A journal is a folder of files numbered from 1, each a header of 64 bytes and then records, all integers little endian.
A record is what came in one frame of the order link: the messages as the msgpack bytes that they came as, behind an
envelope that says where they stand. What the envelope holds is the owner's: a Schema. docs/journal.md shows the
engine's byte by byte.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from struct import Struct
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar
from zlib import crc32

from market.limits import BATCH_MESSAGES_MAX, FRAME_BYTES_MAX, JOURNAL_FILES_MAX
from market.mendable import MendableError

_HEADER = Struct("<8sII")  # magic, version, CRC of the rest
_HEADER_REST = Struct("<QQIIIIB7xQ")  # epoch, start sequence, number, three figures of the owner's, mode, one more
_FIGURES_MAX: Final = 4
HEADER_SIZE: Final = _HEADER.size + _HEADER_REST.size

_CRC = Struct("<I")
_pack_crc = _CRC.pack
_PLACE = Struct("<IQ")  # length of what follows the sequence, sequence
_pack_place = _PLACE.pack
PREFIX_SIZE: Final = _CRC.size + _PLACE.size


class JournalMode(StrEnum):
    """When a command that was appended may be acknowledged."""

    NONE = "none"  # at once: nothing is written
    WRITE = "write"  # once the kernel has it: a killed process loses nothing, a power failure may
    GROUP = "group"  # once the disk has it; one sync for all that came within some milliseconds
    SYNC = "sync"  # once the disk has it; a sync for every batch

    @property
    def is_synced(self) -> bool:
        """Whether acknowledgements wait for the disk."""
        return self in (JournalMode.GROUP, JournalMode.SYNC)


_MODE_BY_CODE: Final = dict(enumerate(JournalMode))
_CODE_BY_MODE: Final = {mode: code for code, mode in _MODE_BY_CODE.items()}


class JournalError(MendableError):
    """The journal cannot be kept or read; the text says what was expected and what was there."""


class JournalBusyError(JournalError):
    """Another process keeps this journal."""


class JournalMismatchError(JournalError):
    """The journal is of another version, or of an engine to which the same commands mean something else."""


class CorruptJournalError(JournalError):
    """Bytes of a journal are not what was written; `path` and `offset` say where."""

    def __init__(self, path: Path, offset: int, why: str) -> None:
        super().__init__(f"{path} is corrupt at offset {offset}: {why}")
        self.path = path
        self.offset = offset
        self.why = why


class FileHeader(NamedTuple):
    """The first bytes of a file.

    Attributes:
        epoch: of the life that wrote the file; each life begins a file of its own.
        start_sequence: of the file's first record.
        number: of the file, from 1.
        figures: the owner's.
        version: that its records were written under, at most the schema's.
    """

    epoch: int
    start_sequence: int
    number: int
    figures: tuple[int, ...]
    mode: JournalMode
    version: int


class Record(Protocol):
    """What came in one frame; a NamedTuple of the envelope's fields in their order, then the payload.

    Attributes:
        message_count: how many messages are in the frame.
        skip_count: how many of them, at the front, were had before.
    """

    @property
    def message_count(self) -> int: ...
    @property
    def skip_count(self) -> int: ...
    @property
    def payload(self) -> bytes: ...
    def __getitem__(self, index: slice, /) -> tuple[Any, ...]: ...


R = TypeVar("R", bound=Record)


class Schema(Generic[R]):
    """What the journal of one kind of owner holds.

    Args:
        message: what a record's messages are called; `command` makes files `commands-00000001.journal`.
        magic: the first 8 bytes of a file.
        version: of the format and of what the owner makes of a record: raised when either changes. Records of an
            earlier one are not read; an owner goes on from a checkpoint behind the last of them.
        record: made of the envelope's fields and the payload.
        envelope: its fields in the letters of `struct`.
        figures: names of the header's; whoever reads with other figures would make something else of the records. One
            of 0 is not known, and suits all.
    """

    def __init__(
        self,
        message: str,
        magic: bytes,
        version: int,
        record: Callable[..., R],
        envelope: str,
        figures: tuple[str, ...] = (),
    ) -> None:
        assert len(magic) == _HEADER.size - 8, magic
        assert len(figures) <= _FIGURES_MAX, figures
        self.message = message
        self.figures = figures
        self._magic = magic
        self.version = version
        self._record = record
        layout = Struct("<" + envelope)
        self._pack_envelope, self._unpack_envelope = layout.pack, layout.unpack_from
        self._file_name = re.compile(rf"{message}s-([0-9]{{8}})\.journal", re.ASCII)
        self.head_size: Final = PREFIX_SIZE + layout.size
        self.length_min: Final = layout.size
        self.length_max: Final = self.length_min + FRAME_BYTES_MAX
        self.record_size_max: Final = PREFIX_SIZE + self.length_max

    def file_name(self, number: int) -> str:
        """Return the name of the file with this number."""
        return f"{self.message}s-{number:08}.journal"

    def number_of(self, path: Path) -> int:
        """Return the number of a file, from its name."""
        found = self._file_name.fullmatch(path.name)
        assert found is not None, f"expected a file of the journal, was {path}"
        return int(found[1])

    def found(self, folder: Path) -> list[Path]:
        """Return the files of a journal that are there, in order, whatever is missing; none if there is no folder."""
        if not folder.is_dir():
            return []
        return sorted(path for path in folder.iterdir() if self._file_name.fullmatch(path.name))

    def files(self, folder: Path, first_number: int = 1) -> list[Path]:
        """Return the files of a journal from a number on, in order; none if there is no such folder.

        The first ones may have been pruned: who reads them begins behind a checkpoint.

        Raises:
            CorruptJournalError: if one is missing between others.
        """
        paths = [path for path in self.found(folder) if self.number_of(path) >= first_number]
        for number, path in enumerate(paths, self.number_of(paths[0]) if paths else 1):
            expected = folder / self.file_name(number)
            if path != expected:
                raise CorruptJournalError(expected, 0, f"the file is missing, the next is {path.name}")
        if len(paths) > JOURNAL_FILES_MAX:
            raise JournalError(f"expected at most {JOURNAL_FILES_MAX} files in {folder}, were {len(paths)}")
        return paths

    def encode_header(self, header: FileHeader) -> bytes:
        """Return the bytes of a header."""
        epoch, start_sequence, number, figures, mode, version = header
        padding = (0,) * (_FIGURES_MAX - len(figures))
        *first, last = *figures, *padding
        rest = _HEADER_REST.pack(epoch, start_sequence, number, *first, _CODE_BY_MODE[mode], last)
        return _HEADER.pack(self._magic, version, crc32(rest)) + rest

    def decode_header(self, path: Path, head: bytes) -> FileHeader:
        """Return the header that the first HEADER_SIZE bytes of a file hold.

        Raises:
            CorruptJournalError: if they hold none.
            JournalMismatchError: if it is of a later version.
        """
        if len(head) < HEADER_SIZE:
            raise CorruptJournalError(path, 0, f"the header has {HEADER_SIZE} bytes, were {len(head)}")
        magic, version, crc = _HEADER.unpack_from(head)
        if magic != self._magic:
            raise CorruptJournalError(path, 0, f"it must begin with {self._magic!r}, was {magic!r}")
        if version > self.version:
            raise JournalMismatchError(f"{path} must be of version {self.version} or before, was {version}")
        rest = head[_HEADER.size : HEADER_SIZE]
        if crc32(rest) != crc:
            raise CorruptJournalError(path, 0, f"the header's CRC must be {crc32(rest):08x}, was {crc:08x}")
        epoch, start_sequence, number, *figures, mode_code, last = _HEADER_REST.unpack(rest)
        if mode_code not in _MODE_BY_CODE:
            raise CorruptJournalError(path, 0, f"the mode must be at most {max(_MODE_BY_CODE)}, was {mode_code}")
        own_figures = (*figures, last)[: len(self.figures)]
        return FileHeader(epoch, start_sequence, number, own_figures, _MODE_BY_CODE[mode_code], version)

    def check_figures(self, path: Path, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
        """Refuse a file whose owner had other figures.

        Raises:
            JournalMismatchError: naming what differs.
        """
        for name, was, must in zip(self.figures, found, expected, strict=True):
            if was != must and was and must:
                raise JournalMismatchError(f"{path} must have {name} {must}, was {was}")

    def encode(self, sequence: int, record: R) -> bytes:
        """Return the bytes of a record."""
        payload = record.payload
        assert 0 <= record.skip_count < record.message_count <= BATCH_MESSAGES_MAX, (
            f"expected 0 <= skip < count <= {BATCH_MESSAGES_MAX}, was {record[:-1]}"
        )
        size = len(payload)
        assert size <= FRAME_BYTES_MAX, f"expected at most {FRAME_BYTES_MAX} bytes of messages, were {size}"
        rest = _pack_place(self.length_min + size, sequence) + self._pack_envelope(*record[:-1]) + payload
        return _pack_crc(crc32(rest)) + rest

    def decode(self, head: bytes, payload: bytes) -> R:
        """Return the record with this head and payload, whose CRC is right.

        Raises:
            ValueError: if its envelope is one that `encode` does not make.
        """
        record = self._record(*self._unpack_envelope(head, PREFIX_SIZE), payload)
        if not 0 <= record.skip_count < record.message_count <= BATCH_MESSAGES_MAX:
            counts = f"{record.skip_count} and {record.message_count}"
            raise ValueError(f"expected 0 <= skip < count <= {BATCH_MESSAGES_MAX}, was {counts}")
        return record


def read_prefix(head: bytes) -> tuple[int, int, int]:
    """Return the CRC, the length (of envelope and payload) and the sequence that a record begins with."""
    return *_CRC.unpack_from(head), *_PLACE.unpack_from(head, _CRC.size)


def record_crc(head: bytes, payload: bytes) -> int:
    """Return the CRC that a record with this head and payload must have."""
    return crc32(payload, crc32(memoryview(head)[_CRC.size :]))

"""The bytes of a journal: file names, the header of a file, records, and what can be wrong with them.

A journal is a folder of files numbered from 1, each a header of 64 bytes and then records, all integers little endian.
docs/journal.md shows both byte by byte. A record is what came in one frame of the order link: the commands as the
msgpack bytes that they came as, behind an envelope that says where they stand in their source's link.
"""

import re
import struct
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from engine.capacity import Capacity
from market.limits import BATCH_MESSAGES_MAX, FRAME_BYTES_MAX, JOURNAL_FILES_MAX

MAGIC: Final = b"TICKJRNL"
VERSION: Final = 1  # of the format and of the rules: also raised when the engine's answer to any command changes

_HEADER = struct.Struct("<8sII")  # magic, version, CRC of the rest
_HEADER_REST = struct.Struct("<QQIIIIB15x")  # epoch, start sequence, number, symbols, orders, pages, mode
HEADER_SIZE: Final = _HEADER.size + _HEADER_REST.size

_CRC = struct.Struct("<I")
_RECORD_REST = struct.Struct("<IQQQHHHxx")  # length, sequence; the envelope: time, first, source, count, skip
RECORD_HEAD_SIZE: Final = _CRC.size + _RECORD_REST.size
RECORD_PREFIX_SIZE: Final = 16  # CRC, length, sequence
ENVELOPE_SIZE: Final = RECORD_HEAD_SIZE - RECORD_PREFIX_SIZE
LENGTH_MAX: Final = ENVELOPE_SIZE + FRAME_BYTES_MAX
RECORD_SIZE_MAX: Final = RECORD_PREFIX_SIZE + LENGTH_MAX

_FILE_NAME = re.compile(r"commands-([0-9]{8})\.journal", re.ASCII)


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


class JournalError(Exception):
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


class CommandRecord(NamedTuple):
    """What came in one frame: the envelope, and the commands as their msgpack bytes.

    Attributes:
        time_ns: when the engine took the frame, ns since 1970; it is also the time of what the engine says on its own.
        source: who sent it.
        first_sequence: the number of the frame's first command in its source's order link.
        command_count: how many commands are in the frame.
        skip_count: how many of them, at the front, the engine had before.
    """

    time_ns: int
    source: int
    first_sequence: int
    command_count: int
    skip_count: int
    payload: bytes


class FileHeader(NamedTuple):
    """The first bytes of a file.

    Attributes:
        epoch: of the life of the engine that wrote the file; each life begins a file of its own.
        start_sequence: of the file's first record.
        number: of the file, from 1.
    """

    epoch: int
    start_sequence: int
    number: int
    symbol_count: int
    orders_max: int
    pages_max: int
    mode: JournalMode


def file_name(number: int) -> str:
    """Return the name of the file with this number."""
    return f"commands-{number:08}.journal"


def journal_files(folder: Path) -> list[Path]:
    """Return the files of a journal in order; none if there is no such folder.

    Raises:
        CorruptJournalError: if one is missing.
    """
    if not folder.is_dir():
        return []
    paths = sorted(path for path in folder.iterdir() if _FILE_NAME.fullmatch(path.name))
    for number, path in enumerate(paths, 1):
        if path.name != file_name(number):
            raise CorruptJournalError(folder / file_name(number), 0, f"the file is missing, the next is {path.name}")
    if len(paths) > JOURNAL_FILES_MAX:
        raise JournalError(f"expected at most {JOURNAL_FILES_MAX} files in {folder}, were {len(paths)}")
    return paths


def encode_header(header: FileHeader) -> bytes:
    """Return the bytes of a header."""
    rest = _HEADER_REST.pack(*header[:-1], _CODE_BY_MODE[header.mode])
    return _HEADER.pack(MAGIC, VERSION, crc32(rest)) + rest


def decode_header(path: Path, head: bytes) -> FileHeader:
    """Return the header that the first HEADER_SIZE bytes of a file hold.

    Raises:
        CorruptJournalError: if they hold none.
        JournalMismatchError: if it is of another version.
    """
    magic, version, crc = _HEADER.unpack_from(head)
    if magic != MAGIC:
        raise CorruptJournalError(path, 0, f"it must begin with {MAGIC!r}, was {magic!r}")
    if version != VERSION:
        raise JournalMismatchError(f"{path} must be of version {VERSION}, was {version}")
    rest = head[_HEADER.size : HEADER_SIZE]
    if crc32(rest) != crc:
        raise CorruptJournalError(path, 0, f"the header's CRC must be {crc32(rest):08x}, was {crc:08x}")
    epoch, start_sequence, number, symbol_count, orders_max, pages_max, mode_code = _HEADER_REST.unpack(rest)
    if mode_code not in _MODE_BY_CODE:
        raise CorruptJournalError(path, 0, f"the mode must be at most {max(_MODE_BY_CODE)}, was {mode_code}")
    mode = _MODE_BY_CODE[mode_code]
    return FileHeader(epoch, start_sequence, number, symbol_count, orders_max, pages_max, mode)


def check_capacity(path: Path, header: FileHeader, capacity: Capacity) -> None:
    """Refuse a file that an engine of another capacity wrote: it would not refuse the same orders.

    Raises:
        JournalMismatchError: naming what differs.
    """
    for name in ("symbol_count", "orders_max", "pages_max"):
        expected, found = getattr(capacity, name), getattr(header, name)
        if found != expected:
            raise JournalMismatchError(f"{path} must be of an engine with {name} {expected}, was {found}")


def encode_head(sequence: int, record: CommandRecord) -> bytes:
    """Return all of a record that stands before its payload."""
    time_ns, source, first_sequence, count, skip, payload = record
    assert 0 <= skip < count <= BATCH_MESSAGES_MAX, (
        f"expected 0 <= skip < count <= {BATCH_MESSAGES_MAX}, was {record[:-1]}"
    )
    size = len(payload)
    assert size <= FRAME_BYTES_MAX, f"expected at most {FRAME_BYTES_MAX} bytes of commands, were {size}"
    rest = _RECORD_REST.pack(ENVELOPE_SIZE + size, sequence, time_ns, first_sequence, source, count, skip)
    return _CRC.pack(crc32(payload, crc32(rest))) + rest


def read_prefix(prefix: bytes) -> tuple[int, int, int]:
    """Return the CRC, the length (of envelope and payload) and the sequence that a record begins with."""
    (crc,) = _CRC.unpack_from(prefix)
    length, sequence, *_ = _RECORD_REST.unpack_from(prefix, _CRC.size)
    return crc, length, sequence


def record_crc(head: bytes, payload: bytes) -> int:
    """Return the CRC that a record with this head (RECORD_HEAD_SIZE bytes) and payload must have."""
    return crc32(payload, crc32(memoryview(head)[_CRC.size :]))


def decode_record(head: bytes, payload: bytes) -> CommandRecord:
    """Return the record with this head and payload, whose CRC is right.

    Raises:
        ValueError: if its envelope is one that `encode_head` does not make.
    """
    _, _, time_ns, first_sequence, source, count, skip = _RECORD_REST.unpack_from(head, _CRC.size)
    if not 0 <= skip < count <= BATCH_MESSAGES_MAX:
        raise ValueError(f"expected 0 <= skip < count <= {BATCH_MESSAGES_MAX}, was {skip} and {count}")
    return CommandRecord(time_ns, source, first_sequence, count, skip, payload)

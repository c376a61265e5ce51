"""Checkpoints of a journal: what its owner was after a record, so that a start need not be told all before it.

A checkpoint is one file in the journal's folder, written whole. It is believed if it is all that was written, and if
the record that it stands behind is the one that the journal has there: docs/journal.md shows it byte by byte.
"""

import os
import re
import zlib
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from struct import error as StructError  # noqa: N812
from typing import Any, Final, NamedTuple

from journal.format import PREFIX_SIZE, JournalError, JournalMismatchError, Schema, read_prefix
from journal.reader import LastRecord, Place
from market.whole_file import write_whole

VERSION: Final = 1

_MAGIC: Final = b"TICKCKPT"
_HEAD = Struct("<8sII")  # magic, version of this format, version of the journal's records and of their meaning
_REST = Struct("<QqQQIIII4IQ")  # epoch, time; of the record; figures; size of the state
_DIGEST_SIZE: Final = 16
_FIGURES_MAX: Final = 4
_COMPRESSION: Final = 1  # a thread beside the matching does it
_NAME: Final = re.compile(r"checkpoint-([0-9]{12})\.state", re.ASCII)
_STATE_BYTES_MAX: Final = 1 << 32


class DamagedCheckpointError(JournalError):
    """A checkpoint is not what was written, or is not of this journal; an earlier one may be."""


class Checkpoint(NamedTuple):
    """What an owner was after a record.

    Attributes:
        epoch: of the journal.
        time_ns: of the last record, ns since 1970.
        figures: the owner's, as in the journal's files.
        state: the owner's own bytes.
    """

    epoch: int
    time_ns: int
    last: LastRecord
    figures: tuple[int, ...]
    state: bytes


def checkpoint_path(folder: Path, sequence: int) -> Path:
    """Return the path of the checkpoint behind a record."""
    return folder / f"checkpoint-{sequence:012}.state"


def checkpoint_paths(folder: Path) -> list[Path]:
    """Return the checkpoints in a journal's folder, oldest first; whether they are good is not looked at."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def sequence_of(path: Path) -> int:
    """Return the sequence of the record that a checkpoint stands behind, from its name."""
    found = _NAME.fullmatch(path.name)
    assert found is not None, f"expected the path of a checkpoint, was {path}"
    return int(found[1])


def write_checkpoint(folder: Path, schema: Schema[Any], checkpoint: Checkpoint) -> Path:
    """Write a checkpoint beside the journal's files, whole and synced, and return its path.

    Raises:
        OSError: if the disk does not take it; nothing else has changed.
    """
    path = checkpoint_path(folder, checkpoint.last.place.sequence)
    write_whole(path, _encode(schema, checkpoint))
    return path


def read_checkpoint(path: Path, schema: Schema[Any], figures: tuple[int, ...] | None = None) -> Checkpoint:
    """Return the checkpoint that a file holds, if the journal beside it has the record that it stands behind.

    Args:
        path: of the file.
        schema: of the journal's records.
        figures: of whom it is for, None to take it from any.

    Raises:
        DamagedCheckpointError: if it is not what was written, or not of this journal.
        JournalMismatchError: if it is of another version, or of an owner with other figures.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DamagedCheckpointError(f"{path} cannot be read: {error}") from error
    checkpoint = decode_checkpoint(path, data, schema)
    if figures is not None:
        schema.check_figures(path, checkpoint.figures, figures)
    check_record(path, path.parent, checkpoint.last, schema)
    return checkpoint


def decode_checkpoint(path: Path, data: bytes, schema: Schema[Any]) -> Checkpoint:
    """Return the checkpoint that a file's bytes are, wherever the journal is that it is of.

    Args:
        path: of the file, to be named in errors.
        data: all of it.
        schema: of the journal's records.

    Raises:
        DamagedCheckpointError: if it is not what was written.
        JournalMismatchError: if it is of another version.
    """
    try:
        return _decode(path, data, schema)
    except (StructError, zlib.error, ValueError) as error:
        raise DamagedCheckpointError(f"{path} cannot be read: {error}") from error


def read_place(path: Path) -> tuple[Place, int]:
    """Return where the journal goes on behind a checkpoint, and its last record's time; as `read_last` does."""
    last, time_ns = read_last(path)
    return last.place, time_ns


def read_last(path: Path) -> tuple[LastRecord, int]:
    """Return the record that a checkpoint stands behind, and its time; the state is not looked at.

    Raises:
        DamagedCheckpointError: if so much cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD.size + _REST.size)
        _, time_ns, sequence, offset, number, size, crc, *_ = _REST.unpack_from(head, _HEAD.size)
    except (OSError, StructError) as error:
        raise DamagedCheckpointError(f"{path} cannot be read: {error}") from error
    if sequence != sequence_of(path):
        raise DamagedCheckpointError(f"{path} is damaged: it says that it stands behind record {sequence:,}")
    return LastRecord(Place(number, offset, sequence), size, crc), time_ns


def good_checkpoints(
    folder: Path, schema: Schema[Any], figures: tuple[int, ...] | None = None
) -> Iterator[Checkpoint | JournalError]:
    """Yield the checkpoints of a journal, newest first; for each that is not to be used, why."""
    for path in reversed(checkpoint_paths(folder)):
        try:
            yield read_checkpoint(path, schema, figures)
        except (DamagedCheckpointError, JournalMismatchError) as error:
            yield error


def check_record(path: Path, folder: Path, last: LastRecord, schema: Schema[Any]) -> None:
    """Refuse a state of a journal that has something else where it goes on.

    Args:
        path: of the state, to be named in errors.
        folder: of the journal.
        last: what the state stands behind.
        schema: of the journal's records.

    Raises:
        DamagedCheckpointError: if that is not there.
    """
    (number, offset, sequence), size, crc = last
    beside = folder / schema.file_name(number)
    try:
        with beside.open("rb") as file:
            prefix = os.pread(file.fileno(), PREFIX_SIZE, offset - size)
    except OSError as error:
        raise DamagedCheckpointError(f"{path} goes on in {beside.name}, which cannot be read: {error}") from error
    if len(prefix) < PREFIX_SIZE or read_prefix(prefix) != (crc, size - PREFIX_SIZE, sequence):
        raise DamagedCheckpointError(f"{path} is not of this journal: {beside.name} has no such record {sequence:,}")


def _encode(schema: Schema[Any], checkpoint: Checkpoint) -> bytes:
    epoch, time_ns, (place, size, crc), figures, state = checkpoint
    padded = (*figures, *(0,) * (_FIGURES_MAX - len(figures)))
    head = _HEAD.pack(_MAGIC, VERSION, schema.version)
    rest = _REST.pack(
        epoch, time_ns, place.sequence, place.offset, place.number, size, crc, len(figures), *padded, len(state)
    )
    content = head + rest + zlib.compress(state, _COMPRESSION)
    return content + blake2b(content, digest_size=_DIGEST_SIZE).digest()


def _decode(path: Path, data: bytes, schema: Schema[Any]) -> Checkpoint:
    content, digest = data[:-_DIGEST_SIZE], data[-_DIGEST_SIZE:]
    magic, version, rules = _HEAD.unpack_from(content)
    if blake2b(content, digest_size=_DIGEST_SIZE).digest() != digest or magic != _MAGIC:
        raise DamagedCheckpointError(f"{path} is damaged: its checksum is not that of its {len(data):,} bytes")
    if version != VERSION or rules > schema.version:
        expected = f"{VERSION}.{schema.version} or before"
        raise JournalMismatchError(f"{path} must be of version {expected}, was {version}.{rules}")
    epoch, time_ns, sequence, offset, number, size, crc, count, *figures, state_size = _REST.unpack_from(
        content, _HEAD.size
    )
    if state_size > _STATE_BYTES_MAX:
        raise ValueError(f"expected a state of at most {_STATE_BYTES_MAX:,} bytes, were {state_size:,}")
    state = zlib.decompress(content[_HEAD.size + _REST.size :], bufsize=state_size)
    last = LastRecord(Place(number, offset, sequence), size, crc)
    return Checkpoint(epoch, time_ns, last, tuple(figures[:count]), state)

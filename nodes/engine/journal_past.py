"""What the primary's disk has of its journal, for a standby: records as they stand in the files, and a checkpoint."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple

import msgpack

from bus.order_link import LinkError
from bus.standby_frames import NOWHERE, Position
from bus.standby_link import Piece
from journal.checkpoint import Checkpoint, checkpoint_path, checkpoint_paths, good_checkpoints, read_last
from journal.format import HEADER_SIZE, PREFIX_SIZE, JournalError, Schema, read_prefix
from journal.format import record_crc as crc_of
from journal.reader import Place
from market.limits import ID_MAX
from nodes.engine.command_record import COMMANDS, CommandRecord

_TIME = Struct("<q")
_HEAD_SIZE: Final = COMMANDS.head_size  # with the time, which is the same for all records of a turn
_DAMAGED: Final = 0, 0, 0
_CLOSED: Final = -1
_WALK_BYTES: Final = 1 << 20  # read at once while a place is looked for


class Beginning(NamedTuple):
    """What a standby begins with that has nothing of this journal.

    Attributes:
        version: of the journal's records and of their meaning.
        figures: the primary's.
        record: that the checkpoint stands behind, as the journal has it; empty without a checkpoint.
        checkpoint: its file, empty if the journal is told from its first record on.
    """

    version: int
    figures: tuple[int, ...]
    record: bytes
    checkpoint: bytes


def pack_beginning(figures: tuple[int, ...], record: bytes, checkpoint: bytes) -> bytes:
    """Return a Beginning as bytes."""
    packed: bytes = msgpack.packb(Beginning(COMMANDS.version, figures, record, checkpoint))
    return packed


def unpack_beginning(data: bytes) -> Beginning:
    """Return what `pack_beginning` has made bytes of.

    Raises:
        LinkError: if it has not.
    """
    try:
        version, figures, record, checkpoint = msgpack.unpackb(data, use_list=False)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise LinkError(f"expected what a standby begins with, was none: {error!r}") from None
    return Beginning(version, figures, record, checkpoint)


class JournalPast:
    """Reads a journal that its engine goes on writing, in the engine's own thread.

    What the disk does not give is not there, and the engine goes on: a standby that asks for it is given a checkpoint.

    Args:
        folder: of the journal.
        figures: the engine's.
        tell: is told what cannot be read, once until it is something else.

    Attributes:
        last_sequence: of the record, the last of a turn, behind which nothing is told yet.
    """

    def __init__(self, folder: Path, figures: tuple[int, ...], tell: Callable[[str], object] = lambda _: None) -> None:
        self.last_sequence = ID_MAX
        self._tell = tell
        self._told = ""
        self._folder = folder
        self._figures = figures
        self._schema: Schema[CommandRecord] = COMMANDS
        self._file = _CLOSED
        self._place = Place(0, 0, 0)
        self._is_readable = True

    def close(self) -> None:
        """Let go of the file that is being read."""
        if self._file != _CLOSED:
            os.close(self._file)
            self._file = _CLOSED

    def seek(self, position: Position) -> bool:
        """Go behind a record; return False if the journal has none such, or it cannot be read."""
        try:
            begun = self._known_before(position.sequence)
            if begun is None:
                return False
            crc, place = begun
            self._open(place)
            return self._walk(position.sequence, crc) == position.crc and (self._is_readable or self._prefix() is None)
        except FileNotFoundError:
            return False  # it was pruned while we looked
        except OSError as error:
            self._fail(error)
            return False

    def read(self, bytes_max: int) -> Piece | None:
        """Return what comes next: whole turns of at most so many bytes, or one turn.

        None if it is pruned or damaged, or cannot be read.
        """
        try:
            return self._read(bytes_max)
        except OSError as error:
            self._fail(error)
            return None

    def _read(self, bytes_max: int) -> Piece | None:
        size = bytes_max
        while True:
            data = os.pread(self._file, size, self._place.offset)
            is_end = len(data) < size
            if (found := _whole_turns(data, self.last_sequence, is_end=is_end)) is not None:
                break
            if not is_end:
                size *= 2  # a turn that is larger
            elif self._next_file():
                size = bytes_max
            else:
                return None
        end, sequence, crc = found
        if not end:
            return None
        first, number, begun = self._place.sequence + 1, self._place.number, self._place.offset
        self._place = Place(number, begun + end, sequence)
        return Piece(first, sequence - first + 1, data[:end], crc)

    def beginning(self) -> tuple[Position, bytes]:
        """Return where the newest good checkpoint stands, and what a standby needs to begin there; else NOWHERE."""
        try:
            for found in good_checkpoints(self._folder, self._schema, self._figures):
                if isinstance(found, Checkpoint):
                    place, size, crc = found.last
                    path = self._folder / self._schema.file_name(place.number)
                    with path.open("rb") as file:
                        record = os.pread(file.fileno(), size, place.offset - size)
                    content = checkpoint_path(self._folder, place.sequence).read_bytes()
                    return Position(place.sequence, crc), pack_beginning(self._figures, record, content)
        except OSError as error:
            self._fail(error)
        return NOWHERE, pack_beginning(self._figures, b"", b"")

    def _fail(self, error: OSError) -> None:
        why = f"{error.filename or self._folder} cannot be read: {error.strerror}"
        if why != self._told:
            self._told = why
            self._tell(why)

    def _known_before(self, sequence: int) -> tuple[int, Place] | None:
        """Return a place at or before a record, as near as is known without reading, and the CRC before it.

        The CRC is 0 where a file begins: the record itself is behind it, unless that is the journal's first.
        """
        found: tuple[int, Place] | None = None
        for path in self._schema.found(self._folder):
            with path.open("rb") as file:
                head = file.read(HEADER_SIZE)
            try:
                header = self._schema.decode_header(path, head)
            except JournalError:
                continue  # damaged, or only begun, and perhaps nothing of it is asked for
            if header.start_sequence > max(sequence, 1):
                break
            found = 0, Place(header.number, HEADER_SIZE, header.start_sequence - 1)
        for path in checkpoint_paths(self._folder) if found else ():
            with suppress(JournalError):  # a damaged one is nowhere
                (place, _, crc), _ = read_last(path)
                if found and place.number == found[1].number and found[1].sequence < place.sequence <= sequence:
                    found = crc, place
        return found

    def _open(self, place: Place) -> None:
        self.close()
        path = self._folder / self._schema.file_name(place.number)
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._place = place
        self._is_readable = False
        with suppress(JournalError):  # a damaged one is not
            header = self._schema.decode_header(path, os.pread(self._file, HEADER_SIZE, 0))
            self._is_readable = header.version == self._schema.version  # else its records mean something else to us

    def _walk(self, sequence: int, crc: int) -> int | None:
        """Go behind a record of this file, and return its CRC, `crc` if we are there; None if it has none such."""
        number, offset, at_sequence = self._place
        data, at = b"", 0
        while at_sequence < sequence:
            if len(data) - at < PREFIX_SIZE:
                data, at = os.pread(self._file, max(_WALK_BYTES, PREFIX_SIZE), offset), 0
                if len(data) < PREFIX_SIZE:
                    return None
            crc, length, at_sequence = read_prefix(data[at : at + PREFIX_SIZE])
            at, offset = at + PREFIX_SIZE + length, offset + PREFIX_SIZE + length
        self._place = Place(number, offset, at_sequence)
        return crc

    def _prefix(self) -> tuple[int, int, int] | None:
        """Return CRC, length and sequence of the record that comes next in this file; None at its end."""
        head = os.pread(self._file, PREFIX_SIZE, self._place.offset)
        return read_prefix(head) if len(head) == PREFIX_SIZE else None

    def _next_file(self) -> bool:
        """Go on in the file that follows; return False if it is gone."""
        try:
            self._open(Place(self._place.number + 1, HEADER_SIZE, self._place.sequence))
        except FileNotFoundError:
            return False
        return self._is_readable and self._prefix() is not None


def _whole_turns(data: bytes, last_sequence: int, *, is_end: bool) -> tuple[int, int, int] | None:
    """Return where the last whole turn ends in what follows a record, and its last record's sequence and CRC.

    A turn is whole if a record of another one follows, or the file ends; where damage follows it is not known to be.
    None if there is none yet, and 0 where the end is if what comes first is damaged.
    """
    at, sequence, crc, turn_ns = 0, 0, 0, None
    found: tuple[int, int, int] | None = None
    while at < len(data):
        head = data[at : at + _HEAD_SIZE]
        is_cut = len(head) < _HEAD_SIZE
        record_crc, length, record_sequence = (0, 0, 0) if is_cut else read_prefix(head)
        end = at + PREFIX_SIZE + length
        if at and sequence == last_sequence:
            return at, sequence, crc
        if is_cut or end > len(data):
            return found or (_DAMAGED if is_end else None)
        if crc_of(head, data[at + _HEAD_SIZE : end]) != record_crc:
            return found or _DAMAGED
        (time_ns,) = _TIME.unpack_from(head, PREFIX_SIZE)
        if turn_ns not in (None, time_ns):
            found = at, sequence, crc
        at, sequence, crc, turn_ns = end, record_sequence, record_crc, time_ns
    return (at, sequence, crc) if is_end and at else found

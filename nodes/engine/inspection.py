"""What an engine's journal holds and whether it is sound, as a document and as text; nothing is changed.

Of a journal that is being written the last record may be on its way and then looks torn: `is_in_use` says so.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from journal.checkpoint import checkpoint_path, checkpoint_paths, read_checkpoint, read_place, sequence_of
from journal.format import HEADER_SIZE, CorruptJournalError, JournalError
from journal.reader import JournalReader, OpenedFile, Place, TornTail
from market.clock import NS_PER_MS, iso_time
from market.lock import is_locked
from market.words import counted
from nodes.engine.command_record import COMMANDS, CommandRecord

Document = dict[str, Any]
Tell = Callable[[Place], object]

_FILE_COLUMNS: Final = ("name", "mode", "epoch", "sequences", "records", "commands", "bytes")
_TOLD_RECORDS: Final = 1_024  # between two words on how far a reading is
_SOURCE_COLUMNS: Final = ("source", "records", "commands", "last link sequence")


@dataclass(slots=True)
class _Count:
    """Records and commands of one file or of one source."""

    records: int = 0
    commands: int = 0
    last_sequence: int = 0

    def add(self, record: CommandRecord, sequence: int) -> None:
        self.records += 1
        self.commands += record.message_count - record.skip_count
        self.last_sequence = sequence


def _untold(_: Place) -> None:
    """Tell nobody."""


def inspect(folder: Path, tell: Tell = _untold) -> Document:
    """Read every record and return what the journal holds: files, sources, sequences, times, the torn tail if any.

    `tell` is told now and then behind which record the reading is.

    Raises:
        CorruptJournalError: naming file and offset.
        JournalMismatchError: if a file is of another version than this program's.
        OSError: if a file cannot be read.
    """
    reader = JournalReader(folder, COMMANDS)
    by_file: defaultdict[Path, _Count] = defaultdict(_Count)
    by_source: defaultdict[int, _Count] = defaultdict(_Count)
    first: CommandRecord | None = None
    last: CommandRecord | None = None
    for sequence, record in told(reader, reader.beginning(), tell):
        first, last = first or record, record
        by_file[reader.files[-1].path].add(record, sequence)
        by_source[record.source].add(record, record.first_sequence + record.message_count - 1)
    headers = [file.header for file in reader.files if file.header is not None]
    newest = headers[-1] if headers else None
    return {
        "folder": str(folder),
        "is_in_use": is_in_use(folder),
        "capacity": dict(zip(COMMANDS.figures, newest.figures, strict=True)) if newest else None,
        "mode": str(newest.mode) if newest else None,
        "epoch": str(newest.epoch) if newest else None,
        "records": sum(count.records for count in by_source.values()),
        "commands": sum(count.commands for count in by_source.values()),
        "bytes": sum(file.size for file in reader.files),
        "first_sequence": headers[0].start_sequence if first else None,
        "last_sequence": reader.last_sequence if last else None,
        "first_time_ns": str(first.time_ns) if first else None,
        "last_time_ns": str(last.time_ns) if last else None,
        "sources": {
            str(source): {
                "records": count.records,
                "commands": count.commands,
                "last_link_sequence": count.last_sequence,
            }
            for source, count in sorted(by_source.items())
        },
        "files": [_file_document(file, by_file[file.path]) for file in reader.files],
        "torn_tail": _tail_document(reader.torn_tail),
    }


def told(reader: JournalReader[CommandRecord], after: Place | None, tell: Tell) -> Iterator[tuple[int, CommandRecord]]:
    """Yield the records that a reader has behind a place, telling now and then behind which one it is.

    Raises:
        CorruptJournalError, JournalMismatchError, OSError: as `JournalReader.records`.
    """
    for sequence, record in reader.records(after):
        yield sequence, record
        if sequence % _TOLD_RECORDS == 0:
            tell(reader.place)


def verify(folder: Path, figures: tuple[int, ...] | None = None, tell: Tell = _untold) -> Document:
    """Read every record and return whether the journal is sound, and the state of its end.

    `state` is `sound`, `torn` (the next start cuts the tail off and goes on), `damaged` (an engine starts from a
    checkpoint behind the damage; what was before is lost to `at` and `replay`) or `corrupt` (no engine starts from it).

    Args:
        folder: of the journal.
        figures: of the engine that it must suit, None for any.
        tell: as `inspect` has it.

    Raises:
        JournalMismatchError: if the journal is of another version or capacity: nothing can be said of it.
        OSError: if a file cannot be read.
    """
    reader = JournalReader(folder, COMMANDS, figures)
    checkpoints = list(_checkpoints(folder, figures))
    begins_after = next((sequence for sequence, why in checkpoints if not why), 0)
    count, corruption = _Count(), None
    try:
        for sequence, record in told(reader, _first_place(reader, folder, begins_after), tell):
            count.add(record, sequence)
    except CorruptJournalError as error:
        corruption = {"file": error.path.name, "offset": error.offset, "why": str(error)}
    missing = reader.first_number > 1 and not begins_after
    if missing and corruption is None:
        first = COMMANDS.file_name(reader.first_number)
        corruption = {"file": first, "offset": 0, "why": f"{folder} begins with {first}, and no checkpoint is good"}
    if corruption:
        state = "damaged" if begins_after and _is_sound_behind(folder, figures, begins_after) else "corrupt"
    else:
        state = "torn" if reader.torn_tail else "sound"
    return {
        "folder": str(folder),
        "is_in_use": is_in_use(folder),
        "state": state,
        "files": len(reader.files),
        "earlier_files": _earlier_count(folder, reader),
        "records": count.records,
        "commands": count.commands,
        "torn_tail": _tail_document(reader.torn_tail),
        "corruption": corruption,
        "checkpoints": [{"sequence": sequence, "why": why} for sequence, why in checkpoints],
        "begins_after": begins_after,
    }


def _first_place(reader: JournalReader[CommandRecord], folder: Path, begins_after: int) -> Place:
    """Return from where on a journal is to be sound for this release.

    Where all of it is of an earlier one, that is behind the checkpoint from which an engine of this one goes on.
    """
    place = reader.beginning()
    first = folder / COMMANDS.file_name(place.number)
    if begins_after and first.exists() and _version_of(first) < COMMANDS.version:
        return read_place(checkpoint_path(folder, begins_after))[0]
    return place


def _version_of(path: Path) -> int:
    with path.open("rb") as file:
        head = file.read(HEADER_SIZE)
    return COMMANDS.decode_header(path, head).version


def _earlier_count(folder: Path, reader: JournalReader[CommandRecord]) -> int:
    """Return how many files are of an earlier release, which alone can read them."""
    return sum(COMMANDS.number_of(path) < reader.first_number for path in COMMANDS.found(folder))


def _checkpoints(folder: Path, figures: tuple[int, ...] | None) -> Iterator[tuple[int, str | None]]:
    """Yield the record behind which each checkpoint stands, newest first, and why it is not good, if so."""
    for path in reversed(checkpoint_paths(folder)):
        why = None
        try:
            read_checkpoint(path, COMMANDS, figures)
        except JournalError as error:
            why = str(error)
        yield sequence_of(path), why


def _is_sound_behind(folder: Path, figures: tuple[int, ...] | None, sequence: int) -> bool:
    """Say whether an engine that begins behind the checkpoint at a record comes to the journal's end."""
    place, _ = read_place(checkpoint_path(folder, sequence))
    try:
        for _ in JournalReader(folder, COMMANDS, figures).records(place):
            pass
    except CorruptJournalError:
        return False
    return True


def is_in_use(folder: Path) -> bool:
    """Return whether a process keeps the journal at this moment."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return is_locked(descriptor)
    finally:
        os.close(descriptor)


def inspection_text(document: Document) -> str:
    """Return what `inspect` found, for a person."""
    if not document["files"]:
        return f"{document['folder']} holds no journal"
    files = [[str(file[name]) for name in _FILE_COLUMNS] for file in document["files"]]
    sources = [[source, *map(str, counts.values())] for source, counts in document["sources"].items()]
    capacity = ", ".join(f"{name} {value}" for name, value in (document["capacity"] or {}).items()) or "-"
    lines = [
        f"{document['folder']}{', in use' if document['is_in_use'] else ''}",
        f"engine: {capacity}; mode {document['mode']}, epoch {document['epoch']}",
        ", ".join(counted(document[f"{each}s"], each) for each in ("record", "command", "byte")),
    ]
    if document["first_time_ns"] is not None:
        first, last = (iso_time(int(document[f"{which}_time_ns"]) // NS_PER_MS) for which in ("first", "last"))
        lines.append(f"from {first} to {last}")
    lines += ["", *_table(_FILE_COLUMNS, files), "", *_table(_SOURCE_COLUMNS, sources)]
    if document["torn_tail"]:
        lines += ["", _tail_text(document["torn_tail"])]
    return "\n".join(lines)


def verification_text(document: Document) -> str:
    """Return what `verify` found, for a person; one line says whether an engine can start from it."""
    if not document["files"] and not document["corruption"]:
        return f"{document['folder']} holds no journal: an engine starts with an empty book"
    records, commands, files = (counted(document[f"{what}s"], what) for what in ("record", "command", "file"))
    counts = f"{records}, {commands} in {files}"
    if document["corruption"]:
        if document["state"] == "damaged":
            ahead = f"behind the checkpoint at record {document['begins_after']:,}, after the damage"
            return (
                f"{document['corruption']['why']}\n{counts} before it are sound; an engine starts all the same, {ahead}"
            )
        return f"{document['corruption']['why']}\n{counts} before it are sound; the engine will not start from it"
    if document["torn_tail"]:
        return f"{_tail_text(document['torn_tail'])}\n{counts} are sound; the next start cuts the tail off"
    earlier = document["earlier_files"]
    before = f"; {counted(earlier, 'file')} before are of an earlier release, which alone reads them" if earlier else ""
    return f"{document['folder']} is sound: {counts}{before}"


def _file_document(file: OpenedFile, count: _Count) -> Document:
    header = file.header
    return {
        "name": file.path.name,
        "mode": str(header.mode) if header else None,
        "epoch": str(header.epoch) if header else None,
        "start_sequence": header.start_sequence if header else None,
        "sequences": f"{header.start_sequence}-{count.last_sequence}" if header and count.records else "none",
        "records": count.records,
        "commands": count.commands,
        "bytes": file.size,
    }


def _tail_document(tail: TornTail | None) -> Document | None:
    if tail is None:
        return None
    return {"file": tail.path.name, "offset": tail.offset, "bytes": tail.size, "why": tail.why}


def _tail_text(tail: Document) -> str:
    return f"torn tail: {tail['bytes']:,} bytes of {tail['file']} from offset {tail['offset']}: {tail['why']}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    cells = [columns, *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(map(str.rjust, row, widths)).rstrip() for row in cells]

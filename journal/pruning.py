"""What of a journal is kept once checkpoints stand behind it: its last days, within so many bytes.

A file goes once the last two good checkpoints need nothing of it. The first checkpoint in each file that stays is kept
too: from there on every later moment can be replayed. The oldest file goes first, and before it the checkpoints in it:
a death between two steps leaves a journal whose files follow one another.
"""

import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

import zstandard

from journal.checkpoint import DamagedCheckpointError, checkpoint_paths, good_checkpoints, read_place
from journal.format import JournalError, Schema
from journal.reader import Place
from market.whole_file import make_folder, sync_folder

ARCHIVE: Final = "archive"  # the folder in that of the journal
_GOOD_ONES: Final = 2
_COMPRESSION: Final = 6  # of zstd


class Keep(StrEnum):
    """What becomes of files that no start needs any more."""

    PRUNE = "prune"  # they go
    ARCHIVE = "archive"  # they go once they are compressed in the folder `archive`
    ALL = "all"  # they stay


class Retention(NamedTuple):
    """What is kept though no start needs it.

    Attributes:
        age_ns: a file of whose records all are older goes.
        bytes_max: of all files; beyond it the oldest go, whatever their age.
    """

    keep: Keep
    age_ns: int
    bytes_max: int


def prune(folder: Path, schema: Schema[Any], figures: tuple[int, ...], retention: Retention, now_ns: int) -> None:
    """Remove what is not to be kept of a journal, behind a checkpoint that was just written.

    Args:
        folder: of the journal.
        schema: of its records.
        figures: its owner's.
        retention: what is kept.
        now_ns: ns since 1970.

    Raises:
        OSError: if one cannot be read or removed.
    """
    for remnant in folder.glob("checkpoint-*.tmp"):  # of one whose writer has died
        remnant.unlink()
    needed = _good_places(folder, schema, figures)
    places = list(_read_places(folder))
    _thin_out(places, {place.sequence for place in needed})
    if retention.keep is Keep.ALL or len(needed) < _GOOD_ONES:
        return
    first_needed = min(place.number for place in needed)
    paths = schema.found(folder)
    total = sum(path.stat().st_size for path in paths)
    for path in paths:
        number, size = schema.number_of(path), path.stat().st_size
        later_ns = [time_ns for _, place, time_ns in places if place.number > number]
        if number >= first_needed or not (now_ns - min(later_ns) > retention.age_ns or total > retention.bytes_max):
            break
        for checkpoint, place, _ in places:
            if place.number <= number:
                checkpoint.unlink(missing_ok=True)
        if retention.keep is Keep.ARCHIVE:
            _archive(path)
        path.unlink()
        total -= size


def _good_places(folder: Path, schema: Schema[Any], figures: tuple[int, ...]) -> list[Place]:
    """Return where the last two good checkpoints stand; those between that are not good are left alone."""
    found: list[Place] = []
    for each in good_checkpoints(folder, schema, figures):
        if not isinstance(each, JournalError):
            found.append(each.last.place)
        if len(found) == _GOOD_ONES:
            break
    return found


def _read_places(folder: Path) -> Iterator[tuple[Path, Place, int]]:
    """Yield the checkpoints, oldest first, each with its place and its last record's time; damaged ones go."""
    for path in checkpoint_paths(folder):
        try:
            yield path, *read_place(path)
        except DamagedCheckpointError:  # whoever has started since has said so
            path.unlink()


def _thin_out(places: list[tuple[Path, Place, int]], needed: set[int]) -> None:
    """Remove checkpoints that neither a start needs nor stand first in their file."""
    seen: set[int] = set()
    for path, place, _ in places:
        if place.number in seen and place.sequence not in needed:
            path.unlink()
        seen.add(place.number)


def _archive(path: Path) -> None:
    """Compress a file of the journal into the archive; it stays where it is until that lasts."""
    archive = path.parent / ARCHIVE
    make_folder(archive)
    compressed = archive / f"{path.name}.zst"
    temporary = compressed.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    compressor = zstandard.ZstdCompressor(_COMPRESSION, write_checksum=True)
    with os.fdopen(descriptor, "wb") as target, path.open("rb") as source:
        compressor.copy_stream(source, target, size=path.stat().st_size)
        target.flush()
        os.fsync(descriptor)
    temporary.replace(compressed)
    sync_folder(archive)

"""Records that follow from their sequence alone, and short ways to write and read a journal."""

from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Final

from engine.capacity import Capacity
from journal.format import FileHeader, JournalMode
from journal.journal import Journal
from journal.reader import JournalReader
from journal.replay import Replay
from nodes.engine.command_record import COMMANDS, CommandRecord, figures_of

FIGURES: Final = figures_of(Capacity(2, 1_000, 64))
EPOCH: Final = 1_700_000_000_000_000_000

Read = list[tuple[int, CommandRecord]]


def record_of(sequence: int, payload_size: int | None = None) -> CommandRecord:
    """Return a record that differs in every field from its neighbours."""
    digest = blake2b(str(sequence).encode(), digest_size=1 + sequence % 9).digest()
    size = len(digest) if payload_size is None else payload_size
    payload = (digest * (size // len(digest) + 1))[:size]
    return CommandRecord(EPOCH + sequence, 10 * sequence + 1, 1 + sequence % 3, 2 + sequence % 5, sequence % 2, payload)


def records_of(first: int, count: int, payload_size: int | None = None) -> list[CommandRecord]:
    """Return the records with these sequences."""
    return [record_of(sequence, payload_size) for sequence in range(first, first + count)]


def live(folder: Path, batches: Iterable[list[CommandRecord]], mode: JournalMode = JournalMode.WRITE) -> Replay:
    """Let a journal live once: recover, append the batches, close. Return what was recovered."""
    with Journal(folder, COMMANDS, FIGURES, EPOCH, mode) as journal:
        done = journal.recover(lambda sequence, record: None)
        for batch in batches:
            journal.append(batch, 0)
    return done


def read(folder: Path) -> Read:
    """Return all that a journal holds; it has no torn tail."""
    reader = JournalReader(folder, COMMANDS, FIGURES)
    found = list(reader.records())
    assert reader.torn_tail is None, reader.torn_tail
    return found


def expected(count: int) -> Read:
    """Return the first records with their sequences."""
    return [(sequence, record_of(sequence)) for sequence in range(1, count + 1)]


def boundaries(folder: Path) -> list[int]:
    """Return where the records of the one file end, the header's end first."""
    (path,) = COMMANDS.files(folder)
    ends = [path.stat().st_size]
    for _, record in reversed(read(folder)):
        ends.append(ends[-1] - 40 - len(record.payload))
    return ends[::-1]


def raw_header(number: int = 1, start_sequence: int = 1, **changes: int) -> bytes:
    """Return the bytes of a file's header."""
    fields = dict(zip(COMMANDS.figures, FIGURES, strict=True)) | changes
    figures = tuple(fields.values())
    return COMMANDS.encode_header(
        FileHeader(EPOCH, start_sequence, number, figures, JournalMode.WRITE, COMMANDS.version)
    )


def raw_record(sequence: int, record: CommandRecord | None = None) -> bytes:
    """Return the bytes of a record."""
    record = record or record_of(sequence)
    return COMMANDS.encode(sequence, record)


def write_file(folder: Path, content: bytes, number: int = 1) -> Path:
    """Make a file of a journal by hand."""
    path = folder / COMMANDS.file_name(number)
    path.write_bytes(content)
    return path


def descriptor_of(path: Path) -> int:
    """Return the descriptor with which this process has `path` open."""
    names = Path("/proc/self/fd").iterdir()
    return next(int(name.name) for name in names if name.is_symlink() and name.resolve() == path)

"""A journal gives back what it was given, in every mode, over many files and lives."""

import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.capacity import Capacity
from journal.format import (
    HEADER_SIZE,
    JournalBusyError,
    JournalError,
    JournalMismatchError,
    JournalMode,
)
from journal.journal import Journal
from journal.replay import PROGRESS_RECORDS, Replay
from market.limits import BATCH_MESSAGES_MAX, FRAME_BYTES_MAX
from nodes.engine.command_record import COMMANDS, CommandRecord, figures_of
from tests.journal.records import EPOCH, FIGURES, expected, live, raw_header, read, record_of, records_of, write_file

KEPT = (JournalMode.WRITE, JournalMode.GROUP, JournalMode.SYNC)
MIB = 1 << 20
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "journal.md"


def ignore(sequence: int, record: CommandRecord) -> None:
    """Take a record that does not matter."""


@pytest.mark.parametrize("mode", KEPT)
def test_gives_back_what_it_was_given(tmp_path: Path, mode: JournalMode) -> None:
    """Commands are kept as they came, whatever the mode."""
    live(tmp_path, [records_of(1, 1), [], records_of(2, 5), records_of(7, 1)], mode)
    assert read(tmp_path) == expected(7)


def test_has_the_bytes_of_its_document(tmp_path: Path) -> None:
    """Other programs read the files: docs/journal.md says what stands where."""
    record = CommandRecord(0x0102030405060708, 9, 2, 3, 1, b"\x93\x02\x07\x00")
    live(tmp_path, [[record]])
    content = COMMANDS.files(tmp_path)[0].read_bytes()
    rest = bytes.fromhex("0100000000000000 01000000 02000000 e8030000 40000000 01" + "00" * 15)
    assert content[:12] == b"TICKJRNL\x01\x00\x00\x00"
    assert content[12:16] == zlib.crc32(content[16:64]).to_bytes(4, "little")
    assert content[16:64] == EPOCH.to_bytes(8, "little") + rest
    body = example_of_document()
    assert content[64:] == zlib.crc32(body).to_bytes(4, "little") + body


def test_goes_on_where_its_last_life_ended(tmp_path: Path) -> None:
    """Each life begins a file; a life that was told nothing leaves none behind."""
    for life in range(4):
        assert live(tmp_path, [records_of(1 + 3 * life, 3)]).last_sequence == 3 * life
        live(tmp_path, [])
    assert read(tmp_path) == expected(12)
    assert len(COMMANDS.files(tmp_path)) == 5  # of the last life too, which could have been told something yet


def test_gives_all_to_recover_in_order(tmp_path: Path) -> None:
    """An engine is rebuilt by the same commands in the same order."""
    live(tmp_path, [records_of(1, 4)])
    taken = []
    with Journal(tmp_path, COMMANDS, FIGURES, EPOCH + 1) as journal:
        done = journal.recover(lambda sequence, record: taken.append((sequence, record)))
        assert journal.append(records_of(5, 2), 0) == journal.sequence == journal.acknowledged_sequence == 6
    assert taken == expected(4)
    assert (done.record_count, done.last_sequence, done.torn_tail) == (4, 4, None)
    assert done.message_count == sum(record.message_count - record.skip_count for record in records_of(1, 4))


def test_tells_the_progress_of_a_recovery(tmp_path: Path) -> None:
    """A long recovery must not look like a hang."""
    count = 2 * PROGRESS_RECORDS + 1
    live(tmp_path, [records_of(1, count)])
    moments = iter(range(0, 10_000_000_000, 500_000_000))
    told: list[Replay] = []
    with Journal(tmp_path, COMMANDS, FIGURES, EPOCH) as journal:
        done = journal.recover(ignore, told.append, lambda: next(moments))
    assert [progress.record_count for progress in told] == [PROGRESS_RECORDS, 2 * PROGRESS_RECORDS]
    assert [progress.elapsed_ns for progress in told] == [500_000_000, 1_000_000_000]
    assert (done.record_count, done.elapsed_ns) == (count, 1_500_000_000)


@pytest.mark.parametrize("mode", KEPT)
def test_begins_a_file_when_one_is_full(tmp_path: Path, mode: JournalMode) -> None:
    """A file has a maximum size; sequences go on over files, also within one batch."""
    size_max = 2 * MIB
    with Journal(tmp_path, COMMANDS, FIGURES, EPOCH, mode, file_bytes_max=size_max) as journal:
        journal.recover(ignore)
        journal.append(records_of(1, 1, 700_000), 0)
        journal.append(records_of(2, 8, 700_000), 0)
        journal.append(records_of(10, 2, FRAME_BYTES_MAX), 0)
        journal.append(records_of(12, 1), 0)
        assert journal.sequence == 12
    sizes = [path.stat().st_size for path in COMMANDS.files(tmp_path)]
    assert len(sizes) >= 6
    assert all(size <= size_max for size in sizes)
    large = [*records_of(1, 9, 700_000), *records_of(10, 2, FRAME_BYTES_MAX), record_of(12)]
    assert read(tmp_path) == list(enumerate(large, 1))


def test_lets_one_process_keep_it(tmp_path: Path) -> None:
    """Two writers would give two records one sequence."""
    with Journal(tmp_path, COMMANDS, FIGURES, EPOCH) as journal:
        with pytest.raises(JournalBusyError, match="another process keeps the journal"):
            Journal(tmp_path, COMMANDS, FIGURES, EPOCH)
        journal.recover(ignore)
    live(tmp_path, [records_of(1, 1)])
    assert read(tmp_path) == expected(1)


def test_writes_nothing_in_mode_none(tmp_path: Path) -> None:
    """The book is memory then; whoever asks for no journal gets no files."""
    with Journal(tmp_path / "absent", COMMANDS, FIGURES, EPOCH, JournalMode.NONE) as journal:
        assert journal.recover(ignore).record_count == 0
        assert journal.append(records_of(1, 3), 0) == journal.acknowledged_sequence == 3
        journal.sync()
        assert not journal.sync_due(10**12)
    assert list(tmp_path.iterdir()) == []


def test_does_not_pass_over_a_journal_in_mode_none(tmp_path: Path) -> None:
    """What mode none does not write would be missing in the next replay."""
    live(tmp_path, [records_of(1, 1)])
    with Journal(tmp_path, COMMANDS, FIGURES, EPOCH, JournalMode.NONE) as journal:
        with pytest.raises(JournalError, match="expected no journal in mode none"):
            journal.recover(ignore)
        with pytest.raises(JournalError, match="takes nothing more"):
            journal.append(records_of(2, 1), 0)


@pytest.mark.parametrize("capacity", [Capacity(1, 1_000, 64), Capacity(2, 999, 64), Capacity(2, 1_000, 65)])
def test_refuses_another_capacity(tmp_path: Path, capacity: Capacity) -> None:
    """An engine that is full at another count refuses other orders: the replay would differ from the life."""
    live(tmp_path, [records_of(1, 1)])
    with (
        Journal(tmp_path, COMMANDS, figures_of(capacity), EPOCH) as journal,
        pytest.raises(JournalMismatchError, match="must have"),
    ):
        journal.recover(ignore)
    assert read(tmp_path) == expected(1)


def test_refuses_a_later_version(tmp_path: Path) -> None:
    """The version also counts the engine's rules: it says when a replay would mean something else."""
    header = raw_header()
    write_file(tmp_path, header[:8] + (2).to_bytes(4, "little") + header[12:])
    with pytest.raises(JournalMismatchError, match="must be of version 1 or before, was 2"):
        read(tmp_path)


def test_takes_nothing_after_close(tmp_path: Path) -> None:
    """A record after the last sync would be lost without a word."""
    journal = Journal(tmp_path, COMMANDS, FIGURES, EPOCH)
    journal.recover(ignore)
    journal.close()
    with pytest.raises(JournalError, match="closed"):
        journal.append(records_of(1, 1), 0)
    journal.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"message_count": 0, "skip_count": 0},
        {"skip_count": 2, "message_count": 2},
        {"message_count": BATCH_MESSAGES_MAX + 1},
        {"payload": bytes(FRAME_BYTES_MAX + 1)},
    ],
)
def test_asserts_its_bounds(tmp_path: Path, changes: dict[str, int]) -> None:
    """What a reader would refuse must not be written; the batch leaves no trace."""
    with Journal(tmp_path, COMMANDS, FIGURES, EPOCH) as journal:
        journal.recover(ignore)
        with pytest.raises(AssertionError):
            journal.append([record_of(1), record_of(2)._replace(**changes)], 0)  # type: ignore[arg-type]
        journal.append([record_of(1)], 0)
    assert read(tmp_path) == expected(1)


def test_must_recover_before_it_appends(tmp_path: Path) -> None:
    """Sequences go on from what is there; without reading it they would start anew."""
    with Journal(tmp_path, COMMANDS, FIGURES, EPOCH) as journal, pytest.raises(AssertionError):
        journal.append(records_of(1, 1), 0)


def test_keeps_its_files_private(tmp_path: Path) -> None:
    """Orders are nobody else's business."""
    live(tmp_path / "journal", [records_of(1, 1)])
    (path,) = COMMANDS.files(tmp_path / "journal")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def example_of_document() -> bytes:
    """Return the record that docs/journal.md shows, without its CRC: hexadecimal up to column 66 of each line."""
    (block,) = [block for block in DOCUMENT.read_text(encoding="utf-8").split("```") if block.startswith("\nxx xx")]
    digits = "".join(line[:66] for line in block.strip().splitlines())
    return bytes.fromhex(digits.replace("xx", ""))


records = st.builds(
    CommandRecord,
    time_ns=st.integers(0, 2**63 - 1),
    source=st.integers(0, 2**16 - 1),
    first_sequence=st.integers(0, 2**63 - 1),
    message_count=st.integers(2, BATCH_MESSAGES_MAX),
    skip_count=st.integers(0, 1),
    payload=st.binary(max_size=300),
)


@settings(max_examples=60, deadline=None)
@given(lives=st.lists(st.lists(st.lists(records, max_size=6), max_size=4), max_size=4))
def test_gives_back_any_batches_of_any_lives(lives: list[list[list[CommandRecord]]]) -> None:
    """Whatever the records, batches and restarts: what was appended is what is read."""
    with TemporaryDirectory() as name:
        for batches in lives:
            live(Path(name), batches)
        appended = [record for batches in lives for batch in batches for record in batch]
        assert read(Path(name)) == list(enumerate(appended, 1))


def test_files_are_counted_and_not_their_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ones are pruned for as long as an engine lives: after so many in all it ended, and never started."""
    monkeypatch.setattr("journal.journal.JOURNAL_FILES_MAX", 3)
    size = HEADER_SIZE + COMMANDS.record_size_max
    large = record_of(1, FRAME_BYTES_MAX)  # more than one fills a file
    with Journal(tmp_path, COMMANDS, FIGURES, EPOCH, file_bytes_max=size) as journal:
        journal.recover(lambda *_: None)
        for _ in range(6):
            journal.append([large], 0)
            for path in COMMANDS.files(tmp_path)[:-2]:
                path.unlink()  # as it is pruned
        assert [COMMANDS.number_of(path) for path in COMMANDS.files(tmp_path)] == [5, 6]
        journal.append([large], 0)
        with pytest.raises(JournalError, match="expected at most 3 files"):
            journal.append([large], 0)

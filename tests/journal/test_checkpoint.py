"""A checkpoint is believed if it is whole, and stands behind a record that its journal has; else it is passed over."""

import os
from pathlib import Path
from typing import Final

import pytest

from journal.checkpoint import (
    Checkpoint,
    DamagedCheckpointError,
    checkpoint_path,
    good_checkpoints,
    read_checkpoint,
    read_place,
    write_checkpoint,
)
from journal.format import CorruptJournalError, JournalError, JournalMismatchError, Schema
from journal.journal import Journal
from journal.reader import JournalReader, LastRecord
from nodes.engine.command_record import COMMANDS, CommandRecord
from tests.journal.records import EPOCH, FIGURES, Read, expected, record_of, records_of
from tests.journal.test_damage import flipped
from tests.reliability import FaultRow

STATE: Final = b"the owner's own bytes " * 7
SMALL_FILE: Final = 64 + COMMANDS.record_size_max  # the least that a file may hold


def write_at(folder: Path, journal: Journal[CommandRecord], state: bytes = STATE) -> Path:
    """Write a checkpoint behind the journal's last record."""
    assert journal.last is not None
    time_ns = record_of(journal.sequence).time_ns
    return write_checkpoint(folder, COMMANDS, Checkpoint(EPOCH, time_ns, journal.last, FIGURES, state))


def recovered(folder: Path, after: LastRecord | None) -> Read:
    """Return what a life is told that begins behind a checkpoint."""
    taken: Read = []
    with Journal(folder, COMMANDS, FIGURES, EPOCH) as journal:
        done = journal.recover(lambda sequence, record: taken.append((sequence, record)), after=after)
    assert done.after_sequence == (after.place.sequence if after else 0)
    return taken


def test_life_behind_any_record_is_told_what_follows_it(tmp_path: Path) -> None:
    """Whether its record is of this life or of one before; and one that is told nothing goes on at the same place."""
    checkpoints: list[Checkpoint] = []
    for life in range(4):
        with Journal(tmp_path, COMMANDS, FIGURES, EPOCH) as journal:
            journal.recover(lambda *_: None, after=checkpoints[-1].last if checkpoints and life % 2 else None)
            if life:
                assert journal.last == checkpoints[-1].last, "the record of the life before"
            for batch in ([3, 1], [], [2])[life % 3]:
                journal.append(records_of(journal.sequence + 1, batch), 0)
                checkpoints.append(read_checkpoint(write_at(tmp_path, journal), COMMANDS, FIGURES))
    assert [each.last.place.sequence for each in checkpoints] == [3, 4, 6, 9, 10]
    assert len(COMMANDS.files(tmp_path)) == 4 - 1, "the life that was told nothing has left no file"
    for each in checkpoints:
        assert each[1:] == (record_of(each.last.place.sequence).time_ns, each.last, FIGURES, STATE)
        assert recovered(tmp_path, each.last) == expected(10)[each.last.place.sequence :]
        assert read_place(checkpoint_path(tmp_path, each.last.place.sequence)) == (each.last.place, each.time_ns)


def test_files_before_it_need_not_be_there(tmp_path: Path) -> None:
    """Without it a journal whose first files are gone is refused, by the name of the one that it should begin with."""
    with Journal(tmp_path, COMMANDS, FIGURES, EPOCH, file_bytes_max=SMALL_FILE) as journal:
        journal.recover(lambda *_: None)
        for sequence in range(1, 6):
            journal.append([record_of(sequence, 700_000)], 0)
            if sequence == 3:
                checkpoint = read_checkpoint(write_at(tmp_path, journal), COMMANDS)
    first, second, *rest = COMMANDS.files(tmp_path)
    assert len(rest) == 3
    first.unlink()
    second.unlink()
    assert [sequence for sequence, _ in recovered(tmp_path, checkpoint.last)] == [4, 5]
    reader = JournalReader(tmp_path, COMMANDS)
    assert [sequence for sequence, _ in reader.records(reader.beginning())] == [3, 4, 5]
    with pytest.raises(CorruptJournalError, match=f"{first.name} is corrupt at offset 0: the file is missing"):
        recovered(tmp_path, None)


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """The paths of two checkpoints of a journal, the older one first."""
    with Journal(tmp_path, COMMANDS, FIGURES, EPOCH) as journal:
        journal.recover(lambda *_: None)
        journal.append(records_of(1, 2), 0)
        older = write_at(tmp_path, journal, b"older")
        journal.append(records_of(3, 2), 0)
        return older, write_at(tmp_path, journal)


def _is_passed_over(older: Path, newer: Path) -> bool:
    """Say whether of the two only the older one is used."""
    first, second = good_checkpoints(older.parent, COMMANDS, FIGURES)
    return isinstance(first, JournalError) and newer.name in str(first) and _state(second) == b"older"


def _state(found: Checkpoint | JournalError) -> bytes | None:
    return found.state if isinstance(found, Checkpoint) else None


def test_one_that_is_torn_at_any_byte_is_passed_over(two: tuple[Path, Path], fault_row: FaultRow) -> None:
    """A disk that has lost its end, or has something behind it."""
    content = two[1].read_bytes()
    for size in range(len(content)):
        two[1].write_bytes(content[:size])
        assert _is_passed_over(*two), f"{size} bytes"
    two[1].write_bytes(content + b"\0")
    assert _is_passed_over(*two)
    two[1].write_bytes(content)
    assert [_state(each) for each in good_checkpoints(two[0].parent, COMMANDS, FIGURES)] == [STATE, b"older"]
    fault_row("checkpoint torn", "the file cut at every byte: the one before is used", len(content) + 1)


def test_one_with_any_bit_flipped_is_passed_over(two: tuple[Path, Path], fault_row: FaultRow) -> None:
    """Never is it read as another state."""
    content = two[1].read_bytes()
    for bit in range(8 * len(content)):
        two[1].write_bytes(flipped(content, bit))
        assert _is_passed_over(*two), f"bit {bit}"
    fault_row("checkpoint damaged", "every bit flipped: the one before is used", 8 * len(content))


def test_one_of_another_journal_is_passed_over(
    two: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As one that was left when the journal was restored from a copy: it would bring orders back that never were."""
    other = tmp_path_factory.mktemp("other")
    with Journal(other, COMMANDS, FIGURES, EPOCH) as journal:
        journal.recover(lambda *_: None)
        journal.append([*records_of(1, 2), record_of(3), record_of(5)], 0)
    (other / two[1].name).write_bytes(two[1].read_bytes())
    with pytest.raises(DamagedCheckpointError, match="is not of this journal"):
        read_checkpoint(other / two[1].name, COMMANDS)
    (other / two[0].name).write_bytes(two[0].read_bytes())
    assert _state(next(each for each in good_checkpoints(other, COMMANDS) if isinstance(each, Checkpoint))) == b"older"
    os.truncate(COMMANDS.files(other)[0], 64)
    with pytest.raises(DamagedCheckpointError, match="is not of this journal"):
        read_checkpoint(other / two[0].name, COMMANDS)
    COMMANDS.files(other)[0].unlink()
    with pytest.raises(DamagedCheckpointError, match="cannot be read"):
        read_checkpoint(other / two[0].name, COMMANDS)


def test_one_of_other_figures_or_later_rules_is_not_used(two: tuple[Path, Path]) -> None:
    """The engine has another number of symbols, or answered commands as a later release does."""
    with pytest.raises(JournalMismatchError, match="must have symbol_count 3, was 2"):
        read_checkpoint(two[1], COMMANDS, (3, *FIGURES[1:]))
    before, after = (
        Schema("command", b"TICKJRNL", version, CommandRecord, "QQHHHxx", figures=COMMANDS.figures)
        for version in (0, 2)
    )
    with pytest.raises(JournalMismatchError, match=r"must be of version 1\.0 or before, was 1\.1"):
        read_checkpoint(two[1], before)
    assert read_checkpoint(two[1], after) == read_checkpoint(two[1], COMMANDS), "an upgrade goes on from it"


def test_it_has_the_bytes_of_its_document(two: tuple[Path, Path]) -> None:
    """docs/journal.md shows where each field stands."""
    content = two[0].read_bytes()
    assert content[:16] == b"TICKCKPT" + (1).to_bytes(4, "little") + (1).to_bytes(4, "little")
    size = 64 + sum(40 + len(record_of(each).payload) for each in (1, 2))
    fields = {16: EPOCH, 24: record_of(2).time_ns, 32: 2, 40: size}
    for offset, value in fields.items():
        assert int.from_bytes(content[offset : offset + 8], "little") == value, f"offset {offset}"
    assert int.from_bytes(content[48:52], "little") == 1, "the number of the file"
    assert int.from_bytes(content[52:56], "little") == 40 + len(record_of(2).payload), "the last record's size"
    assert [int.from_bytes(content[at : at + 4], "little") for at in range(64, 80, 4)] == list(FIGURES)
    assert int.from_bytes(content[80:88], "little") == len(b"older")
    assert oct(two[0].stat().st_mode)[-3:] == "600"

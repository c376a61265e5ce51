"""What a journal does without some of its files, or with one that has only begun: before a checkpoint nothing of it."""

from pathlib import Path
from typing import Final

import pytest

from journal.format import HEADER_SIZE, CorruptJournalError
from journal.reader import JournalReader, Place
from nodes.engine.command_record import COMMANDS, journal_epoch
from tests.journal.records import EPOCH, live, records_of

LIVES: Final = 5  # of two records each


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A journal of five files."""
    for life in range(LIVES):
        live(tmp_path, [records_of(2 * life + 1, 2)])
    return tmp_path


def _place_behind(folder: Path, sequence: int) -> Place:
    reader = JournalReader(folder, COMMANDS)
    return next(reader.place for found, _ in reader.records() if found == sequence)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_file_that_is_missing_before_a_place_is_not_asked_for(folder: Path, number: int) -> None:
    """A start from a checkpoint needs what follows it: it was refused, and `repair` put all of the journal aside."""
    place = _place_behind(folder, 7)
    (folder / COMMANDS.file_name(number)).unlink()
    found = [sequence for sequence, _ in JournalReader(folder, COMMANDS).records(place)]
    assert found == [8, 9, 10]
    with pytest.raises(CorruptJournalError, match=COMMANDS.file_name(number)):
        list(JournalReader(folder, COMMANDS).records())


def test_a_file_that_is_missing_behind_a_place_is(folder: Path) -> None:
    """Its commands would be left out."""
    place = _place_behind(folder, 3)
    (folder / COMMANDS.file_name(4)).unlink()
    with pytest.raises(CorruptJournalError, match=COMMANDS.file_name(4)):
        list(JournalReader(folder, COMMANDS).records(place))


@pytest.mark.parametrize("size", [0, 1, 15, 16, HEADER_SIZE - 1])
def test_the_epoch_is_that_of_the_last_file_whatever_became_of_the_first(folder: Path, size: int) -> None:
    """A start from a checkpoint took a new one, with the book of before: all sources would enter their orders again."""
    first = folder / COMMANDS.file_name(1)
    first.write_bytes(first.read_bytes()[:size])
    assert journal_epoch(folder) == EPOCH
    first.write_bytes(b"x" * HEADER_SIZE)
    assert journal_epoch(folder) == EPOCH
    (folder / COMMANDS.file_name(LIVES + 1)).write_bytes(b"TICK")  # whose writer has died as it began it
    assert journal_epoch(folder) == EPOCH
    first.unlink()
    assert journal_epoch(folder) == EPOCH
    assert journal_epoch(folder / "nowhere") is None


@pytest.mark.parametrize("size", [0, 15, 16, HEADER_SIZE - 1])
def test_a_first_file_that_ends_in_its_header_is_told(folder: Path, size: int) -> None:
    """Of one that is short `verify` and `inspect` ended with a traceback."""
    for number in (1, 2):
        (folder / COMMANDS.file_name(number)).unlink()
    first = folder / COMMANDS.file_name(3)
    first.write_bytes(first.read_bytes()[:size])
    with pytest.raises(CorruptJournalError, match=f"the header has {HEADER_SIZE} bytes, were {size}"):
        JournalReader(folder, COMMANDS).beginning()

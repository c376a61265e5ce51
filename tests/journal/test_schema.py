"""What an owner says of its journal, journal/format.py."""

from pathlib import Path
from typing import Final, NamedTuple

import pytest

from journal.format import CorruptJournalError, Schema
from journal.journal import Journal
from journal.reader import JournalReader
from nodes.engine.command_record import COMMANDS


class Note(NamedTuple):
    """A record with a text in its envelope."""

    name: bytes
    message_count: int
    skip_count: int
    payload: bytes


NOTES: Final = Schema("note", b"TICKNOTE", 3, Note, "12pHH")
WRITTEN: Final = [Note(b"one", 2, 0, b"ab"), Note(b"", 1, 0, b"")]


def test_an_owner_gets_back_what_it_has_kept(tmp_path: Path) -> None:
    """Its records have its own fields, and its files its own name, without figures."""
    with Journal(tmp_path, NOTES, (), 7) as journal:
        journal.recover(lambda *_: None)
        journal.append(WRITTEN, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["notes-00000001.journal"]
    reader = JournalReader(tmp_path, NOTES)
    assert list(reader.records()) == list(enumerate(WRITTEN, 1))
    assert reader.files[0].header is not None
    assert (reader.files[0].header.epoch, reader.files[0].header.figures) == (7, ())


def test_a_journal_of_another_owner_is_refused(tmp_path: Path) -> None:
    """A file that was given another owner's name is not read as its records."""
    with Journal(tmp_path, NOTES, (), 7) as journal:
        journal.recover(lambda *_: None)
    assert list(JournalReader(tmp_path, COMMANDS).records()) == [], "under its own name it is not seen"
    (tmp_path / NOTES.file_name(1)).rename(tmp_path / COMMANDS.file_name(1))
    with pytest.raises(CorruptJournalError, match="it must begin with b'TICKJRNL'"):
        list(JournalReader(tmp_path, COMMANDS).records())

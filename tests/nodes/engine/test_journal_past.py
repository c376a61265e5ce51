"""What a primary's disk has for its standby: the records as they stand, in whole turns, from any place on."""

import os
from errno import EIO
from pathlib import Path
from typing import Final

import pytest

from bus.standby_frames import NOWHERE, Position
from journal.checkpoint import Checkpoint, checkpoint_paths, write_checkpoint
from journal.format import HEADER_SIZE, PREFIX_SIZE, JournalMode, read_prefix
from journal.journal import Journal
from nodes.engine.command_record import COMMANDS, CommandRecord
from nodes.engine.journal_past import JournalPast, pack_beginning, unpack_beginning
from tests.journal.records import EPOCH, FIGURES, record_of

TURNS: Final = 1, 3, 1, 2, 5, 1, 1, 4, 2, 1  # records each
CHECKPOINTS: Final = 5, 13  # behind these records
FILES: Final = 3, 6, 8  # lives begin before these turns


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A journal of four lives, whose turns have several records."""
    sequence, turn = 0, 0
    for last in (*FILES, len(TURNS)):
        with Journal(tmp_path, COMMANDS, FIGURES, EPOCH, JournalMode.WRITE) as journal:
            journal.recover(lambda *_: None)
            while turn < last:
                records = [_record(sequence + number, turn) for number in range(1, TURNS[turn] + 1)]
                sequence, turn = journal.append(records, 0), turn + 1
                if sequence in CHECKPOINTS:
                    assert journal.last is not None
                    checkpoint = Checkpoint(EPOCH, 1, journal.last, FIGURES, b"the state")
                    write_checkpoint(tmp_path, COMMANDS, checkpoint)
    return tmp_path


def _record(sequence: int, turn: int) -> CommandRecord:
    return record_of(sequence)._replace(time_ns=1_000 - turn % 2)


def _ends(folder: Path) -> list[tuple[Position, bytes]]:
    """Return the position behind each record, and the bytes of each, the first before all."""
    found = [(NOWHERE, b"")]
    for path in COMMANDS.files(folder):
        content, at = path.read_bytes(), HEADER_SIZE
        while at < len(content):
            crc, length, sequence = read_prefix(content[at:])
            found.append((Position(sequence, crc), content[at : at + PREFIX_SIZE + length]))
            at += PREFIX_SIZE + length
    return found


@pytest.mark.parametrize("bytes_max", [1, 200, 1 << 20])
def test_from_behind_any_record_it_reads_to_the_end_in_whole_turns(folder: Path, bytes_max: int) -> None:
    """A turn is told together, whatever there is room for; what follows is byte for byte what the files have."""
    ends = _ends(folder)
    turn_ends = {sum(TURNS[: number + 1]) for number in range(len(TURNS))}
    for sequence, (position, _) in enumerate(ends):
        past, payload, at = JournalPast(folder, FIGURES), b"", sequence
        assert past.seek(position), f"behind record {sequence}"
        while at < len(ends) - 1:
            piece = past.read(bytes_max)
            assert piece is not None
            assert piece.first == at + 1
            at = piece.end.sequence
            assert at in turn_ends
            assert piece.end == ends[at][0]
            payload += piece.payload
        assert payload == b"".join(content for _, content in ends[sequence + 1 :])
        past.close()


def test_what_it_has_not_is_not_found(folder: Path) -> None:
    """Another record in that place, one that is pruned, one that is still to come."""
    ends, past = _ends(folder), JournalPast(folder, FIGURES)
    for position, _ in ends[1:]:
        assert not past.seek(position._replace(crc=position.crc ^ 1))
    assert not past.seek(Position(len(ends), 1))
    assert past.seek(ends[-1][0])
    COMMANDS.files(folder)[0].unlink()
    assert not past.seek(NOWHERE)
    assert not past.seek(ends[2][0])
    assert past.seek(ends[sum(TURNS[: FILES[0]]) + 1][0])
    past.close()


def test_records_of_a_former_release_are_not_told(folder: Path) -> None:
    """This one would make something else of them: what stands before them begins behind a checkpoint."""
    ends, past = _ends(folder), JournalPast(folder, FIGURES)
    for path in COMMANDS.files(folder)[:2]:
        content = path.read_bytes()
        former = COMMANDS.decode_header(path, content[:HEADER_SIZE])._replace(version=COMMANDS.version - 1)
        path.write_bytes(COMMANDS.encode_header(former) + content[HEADER_SIZE:])
    first, second = sum(TURNS[: FILES[0]]), sum(TURNS[: FILES[1]])  # the last records of those files
    assert [past.seek(ends[each][0]) for each in (0, 1, second - 1)] == [False] * 3
    assert past.seek(ends[first][0])
    assert past.read(1 << 20) is None
    for sequence in (second, second + 1):
        assert past.seek(ends[sequence][0])
        piece = past.read(1)
        assert piece is not None
        assert piece.first == sequence + 1
    past.close()


def test_what_is_damaged_is_as_if_it_were_pruned(folder: Path) -> None:
    """An engine goes on with it, behind a checkpoint; so does its standby."""
    ends, past = _ends(folder), JournalPast(folder, FIGURES)
    paths = COMMANDS.files(folder)
    first, second = sum(TURNS[: FILES[0]]), sum(TURNS[: FILES[1]])
    content = paths[0].read_bytes()
    for at in range(HEADER_SIZE, len(content), 7):
        paths[0].write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
        if past.seek(NOWHERE):
            got = 0
            while (piece := past.read(1)) is not None:
                assert piece.end == ends[piece.end.sequence][0]
                got = piece.end.sequence
            assert got < first
    paths[1].write_bytes(b"x" * 200)
    assert not past.seek(ends[first + 1][0])
    assert past.seek(ends[second + 1][0])
    past.close()


def test_a_place_in_a_long_file_is_found_with_few_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders wait meanwhile: one call for each record took a second of a file of 64 MB."""
    with Journal(tmp_path, COMMANDS, FIGURES, EPOCH, JournalMode.WRITE) as journal:
        journal.recover(lambda *_: None)
        journal.append([_record(number, number) for number in range(1, 20_001)], 0)
        assert journal.last is not None
        end = Position(journal.sequence, journal.last.crc)
    calls, pread = 0, os.pread

    def counted(file: int, size: int, offset: int) -> bytes:
        nonlocal calls
        calls += 1
        return pread(file, size, offset)

    monkeypatch.setattr(os, "pread", counted)
    past = JournalPast(tmp_path, FIGURES)
    assert past.seek(end)
    assert calls < 20
    assert not past.seek(Position(20_001, 5))
    past.close()


def test_a_file_that_is_pruned_while_it_is_far_behind_is_missed(folder: Path) -> None:
    """It is told, and begins anew behind a checkpoint."""
    past = JournalPast(folder, FIGURES)
    assert past.seek(NOWHERE)
    assert past.read(1 << 20) is not None
    COMMANDS.files(folder)[1].unlink()
    assert past.read(1 << 20) is None
    past.close()


def test_the_newest_good_checkpoint_is_given(folder: Path) -> None:
    """With its file and the record that it stands behind, byte for byte; without any, the beginning."""
    past, paths, ends = JournalPast(folder, FIGURES), checkpoint_paths(folder), _ends(folder)
    position, content = past.beginning()
    assert position == ends[13][0]
    assert unpack_beginning(content) == (COMMANDS.version, FIGURES, ends[13][1], paths[1].read_bytes())
    paths[1].write_bytes(b"")
    assert past.beginning()[0].sequence == 5
    paths[0].unlink()
    position, content = past.beginning()
    assert (position, unpack_beginning(content)) == (NOWHERE, (COMMANDS.version, FIGURES, b"", b""))


def test_what_the_disk_does_not_give_is_as_if_it_were_pruned(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad sector in an old file ended the primary, at each word of its standby; it is told once, and it goes on."""
    ends, told, pread = _ends(folder), list[str](), os.pread
    past = JournalPast(folder, FIGURES, told.append)
    assert past.seek(NOWHERE)

    def bad_sector(file: int, size: int, offset: int) -> bytes:
        if offset >= HEADER_SIZE:
            raise OSError(EIO, os.strerror(EIO))
        return pread(file, size, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", bad_sector)
        assert past.read(1 << 20) is None
        assert not past.seek(ends[-1][0])
        assert past.beginning() == (NOWHERE, pack_beginning(FIGURES, b"", b""))
    assert told == [f"{folder} cannot be read: Input/output error"]
    assert past.seek(ends[-1][0])
    past.close()


def test_a_file_that_is_missing_among_the_first_ones_hinders_nobody_behind_it(folder: Path) -> None:
    """Nor one that ends in its header: the engine goes on behind a checkpoint, and so does its standby."""
    ends, past, paths = _ends(folder), JournalPast(folder, FIGURES), COMMANDS.files(folder)
    paths[0].write_bytes(b"TICK")
    assert not past.seek(NOWHERE)
    assert past.seek(ends[-1][0])
    paths[1].unlink()
    assert past.seek(ends[-1][0])
    past.close()

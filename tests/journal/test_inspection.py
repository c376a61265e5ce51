"""A person can see what a journal holds and whether an engine can start from it."""

import json
from pathlib import Path

import pytest

from journal.format import JournalMismatchError, JournalMode
from journal.journal import Journal
from nodes.engine.command_record import COMMANDS
from nodes.engine.inspection import inspect, inspection_text, is_in_use, verification_text, verify
from tests.journal.records import EPOCH, FIGURES, boundaries, live, record_of, records_of


def test_inspects_files_and_sources(tmp_path: Path) -> None:
    """Counts are of what is new in each record, by file and by source."""
    live(tmp_path, [records_of(1, 4)])
    live(tmp_path, [records_of(5, 2)], JournalMode.SYNC)
    found = inspect(tmp_path)
    fresh = {sequence: 1 + (1 + sequence % 5) - sequence % 2 for sequence in range(1, 7)}
    assert (found["records"], found["commands"], found["mode"], found["epoch"]) == (
        6,
        sum(fresh.values()),
        "sync",
        str(EPOCH),
    )
    assert (found["first_sequence"], found["last_sequence"]) == (1, 6)
    assert (found["first_time_ns"], found["last_time_ns"]) == (str(EPOCH + 1), str(EPOCH + 6))
    assert found["capacity"] == {"symbol_count": 2, "orders_max": 1_000, "pages_max": 64, "own_symbols": 0}
    assert found["bytes"] == sum(path.stat().st_size for path in COMMANDS.files(tmp_path))
    assert [(file["mode"], file["sequences"], file["records"]) for file in found["files"]] == [
        ("write", "1-4", 4),
        ("sync", "5-6", 2),
    ]
    last = record_of(6)
    assert found["sources"]["1"] == {
        "records": 2,
        "commands": fresh[3] + fresh[6],
        "last_link_sequence": last.first_sequence + last.message_count - 1,
    }
    assert (found["torn_tail"], found["is_in_use"]) == (None, False)
    json.dumps(found)


def test_shows_it_as_text(tmp_path: Path) -> None:
    """`journal inspect` prints this."""
    live(tmp_path, [records_of(1, 3)])
    text = inspection_text(inspect(tmp_path))
    assert (
        "engine: symbol_count 2, orders_max 1000, pages_max 64, own_symbols 0; mode write, epoch 1700000000000000000"
        in text
    )
    assert "from 2023-11-14T22:13:20.000Z to 2023-11-14T22:13:20.000Z" in text
    assert "commands-00000001.journal  write" in text
    assert inspection_text(inspect(tmp_path / "absent")) == f"{tmp_path / 'absent'} holds no journal"


def test_verifies_a_sound_journal(tmp_path: Path) -> None:
    """`journal verify` says that an engine can start."""
    live(tmp_path, [records_of(1, 3)])
    found = verify(tmp_path, FIGURES)
    assert (found["state"], found["records"], found["files"]) == ("sound", 3, 1)
    assert verification_text(found).startswith(f"{tmp_path} is sound: 3 records")
    assert "holds no journal" in verification_text({**found, "files": 0}), "where there is none, nothing is sound"
    assert ": 1 record, 1 command in 1 file" in verification_text({**found, "files": 1, "records": 1, "commands": 1})
    with pytest.raises(JournalMismatchError, match="must have symbol_count 1, was 2"):
        verify(tmp_path, (1, 1_000, 64))


def test_verifies_a_torn_tail(tmp_path: Path) -> None:
    """What the next start will cut off is told before, and still there afterwards."""
    live(tmp_path, [records_of(1, 3)])
    ends, (path,) = boundaries(tmp_path), COMMANDS.files(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    found = verify(tmp_path)
    assert (found["state"], found["records"]) == ("torn", 2)
    assert (found["torn_tail"]["offset"], found["torn_tail"]["bytes"]) == (ends[2], ends[3] - ends[2] - 1)
    assert "are sound; the next start cuts the tail off" in verification_text(found)
    assert f"torn tail: {ends[3] - ends[2] - 1} bytes of {path.name}" in inspection_text(inspect(tmp_path))
    assert path.stat().st_size == ends[3] - 1


def test_verifies_a_corrupt_journal(tmp_path: Path) -> None:
    """File and offset are named, and what can be believed."""
    live(tmp_path, [records_of(1, 3)])
    (path,) = COMMANDS.files(tmp_path)
    path.write_bytes(path.read_bytes()[:64] + b"\xff" + path.read_bytes()[65:])
    found = verify(tmp_path)
    assert found["state"] == "corrupt"
    assert (found["corruption"]["file"], found["corruption"]["offset"]) == (path.name, 64)
    assert "will not start from it" in verification_text(found)


def test_says_whether_it_is_in_use(tmp_path: Path) -> None:
    """The last record of a journal in use may be on its way."""
    assert not is_in_use(tmp_path / "absent")
    with Journal(tmp_path, COMMANDS, FIGURES, EPOCH) as journal:
        journal.recover(lambda sequence, record: None)
        assert is_in_use(tmp_path)
        assert inspect(tmp_path)["is_in_use"]
        assert ", in use" in inspection_text(inspect(tmp_path))
    assert not is_in_use(tmp_path)

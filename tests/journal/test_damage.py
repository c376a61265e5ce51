"""A torn tail is cut off and told; any other difference from what was written is refused, with file and offset."""

from pathlib import Path
from zlib import crc32

import pytest

from journal.format import CorruptJournalError, JournalError, JournalMode
from journal.journal import Journal
from journal.reader import JournalReader, TornTail
from nodes.engine.command_record import COMMANDS
from nodes.engine.inspection import verify
from tests.journal.records import (
    EPOCH,
    FIGURES,
    Read,
    boundaries,
    expected,
    live,
    raw_header,
    raw_record,
    read,
    record_of,
    records_of,
    write_file,
)
from tests.reliability import FaultRow

WINDOW = 1 << 22


def read_damaged(folder: Path) -> tuple[Read, TornTail | None]:
    """Return what can be read, and the torn tail."""
    reader = JournalReader(folder, COMMANDS, FIGURES)
    return list(reader.records()), reader.torn_tail


@pytest.mark.parametrize("mode", [JournalMode.WRITE, JournalMode.SYNC])
def test_recovers_the_whole_records_before_every_cut(tmp_path: Path, mode: JournalMode, fault_row: FaultRow) -> None:
    """Wherever a dying process or a full disk cuts the file, what was acknowledged before is there, and it goes on."""
    live(tmp_path / "whole", [records_of(1, 5)], mode)
    ends = boundaries(tmp_path / "whole")
    content = COMMANDS.files(tmp_path / "whole")[0].read_bytes()
    for cut in range(len(content) + 1):
        folder = tmp_path / f"cut-{cut}"
        folder.mkdir()
        path = write_file(folder, content[:cut])
        whole_count = max(sum(end <= cut for end in ends) - 1, 0)
        with Journal(folder, COMMANDS, FIGURES, EPOCH + 1, mode) as journal:
            taken: Read = []
            done = journal.recover(lambda sequence, record, taken=taken: taken.append((sequence, record)))  # type: ignore[misc]
            journal.append(records_of(whole_count + 1, 2), 0)
        assert taken == expected(whole_count)
        if cut in ends:
            assert done.torn_tail is None
        else:
            offset = ends[whole_count] if cut > ends[0] else 0
            assert done.torn_tail is not None
            assert (done.torn_tail.path, done.torn_tail.offset, done.torn_tail.size) == (path, offset, cut - offset)
        assert read(folder) == expected(whole_count + 2)
    fault_row("journal torn", "the file cut at every byte", len(content) + 1)


def test_catches_every_flipped_bit(tmp_path: Path, fault_row: FaultRow) -> None:
    """Damage is never read as commands: it is corruption, or a torn tail if it is in the last record."""
    live(tmp_path, [records_of(1, 5)])
    ends = boundaries(tmp_path)
    (path,) = COMMANDS.files(tmp_path)
    content = path.read_bytes()
    for bit in range(8 * len(content)):
        path.write_bytes(flipped(content, bit))
        if bit // 8 >= ends[-2]:
            found, tail = read_damaged(tmp_path)
            assert found == expected(4), f"bit {bit}"
            assert tail is not None
            assert (tail.offset, tail.size) == (ends[-2], len(content) - ends[-2])
            continue
        with pytest.raises(JournalError) as refusal:
            read_damaged(tmp_path)
        if isinstance(refusal.value, CorruptJournalError):
            assert refusal.value.path == path
            assert refusal.value.offset == max((end for end in ends if end <= bit // 8), default=0), f"bit {bit}"
        else:
            assert 8 <= bit // 8 < 12, "only the version may look like another version"
    fault_row("journal damaged", "every bit flipped: it is never read as commands", 8 * len(content))


def test_catches_every_flipped_bit_and_cut_before_the_last_file(tmp_path: Path) -> None:
    """Only the last file can have a torn tail: the others were ended on purpose."""
    for life in range(2):
        live(tmp_path, [records_of(1 + 2 * life, 2)])
    path, _ = COMMANDS.files(tmp_path)
    content = path.read_bytes()
    for bit in range(8 * len(content)):
        path.write_bytes(flipped(content, bit))
        with pytest.raises(JournalError, match=path.name):
            read_damaged(tmp_path)
    for cut in range(len(content)):
        path.write_bytes(content[:cut])
        with pytest.raises(CorruptJournalError):
            read_damaged(tmp_path)


def test_refuses_what_follows_a_torn_tail_in_the_last_file(tmp_path: Path) -> None:
    """Nobody writes behind a torn tail; so a good record there means that the bad bytes were records."""
    content = raw_header() + raw_record(1) + raw_record(2)[:-1] + raw_record(3)
    path = write_file(tmp_path, content)
    with pytest.raises(CorruptJournalError, match="a good record follows at offset") as refusal:
        read_damaged(tmp_path)
    assert (refusal.value.path, refusal.value.offset) == (path, 64 + len(raw_record(1)))


@pytest.mark.parametrize("size", [1, 7, 8, 9, 39, 40, 41, *range(WINDOW - 41, WINDOW + 10)])
def test_finds_a_good_record_behind_any_amount_of_bad_bytes(tmp_path: Path, size: int) -> None:
    """The search looks at every byte, also across the borders of its windows."""
    bad = b"\xff" * size
    path = write_file(tmp_path, raw_header() + raw_record(1) + bad + raw_record(2))
    offset = 64 + len(raw_record(1))
    with pytest.raises(CorruptJournalError, match=f"a good record follows at offset {offset + size}$") as refusal:
        read_damaged(tmp_path)
    assert (refusal.value.path, refusal.value.offset) == (path, offset)


@pytest.mark.parametrize("bad", [b"\x00" * (WINDOW + 100), b"\x18\x00\x00\x00\x02" * 100_000, b"\x01" + b"\x00" * 50])
def test_takes_bytes_without_any_record_for_a_torn_tail(tmp_path: Path, bad: bytes) -> None:
    """A power failure can leave zeros; bytes that only resemble the beginning of a record are none."""
    write_file(tmp_path, raw_header() + raw_record(1) + bad)
    found, tail = read_damaged(tmp_path)
    assert found == expected(1)
    assert tail is not None
    assert tail.size == len(bad)
    live(tmp_path, [records_of(2, 1)])
    assert read(tmp_path) == expected(2)


def test_is_not_fooled_by_a_record_of_another_journal(tmp_path: Path) -> None:
    """A good record with a sequence that cannot follow is no sign of corruption; nothing was lost between."""
    far = raw_record(1_000_000, record_of(1))
    write_file(tmp_path, raw_header() + raw_record(1) + b"\xff" + far)
    assert read_damaged(tmp_path)[0] == expected(1)


@pytest.mark.parametrize(
    ("sequence", "why"), [(1, "must be 2, was 1"), (3, "must be 2, was 3"), (0, "must be 2, was 0")]
)
def test_refuses_gaps_and_repetitions(tmp_path: Path, sequence: int, why: str) -> None:
    """A record that is missing or doubled would give another book."""
    path = write_file(tmp_path, raw_header() + raw_record(1) + raw_record(sequence))
    with pytest.raises(CorruptJournalError, match=why) as refusal:
        read_damaged(tmp_path)
    assert (refusal.value.path, refusal.value.offset) == (path, 64 + len(raw_record(1)))


def test_refuses_a_missing_file(tmp_path: Path) -> None:
    """The first files cannot be left out: the book is made of all commands."""
    for life in range(3):
        live(tmp_path, [records_of(1 + life, 1)])
    first, middle, last = COMMANDS.files(tmp_path)
    content = middle.read_bytes()
    middle.unlink()
    with pytest.raises(CorruptJournalError, match=f"{middle.name} is corrupt at offset 0: the file is missing"):
        read_damaged(tmp_path)
    last.rename(middle)
    with pytest.raises(CorruptJournalError, match="its number must be 2 as in its name, was 3"):
        read_damaged(tmp_path)
    middle.write_bytes(content)
    first.write_bytes(raw_header())
    with pytest.raises(CorruptJournalError, match="it must start with sequence 1, was 2"):
        read_damaged(tmp_path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"x" * 64, "it must begin with b'TICKJRNL'"),
        (raw_header(start_sequence=2), "it must start with sequence 1, was 2"),
    ],
)
def test_refuses_a_header_that_cannot_be(tmp_path: Path, content: bytes, why: str) -> None:
    """Before a file is believed, its header is."""
    write_file(tmp_path, content)
    with pytest.raises(CorruptJournalError, match=why):
        list(JournalReader(tmp_path, COMMANDS).records())


def test_refuses_an_envelope_that_cannot_be(tmp_path: Path) -> None:
    """A right CRC does not make sense of counts that no frame has."""
    good = raw_record(1)
    envelope = good[4:36] + (9).to_bytes(2, "little") + good[38:]  # skips more commands than there are
    write_file(tmp_path, raw_header() + crc_of(envelope) + envelope)
    with pytest.raises(CorruptJournalError, match="expected 0 <= skip < count"):
        read_damaged(tmp_path)


def test_changes_nothing_of_a_corrupt_journal(tmp_path: Path) -> None:
    """Whoever has to repair it needs what is there; and the engine must not go on."""
    live(tmp_path, [records_of(1, 3)])
    (path,) = COMMANDS.files(tmp_path)
    damaged = flipped(path.read_bytes(), 8 * 70)
    path.write_bytes(damaged)
    with Journal(tmp_path, COMMANDS, FIGURES, EPOCH) as journal:
        with pytest.raises(CorruptJournalError):
            journal.recover(lambda sequence, record: None)
        with pytest.raises(JournalError, match="takes nothing more"):
            journal.append(records_of(4, 1), 0)
    assert path.read_bytes() == damaged
    assert [path.name for path in tmp_path.iterdir()] == [COMMANDS.file_name(1)]
    assert verify(tmp_path)["corruption"]["offset"] == 64


def flipped(content: bytes, bit: int) -> bytes:
    """Return `content` with one bit changed."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def crc_of(content: bytes) -> bytes:
    """Return the CRC that stands before a record's other bytes."""
    return crc32(content).to_bytes(4, "little")

"""What is acknowledged in the modes `group` and `sync` outlives a power failure at any moment; not so in `write`."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random

import pytest

from journal.format import JournalMode
from journal.journal import Journal
from journal.reader import JournalReader
from market.whole_file import put_aside
from nodes.engine.command_record import COMMANDS
from tests.journal.records import EPOCH, FIGURES, live, records_of
from tests.power import Disk, Moment, disk_under
from tests.reliability import FaultRow

SEEDS = 6
PAYLOAD = 150_000
SMALL = {"file_bytes_max": 64 + COMMANDS.record_size_max}


def failures(moment: Moment, folder: Path) -> Iterator[Path]:
    """Yield the folder as some power failures at this moment may leave it."""
    numbers = count()
    for random, is_all_kept in ((None, False), (None, True), *((Random(seed), False) for seed in range(SEEDS))):
        path = folder / f"{next(numbers)}"
        moment.make(path, random, is_all_kept=is_all_kept)
        yield path


def run(disk: Disk, folder: Path, mode: JournalMode, batches: int) -> None:
    """Let a journal live, and note at each step what it has acknowledged."""
    with Journal(folder, COMMANDS, FIGURES, EPOCH, mode, group_ns=3, **SMALL) as journal:
        journal.recover(lambda *_: None)
        for now in range(batches):
            journal.append(records_of(journal.sequence + 1, 1 + now % 3, PAYLOAD), now)
            disk.says = journal.acknowledged_sequence
            disk.look("append")
            if journal.sync_due(now):
                journal.sync()
            disk.says = journal.acknowledged_sequence
            disk.look("sync_due")
    disk.says = journal.sequence if mode.is_synced else 0


@pytest.mark.parametrize("mode", [JournalMode.GROUP, JournalMode.SYNC])
def test_keeps_what_was_acknowledged(tmp_path: Path, mode: JournalMode, fault_row: FaultRow) -> None:
    """Whatever of the rest is kept: the journal is sound, has all that was acknowledged, and no other."""
    root = tmp_path / "disk"
    root.mkdir()
    with disk_under(root) as disk:
        run(disk, root / "journal", mode, 7)
        run(disk, root / "journal", mode, 4)  # a second life, behind the first
    assert len(disk.moments) > 40
    assert len({path.name for path in (root / "journal").iterdir()}) > 2, "several files were begun"
    for number, moment in enumerate(disk.moments):
        for left in failures(moment, _folder(tmp_path / f"{number}")):
            found = recovered(left / "journal")
            assert found >= (moment.says or 0), f"{moment.after}: {moment.says} were acknowledged, {found} are there"
    cause = "a disk that keeps what was synced, and of the rest something; modes `group` and `sync`"
    fault_row("power of the machine fails", cause, len(disk.moments))


def recovered(folder: Path) -> int:
    """Let a new life recover; return how many records it has, each of them as it was written."""
    live(folder, [])
    reader = JournalReader(folder, COMMANDS, FIGURES)
    found = list(reader.records())
    assert [each for each, _ in found] == list(range(1, len(found) + 1))
    assert all(record.payload == records_of(each, 1, PAYLOAD)[0].payload for each, record in found)
    return len(found)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_defect_would_be_found(tmp_path: Path) -> None:
    """In mode `write` the same look finds acknowledged records that are gone: the disk does lose what it may."""
    root = tmp_path / "disk"
    root.mkdir()
    with disk_under(root) as disk:
        run(disk, root / "journal", JournalMode.WRITE, 3)
    moment = next(each for each in disk.moments if each.says)
    moment.make(tmp_path / "left", None)
    assert recovered(tmp_path / "left" / "journal") < moment.says


def test_a_journal_that_was_put_aside_does_not_come_back(tmp_path: Path) -> None:
    """What the next one has acknowledged is in it; with the one before in its place it would be lost."""
    root = tmp_path / "disk"
    root.mkdir()
    with disk_under(root) as disk:
        run(disk, root / "journal", JournalMode.SYNC, 3)
        put_aside(root / "journal")
        disk.says = 0
        run(disk, root / "journal", JournalMode.SYNC, 1)
    last = disk.moments[-1]
    last.make(tmp_path / "left", None)
    assert recovered(tmp_path / "left" / "journal") == 1

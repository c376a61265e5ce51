"""The mode says when a command may be acknowledged, and how often the disk is asked."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from journal.format import JournalMode
from journal.journal import Journal
from market.clock import NS_PER_MS
from market.limits import JOURNAL_FILE_BYTES_MAX
from nodes.engine.command_record import COMMANDS, CommandRecord
from tests.journal.records import EPOCH, FIGURES, live, records_of

Calls = list[str]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Return a list that names the calls of the kernel from now on, in order."""
    made: Calls = []

    def told(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any) -> Any:
            made.append(name)
            return call(*args)

        return wrapped

    for name in ("write", "fdatasync", "fsync", "open"):
        monkeypatch.setattr(os, name, told(name, getattr(os, name)))
    return made


def opened(folder: Path, mode: JournalMode, **options: int) -> Journal[CommandRecord]:
    """Return a journal that takes records."""
    journal = Journal(folder, COMMANDS, FIGURES, EPOCH, mode, **options)
    journal.recover(lambda sequence, record: None)
    return journal


def test_writes_a_batch_with_one_call(tmp_path: Path, calls: Calls) -> None:
    """The cost of the kernel is shared by everything that waits; and the disk is not waited for."""
    with opened(tmp_path, JournalMode.WRITE) as journal:
        calls.clear()
        journal.append(records_of(1, 4_000), 0)
        assert calls == ["write"]
        assert (journal.acknowledged_sequence, journal.synced_sequence) == (4_000, 0)
        journal.append([], 0)
    assert calls == ["write", "fdatasync"], "close syncs once"


def test_syncs_every_batch_in_mode_sync(tmp_path: Path, calls: Calls) -> None:
    """What is acknowledged is on the disk."""
    with opened(tmp_path, JournalMode.SYNC) as journal:
        calls.clear()
        journal.append(records_of(1, 3), 0)
        journal.append(records_of(4, 1), 0)
        assert calls == ["write", "fdatasync", "write", "fdatasync"]
        assert (journal.acknowledged_sequence, journal.synced_sequence) == (4, 4)
        assert not journal.sync_due(10**12)


def test_syncs_a_group_by_the_clock(tmp_path: Path, calls: Calls) -> None:
    """The oldest unsynced record waits no longer than it may, and nobody is acknowledged before the sync."""
    with opened(tmp_path, JournalMode.GROUP, group_ns=2 * NS_PER_MS) as journal:
        calls.clear()
        assert not journal.sync_due(10**12)
        journal.append(records_of(1, 2), 5 * NS_PER_MS)
        journal.append(records_of(3, 1), 6 * NS_PER_MS)
        assert (journal.sequence, journal.acknowledged_sequence) == (3, 0)
        assert not journal.sync_due(7 * NS_PER_MS - 1)
        assert journal.sync_due(7 * NS_PER_MS)
        assert calls == ["write", "write"]
        journal.sync()
        assert calls == ["write", "write", "fdatasync"]
        assert journal.acknowledged_sequence == 3
        assert not journal.sync_due(10**12)
        journal.append(records_of(4, 1), 9 * NS_PER_MS)
        assert not journal.sync_due(11 * NS_PER_MS - 1)
        assert journal.sync_due(11 * NS_PER_MS)
    assert journal.acknowledged_sequence == 4, "close syncs the last group"


def test_does_not_start_the_clock_for_nothing(tmp_path: Path) -> None:
    """An empty batch waits for no disk."""
    with opened(tmp_path, JournalMode.GROUP) as journal:
        journal.append([], 5)
        assert not journal.sync_due(10**12)


@pytest.mark.parametrize("mode", [JournalMode.GROUP, JournalMode.SYNC])
def test_syncs_a_file_before_it_begins_the_next(tmp_path: Path, calls: Calls, mode: JournalMode) -> None:
    """After a power failure no file may be whole behind one that is not, and a file's name must be there."""
    with opened(tmp_path, mode, file_bytes_max=2 << 20) as journal:
        journal.append(records_of(1, 1, 1_000_000), 0)
        calls.clear()
        journal.append(records_of(2, 2, 1_000_000), 0)
        expected = ["fdatasync", "open", "fsync", "write", "fdatasync", "write"]
        assert calls == expected + ["fdatasync"] * (mode is JournalMode.SYNC)
        assert journal.synced_sequence == (3 if mode is JournalMode.SYNC else 1)


@pytest.mark.parametrize("mode", [JournalMode.GROUP, JournalMode.SYNC])
def test_syncs_what_a_former_life_left(tmp_path: Path, calls: Calls, mode: JournalMode) -> None:
    """A source is told that replayed commands are done: so the disk must have them."""
    live(tmp_path, [records_of(1, 1)])
    live(tmp_path, [records_of(2, 1)])
    calls.clear()
    with opened(tmp_path, mode) as journal:
        assert calls.count("fsync") == 3, "two files and the folder"
        assert journal.acknowledged_sequence == journal.synced_sequence == 2


@pytest.mark.parametrize(
    "options", [{"group_ns": -1}, {"file_bytes_max": 1 << 20}, {"file_bytes_max": JOURNAL_FILE_BYTES_MAX + 1}]
)
def test_refuses_options_out_of_range(tmp_path: Path, options: dict[str, int]) -> None:
    """A file must hold the largest record, and has a maximum."""
    with pytest.raises(ValueError, match="must"):
        Journal(tmp_path / "journal", COMMANDS, FIGURES, EPOCH, **options)  # type: ignore[arg-type]
    assert not (tmp_path / "journal").exists()

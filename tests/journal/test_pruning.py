"""What no start needs goes by age and by size, the oldest first; dying at any step leaves what a start needs."""

import os
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any, Final

import pytest
import zstandard

from journal.checkpoint import Checkpoint, checkpoint_paths, good_checkpoints, sequence_of, write_checkpoint
from journal.journal import Journal
from journal.pruning import ARCHIVE, Keep, Retention, prune
from market import whole_file
from nodes.engine.command_record import COMMANDS
from tests.journal.records import EPOCH, FIGURES, record_of
from tests.journal.test_checkpoint import recovered

FILES: Final = 8  # of two records each, with a checkpoint behind each record
FOREVER_NS: Final = 1 << 60
NOTHING: Final = Retention(Keep.PRUNE, 0, 0)
NOW_NS: Final = record_of(2 * FILES).time_ns + 1


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal of as many lives, with all of its checkpoints."""
    folder = tmp_path_factory.mktemp("full")
    for life in range(FILES):
        with Journal(folder, COMMANDS, FIGURES, EPOCH) as journal:
            journal.recover(lambda *_: None)
            for sequence in (2 * life + 1, 2 * life + 2):
                journal.append([record_of(sequence, 500)], 0)
                _write(folder, journal, sequence)
    assert len(COMMANDS.files(folder)) == FILES
    return folder


@pytest.fixture
def folder(full: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return copytree(full, tmp_path / "journal")


def _write(folder: Path, journal: Journal[Any], sequence: int) -> None:
    assert journal.last is not None
    write_checkpoint(
        folder, COMMANDS, Checkpoint(EPOCH, record_of(sequence).time_ns, journal.last, FIGURES, b"%d" % sequence)
    )


def _numbers(folder: Path) -> list[int]:
    return [COMMANDS.number_of(path) for path in COMMANDS.files(folder)]


def _sequences(folder: Path) -> list[int]:
    return [sequence_of(path) for path in checkpoint_paths(folder)]


@pytest.mark.parametrize(
    ("retention", "numbers", "sequences"),
    [
        (NOTHING, [8], [15, 16]),
        (Retention(Keep.ALL, 0, 0), [*range(1, 9)], [1, 3, 5, 7, 9, 11, 13, 15, 16]),
        (Retention(Keep.PRUNE, FOREVER_NS, FOREVER_NS), [*range(1, 9)], [1, 3, 5, 7, 9, 11, 13, 15, 16]),
        (Retention(Keep.PRUNE, FOREVER_NS, 3_500), [6, 7, 8], [11, 13, 15, 16]),
        (Retention(Keep.PRUNE, 6, FOREVER_NS), [5, 6, 7, 8], [9, 11, 13, 15, 16]),
    ],
    ids=["nothing", "all", "for ever", "by size", "by age"],
)
def test_keeps_what_it_is_told_and_what_a_start_needs(
    folder: Path, retention: Retention, numbers: list[int], sequences: list[int]
) -> None:
    """Of checkpoints the last two, and the first one in each file that stays."""
    (folder / "checkpoint-000000000016.state.tmp").write_bytes(b"of one that has died")
    prune(folder, COMMANDS, FIGURES, retention, NOW_NS)
    assert (_numbers(folder), _sequences(folder)) == (numbers, sequences)
    assert not list(folder.glob("*.tmp"))
    for found in good_checkpoints(folder, COMMANDS, FIGURES):
        assert isinstance(found, Checkpoint)
        first = found.last.place.sequence + 1
        assert [sequence for sequence, _ in recovered(copytree(folder, folder / f"{first}"), found.last)] == [
            *range(first, 2 * FILES + 1)
        ]


@pytest.mark.parametrize("keep", [Keep.PRUNE, Keep.ARCHIVE])
def test_a_damaged_checkpoint_does_not_count_as_one_of_the_last_two(folder: Path, keep: Keep) -> None:
    """The start that passes over it needs the two before it, and their files."""
    *_, before, last = checkpoint_paths(folder)
    before.write_bytes(before.read_bytes()[:-1])
    prune(folder, COMMANDS, FIGURES, NOTHING._replace(keep=keep), NOW_NS)
    assert _numbers(folder) == [7, 8]
    assert [each.name for each in (last,)] == [checkpoint_paths(folder)[-1].name]
    assert 14 in _sequences(folder)


def test_one_good_checkpoint_prunes_nothing(folder: Path) -> None:
    """Should it be damaged there must be another way."""
    for path in checkpoint_paths(folder)[:-1]:
        path.unlink()
    prune(folder, COMMANDS, FIGURES, NOTHING, NOW_NS)
    assert _numbers(folder) == [*range(1, FILES + 1)]


def test_the_archive_holds_what_was_taken_away(folder: Path) -> None:
    """Byte for byte, so that gunzip and a move back make the journal whole again."""
    before = {path.name: path.read_bytes() for path in COMMANDS.files(folder)}
    prune(folder, COMMANDS, FIGURES, NOTHING._replace(keep=Keep.ARCHIVE), NOW_NS)
    packed = sorted((folder / ARCHIVE).iterdir())
    assert [path.name for path in packed] == [f"{name}.zst" for name in [*before][:-1]]
    for path in packed:
        assert zstandard.decompress(path.read_bytes()) == before[path.stem]
        (folder / path.stem).write_bytes(zstandard.decompress(path.read_bytes()))
    assert len(recovered(folder, None)) == 2 * FILES


class _Killed(BaseException):
    """The process is gone; no handler of errors sees it."""


class _Steps:
    """Counts what changes a disk, before and after each change, and dies at one of them."""

    def __init__(self, last: int) -> None:
        self._last = last
        self.count = 0

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        for owner, name in ((os, "fsync"), (Path, "replace"), (Path, "unlink"), (whole_file, "_write")):
            patch.setattr(owner, name, self._watched(getattr(owner, name)))

    def _watched(self, change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*values: Any, **named: Any) -> Any:
            self._pass()
            result = change(*values, **named)
            self._pass()
            return result

        return changed

    def _pass(self) -> None:
        self.count += 1
        if self.count > self._last:
            raise _Killed


@pytest.mark.parametrize("keep", [Keep.PRUNE, Keep.ARCHIVE])
def test_dying_at_any_step_leaves_all_that_a_start_needs(
    full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: Keep
) -> None:
    """Before and after each write, sync, rename and removal of a checkpoint's writing and of the pruning behind it."""
    written = next(good_checkpoints(full, COMMANDS, FIGURES))
    assert isinstance(written, Checkpoint)
    found_sequences, is_whole, last = set(), False, 0
    while not is_whole:
        folder = copytree(full, tmp_path / f"{last}")
        checkpoint_paths(folder)[-1].unlink()
        steps = _Steps(last)
        with monkeypatch.context() as patch:
            steps.watch(patch)
            try:
                _keep_and_prune(folder, written, keep)
                is_whole = True
            except _Killed:
                pass
        newest = next(good_checkpoints(folder, COMMANDS, FIGURES))
        assert isinstance(newest, Checkpoint), newest
        sequence = newest.last.place.sequence
        found_sequences.add(sequence)
        assert newest.state == b"%d" % sequence
        again = copytree(folder, tmp_path / f"{last}-again")
        assert [each for each, _ in recovered(again, newest.last)] == [*range(sequence + 1, 2 * FILES + 1)]
        _keep_and_prune(folder, written, keep)
        assert (_numbers(folder), _sequences(folder)) == ([8], [15, 16]), f"step {last}"
        assert not list(folder.glob("*.tmp"))
        last += 1
    assert found_sequences == {15, 16}
    assert last > 50, "so many steps there are"


def _keep_and_prune(folder: Path, checkpoint: Checkpoint, keep: Keep) -> None:
    write_checkpoint(folder, COMMANDS, checkpoint)
    prune(folder, COMMANDS, FIGURES, NOTHING._replace(keep=keep), NOW_NS)

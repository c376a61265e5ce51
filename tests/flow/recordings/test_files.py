"""A recording's file is whole at every moment, and the next one goes on where it ended."""

import errno
import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from flow.recordings.files import RecordingFile, RecordingFiles
from flow.recordings.recorder import Line
from market.clock import NS_PER_SECOND

S = NS_PER_SECOND


def lines_of(path: Path) -> list[str]:
    return gzip.decompress(path.read_bytes()).decode().splitlines()


def test_is_whole_after_every_member(tmp_path: Path) -> None:
    """A recorder that is killed leaves what it has written, and no half of anything."""
    path = tmp_path / "a.gz"
    file = RecordingFile(path)
    for number in range(4):
        file.put(f"line {number}")
        file.write_due((number + 1) * 3 * S)
        assert lines_of(path) == [f"line {each}" for each in range(number + 1 if number % 2 else number)]
    file.close()
    assert len(lines_of(path)) == 4
    assert file.size == path.stat().st_size


def test_large_member_does_not_wait(tmp_path: Path) -> None:
    """What is held in memory has a bound."""
    file = RecordingFile(tmp_path / "a.gz")
    file.write_due(10 * S)
    file.put("x" * (1 << 20))
    file.write_due(10 * S)
    assert file.size > 0
    file.close()


def test_member_that_the_disk_does_not_take_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk takes half a member, and the file was no gzip file any more."""
    path = tmp_path / "a.gz"
    file = RecordingFile(path)
    file.put("first")
    file.write_due(10 * S)
    write = os.write
    calls = iter([lambda fd, data: write(fd, data[:9]), None])

    def fill_up(descriptor: int, data: bytes) -> int:
        take: Callable[[int, bytes], int] | None = next(calls)
        if take is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return take(descriptor, data)

    file.put("second")
    with monkeypatch.context() as patch:
        patch.setattr("flow.recordings.files.os.write", fill_up)
        with pytest.raises(OSError, match="No space left"):
            file.write_due(20 * S)
    file.close()
    assert lines_of(path) == ["first"]


def test_never_writes_over_a_file_and_leaves_none_that_is_empty(tmp_path: Path) -> None:
    """A recording cannot be made again."""
    path = tmp_path / "a.gz"
    RecordingFile(path).close()
    assert not path.exists()
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        RecordingFile(path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize(("span_ns", "size_max"), [(5 * S, 1 << 30), (1 << 60, 1)])
def test_next_file_begins_with_a_book(span_ns: int, size_max: int, tmp_path: Path) -> None:
    """By time or by size; without a snapshot the file goes on, so that no line is without a book."""
    files = RecordingFiles(tmp_path / "a.txt.gz", span_ns, size_max)
    files.put(Line("snapshot 1", ()), S)
    files.put(Line("one"), S)
    files.write_due(6 * S)
    assert files.is_full(6 * S)
    files.put(Line("two"), 6 * S)
    files.put(Line("snapshot 2", ("two",)), 7 * S)
    files.put(Line("three"), 8 * S)
    files.put(Line("snapshot 3", ()), 8 * S)
    files.close()
    assert files.paths == [tmp_path / "a.txt.gz", tmp_path / "a-2.txt.gz"]
    assert [lines_of(path) for path in files.paths] == [
        ["snapshot 1", "one", "two"],
        ["two", "snapshot 2", "three", "snapshot 3"],
    ]
    assert files.size == sum(path.stat().st_size for path in files.paths)


def test_next_file_takes_a_number_that_is_free(tmp_path: Path) -> None:
    """A recording of before whose first file is gone ended the new one where its own second file began."""
    (tmp_path / "a-2.gz").write_text("mine")
    files = RecordingFiles(tmp_path / "a.gz", 1 << 60, 1)
    for number in range(3):
        files.put(Line(f"snapshot {number}", ()), number * 10 * S)
        files.write_due((number + 1) * 10 * S)
    files.close()
    assert files.paths == [tmp_path / name for name in ("a.gz", "a-3.gz", "a-4.gz")]
    assert [lines_of(path) for path in files.paths] == [[f"snapshot {number}"] for number in range(3)]
    assert (tmp_path / "a-2.gz").read_text() == "mine"

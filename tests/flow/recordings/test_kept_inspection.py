"""A recording is inspected once; what is kept is never that of another file, and damage does no harm."""

from pathlib import Path
from shutil import copy

import pytest

from flow.recordings.inspection import inspect
from flow.recordings.kept_inspection import inspected
from tests.pairs import default_instruments

BTCUSDT, *_ = default_instruments()


def test_second_look_reads_no_record(kept_recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the same but for where the file is."""
    first = inspected(kept_recording, BTCUSDT, tmp_path)
    assert first == inspect(kept_recording, BTCUSDT)
    (tmp_path / "moved").mkdir()
    moved = Path(copy(kept_recording, tmp_path / "moved"))
    monkeypatch.setattr("flow.recordings.kept_inspection.inspect", None)
    again = inspected(moved, BTCUSDT, tmp_path)
    assert again.path == moved
    assert again.document(BTCUSDT) | {"file": ""} == first.document(BTCUSDT) | {"file": ""}


def test_file_that_has_changed_is_inspected_anew(kept_recording: Path, tmp_path: Path) -> None:
    """A recording that goes on is another one."""
    path = Path(copy(kept_recording, tmp_path))
    inspected(path, BTCUSDT, tmp_path / "cache")
    path.write_bytes(path.read_bytes()[:-9])
    assert "expected a whole gzip file" in inspected(path, BTCUSDT, tmp_path / "cache").damage


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"counts": 1, "skipped": {}}', b"\xff"])
def test_damaged_one_is_made_anew(content: bytes, kept_recording: Path, tmp_path: Path) -> None:
    """And kept whole."""
    first = inspected(kept_recording, BTCUSDT, tmp_path)
    (kept,) = tmp_path.glob("*/*.json")
    whole = kept.read_bytes()
    kept.write_bytes(content)
    assert inspected(kept_recording, BTCUSDT, tmp_path) == first
    assert kept.read_bytes() == whole


def test_cache_that_cannot_be_written_does_no_harm(kept_recording: Path, tmp_path: Path) -> None:
    """A home folder that is read-only, or none."""
    (tmp_path / "file").write_text("in the way")
    assert inspected(kept_recording, BTCUSDT, tmp_path / "file").faults == []

"""Arrays of recordings: made once, checked, made anew if damaged, never more than there is room for."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest

from flow.mirror.changes import BEST, BOOK, LEVELS, TRADE, Changes
from flow.recordings import cache as recording_cache
from flow.recordings import changes as recorded_changes
from flow.recordings.cache import changes_of
from flow.recordings.recording import BookTicker, DepthUpdate, Record, RecordedTrade, Snapshot
from market.clock import NS_PER_MS
from market.codes import Side
from market.depth import Level
from tests.flow.recordings.written import write_recording
from tests.pairs import default_instruments

BTCUSDT, *_ = default_instruments()
AT_NS = 1_700_000_000_000_000_000
FLIPPED = 500


def recording(path: Path, price_ticks: int = 100) -> Path:
    records: list[Record] = [
        RecordedTrade(AT_NS, 1, price_ticks, 1, Side.SELL),
        Snapshot(AT_NS + 10, 1, (Level(price_ticks, 5),), (Level(price_ticks + 2, 6),)),
        BookTicker(AT_NS + 20, 2, Level(price_ticks, 4), Level(price_ticks + 1, 1)),
        RecordedTrade(AT_NS + 30, 2, price_ticks, 4, Side.SELL),
        DepthUpdate(AT_NS + 40, 2, 3, (Level(price_ticks, 0), Level(price_ticks - 1, 7)), ()),
    ]
    write_recording(path, BTCUSDT, records)
    return path


def changes(path: Path, cache: Path | None, told: Callable[[str], None] = pytest.fail) -> list[Changes]:
    return list(changes_of((path,), BTCUSDT, 0, 1_000, cache, told))


def flat(pieces: list[Changes]) -> list[list[object]]:
    return [[column.tolist() for column in piece] for piece in pieces]


def must_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_cache, "read_part", lambda *_: pytest.fail("read again"))


def test_it_says_what_each_record_changes(tmp_path: Path) -> None:
    """Guards the arrays: from the first book on, bids before asks, a trade as it was."""
    (piece,) = changes(recording(tmp_path / "a"), None)
    assert piece.times_ns.tolist() == [AT_NS + 10, AT_NS + 20, AT_NS + 30, AT_NS + 40]
    assert piece.kinds.tolist() == [BOOK, BEST, TRADE, LEVELS]
    assert piece.values.tolist() == [[0] * 4, [100, 4, 101, 1], [Side.SELL, 100, 4, 0], [0] * 4]
    levels = list(zip((piece.keys >> 1).tolist(), (piece.keys & 1).tolist(), piece.lots.tolist(), strict=True))
    pieces = [levels[begin:end] for begin, end in zip([0, *piece.ends], piece.ends, strict=False)]
    assert pieces[0] == [(100, 0, 5), (102, 1, 6)]
    assert pieces[1] == [(100, 0, 4), (101, 1, 1)]
    assert pieces[2] == []
    assert pieces[3] == [(99, 0, 7), (100, 0, 0), (101, 1, 0)]
    assert piece.counts.tolist() == [5, 0, 0]


def test_what_was_read_once_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the point of it, and that a moved file is still known."""
    path, cache = recording(tmp_path / "a"), tmp_path / "cache"
    made = changes(path, cache)
    must_not_read(monkeypatch)
    assert flat(changes(path, cache)) == flat(made)


def test_another_recording_of_the_same_name_has_its_own(tmp_path: Path) -> None:
    """Guards the key: it is made of the bytes, and of what they are read with."""
    path, cache = recording(tmp_path / "a"), tmp_path / "cache"
    changes(path, cache)
    changes(recording(path, price_ticks=200), cache)
    list(changes_of((path,), BTCUSDT, NS_PER_MS, 1_000, cache, pytest.fail))
    assert len(list(cache.iterdir())) == 3


@pytest.mark.parametrize("damage", ["flipped", "cut", "lost"])
def test_a_damaged_one_is_made_anew(tmp_path: Path, damage: str) -> None:
    """Guards against a disk that has changed something: it is told, and the arrays are right."""
    path, cache = recording(tmp_path / "a"), tmp_path / "cache"
    made, told = changes(path, cache), list[str]()
    (file,) = cache.rglob("*.npz")
    content = bytearray(file.read_bytes())
    if damage == "flipped":
        content[len(content) // 3] ^= 1
        file.write_bytes(content)
    elif damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    else:
        file.unlink()
    assert flat(changes(path, cache, told.append)) == flat(made)
    assert len(told) == 1
    assert "damaged" in told[0]
    assert flat(changes(path, cache)) == flat(made)


def test_whichever_bit_is_flipped_it_is_made_anew(tmp_path: Path) -> None:
    """Guards against an archive that is no longer one in any way: not each of them is a checksum that is wrong."""
    path, cache, dice = recording(tmp_path / "a"), tmp_path / "cache", Random(1)
    made = flat(changes(path, cache))
    (file,) = cache.rglob("*.npz")
    whole = file.read_bytes()
    for at in dice.sample(range(8 * len(whole)), FLIPPED):
        content = bytearray(whole)
        content[at // 8] ^= 1 << at % 8
        file.write_bytes(content)
        assert flat(changes(path, cache, lambda _: None)) == made, f"bit {at}"


def test_what_was_not_used_for_longest_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the bound."""
    cache = tmp_path / "cache"
    paths = [recording(tmp_path / str(number), 100 + number) for number in range(3)]
    for at_s, path in enumerate(paths[:2]):
        changes(path, cache)
        (newest,) = (folder for folder in cache.iterdir() if folder.stat().st_mtime > 1_000)
        os.utime(newest, (at_s, at_s))
    changes(paths[0], cache)  # used again
    size = sum(file.stat().st_size for file in cache.rglob("*.npz"))
    monkeypatch.setattr(recording_cache, "CACHE_BYTES_MAX", size)
    changes(paths[2], cache)
    must_not_read(monkeypatch)
    changes(paths[0], cache)
    changes(paths[2], cache)
    with pytest.raises(pytest.fail.Exception):
        changes(paths[1], cache)


def test_a_cache_that_cannot_be_written_is_told_and_not_needed(tmp_path: Path) -> None:
    """Guards a full or read-only disk."""
    (tmp_path / "file").write_text("in the way")
    told = list[str]()
    path = recording(tmp_path / "a")
    assert flat(changes(path, tmp_path / "file" / "cache", told.append)) == flat(changes(path, None))
    assert len(told) == 1
    assert "cannot be kept" in told[0]


def test_pieces_are_one_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards long recordings, and that who stops in the middle leaves nothing half done."""
    path, cache = recording(tmp_path / "a"), tmp_path / "cache"
    (whole,) = changes(path, None)
    read = recorded_changes.read_changes
    monkeypatch.setattr(recording_cache, "read_changes", lambda placed, reach, skipped: read(placed, reach, skipped, 1))
    stopped = changes_of((path,), BTCUSDT, 0, 1_000, cache, pytest.fail)
    next(stopped)
    del stopped
    assert list(cache.iterdir()) == []
    pieces = changes(path, cache)
    assert len(pieces) == 4
    assert flat(changes(path, cache)) == flat(pieces)
    for name in ("times_ns", "kinds", "values", "keys", "lots"):
        assert np.concatenate([getattr(piece, name) for piece in pieces]).tolist() == getattr(whole, name).tolist()
    assert np.sum([piece.counts for piece in pieces], axis=0).tolist() == whole.counts.tolist()


def test_one_that_is_taken_away_while_it_is_used_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards two backtests beside each other: one of them made room, and the other one ended in the middle."""
    path, cache, told = recording(tmp_path / "a"), tmp_path / "cache", list[str]()
    read = recorded_changes.read_changes
    monkeypatch.setattr(recording_cache, "read_changes", lambda placed, reach, skipped: read(placed, reach, skipped, 1))
    made = changes(path, cache)
    used = changes_of((path,), BTCUSDT, 0, 1_000, cache, told.append)
    first = [next(used), next(used)]
    shutil.rmtree(cache)
    assert flat([*first, *used]) == flat(made)
    assert len(told) == 1
    assert "gone" in told[0]
    assert flat(changes(path, cache)) == flat(made)

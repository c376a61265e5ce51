"""Keeps what recordings change as arrays, so that the next backtest need not read them.

A recording's arrays are a folder, named by a hash of its files' bytes, of what they are read with, and of the code that
reads them: nothing in it is ever out of date. It appears whole or not at all. A damaged one is made anew; those that
were not used for longest make room.
"""

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from flow.mirror.changes import Changes
from flow.recordings.changes import read_changes
from flow.recordings.playlist import Part, read_part
from flow.recordings.public_data import ARCHIVE_DAMAGE
from flow.recordings.trade_placement import place_trades
from market.instrument import Instrument

CACHE_BYTES_MAX: Final = 4 << 30

_HASHED_BYTES: Final = 1 << 20
_ROOM: Final = Path(__file__).parent
# What is kept depends on these, and on market's ticks and lots.
_CODE: Final = (*sorted(_ROOM.glob("*.py")), _ROOM.parent / "exact_units.py", _ROOM.parent / "mirror" / "changes.py")


def cache_folder() -> Path:
    """Return the user's folder for arrays of recordings."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "tickbus" / "recordings"


def code_digest() -> bytes:
    """Return a digest of the code that reads recordings: what other code has made is out of date."""
    digest = hashlib.sha256()
    for path in _CODE:
        digest.update(path.read_bytes())
    return digest.digest()


def changes_of(
    part: Part,
    instrument: Instrument,
    window_ns: int,
    reach_bps: int,
    folder: Path | None,
    tell: Callable[[str], None],
) -> Iterator[Changes]:
    """Yield what the records of a part change, piece by piece; from the cache if they are there, else they get there.

    Args:
        window_ns: how far a trade may be brought forward, see `flow.recordings.trade_placement`.
        reach_bps: see `RecordedBook`.
        folder: of the cache; None: none is used.
        tell: gets a line if a recording's arrays were damaged or taken away, which costs but time; or if they cannot be
            kept: then it is read again next time.

    Raises:
        OSError, RecordingError: as `read_part`.
    """
    kept = None if folder is None else folder / _name_of(part, instrument, window_ns, reach_bps)
    given_count = 0
    if kept is not None and kept.is_dir():
        try:
            for piece in _load(kept):
                yield piece
                given_count += 1
        except (*ARCHIVE_DAMAGE, ValueError, KeyError) as error:  # in the middle, too: others need room
            tell(f"the arrays of {part[0].name} are damaged or gone, and made anew: {error}")
            shutil.rmtree(kept, ignore_errors=True)
        else:
            return
    skipped: Counter[str] = Counter()
    made = read_changes(place_trades(read_part(part, instrument, skipped), window_ns), reach_bps, skipped)
    yield from islice(made if kept is None else _keeping(made, kept, part[0].name, tell), given_count, None)


def _name_of(part: Part, instrument: Instrument, window_ns: int, reach_bps: int) -> str:
    digest = hashlib.sha256()
    for path in part:
        digest.update(b"file")
        digest.update(path.name.encode())  # of public data the name says what they are
        with path.open("rb") as file:
            while piece := file.read(_HASHED_BYTES):
                digest.update(piece)
    digest.update(repr((instrument, window_ns, reach_bps, np.__version__)).encode())
    digest.update(code_digest())
    return digest.hexdigest()[:32]


def _load(kept: Path) -> Iterator[Changes]:
    """Return the pieces of a folder, all of whose checksums are right.

    Raises:
        ValueError, KeyError, one of ARCHIVE_DAMAGE: if something is not as it was written.
    """
    paths = sorted(kept.glob("*.npz"))
    (count,) = (int(path.name) for path in kept.glob("[0-9]*") if path.suffix == "")
    if count != len(paths):
        raise ValueError(f"expected {count} pieces, were {len(paths)}")
    for path in paths:
        with zipfile.ZipFile(path) as archive:
            if (damaged := archive.testzip()) is not None:
                raise ValueError(f"{path.name}: {damaged} has another checksum")
    os.utime(kept)
    return map(_piece, paths)


def _piece(path: Path) -> Changes:
    with np.load(path, allow_pickle=False) as arrays:
        return Changes(*(arrays[name] for name in Changes._fields))


def _keeping(made: Iterator[Changes], kept: Path, name: str, tell: Callable[[str], None]) -> Iterator[Changes]:
    """Yield pieces as they are made, and keep them once there are all."""
    writer: _Writer | None = None
    try:
        writer = _Writer(kept)
    except OSError as error:
        tell(f"the arrays of {name} cannot be kept: {error}")
    try:
        ahead: Changes | None = None  # so that all is kept before the last piece is used, however that ends
        for piece in made:
            if ahead is not None:
                yield ahead
            ahead = piece
            if writer is not None and (problem := writer.write(piece)):
                tell(f"the arrays of {name} cannot be kept: {problem}")
                writer = None
        if writer is not None and (problem := writer.finish()):
            tell(f"the arrays of {name} cannot be kept: {problem}")
        if ahead is not None:
            yield ahead
    finally:
        if writer is not None:
            writer.clear()


class _Writer:
    """Writes pieces into a folder beside the one that they will be in.

    Raises:
        OSError: if there can be none.
    """

    def __init__(self, kept: Path) -> None:
        self._kept = kept
        self._count = 0
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix="new-", dir=kept.parent))

    def write(self, piece: Changes) -> str:
        """Write a piece; return why it could not be, and then there is nothing to finish."""
        try:
            np.savez(self._folder / f"{self._count:06}.npz", **piece._asdict())
        except OSError as error:
            self.clear()
            return str(error)
        self._count += 1
        return ""

    def finish(self) -> str:
        """Put the folder into its place; return why it could not be."""
        try:
            (self._folder / str(self._count)).touch()
            _make_room(self._kept.parent, _size(self._folder), self._folder)
            self._folder.rename(self._kept)
        except OSError as error:
            if not self._kept.is_dir():  # somebody else was faster
                return str(error)
        return ""

    def clear(self) -> None:
        """Take away what was not finished."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _make_room(folder: Path, needed: int, besides: Path) -> None:
    """Remove what was not used for longest, so that so many bytes fit beside the rest."""
    others = sorted((path for path in folder.iterdir() if path != besides), key=lambda path: path.stat().st_mtime)
    sizes = [_size(path) for path in others]
    left = sum(sizes)
    for path, size in zip(others, sizes, strict=True):
        if left + needed <= CACHE_BYTES_MAX:
            return
        shutil.rmtree(path)
        left -= size


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())

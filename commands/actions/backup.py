"""`backup` and `restore`: one file of all that a desk goes on from, taken while it runs, and a desk made of it again.

The file is a tar, gzip if its name says so. Its last member, MANIFEST.json, has size and SHA-256 of each other.
"""

import hashlib
import io
import json
import os
import resource
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final, NamedTuple

from commands.actions.out_folder import new_folder
from commands.progress import Progress
from desk.client import DeskError, command_text, desk_settings
from desk.standstill import NotStillError, standstill
from market.mendable import MendableError
from market.whole_file import sync_folder, writing_new
from market.words import counted
from screens.progress import size_line

VERSION: Final = 1
MANIFEST: Final = "MANIFEST.json"
_TRIES: Final = 5
_PAUSE_S: Final = 1.0  # for the desk to catch up: a try may have held it still for half a second
_CHUNK: Final = 1 << 20
_SQLITE: Final = b"SQLite format 3\0"
_NOT_KEPT: Final = ("*.lock", "*.ipc", "*.tmp", "*-wal", "*-shm", "*.new")  # made anew, or half written
_FOLDERS_NOT_KEPT: Final = ("logs", "past", "recordings")
_MODE: Final = 0o600


class _Seen(NamedTuple):
    """A file as it was while the desk stood still: open, and its size; of a database a reader with its moment."""

    name: str
    file: BinaryIO
    size: int
    database: sqlite3.Connection | None


def backup(run_dir: Path, target: Path) -> str:
    """Write all that the desk in `run_dir` goes on from to one new file, which its owner alone may read.

    Raises:
        DeskError: if there is nothing to keep, the file is there already, or it cannot be written; then it is not.
    """
    if target.exists():
        raise DeskError(f"expected a new file, and there is {target} already")
    if not run_dir.is_dir():
        raise DeskError(f"there is no {run_dir}: no desk has run in it")
    if run_dir.resolve() in target.resolve().parents:
        raise DeskError(f"{target} would be a part of the desk: name a file elsewhere")
    with ExitStack() as opened:
        seen, still_ns = _seen_at_once(run_dir, opened)
        if not seen:
            raise DeskError(f"there is nothing to keep in {run_dir}")
        total = sum(each.size or os.fstat(each.file.fileno()).st_size for each in seen)
        try:
            with writing_new(target) as file, _bytes_told(total) as tell:
                size = _write_archive(file, seen, target.absolute().parent, tell, is_gzip=target.name.endswith("gz"))
        except (OSError, sqlite3.Error) as error:
            raise DeskError(f"cannot write {target}: {getattr(error, 'strerror', None) or error}") from None
    stood = f"; the desk stood still for {still_ns / 1e6:.1f} ms" if still_ns else ""
    return f"{counted(len(seen), 'file')}, {size / 1e6:,.1f} MB, in {target}, with its keys: mode 0600{stood}"


def restore(source: Path, run_dir: Path) -> str:
    """Make the run directory `run_dir` of a backup, whole or not at all.

    Raises:
        DeskError: if there is one already, the file is no backup or damaged, or the disk does not take it.
    """
    try:
        with new_folder(run_dir) as aside:
            taken_at = _unpack(source, aside)
            _sync_all(aside)
        sync_folder(run_dir.absolute().parent)
    except (OSError, tarfile.TarError, EOFError, ValueError, KeyError, TypeError) as error:
        why = str(error) if not isinstance(error, OSError) else error.strerror or str(error)
        raise DeskError(f"cannot restore {source}: {why}") from None
    return (
        f"{run_dir} is as its desk was at {taken_at}; start it with: {command_text('up', run_dir)}{_warning(run_dir)}"
    )


def _warning(run_dir: Path) -> str:
    """Return what must be said of a desk that trades where the one that it was copied of trades."""
    try:
        venue = desk_settings(run_dir).venue
    except MendableError:
        return ""
    if venue.name == "paper" and venue.url is None:
        return ""
    return (
        f"\nnever let it trade beside the desk that it is a copy of: to {venue.name} their orders are the same desk's"
    )


def _seen_at_once(run_dir: Path, opened: ExitStack) -> tuple[list[_Seen], int]:
    """Return every file that is kept, as of one moment, and for how long the desk stood still.

    Raises:
        DeskError: if there is no such moment to be had.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # every file is open at once: a year of days and more
    why = ""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE_S)
        with ExitStack() as mine:
            try:
                with standstill(run_dir) as still:
                    seen = [_see(path, run_dir, mine, is_down=not still.has_nodes) for path in _kept(run_dir)]
            except (NotStillError, FileNotFoundError, sqlite3.OperationalError) as error:
                why = str(error)  # a database in the middle of a checkpoint, for one, lets nobody in
                continue
            except (OSError, sqlite3.Error) as error:
                raise DeskError(f"cannot read {run_dir}: {getattr(error, 'strerror', None) or error}") from None
            opened.push(mine.pop_all())
            return seen, still.lasted_ns
    raise DeskError(f"{run_dir} cannot be seen as of one moment: {why}; try again")


def _kept(run_dir: Path) -> Iterator[Path]:
    for path in sorted(run_dir.rglob("*")):
        inside = path.relative_to(run_dir)
        if inside.parts[0] in _FOLDERS_NOT_KEPT or any(each.endswith(".before") for each in inside.parts):
            continue
        if path.is_file() and not path.is_symlink() and not any(path.match(each) for each in _NOT_KEPT):
            yield path


def _see(path: Path, run_dir: Path, opened: ExitStack, *, is_down: bool) -> _Seen:
    name = str(PurePosixPath(path.relative_to(run_dir)))
    file = opened.enter_context(path.open("rb"))
    if file.read(len(_SQLITE)) != _SQLITE:
        return _Seen(name, file, os.fstat(file.fileno()).st_size, None)
    # Where there is no log nobody has it open, and none is made by us: a desk that is down stays as it is. One that
    # runs may open it before it is copied, and write.
    has_log = path.with_name(f"{path.name}-wal").exists()
    how = "immutable=1" if is_down and not has_log else "mode=ro"
    reader = opened.enter_context(closing(sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=0)))
    reader.isolation_level = None
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # from here on it reads this moment
    return _Seen(name, file, 0, reader)


@contextmanager
def _bytes_told(total: int) -> Iterator[Callable[[int], None]]:
    """Let a terminal be told how far a work is, of which each part is told by its bytes; gives what is told them."""
    done = 0
    with Progress() as progress:

        def tell(size: int) -> None:
            nonlocal done
            done += size
            progress.tell(partial(size_line, done, total))

        yield tell


def _write_archive(
    file: BinaryIO, seen: list[_Seen], scratch: Path, tell: Callable[[int], object], *, is_gzip: bool
) -> int:
    manifest: dict[str, Any] = {"version": VERSION, "taken_at": datetime.now(UTC).isoformat(timespec="seconds")}
    files: dict[str, dict[str, Any]] = {}
    with tarfile.open(fileobj=file, mode="w|gz" if is_gzip else "w|") as archive:
        for each in seen:
            with _content(each, scratch) as (content, size):
                reading = _Hashed(content, size, tell)
                archive.addfile(_member(each.name, size), reading)
            files[each.name] = {"size": size, "sha256": reading.hash.hexdigest()}
        text = json.dumps({**manifest, "files": files}, indent=1).encode()
        archive.addfile(_member(MANIFEST, len(text)), io.BytesIO(text))
    return sum(int(each["size"]) for each in files.values())


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, _MODE
    return member


@contextmanager
def _content(seen: _Seen, scratch: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Give the bytes of a file, and how many; of a database those of a copy, made of what its reader sees."""
    if seen.database is None:
        seen.file.seek(0)
        yield seen.file, seen.size
        return
    with tempfile.TemporaryDirectory(prefix=".tickbus-", dir=scratch) as folder:
        copy = Path(folder) / "copy"
        with closing(sqlite3.connect(copy)) as target:
            seen.database.backup(target)
        with copy.open("rb") as file:
            yield file, os.fstat(file.fileno()).st_size


class _Hashed:
    """A reader of so many bytes of a file, which has their SHA-256 then."""

    def __init__(self, file: BinaryIO, size: int, tell: Callable[[int], object]) -> None:
        self.hash = hashlib.sha256()
        self._file, self._left, self._tell = file, size, tell

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, at most `size`."""
        content = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(content)
        self.hash.update(content)
        self._tell(len(content))
        return content


def _unpack(source: Path, folder: Path) -> str:
    """Write every file of a backup into a folder, and return when it was taken.

    Raises:
        ValueError, KeyError, TypeError, TarError, EOFError: if it is no backup, or damaged.
        OSError: if it cannot be read, or the disk does not take it.
    """
    found: dict[str, dict[str, Any]] = {}
    manifest: dict[str, Any] | None = None
    with Progress() as progress, source.open("rb") as taken, tarfile.open(fileobj=taken, mode="r|*") as archive:
        size = os.fstat(taken.fileno()).st_size
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            if content is None or manifest is not None:
                raise ValueError("it is no backup of a desk")
            if member.name == MANIFEST:
                manifest = json.loads(content.read(1 << 26))
                continue
            path = folder / _safe(member.name)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            tell = partial(_tell_read, progress, taken, size)
            reading = _Hashed(content, member.size, tell)  # type: ignore[arg-type]
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE), "wb") as file:
                shutil.copyfileobj(reading, file, _CHUNK)
            found[member.name] = {"size": path.stat().st_size, "sha256": reading.hash.hexdigest()}
    if manifest is None:
        raise ValueError("it ends before its manifest: it is cut off, or no backup of a desk")
    if manifest["version"] != VERSION:
        raise ValueError(f"it is of version {manifest['version']}, and this program reads {VERSION}")
    if found != manifest["files"]:
        wanted = manifest["files"]
        name = min(each for each in found.keys() | wanted.keys() if found.get(each) != wanted.get(each))
        raise ValueError(f"it is damaged: {name} is not as it was written")
    return str(manifest["taken_at"])


def _tell_read(progress: Progress, file: BinaryIO, size: int, _: int) -> None:
    """Tell how far a file is read, which may be compressed."""
    progress.tell(partial(size_line, file.tell(), size))


def _safe(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or ".." in path.parts:
        raise ValueError(f"it is no backup of a desk: it has a file {name!r}")
    return path


def _sync_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

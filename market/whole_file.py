"""Files that are written whole: a reader, and a crash at any moment, finds the old content or the new one."""

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

_MODE = 0o600


def write_whole(path: Path, content: bytes, *, is_synced: bool = True) -> None:
    """Put `content` in the place of the file `path`: written beside it, synced, renamed, and the folder synced.

    Of a symbolic link, what it points to is replaced. The temporary file has one name, so that a crash leaves at most
    one behind; two writers must not meet.

    Args:
        path: of the file; its folder must be there.
        content: all of it.
        is_synced: whether it must last through a power failure; a death of the process it survives anyhow.

    Raises:
        OSError: if the disk does not take it; the old file stays.
    """
    place = path.resolve()
    temporary = place.with_name(place.name + ".tmp")
    try:
        _write(temporary, content, is_synced=is_synced)
        temporary.replace(place)
    except OSError:
        _remove(temporary)
        raise
    if is_synced:
        sync_folder(place.parent)


def write_new(path: Path, content: bytes) -> None:
    """Make a file of `content`, and its folder if that is missing; see `writing_new`.

    Raises:
        FileExistsError, OSError: as `writing_new`.
    """
    make_folder(path.parent)
    with writing_new(path) as file:
        file.write(content)


@contextlib.contextmanager
def writing_new(path: Path) -> Iterator[BinaryIO]:
    """Make a file that its owner alone may read, whole or not at all, of what is written meanwhile.

    It is written under another name and linked into place: of two that start at once the first one's stays.

    Raises:
        FileExistsError: if there is one.
        OSError: if the disk does not take it; then there is none.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    _remove(part)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(part, flags, _MODE), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.link(part, path)
    finally:
        _remove(part)
    sync_folder(path.absolute().parent)


def make_folder(path: Path) -> None:
    """Make a folder for its owner alone, and those above it, so that its name lasts through a power failure.

    Without that a file that was synced in it could be gone with the whole folder. One that is there is left alone.

    Raises:
        OSError: if it cannot be made, or the disk does not say that it has it.
    """
    if path.is_dir():
        return
    make_folder(path.absolute().parent)
    path.mkdir(mode=0o700, exist_ok=True)
    try:
        sync_folder(path.absolute().parent)
    except PermissionError:  # we may make names there, and not read them
        os.sync()


@contextlib.contextmanager
def writing_whole(path: Path) -> Iterator[TextIO]:
    """Do what `write_whole` does with text of any length, which is written meanwhile; lines end as they are written.

    Raises:
        OSError: if the disk does not take it; the old file stays, as after any other exception.
    """
    place = path.resolve()
    temporary = place.with_name(f".{place.name}.{os.getpid()}.{threading.get_ident()}")
    _remove(temporary)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(temporary, flags, _MODE), "w", newline="", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(place)
    except BaseException:
        _remove(temporary)
        raise
    sync_folder(place.parent)


def put_aside(folder: Path) -> None:
    """Give a folder the name `NAME.before`; the one that was called so goes.

    Raises:
        OSError: if that cannot be.
    """
    aside = folder.with_name(f"{folder.name}.before")
    if aside.exists():
        shutil.rmtree(aside)
    folder.rename(aside)
    sync_folder(folder.absolute().parent)  # or a power failure could bring it back in place of the next one


def sync_folder(path: Path) -> None:
    """Make the names in a folder last through a power failure."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(path: Path, content: bytes, *, is_synced: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        if is_synced:
            os.fsync(descriptor)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # what went wrong before is what is told
        path.unlink(missing_ok=True)

"""A lock on a file or a folder that the kernel takes back whatever happens to its holder: flock, with a deadline."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_LOOK_S: Final = 0.01


def lock(descriptor: int, wait_s: float = 0.0) -> None:
    """Keep others out for as long as `descriptor` is open.

    Raises:
        BlockingIOError: if another holder does not let go within `wait_s`.
        OSError: if it cannot be locked.
    """
    deadline_s = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline_s:
                raise
            time.sleep(_LOOK_S)
        else:
            return


def lock_folder(path: Path, wait_s: float = 0.0) -> int:
    """Return a descriptor of the folder that keeps others out until it is closed; no lock file is left.

    Raises:
        BlockingIOError: as `lock`.
        OSError: if it is no folder, or cannot be locked.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        lock(descriptor, wait_s)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def locked_folder(path: Path, wait_s: float) -> Iterator[None]:
    """Keep others out meanwhile.

    Raises:
        OSError: as `lock_folder`.
    """
    descriptor = lock_folder(path, wait_s)
    try:
        yield
    finally:
        os.close(descriptor)


def is_locked(descriptor: int) -> bool:
    """Return whether somebody holds the lock; whoever looks holds it for an instant."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False

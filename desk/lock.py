"""One process for each role of a run directory: a lock file, held with flock for as long as the process lives."""

import os
from pathlib import Path

from market.lock import is_locked, lock
from market.mendable import MendableError

LOOK_S_MAX = 0.2  # somebody who only looks whether it is held holds it for an instant


class LockedError(MendableError):
    """Somebody else holds the lock; the text names who."""


class LockFile:
    """A lock that the kernel releases whatever happens to its holder; the file itself goes away on a clean stop.

    Raises:
        LockedError: if another process holds it.
    """

    def __init__(self, path: Path, holder: str) -> None:
        self._path = path
        while True:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                lock(self._descriptor, LOOK_S_MAX)
            except BlockingIOError:
                pid = os.read(self._descriptor, 32).decode(errors="replace").strip()
                os.close(self._descriptor)
                raise LockedError(f"{holder} is already running, pid {pid or '?'} ({path})") from None
            if self._is_still_there():
                break
            os.close(self._descriptor)  # its last holder removed the file between our open and our lock
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Remove the file and let go."""
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def _is_still_there(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            return False


def holder_pid(path: Path) -> int | None:
    """Return the pid of the process that holds the lock at `path`, or None if nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        if not is_locked(descriptor):
            return None
        text = os.read(descriptor, 32).decode(errors="replace").strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(descriptor)

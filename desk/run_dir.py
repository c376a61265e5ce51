"""The run directory of a desk: whose it is, one process for each role in it, and why a node cannot start or go on."""

import os
import resource
import stat
from pathlib import Path

from market.lock import is_locked, lock
from market.mendable import MendableError
from market.whole_file import make_folder

LOOK_S_MAX = 0.2  # somebody who only looks whether a lock is held holds it for an instant
WATCHDOG = "watchdog"  # of the maker: the name of its lock
KILLS = "kills the maker"  # what it logs before it does, with the pid
MAKER_OUT = "maker_out"  # when the maker of this desk surely had no order anywhere, until one may quote again
FLATTEN = "flatten.one"  # the lock of who ends a position; not *.lock, as those of nodes
STAYS_DOWN = 3  # the exit code of a node that nobody should restart before a person has acted


class NodeError(MendableError):
    """A node cannot start or go on; the text is one line for a person."""


class StayDownError(NodeError):
    """A node must not go on, nor be started again, before a person has acted."""


def prepare_run_dir(run_dir: Path) -> bool:
    """Make the run directory, readable by its owner alone, and everything that this process makes from now on too.

    Nothing of this process, which may know keys, is ever dumped to a file.

    Returns:
        Whether an existing one was open to the eyes of others, and has been closed to them.

    Raises:
        NodeError: if it cannot be made, or others can change what is in it.
    """
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        make_folder(run_dir)
        found = run_dir.stat()
        if found.st_uid != os.geteuid():
            raise NodeError(f"the run directory {run_dir} belongs to another user (uid {found.st_uid}): take another")
        if found.st_mode & 0o022:
            mode = stat.S_IMODE(found.st_mode)
            raise NodeError(f"others may write to the run directory {run_dir} (mode {mode:04o}): chmod 700 it")
        if found.st_mode & 0o077:
            run_dir.chmod(0o700)
            return True
    except OSError as error:
        raise NodeError(f"cannot use the run directory {run_dir}: {error.strerror or error}") from None
    return False


class LockedError(MendableError):
    """Somebody else holds the lock; the text names who."""


class LockFile:
    """A file that a process locks for as long as it lives, whatever ends it; the file itself goes away on a clean stop.

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


def refuse_while_flattening(run_dir: Path, what: str) -> None:
    """Make sure that nobody ends a position there by hand: a maker beside him would trade the same one.

    Raises:
        NodeError: naming who does, and `what` has to wait for him.
    """
    if (pid := holder_pid(run_dir / FLATTEN)) is not None:
        raise NodeError(f"flatten is running, pid {pid}: {what} when it has ended")


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

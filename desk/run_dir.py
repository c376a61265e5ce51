"""The run directory of a desk, and why one of its nodes cannot start or go on."""

import os
import resource
import stat
from pathlib import Path

from market.mendable import MendableError

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
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
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

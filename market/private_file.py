"""Files with a secret: whoever reads one makes sure that nobody else can."""

import os
import stat
from pathlib import Path
from typing import Final

from market.mendable import MendableError

_FILE_BYTES_MAX: Final = 4_096


class PrivateFileError(MendableError):
    """A file cannot be read, or others can read it as well; the text is one line for a person."""


def read_private_file(path: Path) -> str:
    """Return the text of a file that its owner, who is us, alone may read.

    Raises:
        PrivateFileError: if it is not so, or cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise PrivateFileError(f"{path}: cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, encoding="ascii", errors="replace") as file:
        status = os.fstat(descriptor)
        mode = stat.S_IMODE(status.st_mode)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid() or mode & 0o077:
            raise PrivateFileError(
                f"{path}: must be your own file with mode 0600, was {mode:04o}; try: chmod 600 {path}"
            )
        return file.read(_FILE_BYTES_MAX)

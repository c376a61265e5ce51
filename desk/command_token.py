"""api.token in the run directory: who has it may halt, resume and flatten from the dashboard."""

import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from market.private_file import PrivateFileError, read_private_file
from market.whole_file import write_new

TOKEN_FILE: Final = "api.token"  # noqa: S105 - the name of a file
_BYTES: Final = 24
_FORMAT: Final = re.compile(r"[A-Za-z0-9_-]{32}", re.ASCII)


def load_or_make_token(run_dir: Path) -> str:
    """Return the token of a desk; make it, for its owner alone to read, if there is none.

    Raises:
        PrivateFileError: as `load_token`.
        OSError: if it cannot be made.
    """
    with suppress(FileExistsError):
        write_new(run_dir / TOKEN_FILE, f"{secrets.token_urlsafe(_BYTES)}\n".encode("ascii"))
    return load_token(run_dir)


def load_token(run_dir: Path) -> str:
    """Return the token of a desk; the api makes it when it first starts.

    Raises:
        PrivateFileError: if there is none, others may read the file, or it does not hold a token.
    """
    path = run_dir / TOKEN_FILE
    token = read_private_file(path).strip()
    if not _FORMAT.fullmatch(token):
        raise PrivateFileError(f"{path}: expected a token of 32 characters; without the file the api makes another one")
    return token

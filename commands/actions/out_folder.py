"""The folder that a run leaves: whole or not there."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from desk.client import DeskError


@contextmanager
def new_folder(out: Path | None) -> Iterator[Path]:
    """Give a folder to write into; it is `out` once all is written, and gone if that failed or `out` is None.

    Raises:
        DeskError: if there is something at `out` already: another run's days would be taken for this one's; or if no
            folder can be made there.
    """
    if out is None:
        with tempfile.TemporaryDirectory(prefix="tickbus-") as scratch:
            yield Path(scratch)
        return
    if out.exists():
        raise DeskError(f"expected a new folder, and there is {out} already")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f"{out.name}.unfinished-", dir=out.parent))
    except OSError as error:
        raise DeskError(f"cannot make {out}: {error.strerror or error}") from None
    try:
        yield aside
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    try:
        aside.rename(out)
    except OSError as error:
        raise DeskError(f"cannot rename {aside}, which is whole, to {out}: {error.strerror or error}") from None

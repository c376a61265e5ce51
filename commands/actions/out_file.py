"""The file that a command is told to write: never one that a desk keeps, and whole or not at all."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from desk.client import DeskError
from desk.settings import Settings
from market.whole_file import writing_whole

_KEPT: Final = re.compile(r"performance_.*\.json|history.*\.sqlite3(-wal|-shm|-journal)?|decisions_.*\.jsonl", re.ASCII)


def refuse_kept(settings: Settings, file: Path, suffix: str) -> None:
    """Refuse to write over what a desk keeps; links are followed.

    In the run directory and its reports only files of the command's own kind are written, wherever else any but those
    that are called as a desk's books are.

    Args:
        suffix: of the command's own kind, as `.html`.

    Raises:
        DeskError: if the file is, or may become, one that a desk keeps.
    """
    place = file.resolve()
    own = [settings.run_dir.resolve(), settings.reports_dir.resolve()]
    is_inside = any(folder in place.parents or folder == place for folder in own)
    if _KEPT.fullmatch(place.name) or (is_inside and place.suffix != suffix):
        raise DeskError(f"{file} is a desk's own, or in its folder: expected a file {suffix}, or one elsewhere")


@contextmanager
def text_file(file: Path) -> Iterator[TextIO]:
    """Write a file: whole, or it stays as it was; what is no file, a pipe or a device, is written to as it is.

    Raises:
        DeskError: if it cannot be written.
    """
    try:
        if file.exists() and not file.is_file():
            with file.open("w", newline="", encoding="utf-8") as stream:
                yield stream
        else:
            with writing_whole(file) as stream:
                yield stream
    except OSError as error:
        raise DeskError(f"cannot write {file}: {error.strerror or error}") from None

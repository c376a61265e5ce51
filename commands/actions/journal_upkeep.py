"""What the command line changes in the journal of an engine that is stopped: prunes, archives and repairs it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from commands.actions.journal import reading_told
from commands.progress import ticking
from desk.client import DeskError
from desk.plan import EnginePlan
from desk.settings import Settings
from journal.checkpoint import checkpoint_path, checkpoint_paths, read_place
from journal.format import JournalError
from journal.pruning import Keep, Retention, prune
from market.clock import time_ns
from market.lock import lock_folder
from market.whole_file import make_folder, sync_folder
from market.words import counted
from nodes.engine.command_record import COMMANDS
from nodes.engine.inspection import verification_text, verify
from nodes.engine.making import engine_figures
from screens.progress import elapsed_line


def prune_journal(settings: Settings, engine: EnginePlan, keep: Keep) -> str:
    """Remove, or archive and remove, all of an engine's journal that no start needs, and say how much that was.

    Raises:
        DeskError: if the engine runs, there is no journal, or the disk refuses.
    """
    folder = engine.journal_folder
    with _held(folder):
        before = _sizes(folder)
        try:
            with ticking(partial(elapsed_line, f"{keep}s what no start needs")):
                prune(folder, COMMANDS, engine_figures(settings, engine.name), Retention(keep, -1, 0), time_ns())
        except (JournalError, OSError) as error:
            raise DeskError(str(error)) from None
        gone = before.keys() - _sizes(folder).keys()
    if not gone:
        return f"{folder} has nothing that no start needs: it needs the last two checkpoints and what follows the older"
    where = "" if keep is Keep.PRUNE else ", which are compressed in its archive"
    return f"{counted(len(gone), 'file')} of {folder} gone, {sum(before[name] for name in gone):,} bytes{where}"


def repair_journal(settings: Settings, engine: EnginePlan, *, is_sure: bool) -> tuple[str, bool]:
    """Let an engine start again whose journal is damaged; say what is, or would be, put aside.

    Nothing is removed: damaged files go into a folder of their own beside the journal.

    Args:
        settings: of the desk.
        engine: whose journal it is.
        is_sure: False: only say what would be done.

    Returns:
        what was found and done, and whether something is still to be done.

    Raises:
        DeskError: if the engine runs, or the disk refuses.
    """
    folder = engine.journal_folder
    with _held(folder):
        try:
            with reading_told(folder) as tell:
                found = verify(folder, engine_figures(settings, engine.name), tell)
            said = verification_text(found)
            if found["state"] not in ("damaged", "corrupt"):
                return f"{said}: nothing to repair", False
            aside = folder.with_name(f"{folder.name}.damaged-{time_ns() // 1_000_000_000}")
            if found["state"] == "corrupt":
                lost = (
                    "the next start begins with an empty book: the exchange enters its open orders again, clients of a "
                    "gateway are told that theirs have ended, and fills that nobody had been told of are lost"
                )
                if is_sure:
                    folder.rename(aside)
                    sync_folder(aside.parent)
                return f"{said}\n{_done(is_sure)} {folder} aside as {aside.name}; {lost}", not is_sure
            names = _before(folder, found["begins_after"])
            if not names:
                return f"{said}\nnothing to repair: the file that is damaged is the one it starts from", False
            if is_sure:
                _move(folder, aside, names)
            lost = "`at` and `replay` tell of what is behind them"
            return f"{said}\n{_done(is_sure)} {counted(len(names), 'file')} aside as {aside.name}; {lost}", not is_sure
        except (JournalError, OSError) as error:
            raise DeskError(str(error)) from None


def _done(is_sure: bool) -> str:
    return "put" if is_sure else "--yes puts"


def _before(folder: Path, sequence: int) -> list[str]:
    """Return the names of the files before the one in which a checkpoint stands, and of the checkpoints in them."""
    number = read_place(checkpoint_path(folder, sequence))[0].number
    checkpoints = [path.name for path in checkpoint_paths(folder) if read_place(path)[0].number < number]
    return [*checkpoints, *(path.name for path in COMMANDS.found(folder) if COMMANDS.number_of(path) < number)]


def _move(folder: Path, aside: Path, names: list[str]) -> None:
    """Move files, checkpoints first: a death on the way leaves a journal whose files follow one another."""
    make_folder(aside)
    for name in names:
        (folder / name).rename(aside / name)
    for each in (aside, folder):
        sync_folder(each)


def _sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Keep an engine from starting meanwhile."""
    try:
        descriptor = lock_folder(folder)
    except BlockingIOError:
        raise DeskError(f"its engine runs, and keeps {folder}: stop it first") from None
    except OSError as error:
        raise DeskError(f"{folder} holds no journal: {error.strerror}") from None
    try:
        yield
    finally:
        os.close(descriptor)

"""desk.json: the settings of the desk in a run directory, kept there by its supervisor, with the ports really taken.

Commands take them from here: another shell, another working directory or an edited tickbus.toml says nothing of a desk
that was started before. The file stays after the stop, for what is read while the desk is down. No secret is in it.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from desk.outlet import log_file
from desk.settings import (
    Settings,
    SettingsError,
    load_kept_settings,
    load_settings,
    named_run_dir,
    setting_texts,
)
from market.whole_file import write_whole

DESK_FILE = "desk.json"


class DeskFile:
    """The file as its supervisor writes it.

    Args:
        run_dir: of the desk.
        settings: of the desk; paths that are not absolute are taken from this process's working directory.
    """

    def __init__(self, run_dir: Path, settings: Settings) -> None:
        self._path = run_dir / DESK_FILE
        self._settings = settings
        self._is_written = False

    def change(self, settings: Settings) -> None:
        """Take other settings in their place; `write` keeps them."""
        self._is_written = self._is_written and settings == self._settings
        self._settings = settings

    def end(self, left: Sequence[str]) -> None:
        """Say that the desk has stopped all its nodes, and what it may have left, a line for each; the last word.

        Raises:
            OSError: if the disk does not take it.
        """
        self._write({"left": list(left)})

    def write(self) -> None:
        """Write what is not written yet.

        Raises:
            OSError: if the disk does not take it; the next call tries again.
        """
        if not self._is_written:
            self._write({})
            self._is_written = True

    def _write(self, more: dict[str, list[str]]) -> None:
        texts = {**setting_texts(self._settings), "run_dir": str(self._path.parent)}
        document = {"pid": os.getpid(), "settings": texts, **more}
        write_whole(self._path, json.dumps(document, indent=1).encode() + b"\n")


def node_settings(named: Path | None) -> Settings:
    """Return the settings of a node's process: those of the desk's start if a supervisor has made it, else today's.

    Args:
        named: the run directory that the command line names.

    Raises:
        SettingsError: if they cannot be used.
    """
    run_dir = named_run_dir(named)
    kept = kept_settings(run_dir) if log_file() is not None else None
    if kept is None:
        return load_settings({"run_dir": run_dir}).settings
    return load_kept_settings(kept.texts, f"the desk in {run_dir}", {}).settings


class KeptSettings(NamedTuple):
    """What a desk.json says: the pid of the supervisor that wrote it, and its settings as text by dotted key.

    `left` is what that desk may have left, a line for each; None if it has not said that it stopped.
    """

    pid: int
    texts: dict[str, str]
    left: list[str] | None


def kept_settings(run_dir: Path) -> KeptSettings | None:
    """Return what the desk.json of `run_dir` says, or None if there is none.

    Raises:
        SettingsError: if it cannot be read, or is no such file.
    """
    path = run_dir / DESK_FILE
    try:
        document = json.loads(path.read_bytes())
        pid, texts, left = document["pid"], document["settings"], document.get("left")
        is_sound = type(pid) is int and all(isinstance(text, str) for text in (*texts.values(), *(left or ())))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        is_sound = False
    if not is_sound:
        raise SettingsError(f"{path} is damaged; the next start of the desk writes it anew")
    return KeptSettings(pid, texts, left)

"""desk.json: the settings of the desk in a run directory, kept there by its supervisor, with the ports really taken.

Commands take them from here: another shell, another working directory or an edited tickbus.toml says nothing of a desk
that was started before. The file stays after the stop, for what is read while the desk is down. No secret is in it.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from desk.outlet import log_file
from desk.settings import Settings, SettingsError, load_kept_settings, load_settings, named_run_dir, setting_texts
from market.whole_file import write_whole

DESK_FILE = "desk.json"


def write_desk_file(run_dir: Path, settings: Settings, left: Sequence[str] | None = None) -> None:
    """Write the file of this process's desk.

    Paths that are not absolute are taken from this process's working directory. `left` is the last word of one that has
    stopped all its nodes: what it may have left, a line for each.

    Raises:
        OSError: if the disk does not take it.
    """
    document: dict[str, Any] = {"pid": os.getpid(), "settings": {**setting_texts(settings), "run_dir": str(run_dir)}}
    if left is not None:
        document["left"] = list(left)
    path, content = run_dir / DESK_FILE, json.dumps(document, indent=1).encode() + b"\n"
    try:
        write_whole(path, content)
    except OSError:
        if left is None:
            raise
        with path.open("r+b") as file:  # a full disk has no room for another file, but for a last word in this one
            file.write(content)
            file.truncate()


def node_settings(named: Path | None) -> Settings:
    """Return the settings of a node's process: those of the desk's start if a supervisor has made it, else today's.

    Raises:
        SettingsError: if they cannot be used.
    """
    run_dir = named_run_dir(named)
    kept = kept_settings(run_dir) if log_file() is not None else None
    if kept is None:
        return load_settings({"run_dir": run_dir}).settings
    return load_kept_settings(kept.settings, f"the desk in {run_dir}", {})


class KeptSettings(BaseModel):
    """What a desk.json says: the pid of the supervisor that wrote it, and its settings as text by dotted key.

    `left` is what that desk may have left, a line for each; None if it has not said that it stopped.
    """

    pid: int
    settings: dict[str, str]
    left: list[str] | None = None


def kept_settings(run_dir: Path) -> KeptSettings | None:
    """Return what the desk.json of `run_dir` says, or None if there is none.

    Raises:
        SettingsError: if it cannot be read, or is no such file.
    """
    path = run_dir / DESK_FILE
    try:
        return KeptSettings.model_validate_json(path.read_bytes(), strict=True)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise SettingsError(f"{path} is damaged; the next start of the desk writes it anew") from None

"""desk.json: the settings of the desk in a run directory, kept there by its supervisor, with the ports really taken.

Commands take them from here: another shell, another working directory or an edited tickbus.toml says nothing of a desk
that was started before. The file stays after the stop, for what is read while the desk is down. No secret is in it.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from desk.settings import Settings, SettingsError, setting_texts
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
        self._texts = {**setting_texts(settings), "run_dir": str(run_dir)}
        self._is_written = False

    def change(self, key: str, text: str) -> None:
        """Set the setting `key`; `write` keeps it."""
        if self._texts.get(key) != text:
            self._texts[key] = text
            self._is_written = False

    def end(self, left: Sequence[str]) -> None:
        """Say that the desk has stopped all its nodes, and what it may have left, a line for each; the last word.

        Raises:
            OSError: if the disk does not take it.
        """
        document = {"pid": os.getpid(), "settings": self._texts, "left": list(left)}
        write_whole(self._path, json.dumps(document, indent=1).encode() + b"\n")

    def write(self) -> None:
        """Write what is not written yet.

        Raises:
            OSError: if the disk does not take it; the next call tries again.
        """
        if not self._is_written:
            document = {"pid": os.getpid(), "settings": self._texts}
            write_whole(self._path, json.dumps(document, indent=1).encode() + b"\n")
            self._is_written = True


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

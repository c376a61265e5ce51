"""`set`: settings are changed while the desk runs, and whoever goes by them has said so."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgpack

from commands.actions.assignments import assigned
from desk.client import DeskError, ask_desk, awaited_maker, command_text, require_node
from desk.desk_file import kept_settings
from desk.settings import SettingsError, environment_name
from desk.settings_file import save_settings
from market.words import state_text


def set_live(run_dir: Path, assignments: Sequence[str], *, is_saved: bool) -> list[str]:
    """Change settings of the desk in `run_dir`, each spelt KEY=VALUE: all of them or none; return what to tell.

    If `is_saved`, they are put into the settings file from which the desk was started, too.

    Raises:
        DeskError: if they are not changed or not saved, saying why; or if the maker has not said that they are in
            force.
    """
    texts = assigned(assignments)
    require_node(run_dir)
    answer = ask_desk(run_dir, b"set", msgpack.packb(texts))
    now = {key: after for key, (_, after) in answer["set"].items()}
    lines = [
        f"{key}: {after or 'not set'}, was {before or 'not set'}" for key, (before, after) in answer["set"].items()
    ]
    if is_saved:
        lines += _saved(Path(answer["file"]), now)
    row = awaited_maker(run_dir, lambda row: row["state"] == "failed" or _is_in_force(row, now))
    state = "none runs" if row is None else f"it {state_text(row['state'])}"
    if row is None or row["state"] in ("stopped", "failed"):
        return [*lines, f"the maker takes it when it starts: {state}"]
    if _is_in_force(row, now):
        return lines
    kept = kept_settings(run_dir)
    others = [key for key, text in now.items() if kept is not None and kept.settings.get(key, "") != text]
    if others:
        return [*lines, f"somebody else has set it again since: {', '.join(others)}"]
    raise DeskError(f"kept, but the maker has not said that it goes by it ({state}): {command_text('status', run_dir)}")


def _saved(path: Path, texts: Mapping[str, str]) -> list[str]:
    """Put settings into the file of a desk; return what to tell."""
    try:
        save_settings(path, texts)
    except SettingsError as error:
        raise DeskError(f"set until the desk is started anew, but not saved: {error}") from None
    over = [name for key in texts if (name := environment_name(key)) in os.environ]
    hidden = f"; in the environment of this shell, which comes before it, stands {', '.join(over)}" if over else ""
    return [f"saved in {path}{hidden}"]


def _is_in_force(row: dict[str, Any], texts: dict[str, str]) -> bool:
    in_force = row["figures"].get("settings", {})
    return row["state"] == "ready" and all(in_force.get(key) == text for key, text in texts.items())

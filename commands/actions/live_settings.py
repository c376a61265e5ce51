"""`set`: settings are changed while the desk runs, and whoever goes by them has said so."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgpack

from desk.client import DeskError, ask_desk, awaited_maker, command_text, require_node
from desk.desk_file import kept_settings


def set_live(run_dir: Path, assignments: Sequence[str]) -> list[str]:
    """Change settings of the desk in `run_dir`, each spelt KEY=VALUE: all of them or none; return what to tell.

    Raises:
        DeskError: if they are not changed, saying why; or if the maker has not said that they are in force.
    """
    texts: dict[str, str] = {}
    for assignment in assignments:
        key, equals, text = (each.strip() for each in assignment.partition("="))
        if not (key and equals):
            raise DeskError(f"expected KEY=VALUE, was {assignment[:60]!r}")
        if key in texts:
            raise DeskError(f"{key}: expected once, was there twice")
        texts[key] = text
    require_node(run_dir)
    answer = ask_desk(run_dir, b"set", msgpack.packb(texts))
    now = {key: after for key, (_, after) in answer["set"].items()}
    lines = [
        f"{key}: {after or 'not set'}, was {before or 'not set'}" for key, (before, after) in answer["set"].items()
    ]
    row = awaited_maker(run_dir, lambda row: row["state"] == "failed" or _is_in_force(row, now))
    state = "none runs" if row is None else f"it is {row['state']}"
    if row is None or row["state"] in ("stopped", "failed"):
        return [*lines, f"the maker takes it when it starts: {state}"]
    if _is_in_force(row, now):
        return lines
    kept = kept_settings(run_dir)
    others = [key for key, text in now.items() if kept is not None and kept.settings.get(key, "") != text]
    if others:
        return [*lines, f"somebody else has set it again since: {', '.join(others)}"]
    raise DeskError(f"kept, but the maker has not said that it goes by it ({state}): {command_text('status', run_dir)}")


def _is_in_force(row: dict[str, Any], texts: dict[str, str]) -> bool:
    in_force = row["figures"].get("settings", {})
    return row["state"] == "ready" and all(in_force.get(key) == text for key, text in texts.items())

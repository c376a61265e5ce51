"""`stop NODE` and `start NODE`: what is asked of a running desk's supervisor, and what has come of it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from desk.client import DeskError, ask_desk, command_text, desk_status
from desk.risk_file import withdrawn

LOOK_S = 0.05
QUIET_S_MAX = 60.0  # for a node that starts, unless it says that it does something that takes long

Row = dict[str, Any]


def stop_node(run_dir: Path, name: str) -> list[str]:
    """Stop a node of the desk in `run_dir`, which is left alone from then on; return what to tell, once it has stopped.

    Raises:
        DeskError: if it has not, or if it may have left something behind.
    """
    answer = ask_desk(run_dir, b"stop", name.encode())
    row = _await(run_dir, name, lambda row: row["state"] in ("stopped", "failed"), float(answer["seconds"]))
    if row["why"]:
        raise DeskError(f"{name} is stopped, but: {row['why']}")
    lines = [f"{name} is stopped; it stays so until: {command_text(f'start {name}', run_dir)}"]
    if others := [each for each in answer["process"] if each != name]:
        lines.append(f"stopped with it, for they are threads of one process: {', '.join(others)}")
    if needed_by := answer["needed_by"]:
        is_one = len(needed_by) == 1
        on = "goes on without it as well as it can" if is_one else "go on without it as well as they can"
        lines.append(f"needed by {', '.join(needed_by)}, which {on}")
    return lines


def start_node(run_dir: Path, name: str) -> list[str]:
    """Start a node that was stopped; return what to tell, once it is ready.

    Raises:
        DeskError: if it does not get ready; the supervisor goes on trying.
    """
    answer = ask_desk(run_dir, b"start", name.encode())

    def is_done(row: Row) -> bool:
        is_held = row["state"] == "waiting" and row["doing"]
        return bool(row["state"] in ("ready", "failed") or is_held or row["restarts"] > answer["restarts"])

    row = _await(run_dir, name, is_done)
    if row["state"] != "ready":
        is_withdrawn = row["state"] != "waiting" and row["kind"] == "maker" and withdrawn(run_dir) is not None
        first = f"; first: {command_text('resume', run_dir)}" if is_withdrawn else ""
        raise DeskError(f"{name} did not get ready: {row['why'] or row['doing']}{first}")
    return [f"{name} is ready (pid {row['pid']})"]


def _await(run_dir: Path, name: str, is_done: Callable[[Row], bool], seconds: float = QUIET_S_MAX) -> Row:
    deadline, before = time.monotonic() + seconds, None
    while True:
        row: Row = next(row for row in desk_status(run_dir)["nodes"] if row["node"] == name)
        if is_done(row):
            return row
        if row["doing"] != before:
            before, deadline = row["doing"], max(deadline, time.monotonic() + seconds)
        if time.monotonic() > deadline:
            raise DeskError(f"{name} is still {row['doing'] or row['state']} after {seconds:.0f} s")
        time.sleep(LOOK_S)

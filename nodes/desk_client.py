"""How the command line asks a running desk: who it is, how it is, and to stop."""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import msgpack

from bus.channel import ChannelSocket
from bus.topology import CONTROL
from nodes.lock import holder_pid
from nodes.settings import LoadedSettings, Settings, load_settings

ANSWER_MS_MAX = 2_000
STOP_MARGIN_S = 5.0  # beyond what the desk gives its nodes
SILENT_STOP_S = 60.0


class DeskError(Exception):
    """The desk does not run, or does not answer; the text is one line for a person."""


def desk_pid(run_dir: Path) -> int | None:
    """Return the pid of the supervisor of the desk in `run_dir`, or None if none runs."""
    return holder_pid(run_dir / "desk.lock")


def desk_status(run_dir: Path) -> dict[str, Any]:
    """Return the status that the desk's supervisor gives.

    Raises:
        DeskError: if no desk runs in `run_dir`, or it does not answer.
    """
    return ask_desk(run_dir, b"status")


def ask_desk(run_dir: Path, *words: bytes) -> dict[str, Any]:
    """Ask the desk's supervisor, and return its answer.

    Raises:
        DeskError: if no desk runs in `run_dir`, if it does not answer, or if it says that it cannot.
    """
    pid = desk_pid(run_dir)
    if pid is None:
        raise DeskError(f"the desk is not running (run directory {run_dir}); start it with: python cli.py up")
    control = ChannelSocket(CONTROL, run_dir)
    try:
        deadline = time.monotonic() + ANSWER_MS_MAX / 1_000
        while not control.send([*words]):  # until the connection is made
            if time.monotonic() > deadline:
                raise DeskError(f"the desk (pid {pid}) does not answer")
            control.wait(10)
        if not control.wait(ANSWER_MS_MAX) or (frames := control.receive()) is None:
            raise DeskError(f"the desk (pid {pid}) does not answer")
    finally:
        control.close()
    answer: dict[str, Any] = msgpack.unpackb(frames[0])
    if "error" in answer:
        raise DeskError(answer["error"])
    return answer


def stop_desk(run_dir: Path) -> int:
    """Ask the desk in `run_dir` to stop, wait until it has, and return its pid.

    Raises:
        DeskError: if none runs, or it does not stop in the time that it has itself.
    """
    pid = desk_pid(run_dir)
    if pid is None:
        raise DeskError(f"the desk is not running (run directory {run_dir})")
    try:
        timeout_s = float(desk_status(run_dir)["stop_s_max"]) + STOP_MARGIN_S
    except DeskError:
        timeout_s = SILENT_STOP_S  # held back by Ctrl-Z, stuck, or already stopping
    for number in (signal.SIGTERM, signal.SIGCONT):
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.kill(pid, number)
    deadline = time.monotonic() + timeout_s
    while desk_pid(run_dir) == pid:
        if time.monotonic() > deadline:
            raise DeskError(f"the desk (pid {pid}) did not stop within {timeout_s:.0f} s")
        time.sleep(0.05)
    return pid


def endpoints_of(status: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return the endpoints of every node by the node's name."""
    return {row["node"]: row["endpoints"] for row in status["nodes"]}


def settings_of_running_desk(loaded: LoadedSettings, overrides: dict[str, Any]) -> Settings:
    """Return the settings with the ports that the nodes of a running desk have taken, if one runs in the run directory.

    The venue, too, is the running desk's, unless the command line names another.
    """
    settings = loaded.settings
    if desk_pid(settings.run_dir) is None:
        return settings
    status = desk_status(settings.run_dir)
    taken: dict[str, Any] = {"venue.name": status["venue"], "symbol": status["symbol"]}
    for node, endpoints in endpoints_of(status).items():
        address = endpoints.get("http") or endpoints.get("tcp")
        if address:
            taken[f"{node}.port"] = int(address.rsplit(":", 1)[1])
    return load_settings({**taken, **{key: value for key, value in overrides.items() if value is not None}}).settings

"""What it costs to start a desk, and to have a node back: `python -m benchmarks.start [--runs N] [--json]`.

A desk of all nodes on real processes, in turns as it is, where nodes are copies of a template (desk/template.py), and
the plain way, where each is a Python of its own that imports what it needs. `cpu_s` is the processor time of all its
processes until it is ready, and `start_s` the time by the clock; `ENGINE_back_s` and `MAKER_back_s` are from `kill -9`
until the supervisor calls the node ready again, a pause of 0.2 s in it; `pss_mb` is the memory of all processes, what
several have together counted once. Every node must be ready, and must have been restarted as often as it was killed.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.engine_process import ROOT, folder_of_a_desk, settings_of
from benchmarks.node_processes import cpu_time
from desk.client import DeskError, desk_status

READY_S: Final = 240.0  # kernels may be compiled first
LOOK_S: Final = 0.01
REST_S: Final = 2.0  # after a restart, until all have taken notice
KILLED: Final = ("engine", "maker")
PLAIN: Final = "import desk.template as t; t.Beginner._make = lambda _: None; import cli; cli.main()"
WAYS: Final = {"template": [str(ROOT / "cli.py")], "plain": ["-c", PLAIN]}
PORTS: Final = ("--api-port", "0", "--paper-port", "0", "--gateway-port", "0")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="of each way")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    subprocess.run([sys.executable, str(ROOT / "cli.py"), "warm"], check=True, stderr=subprocess.DEVNULL)
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(arguments.runs):
        for way, words in WAYS.items():
            runs[way].append(_run(words))
    if arguments.json:
        print(json.dumps(runs))
        return
    print(f"{'':14}{'template':>9} {'plain':>9}   medians of {arguments.runs}")
    for name in runs["template"][0]:
        figures = " ".join(f"{statistics.median(run[name] for run in runs[way]):9.2f}" for way in WAYS)
        print(f"{name:14}{figures}")


def _run(words: list[str]) -> dict[str, float]:
    """Start a desk, kill some of its nodes, and stop it."""
    with folder_of_a_desk() as run_dir:
        log_file = run_dir.parent / "desk.log"
        began = time.monotonic()
        with log_file.open("wb") as log:
            command = [sys.executable, *words, "up", *PORTS]
            desk = subprocess.Popen(command, env=settings_of(run_dir, {}), cwd=ROOT, stdout=log, stderr=log)
        try:
            _await(run_dir, {}, log_file)
            start_s = time.monotonic() - began
            processes = [desk.pid, *_children(desk.pid)]
            figures = {"start_s": start_s, "cpu_s": sum(sum(cpu_time(pid)) for pid in processes)}
            figures["pss_mb"] = sum(map(_pss_mb, processes))
            restarts = {row["node"]: row["restarts"] for row in desk_status(run_dir)["nodes"]}
            for name in KILLED:
                pid = next(row["pid"] for row in desk_status(run_dir)["nodes"] if row["node"] == name)
                restarts[name] += 1
                killed = time.monotonic()
                os.kill(pid, signal.SIGKILL)
                _await(run_dir, restarts, log_file)
                figures[f"{name}_back_s"] = time.monotonic() - killed
                time.sleep(REST_S)
        finally:
            began = time.monotonic()
            desk.terminate()
            code = desk.wait()
        assert code == 0, log_file.read_text()
        return {**figures, "stop_s": time.monotonic() - began}


def _await(run_dir: Path, restarts: Mapping[str, int], log_file: Path) -> None:
    """Wait until every node of the desk is ready, having been restarted so often."""
    deadline = time.monotonic() + READY_S
    while not _is_ready(run_dir, restarts):
        assert time.monotonic() < deadline, log_file.read_text()
        time.sleep(LOOK_S)


def _is_ready(run_dir: Path, restarts: Mapping[str, int]) -> bool:
    try:
        status: dict[str, Any] = desk_status(run_dir)
    except DeskError:
        return False
    rows = status["nodes"]
    assert all(row["restarts"] <= restarts.get(row["node"], 0) for row in rows), rows
    return status["is_ready"] and all(
        row["state"] == "ready" and row["restarts"] == restarts.get(row["node"], 0) for row in rows
    )


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _pss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1_024


if __name__ == "__main__":
    main()

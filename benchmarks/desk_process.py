"""A desk of real processes in a folder of its own, for benchmarks of a whole desk."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.engine_process import ROOT, folder_of_a_desk, settings_of
from desk.client import DeskError, desk_status

READY_S: Final = 240.0  # kernels may be compiled first


@contextmanager
def running_desk(settings_given: Mapping[str, str], without: Sequence[str], *words: str) -> Iterator[Path]:
    """Run a desk until its run directory is no longer needed.

    Args:
        settings_given: by their names, as of `--set`.
        without: its nodes that are left out.
        words: further ones of `up`.
    """
    left_out = [word for node in without for word in ("--without", node)]
    command = [
        sys.executable,
        str(ROOT / "cli.py"),
        "up",
        "--paper-port",
        "0",
        "--gateway-port",
        "0",
        *left_out,
        *words,
    ]
    named = {key.upper().replace(".", "__"): value for key, value in settings_given.items()}
    with folder_of_a_desk() as run_dir:
        log_file = run_dir.parent / "desk.log"
        with log_file.open("wb") as log:
            process = subprocess.Popen(command, env=settings_of(run_dir, named), cwd=ROOT, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + READY_S
            while not _is_ready(run_dir):
                assert process.poll() is None, log_file.read_text()
                assert time.monotonic() < deadline, "the desk is not ready"
                time.sleep(0.05)
            yield run_dir
        finally:
            process.terminate()
            process.wait()


def _is_ready(run_dir: Path) -> bool:
    try:
        return bool(desk_status(run_dir)["is_ready"])
    except DeskError:
        return False

"""Processes of the tests that show programs to a reader, and waiting for what they print."""

import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
WAIT_S = 60.0  # an engine may have to compile its kernels first


def until(what: str, condition: Callable[[], Any], turn: Callable[[], None] = lambda: None) -> Any:
    """Call `turn` and poll until `condition` returns something true, and return that; fail after the deadline."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        turn()
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {WAIT_S:.0f} s: {what}")


def program_of_readme(marked_by: str = "zmq.SUB") -> str:
    """Return a program that the README shows: its one block of Python with `marked_by` in it."""
    blocks = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    (program,) = [block for block in blocks if marked_by in block]
    return str(program)


class Running:
    """A process of ours whose lines we read."""

    def __init__(self, folder: Path, *command: str) -> None:
        self._output = folder / f"{len(list(folder.iterdir()))}.txt"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TICKBUS_")}
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env={**environment, "TICKBUS_GATEWAY__PORT": "0", "TICKBUS_PAPER__PORT": "0"},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def lines(self) -> list[str]:
        """Return the whole lines so far; fail if the process has ended."""
        text = self._output.read_text(encoding="utf-8")
        assert self.process.poll() in (None, 0), text
        return [line for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def last(self) -> str:
        """Return the last line, without its end."""
        return (self.lines() or [""])[-1].strip()

    def stop(self) -> None:
        """Kill it if it still runs."""
        self.process.kill()
        self.process.wait()

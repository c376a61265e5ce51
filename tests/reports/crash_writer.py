"""A process that writes daily files until it is killed: `python -m tests.reports.crash_writer FOLDER [POINT]`.

With a POINT, one of `POINTS`, it writes one file whole and kills itself at that point of writing the next.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reports.folder import ReportsFolder
from tests.reports.documents import performance_document
from tests.reports.fills import DAY, account, buy, snapshot

POINTS = ("before fsync", "after fsync", "before replace", "after replace", "before folder fsync")


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _around(call: Callable[..., Any], before: Callable[..., None], then: Callable[..., None]) -> Callable[..., Any]:
    def wrapped(*args: Any) -> Any:
        before(*args)
        result = call(*args)
        then(*args)
        return result

    return wrapped


def _pass(*_: object) -> None:
    """Let the call through."""


def _die_if_folder(descriptor: int) -> None:
    if os.path.isdir(f"/proc/self/fd/{descriptor}"):  # noqa: PTH112
        _die()


def _arm(point: str) -> None:
    """Make the process kill itself when it comes to `point`."""
    moment, _, call = point.partition(" ")
    before, then = (_die, _pass) if moment == "before" else (_pass, _die)
    if call == "replace":
        Path.replace = _around(Path.replace, before, then)  # type: ignore[method-assign]
    elif call == "folder fsync":
        os.fsync = _around(os.fsync, _die_if_folder, _pass)
    else:
        os.fsync = _around(os.fsync, before, then)


def _write(folder: ReportsFolder, count: int) -> None:
    fills = [buy(index + 1, "0.01094", "91202.23") for index in range(count)]
    with folder.locked():
        folder.write(DAY, performance_document(snapshot(account(BTC="1", USDT="10000"), fills), None))


def main() -> None:
    """Write one trade, then 50 to 149 again and again, saying each write on a line."""
    folder = ReportsFolder(Path(sys.argv[1]))
    _write(folder, 1)
    if len(sys.argv) > 2:
        _arm(sys.argv[2])
    while True:
        for count in range(50, 150):
            _write(folder, count)
            print(count, flush=True)


if __name__ == "__main__":
    main()

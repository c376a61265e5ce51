"""Where lines for people go: a terminal, a pipe or a log. What cannot be written is lost, and nothing else."""

import io
import os
import select
import sys
import threading
from pathlib import Path
from typing import Any

LOG_FILE = "DESK_LOG_FILE"  # an environment variable: the path of the log that a process's output is; not a setting

LOG_BYTES_MAX = 8 << 20  # of one log; the next line begins a new one
LOGS_KEPT = 4  # beside the log itself: NODE.log.1, the newest, to NODE.log.4
WAIT_MS = 200  # for a reader that is slow; one that has made us wait is not waited for again until it has read
_PIPE_BYTES = 512  # POSIX: so much can be written to a pipe that can be written to


class Outlet(io.TextIOBase):
    """A text stream on a descriptor, whose writes neither fail nor wait for long.

    A full disk, a reader that is gone, a terminal that is closed or held back: the lines meanwhile are lost. When
    lines get through again, the first one says how many were not written.

    Args:
        descriptor: to write to.
        path: of the log that it is, if it is one: at LOG_BYTES_MAX it is moved aside, and what was open on it goes
            to a new file there. The process that writes is the one that moves, so no line can fall in between.
        encoding: of the text.
        on_others: what becomes of characters that the encoding has not got, as `str.encode` names it.
    """

    def __init__(
        self,
        descriptor: int,
        path: Path | None = None,
        encoding: str = "utf-8",
        on_others: str = "backslashreplace",
    ) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._path = path
        self._encoding = encoding
        self._on_others = on_others
        self.loss_count = 0  # of writes, since the beginning
        self._lost_count = 0
        self._is_slow = False
        self._is_regular = path is not None
        self._guard = threading.RLock()  # several nodes may be threads of the process

    def write(self, text: str) -> int:
        """Write `text` if that can be done now; return its length in any case."""
        with self._guard:
            if self._path is not None:
                self._turn_over(self._path)
            data = text.encode(self._encoding, self._on_others)
            if self._lost_count and self._put(f"({self._lost_count} writes before this one were lost)\n".encode()):
                self._lost_count = 0
            if not self._put(data):
                self._lost_count += 1
                self.loss_count += 1
        return len(text)

    def _put(self, data: bytes) -> bool:
        try:
            while data:
                if not self._can_write():
                    return False
                data = data[os.write(self._descriptor, data if self._is_regular else data[:_PIPE_BYTES]) :]
        except OSError:
            return False  # and there is nobody to tell: this is where it would be told
        return True

    def _can_write(self) -> bool:
        if self._is_regular:
            return True
        poller = select.poll()
        poller.register(self._descriptor, select.POLLOUT)
        self._is_slow = not poller.poll(0 if self._is_slow else WAIT_MS)
        return not self._is_slow

    def _turn_over(self, path: Path) -> None:
        try:
            full = os.fstat(self._descriptor)
            if full.st_size < LOG_BYTES_MAX:
                return
            fresh = path.with_name(f"{path.name}.new")
            with fresh.open("ab") as file:  # made before anything is moved: on a full disk the old file stays
                put_log_aside(path)
                fresh.replace(path)
                for descriptor in {1, 2, self._descriptor}:
                    if os.path.samestat(full, os.fstat(descriptor)):
                        os.dup2(file.fileno(), descriptor)
        except OSError:
            return  # the next line tries again

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        """Return True."""
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """What the text becomes."""
        return self._encoding


def log_file() -> Path | None:
    """Return the path of the log that our output goes to, if whoever started us has said so."""
    path = os.environ.get(LOG_FILE)
    return Path(path) if path else None


def take_over_output(path: Path | None) -> Any:
    """Have all that this process says, from now on, go out in a way that cannot end it; return standard error.

    Both streams may be open on a log, the one at `path`.
    """
    sys.stdout, sys.stderr = (
        Outlet(stream.fileno(), path, stream.encoding or "utf-8", _on_others(stream))
        for stream in (sys.stdout, sys.stderr)
    )
    return sys.stderr


def _on_others(stream: Any) -> str:
    """Return what a stream does with characters that its encoding has not got, if that cannot fail."""
    return "backslashreplace" if stream.errors in (None, "strict", "surrogateescape") else str(stream.errors)


def put_log_aside(path: Path) -> None:
    """Rename a log to `.log.1`, the one that was called so to `.log.2`, and so on; the oldest goes.

    Raises:
        OSError: if they cannot be renamed.
    """
    for number in range(LOGS_KEPT, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        newer = path.with_name(f"{path.name}.{number - 1}") if number > 1 else path
        if newer.exists():
            newer.replace(older)

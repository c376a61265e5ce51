"""The files that a recording is written to: gzip, whole at every moment, a new one every so often.

A file is a row of gzip members (RFC 1952, 2.2), each of some seconds and handed to the kernel at once. So a process
that is killed loses those seconds and leaves a file that reads to its end; of a member that the disk does not take
whole, what it took is cut off again.
"""

import gzip
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from flow.recordings.recorder import Line
from market.clock import NS_PER_SECOND
from market.whole_file import sync_folder

_MEMBER_NS: Final = 5 * NS_PER_SECOND
_MEMBER_BYTES: Final = 1 << 20  # of text
_COMPRESSION: Final = 6


class RecordingFile:
    """One file, which must not be there yet; one that nothing was written to goes away again.

    Raises:
        OSError: if it cannot be made; here, and in each call, if the disk does not take more.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._lines: list[str] = []
        self._text_bytes = 0
        self._size = 0
        self._written_ns = 0  # when the last member was; by the caller's clock

    @property
    def size(self) -> int:
        """How many bytes are in the file."""
        return self._size

    def put(self, text: str) -> None:
        """Take a line, to be written with the next member."""
        self._lines.append(text)
        self._text_bytes += len(text) + 1

    def write_due(self, now_ns: int) -> None:
        """Write the next member if it is time."""
        if self._text_bytes >= _MEMBER_BYTES or now_ns - self._written_ns >= _MEMBER_NS:
            self._written_ns = now_ns
            self._write()

    def close(self) -> None:
        """Write what is left, and see that it lasts."""
        try:
            self._write()
            os.fsync(self._descriptor)
        finally:
            os.close(self._descriptor)
            if not self._size:
                self.path.unlink()
        sync_folder(self.path.parent)

    def _write(self) -> None:
        if not self._lines:
            return
        text = "".join(f"{line}\n" for line in self._lines)
        self._lines.clear()
        self._text_bytes = 0
        member = gzip.compress(text.encode(), _COMPRESSION)
        try:
            rest = memoryview(member)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(member)


class RecordingFiles:
    """A recording in one file after the other: NAME.gz, NAME-2.gz and so on, each with a book of its own.

    Args:
        path: of the first.
        span_ns: how long one may become.
        size_max: how many bytes it may have; both are passed by until a snapshot has come.

    Attributes:
        paths: of all that were begun.
    """

    def __init__(self, path: Path, span_ns: int, size_max: int) -> None:
        self._first = path
        self._span_ns = span_ns
        self._size_max = size_max
        self._file = RecordingFile(path)
        self._since_ns: int | None = None
        self._former_size = 0
        self._number = 1  # of the last file
        self.paths = [path]

    @property
    def size(self) -> int:
        """How many bytes are in all of them."""
        return self._former_size + self._file.size

    def is_full(self, now_ns: int) -> bool:
        """Say whether the next one is to begin, with a snapshot."""
        is_over = self._since_ns is not None and now_ns - self._since_ns >= self._span_ns
        return is_over or self._file.size >= self._size_max

    def put(self, line: Line, now_ns: int) -> None:
        """Take a line, in a new file if it is time and a book can begin with it."""
        if line.begins_with is not None and self.is_full(now_ns):
            self._begin_next()
            for earlier in line.begins_with:
                self._file.put(earlier)
            self._since_ns = None
        if self._since_ns is None:
            self._since_ns = now_ns
        self._file.put(line.text)

    def write_due(self, now_ns: int) -> None:
        """Write what is due."""
        self._file.write_due(now_ns)

    def close(self) -> None:
        """Write what is left; nothing more can be put."""
        self._file.close()

    def _begin_next(self) -> None:
        former, self._file = self._file, self._next_file()
        self.paths.append(self._file.path)
        former.close()
        self._former_size += former.size

    def _next_file(self) -> RecordingFile:
        """Return the file of the next number that is free: a recording of before may have left some."""
        name, *endings = self._first.name.split(".")
        while True:
            self._number += 1
            path = self._first.with_name(".".join([f"{name}-{self._number}", *endings]))
            with suppress(FileExistsError):
                return RecordingFile(path)

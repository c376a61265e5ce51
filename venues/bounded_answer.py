"""Answers over HTTP of at most so many bytes, within a time: http.client bounds neither, but for each line and piece.

A server may send a byte now and then, interim answers or lines of a trailer without end.
"""

import io
import socket
import time
from http.client import HTTPException, HTTPResponse
from typing import Any, Final, Protocol

HEAD_BYTES_MAX: Final = 64 << 10
BODY_BYTES_MAX: Final = 16 << 20

_PIECE_BYTES: Final = 8_192


class TooLargeError(HTTPException):
    """An answer has more bytes than any that we ask for."""


class _Readable(Protocol):
    def readinto(self, into: Any, /) -> int | None: ...
    def close(self) -> None: ...


class _Bounded(io.RawIOBase):
    """What comes from a socket, up to a number of bytes and a time.

    Args:
        until_s: on the monotonic clock.

    Attributes:
        left: how many bytes may still come.
    """

    def __init__(self, source: _Readable, until_s: float) -> None:
        super().__init__()
        self._source = source
        self._until_s = until_s
        self.left = HEAD_BYTES_MAX

    def readable(self) -> bool:
        """Return whether it can be read: it can."""
        return True

    def readinto(self, into: Any, /) -> int | None:
        """Read as the socket does.

        Raises:
            TooLargeError: if there are more bytes than there may be.
            TimeoutError: if they come too late.
        """
        if time.monotonic() > self._until_s:
            raise TimeoutError("no answer in time")
        count = self._source.readinto(into)
        self.left -= count or 0
        if self.left < 0:
            raise TooLargeError("the answer is too large")
        return count

    def close(self) -> None:
        """Close what it reads from."""
        if not self.closed:
            self._source.close()
        super().close()


class BoundedAnswer(HTTPResponse):
    """An answer whose head and body are bounded, each in bytes, and both together in time.

    Args:
        connected: as HTTPResponse has it.
        within_s: from now on.
    """

    def __init__(self, connected: socket.socket, *given: Any, within_s: float, **named: Any) -> None:
        super().__init__(connected, *given, **named)
        self.fp.close()
        self._bounded = _Bounded(connected.makefile("rb", buffering=0), time.monotonic() + within_s)
        self.fp = io.BufferedReader(self._bounded, _PIECE_BYTES)

    def begin(self) -> None:
        """Read the head; only then there may be as much as a body has."""
        super().begin()
        self._bounded.left += BODY_BYTES_MAX

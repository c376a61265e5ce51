"""One TCP connection of the gateway: what was received and is not a whole message yet, and what is still to be sent."""

import socket
from collections import deque
from collections.abc import Callable
from typing import Final

from bus.poll_loop import POLL_READ, POLL_WRITE, PollLoop
from sessions.peers import address_of
from sessions.session_table import Session

# A machine that is gone says nothing, and an anonymous client need not: it is its kernel that is asked.
_ASKED_AFTER_S: Final = 10
_ASKED_AGAIN_S: Final = 5
_ASKED_COUNT: Final = 3


class SlowReaderError(Exception):
    """The client left so much unread that a part of it is no longer kept."""


class ClientConnection:
    """A client's socket and its place in the reports of its session.

    Two things are sent: what the gateway says itself, and the session's reports from `place` on. A report that is sent
    in part is sent to its end first.

    Attributes:
        peer: the client's host and port.
        address: what counts as its address.
        session: what the client has logged on to, None before its first message.
        rest: the beginning of a message.
        heard_ns: when something was last received, monotonic.
        sent_ns: when something was last sent.
        is_open: whether nobody has hung up.
    """

    def __init__(self, loop: PollLoop, connection: socket.socket, host: str, port: int, now_ns: int) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _ASKED_AFTER_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _ASKED_AGAIN_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _ASKED_COUNT)
        self.session: Session | None = None
        self.peer = f"{host}:{port}"
        self.address = address_of(host)
        self.rest = b""
        self.heard_ns = self.sent_ns = now_ns
        self.is_open = True
        self._loop = loop
        self._socket = connection
        self._place = self._boundary = 0  # up to the boundary reports are sent before anything else
        self._direct: deque[bytes] = deque()
        self._direct_bytes = 0
        self._events = 0

    @property
    def unread_bytes(self) -> int:
        """How much the client has still to read, as far as we know."""
        return self._direct_bytes + (self.session.reports.end - self._place if self.session else 0)

    @property
    def is_reading(self) -> bool:
        """Whether we wait for what the client says."""
        return bool(self._events & POLL_READ)

    def has_input(self) -> bool:
        """Return whether something, or the end of the stream, waits in the socket: it may be we who were away."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True  # to be seen by whoever reads it
        return True

    def attach(self, session: Session, place: int) -> None:
        """Let the client have the session's reports from `place` on."""
        self.session = session
        self._place = self._boundary = place

    def has_been_sent(self, sequence: int) -> bool:
        """Return whether the session's report of this number has been sent here, or to an earlier connection."""
        assert self.session is not None, "reports without a session"
        reports = self.session.reports
        return self._place == reports.end or reports.place_after(sequence - 1) < self._place

    def receive_into(self, space: memoryview) -> int | None:
        """Receive into `space`; return the size, 0 at the end of the stream, None if nothing waits.

        Raises:
            OSError: if the connection is lost.
        """
        try:
            return self._socket.recv_into(space)
        except BlockingIOError:
            return None

    def say(self, data: bytes) -> None:
        """Send something beside the reports, when `flush` comes to it."""
        self._direct.append(data)
        self._direct_bytes += len(data)

    def flush(self, now_ns: int) -> None:
        """Send what the socket takes.

        Raises:
            SlowReaderError: if reports that the client has not read are forgotten.
            OSError: if the connection is lost.
        """
        if self.session is not None and self._place < self.session.reports.start:
            raise SlowReaderError
        while self.unread_bytes:
            is_report = self._place < self._boundary or not self._direct
            data = self._next_reports() if is_report else self._direct[0]
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                return
            self.sent_ns = now_ns
            if is_report:
                self._place += sent
                continue
            self._direct_bytes -= sent
            if sent < len(data):
                self._direct[0] = bytes(data[sent:])
            else:
                self._direct.popleft()

    def watch(self, action: Callable[[], None], *, is_reading: bool, is_writing: bool) -> None:
        """Call `action` when the socket can be read, or written to; the latter also while something is to be sent."""
        events = (POLL_READ if is_reading else 0) | (POLL_WRITE if is_writing or self.unread_bytes else 0)
        if events == self._events or not self.is_open:
            return
        if events:
            self._loop.watch(self._socket, action, events)
        else:
            self._loop.forget(self._socket)
        self._events = events

    def close(self) -> None:
        """Hang up; what was not sent is not sent."""
        if self._events:
            self._loop.forget(self._socket)
        self._events = 0
        self.is_open = False
        self._socket.close()

    def _next_reports(self) -> bytes | memoryview:
        assert self.session is not None, "reports without a session"
        data = self.session.reports.read(self._place)
        if self._place < self._boundary:
            return data[: self._boundary - self._place]
        self._boundary = self._place + len(data)
        return data

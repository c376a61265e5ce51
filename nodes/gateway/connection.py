"""One TCP connection of the gateway: the socket under a `Client`."""

import socket
from collections.abc import Callable
from functools import partial
from typing import Final

from bus.poll_loop import POLL_READ, POLL_WRITE, PollLoop
from market.clock import Now
from sessions.client import Client

# A machine that is gone says nothing, and an anonymous client need not: it is its kernel that is asked.
_OPTIONS: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),  # s until it is asked
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),  # s until it is asked again
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)


class ClientConnection:
    """A client's socket.

    Args:
        loop: of the node.
        connection: accepted.
        client: what is received and sent over it.
        on_event: called when the socket can be read, or written to.
    """

    def __init__(
        self, loop: PollLoop, connection: socket.socket, client: Client, on_event: Callable[["ClientConnection"], None]
    ) -> None:
        connection.setblocking(False)
        for level, option, value in _OPTIONS:
            connection.setsockopt(level, option, value)
        self.client = client
        self._loop = loop
        self._socket = connection
        self._on_event = on_event
        self._events = 0

    def has_input(self) -> bool:
        """Return whether something, or the end of the stream, waits in the socket."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True  # to be seen by whoever reads it
        return True

    def receive_into(self, space: memoryview) -> int | None:
        """Receive into `space`; return the size, 0 at the end of the stream, None if nothing waits.

        Raises:
            OSError: if the connection is lost.
        """
        try:
            return self._socket.recv_into(space)
        except BlockingIOError:
            return None

    def flush(self, now: Now) -> None:
        """Send what the socket takes.

        Raises:
            OSError: if the connection is lost.
        """
        try:
            while piece := self.client.next_piece():
                self.client.sent(self._socket.send(piece), now)
        except BlockingIOError:
            return

    def watch(self, *, is_read: bool, is_written: bool) -> None:
        """Wait for what the client says, or for room to write to it."""
        events = (POLL_READ if is_read else 0) | (POLL_WRITE if is_written else 0)
        if events == self._events:
            return
        if events:
            self._loop.watch(self._socket, partial(self._on_event, self), events)
        else:
            self._loop.forget(self._socket)
        self._events = events

    def close(self) -> None:
        """Hang up; what was not sent is not sent."""
        if self._events:
            self._loop.forget(self._socket)
        self._socket.close()

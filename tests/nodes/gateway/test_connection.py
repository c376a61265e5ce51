"""The socket of a client."""

import socket
from typing import cast

from bus.poll_loop import PollLoop
from market.clock import Now
from nodes.gateway.connection import ClientConnection
from sessions.client import Client


def test_a_machine_that_is_gone_keeps_no_connection() -> None:
    """Without a word it would have its place, and its open orders, for ever: an anonymous client need say nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        accepted, (host, port, *_) = listener.accept()
        connection = ClientConnection(cast("PollLoop", None), accepted, Client(host, port, Now(0, 0)), print)
        names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        after_s, again_s, count = (accepted.getsockopt(socket.IPPROTO_TCP, name) for name in names)
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert after_s + again_s * count <= 30
        connection.close()

"""The least that a round trip can take: a TCP echo with two hops over ipc behind it, messages as long, and no work.

Two processes in the places of gateway and engine, with the same kinds of sockets, each waiting in the kernel.
"""

import multiprocessing
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import zmq

from market.clock import monotonic_ns

ORDER_BYTES: Final = 18  # as the client sends it
COMMAND: Final = (b"h" * 15, b"c" * 34)  # header and payload on the way to the engine
REPORT: Final = (b"h" * 15, b"r" * 50)  # and back
REPORT_BYTES: Final = 44  # as the client gets it


def _serve_gateway(port_of: "multiprocessing.Queue[int]", address: str) -> None:
    context = zmq.Context()
    engine: zmq.Socket[bytes] = context.socket(zmq.DEALER)
    engine.connect(address)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port_of.put(listener.getsockname()[1])
        client, _ = listener.accept()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    poller = zmq.Poller()
    poller.register(client, zmq.POLLIN)
    poller.register(engine, zmq.POLLIN)
    while True:
        for ready, _ in poller.poll():
            if ready is engine:
                engine.recv_multipart()
                client.send(b"r" * REPORT_BYTES)
            elif client.recv(4_096):
                engine.send_multipart(COMMAND)
            else:
                engine.send_multipart((b"", b""))
                engine.close()
                context.term()
                return


def _serve_engine(address: str) -> None:
    context = zmq.Context()
    orders: zmq.Socket[bytes] = context.socket(zmq.ROUTER)
    orders.bind(address)
    while True:
        identity, head, _ = orders.recv_multipart()
        if not head:
            break
        orders.send_multipart((identity, *REPORT))
    orders.close()
    context.term()


class FloorClient:
    """A client of processes that echo."""

    _socket: socket.socket
    _processes: Sequence[Any]

    def alone(self, count: int) -> list[int]:
        """Return the ns of so many round trips, one after the other."""
        took_ns = []
        for _ in range(count):
            start_ns = monotonic_ns()
            self._socket.send(b"o" * ORDER_BYTES)
            got = len(self._socket.recv(4_096))
            took_ns.append(monotonic_ns() - start_ns)
            assert got == REPORT_BYTES, f"expected {REPORT_BYTES} bytes, were {got}"
        return took_ns

    def close(self) -> None:
        """End the processes."""
        self._socket.close()
        for process in reversed(self._processes):
            process.join(20)
            process.kill()


class Floor(FloorClient):
    """The two processes, and a client of theirs.

    Args:
        folder: for the socket; short enough for a Unix socket.
    """

    def __init__(self, folder: Path) -> None:
        context = multiprocessing.get_context("spawn")
        port_of, address = context.Queue(), f"ipc://{folder}/floor.ipc"
        self._processes = [
            context.Process(target=_serve_engine, args=(address,)),
            context.Process(target=_serve_gateway, args=(port_of, address)),
        ]
        for process in self._processes:
            process.start()
        self._socket = socket.create_connection(("127.0.0.1", port_of.get(timeout=60)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

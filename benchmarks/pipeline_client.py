"""The load generator: one TCP client that sends bytes made before and checks every report with a kernel."""

import contextlib
import select
import socket
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from benchmarks.order_streams import FIRST_ID, OrderStream
from benchmarks.report_check import (
    ANSWERED_CANCELS,
    ANSWERED_NEW,
    CHECK_SIZE,
    FAULT,
    FAULT_EXPECTED,
    FAULT_WAS,
    NEW_PER_PASS,
    REFUSED,
    REPORTS,
    TRADES_TOLD,
    check_reports,
)
from benchmarks.report_check import FIRST_ID as CHECK_FIRST_ID
from market.clock import NS_PER_SECOND, monotonic_ns
from market.codec import encode
from market.codes import Tag
from market.kernels.rows import Int64Array
from market.session_messages import Logon, Logout

CLIENT_ID: Final = "load"
SEND_BYTES: Final = 1 << 18
RECEIVE_BYTES: Final = 1 << 20
IN_FLIGHT_MAX: Final = 1 << 15  # commands without an answer
SILENCE_MS: Final = 20_000


class Sent(NamedTuple):
    """What was sent and answered.

    Attributes:
        passes: how often the stream was sent as a whole.
        seconds: from the first byte sent to the last report received.
    """

    passes: int
    commands: int
    reports: int
    trades_told: int
    refused: int
    seconds: float


def connected(port: int, client_id: str = CLIENT_ID) -> socket.socket:
    """Return a connection that has logged on; what the gateway says of that is still to be read."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(encode(Logon(client_id)))
    return connection


class LoadClient:
    """Sends a stream again and again as fast as the gateway takes it.

    Args:
        port: the gateway's.
        stream: its bytes are changed from pass to pass.
    """

    def __init__(self, port: int, stream: OrderStream) -> None:
        self._stream = stream
        self._socket = connected(port)
        self._socket.setblocking(False)
        self._check: Int64Array = np.zeros(CHECK_SIZE, np.int64)
        self._check[CHECK_FIRST_ID], self._check[NEW_PER_PASS] = FIRST_ID, stream.new_count
        self._buffer = np.zeros(2 * RECEIVE_BYTES, np.uint8)
        self._memory = self._buffer.data
        self._rest = 0
        self._out = stream.data.data
        check_reports(self._buffer, 0, stream.cancel_ids, self._check)  # compiles

    def run(self, seconds: float) -> Sent:
        """Send whole passes for at least so long, and wait for every answer.

        Raises:
            AssertionError: if a report is missing, doubled or out of order.
            RuntimeError: if the gateway hangs up or falls silent.
        """
        start_ns = monotonic_ns()
        passes = 0
        while monotonic_ns() - start_ns < seconds * NS_PER_SECOND:
            if passes:
                self._until_answered(passes * len(self._stream), at_most=0)
                self._stream.raise_ids()
            self._send_pass(passes)
            passes += 1
        self._until_answered(passes * len(self._stream), at_most=0)
        took_s = (monotonic_ns() - start_ns) / NS_PER_SECOND
        check = self._check.tolist()
        assert check[ANSWERED_NEW] == passes * self._stream.new_count, check
        assert check[ANSWERED_CANCELS] == passes * len(self._stream.cancel_ids), check
        commands = passes * len(self._stream)
        return Sent(passes, commands, check[REPORTS], check[TRADES_TOLD], check[REFUSED], took_s)

    def close(self) -> None:
        """Hang up; the orders stay."""
        with contextlib.suppress(OSError):
            self._socket.send(encode(Logout()))
        self._socket.close()

    def _send_pass(self, passes: int) -> None:
        """Send the stream once, never more than IN_FLIGHT_MAX commands ahead of their answers."""
        ends, at, done = self._stream.ends, 0, passes * len(self._stream)
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | select.POLLOUT)
        size = len(self._out)
        while at < size:
            ahead = self._answered() - done + IN_FLIGHT_MAX  # in this pass, commands may be sent up to here
            limit = size if ahead >= len(ends) else int(ends[ahead])
            is_allowed = limit > at
            poll.modify(self._socket, select.POLLIN | (select.POLLOUT if is_allowed else 0))
            for _, events in self._polled(poll):
                if events & select.POLLIN:
                    self._receive()
                if events & select.POLLOUT:
                    at += self._socket.send(self._out[at : min(limit, at + SEND_BYTES)])

    def _until_answered(self, commands: int, at_most: int) -> None:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while commands - self._answered() > at_most:
            for _ in self._polled(poll):
                self._receive()

    def _polled(self, poll: select.poll) -> Iterator[tuple[int, int]]:
        found = poll.poll(SILENCE_MS)
        if not found:
            raise RuntimeError(f"the gateway is silent; {self._check.tolist()}")
        return iter(found)

    def _answered(self) -> int:
        """Return how many commands have their answers; a pass's MassCancel counts with its first new order."""
        answered_new = int(self._check[ANSWERED_NEW])
        passes_begun = -(-answered_new // self._stream.new_count)
        return answered_new + int(self._check[ANSWERED_CANCELS]) + passes_begun

    def _receive(self) -> int:
        """Receive and check what waits; return when it was received."""
        size = self._socket.recv_into(self._memory[self._rest :])
        received_ns = monotonic_ns()
        if size == 0:
            raise RuntimeError(f"the gateway hung up; {self._check.tolist()}")
        end = self._rest + size
        used = check_reports(self._buffer, end, self._stream.cancel_ids, self._check)
        fault, was, expected = self._check[[FAULT, FAULT_WAS, FAULT_EXPECTED]].tolist()
        assert not fault, f"{Tag(fault).name}: expected {expected}, was {was}; {self._check.tolist()}"
        self._rest = end - used
        self._memory[: self._rest] = self._memory[used:end]
        return received_ns

"""Clients of the gateway that trade for an hour and keep account of all that they are told: for `benchmarks.soak`.

Each is a session with a name. It sends orders that rest away from the market, and, once enough of them do, a cancel of
the oldest for each new one; now and then one takes what the market offers. The session is kept as
`venues.gateway_session` keeps one, in rows instead of objects: a lost connection is made again, what was missed comes,
and orders without a report are sent again.
"""

import socket
import time
from typing import Final

from benchmarks.soak_account import (
    DOUBLED,
    EXECUTIONS,
    LAST_ID,
    LAST_SEQUENCE,
    PIECE,
    REFUSED,
    SENT,
    UNANSWERED,
    Account,
)
from engine.wire.codec import PieceDecoder, RowEncoder
from engine.wire.refusals import MalformedBytesError
from market.clock import NS_PER_SECOND, monotonic_ns
from market.codec import encode
from market.codes import RejectReason, Tag
from market.events import Accepted, Amended, Canceled, Executed, Halted, Rejected, Rested, Trailed, Triggered
from market.feed_messages import InstrumentDefinition
from market.kernels.row_codes import REJECTED
from market.kernels.rows import TAG, Int64Array, column
from market.session_messages import Heartbeat, LoggedOn, Logon, Logout
from venues.gateway_session import GatewayError

RECONNECT_S: Final = 60.0
PAUSE_S: Final = 0.05  # between two attempts
PIECES_MAX: Final = 16  # of what has come, in a row
REPORTS: Final = (Accepted, Rested, Executed, Canceled, Amended, Triggered, Trailed, Rejected, Halted)
HEARTBEATS_PER_IDLE: Final = 3
_LOGGED_ON: Final = int(Tag.LOGGED_ON)
_HEARTBEAT: Final = int(Tag.HEARTBEAT)


class SoakClient:
    """One session.

    Args:
        name: the session's.
        port: the gateway's.
        seed: of its orders.

    Attributes:
        account: of what it has sent and been told.
        lost_count: reports that the gateway no longer had when it came back.
    """

    def __init__(self, name: str, port: int, seed: int) -> None:
        self.name = name
        self.account = Account(seed)
        self.lost_count = 0
        self._port = port
        self._decoder = PieceDecoder((*REPORTS, Heartbeat, LoggedOn, Logout, InstrumentDefinition))
        self._encoder = RowEncoder(self.account.commands)
        self._rest = b""
        self._socket: socket.socket | None = None
        self._is_logged_on = False
        self._idle_ns = NS_PER_SECOND
        self._sent_ns = 0
        self._connect()

    @property
    def sent(self) -> int:
        """How many commands were sent."""
        return int(self.account.counts[SENT])

    @property
    def executed(self) -> int:
        """How many executions were told."""
        return int(self.account.counts[EXECUTIONS])

    @property
    def refused(self) -> int:
        """How many commands were refused that should not be."""
        return int(self.account.counts[REFUSED])

    @property
    def doubled(self) -> int:
        """How many orders had more than one first report, or one that was never sent."""
        return int(self.account.counts[DOUBLED])

    @property
    def unanswered_count(self) -> int:
        """How many orders have not had their first report."""
        return int(self.account.counts[UNANSWERED])

    def act(self, first_ns: int, step_ns: int, count: int, mid_ticks: int) -> None:
        """Send so many commands, due from `first_ns` on.

        Raises:
            GatewayError: if the gateway does not come back.
        """
        self.account.act(first_ns, step_ns, count, mid_ticks)
        self._send(self._encoder.encode(0, count))

    def take(self) -> int:
        """Take the reports that have come, and return how many; ask again for what has not ended though it should.

        Raises:
            GatewayError: if the gateway does not come back.
        """
        now_ns = monotonic_ns()
        if now_ns - self._sent_ns > self._idle_ns // HEARTBEATS_PER_IDLE:
            self._send(encode(Heartbeat(int(self.account.counts[LAST_SEQUENCE]))))
        try:
            heard = self._receive(socket.MSG_DONTWAIT)
        except (OSError, GatewayError):
            self._connect()
            heard = 0
        while count := self.account.ask_again(now_ns):
            self._send(self._encoder.encode(0, count))
        return heard

    def close(self) -> None:
        """Hang up; the session goes on."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _receive(self, flags: int) -> int:
        """Take what has come, piece by piece.

        Raises:
            OSError, GatewayError: if the connection is of no use any more.
        """
        assert self._socket is not None, "expected a connection"
        heard = 0
        for _ in range(PIECES_MAX):
            space = self._decoder.space(self._rest)
            try:
                size = self._socket.recv_into(space, 0, flags)
            except BlockingIOError:
                break
            if size == 0:
                raise GatewayError("the gateway hung up")
            is_more = size == len(space)
            self._decoder.received(size)
            heard += self._take_piece(monotonic_ns())
            self._rest = self._decoder.rest
            if not is_more or not flags:
                break
        return heard

    def _take_piece(self, now_ns: int) -> int:
        heard = 0
        try:
            for found in self._decoder.messages():
                if isinstance(found, InstrumentDefinition):
                    continue
                at = 0
                while at < len(found):
                    taken = self.account.hear(found[at:], now_ns)
                    heard, at = heard + taken, at + taken
                    if at < len(found):
                        self._take_other(found[at])
                        at += 1
        except MalformedBytesError as error:
            raise GatewayError(f"the gateway sent something else: {error}") from None
        return heard

    def _take_other(self, row: Int64Array) -> None:
        """Take a message of the session itself.

        Raises:
            GatewayError: if it ends the connection, or a report is missing before it.
        """
        tag, last = int(row[TAG]), int(self.account.counts[LAST_SEQUENCE])
        if tag == _LOGGED_ON:
            self._on_logged_on(LoggedOn(*row[1 : 1 + len(LoggedOn._fields)].tolist()))
        elif tag == _HEARTBEAT:
            if self._is_logged_on and row[column(Heartbeat, "last_sequence")] > last:
                raise GatewayError(f"expected report {last + 1}, was a heartbeat after more")
        elif tag == int(Tag.LOGOUT):
            raise GatewayError(f"the gateway: {RejectReason(int(row[1]) or RejectReason.GATEWAY_STOPS).name}")
        elif tag == int(Tag.REJECTED):
            raise GatewayError(f"the gateway: {RejectReason(int(row[REJECTED.reason])).name}")
        else:
            raise GatewayError(f"expected report {last + 1}, was {int(row[1])}")

    def _on_logged_on(self, said: LoggedOn) -> None:
        counts = self.account.counts
        if said.next_sequence <= counts[LAST_SEQUENCE]:
            raise GatewayError("the gateway has forgotten the session")
        missing = said.first_sequence - int(counts[LAST_SEQUENCE]) - 1
        if missing > 0:
            self.lost_count += missing
            counts[LAST_SEQUENCE] += missing
        counts[LAST_ID] = max(int(counts[LAST_ID]), said.last_order_id)
        self._idle_ns = said.idle_ms * NS_PER_SECOND // 1_000
        self._is_logged_on = True

    def _send(self, data: bytes) -> None:
        """Send; what is lost with the connection is sent again: orders at once, cancels later."""
        try:
            assert self._socket is not None, "expected a connection"
            self._socket.sendall(data)
        except OSError:
            self._connect()
        self._sent_ns = monotonic_ns()

    def _connect(self) -> None:
        """Make a connection, log on, and send again what has no report.

        Raises:
            GatewayError: if the gateway does not come back.
        """
        deadline = time.monotonic() + RECONNECT_S
        while True:
            try:
                return self._log_on()
            except (OSError, GatewayError) as error:
                if time.monotonic() > deadline:
                    raise GatewayError(f"the gateway does not come back: {error}") from None
            time.sleep(PAUSE_S)

    def _log_on(self) -> None:
        self.close()
        self._rest, self._is_logged_on = b"", False
        self._socket = socket.create_connection(("127.0.0.1", self._port), RECONNECT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(encode(Logon(self.name, "", int(self.account.counts[LAST_SEQUENCE]))))
        while not self._is_logged_on:
            self._receive(0)
        again = self.account.again()
        for start in range(0, len(again), PIECE):
            part = again[start : start + PIECE]
            self.account.commands[: len(part)] = part
            self._socket.sendall(self._encoder.encode(0, len(part)))
        self._socket.settimeout(None)  # else each look at whether something has come would wait
        self._sent_ns = monotonic_ns()

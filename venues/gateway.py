"""Clients of the TCP gateway: send orders, receive execution reports.

- `GatewayClient`: one connection and no name; what is open ends with it.
- `GatewaySession`: a session with a name that survives lost connections, and our own end if we remember
  `last_sequence`.
- `venues.gateway_async.AsyncGatewaySession`: the same for asyncio.
"""

import contextlib
import logging
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Self

from market.clock import NS_PER_SECOND, monotonic_ns
from market.codec import MalformedMessageError, StreamDecoder, encode_all
from market.codes import Side
from market.commands import NewOrder
from market.events import Event
from market.feed_messages import InstrumentDefinition
from market.messages import Message
from venues.gateway_session import ClientCommand, GatewayError, SessionEnd, SessionRefusedError

__all__ = ["GatewayClient", "GatewayError", "GatewaySession", "SessionRefusedError"]

RECONNECT_PAUSE_S = 0.05
SILENT_S = 3.0  # then whoever waits is told for what
LOG = logging.getLogger(__name__)
PIECE_BYTES = 65_536
HEARTBEATS_PER_IDLE = 3


class GatewayClient:
    """One connection to the gateway, without a name. Order ids are ours: any numbers from 1 that rise.

    Args:
        host: the gateway's address.
        port: its TCP port.
        timeout_s: how long to wait for a connection, and for a whole `send`.

    Raises:
        GatewayError: if nobody answers there.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 8083, timeout_s: float = 2.0) -> None:
        self._timeout_s = timeout_s
        self._decoder = StreamDecoder()
        self.instruments: dict[str, InstrumentDefinition] = {}
        self._socket = _connected(host, port, timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, commands: Sequence[ClientCommand]) -> None:
        """Send commands.

        Raises:
            GatewayError: if the connection is lost; which commands arrived is then unknown.
        """
        _send(self._socket, encode_all(commands), self._timeout_s)

    def receive(self, timeout_s: float = 0.0) -> list[Message]:
        """Return what has arrived, waiting at most `timeout_s` for the first byte; instruments are also kept.

        Raises:
            GatewayError: if the gateway hung up, or what it sent is not of the protocol.
        """
        piece = _receive(self._socket, timeout_s)
        try:
            messages = list(self._decoder.feed(piece))
        except MalformedMessageError as error:
            raise GatewayError(f"the gateway sent something else: {error}") from None
        for message in messages:
            if isinstance(message, InstrumentDefinition):
                self.instruments[message.symbol] = message
        return messages

    def close(self) -> None:
        """Hang up: the gateway cancels what is still open of this connection."""
        self._socket.close()


class SessionClient:
    """What a client of a session remembers, whatever its sockets are.

    Args:
        client_id: the session's name: letters, digits and ._-
        host: the gateway's address.
        port: its TCP port.
        token: that belongs to the name, if the gateway wants one.
        is_cancel_on_disconnect: whether our orders end with a connection.
        last_sequence: of the last report that an earlier process of ours has had; 0 brings all that are kept.
        reconnect_s: how long to try to reach the gateway.
    """

    def __init__(
        self,
        client_id: str,
        host: str = "127.0.0.1",
        port: int = 8083,
        *,
        token: str = "",
        is_cancel_on_disconnect: bool = False,
        last_sequence: int = 0,
        reconnect_s: float = 30.0,
    ) -> None:
        self.state = SessionEnd(
            client_id, token, is_cancel_on_disconnect=is_cancel_on_disconnect, last_sequence=last_sequence
        )
        self._address = (host, port)
        self._reconnect_s = reconnect_s
        self._waiting: deque[Event] = deque()  # had, and not given to the caller yet
        self._refusal: SessionRefusedError | None = None  # which is raised behind them
        self._told_s = 0.0  # since when we had waited as it was told
        self._begin()

    def _begin(self) -> None:
        """Do what can be done before the first call."""

    def _raise_refusal(self) -> None:
        refusal, self._refusal = self._refusal, None
        if refusal is not None:
            raise refusal

    def _still_waiting(self, since_s: float, error: GatewayError) -> None:
        """Raise `error` unless it may be worth trying again; say once for what we wait."""
        waited_s = time.monotonic() - since_s
        if isinstance(error, SessionRefusedError) or waited_s > self._reconnect_s:
            raise error
        if waited_s > SILENT_S and self._told_s != since_s:
            self._told_s = since_s
            LOG.warning("still waiting for the gateway, for up to %.0f s: %s", self._reconnect_s, error)

    def _take(self, piece: bytes) -> bytes:
        """Take bytes from the gateway and return the answer; the events before what ends the connection are kept."""
        answer = self.state.receive(piece)
        self._waiting.extend(answer.events)
        if answer.end is not None:
            raise answer.end
        return answer.to_send


class GatewaySession(SessionClient):
    """A session with a name. A lost connection is made again, what we missed comes, what got lost is sent again.

    Call `receive` or iterate over `events` often: that is also when heartbeats are sent. The arguments are those of
    SessionClient.

    Raises:
        SessionRefusedError: if the gateway does not let us in.
        GatewayError: if it cannot be reached.
    """

    _socket: socket.socket | None = None
    _sent_ns = 0

    def _begin(self) -> None:
        self._connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def buy(self, symbol: str, price: Decimal | str, qty: Decimal | str, **options: int) -> int:
        """Enter a bid and return its id; see `SessionEnd.new_order` for the arguments and errors."""
        return self._enter(symbol, Side.BUY, price, qty, options)

    def sell(self, symbol: str, price: Decimal | str, qty: Decimal | str, **options: int) -> int:
        """Enter an offer, as `buy` does."""
        return self._enter(symbol, Side.SELL, price, qty, options)

    def cancel(self, order_id: int) -> None:
        """Cancel an order of ours.

        Raises:
            KeyError: if it is not open.
            GatewayError: as `send`.
        """
        self.send([self.state.cancel(order_id)])

    def amend(self, order_id: int, price: Decimal | str, qty: Decimal | str) -> None:
        """Give an order of ours a new price and a new open quantity; raises as `cancel` and `buy`."""
        self.send([self.state.amend(order_id, Decimal(price), Decimal(qty))])

    def cancel_all(self, symbol: str | None = None, side: Side | None = None) -> None:
        """Cancel all our open orders, of one symbol or side if wanted; raises as `send`."""
        self.send([self.state.cancel_all(symbol, side)])

    def send(self, commands: Sequence[ClientCommand]) -> None:
        """Send commands; ids of new orders must rise.

        New orders that get lost with a connection are sent again by themselves; other commands are not.

        Raises:
            GatewayError: if the connection is lost, and cannot be made again.
        """
        orders = [command for command in commands if isinstance(command, NewOrder)]
        for order in orders:
            self.state.remember(order)
        self._send(encode_all(commands), is_resent=len(orders) == len(commands))

    def receive(self, timeout_s: float = 0.0) -> list[Event]:
        """Return new reports, each once and in order, waiting at most `timeout_s` for the first byte.

        Raises:
            SessionRefusedError: if the gateway has ended the session.
            GatewayError: if it is gone, and does not come back.
        """
        self._wait(timeout_s)
        events = list(self._waiting)
        self._waiting.clear()
        return events

    def events(self) -> Iterator[Event]:
        """Yield reports for ever; raises as `receive`. Who stops to listen gets the next one when he listens again."""
        while True:
            self._wait(self.state.idle_ms / 1_000 / HEARTBEATS_PER_IDLE)
            while self._waiting:
                yield self._waiting.popleft()

    def _wait(self, timeout_s: float) -> None:
        """Take what comes, unless something waits for the caller."""
        if self._waiting:
            return
        self._raise_refusal()
        try:
            self._take_news(timeout_s)
        except SessionRefusedError as error:
            self.close()
            if not self._waiting:
                raise
            self._refusal = error

    def _take_news(self, timeout_s: float) -> None:
        try:
            self._beat()
            self._answer(_receive(self._connection(), timeout_s))
        except SessionRefusedError:
            raise
        except GatewayError:
            self._connect()

    def logout(self, *, is_final: bool = False) -> None:
        """Leave; with `is_final` the gateway cancels what is open and forgets the session."""
        if self._socket is not None:
            with contextlib.suppress(GatewayError):
                _send(self._socket, self.state.logout(is_final=is_final), self._reconnect_s)
        self.close()

    def close(self) -> None:
        """Hang up; the session goes on, and its orders unless they are cancelled on disconnect.

        Whoever uses it again connects again.
        """
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _enter(self, symbol: str, side: Side, price: Decimal | str, qty: Decimal | str, options: dict[str, int]) -> int:
        order = self.state.new_order(symbol, side, Decimal(price), Decimal(qty), **options)
        self._send(encode_all([order]), is_resent=True)
        return order.order_id

    def _send(self, data: bytes, *, is_resent: bool) -> None:
        """Send; what is lost with the connection is sent again here unless the session does so by itself."""
        try:
            _send(self._connection(), data, self._reconnect_s)
        except GatewayError:
            self._connect()
            if not is_resent:
                raise
        self._sent_ns = monotonic_ns()

    def _answer(self, piece: bytes) -> None:
        if to_send := self._take(piece):
            _send(self._connection(), to_send, self._reconnect_s)
            self._sent_ns = monotonic_ns()

    def _connection(self) -> socket.socket:
        if self._socket is None:
            raise GatewayError("not connected")
        return self._socket

    def _beat(self) -> None:
        pause_ns = self.state.idle_ms * NS_PER_SECOND // 1_000 // HEARTBEATS_PER_IDLE
        if monotonic_ns() - self._sent_ns > pause_ns:
            self._send(self.state.heartbeat(), is_resent=True)

    def _connect(self) -> None:
        since_s = time.monotonic()
        while True:
            self.close()
            try:
                return self._log_on()
            except GatewayError as error:
                self.close()
                self._still_waiting(since_s, error)
            time.sleep(RECONNECT_PAUSE_S)

    def _log_on(self) -> None:
        self._socket = _connected(*self._address, self._reconnect_s)
        _send(self._socket, self.state.logon(), self._reconnect_s)
        deadline = time.monotonic() + self._reconnect_s
        while not self.state.is_logged_on:
            self._answer(_receive(self._socket, 0.1))
            if time.monotonic() > deadline:
                raise GatewayError("the gateway does not answer")
        self._sent_ns = monotonic_ns()


def _connected(host: str, port: int, timeout_s: float) -> socket.socket:
    try:
        connection = socket.create_connection((host, port), timeout_s)
    except OSError as error:
        raise GatewayError(f"no gateway at {host}:{port}: {error.strerror or error}") from None
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _send(connection: socket.socket, data: bytes, timeout_s: float) -> None:
    try:
        connection.settimeout(timeout_s)
        connection.sendall(data)
    except OSError as error:
        raise GatewayError(f"the gateway hung up: {error.strerror or error}") from None


def _receive(connection: socket.socket, timeout_s: float) -> bytes:
    """Return what has arrived, nothing after the timeout."""
    try:
        connection.settimeout(timeout_s)
        piece = connection.recv(PIECE_BYTES)
    except (TimeoutError, BlockingIOError):
        return b""
    except OSError as error:
        raise GatewayError(f"the gateway hung up: {error.strerror or error}") from None
    if not piece:
        raise GatewayError("the gateway hung up")
    return piece

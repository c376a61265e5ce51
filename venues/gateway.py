"""A client of the TCP gateway: sends orders, receives execution reports."""

import socket
from collections.abc import Sequence
from types import TracebackType

from bus.codec import MalformedMessageError, StreamDecoder, encode_all
from bus.messages import Message
from market.commands import AmendOrder, CancelOrder, NewOrder
from market.feed_messages import InstrumentDefinition


class GatewayError(Exception):
    """The gateway cannot be reached, hung up, or speaks something else."""


class GatewayClient:
    """One connection to the gateway. Order ids are ours: any numbers from 1, each used once on this connection.

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
        try:
            self._socket = socket.create_connection((host, port), timeout_s)
        except OSError as error:
            raise GatewayError(f"no gateway at {host}:{port}: {error.strerror or error}") from None
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> "GatewayClient":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def send(self, commands: Sequence[NewOrder | CancelOrder | AmendOrder]) -> None:
        """Send commands.

        Raises:
            GatewayError: if the connection is lost; which commands arrived is then unknown.
        """
        try:
            self._socket.settimeout(self._timeout_s)
            self._socket.sendall(encode_all(commands))
        except OSError as error:
            raise GatewayError(f"the gateway hung up: {error.strerror or error}") from None

    def receive(self, timeout_s: float = 0.0) -> list[Message]:
        """Return what has arrived, waiting at most `timeout_s` for the first byte; instruments are also kept.

        Raises:
            GatewayError: if the gateway hung up, or what it sent is not of the protocol.
        """
        try:
            self._socket.settimeout(timeout_s)
            piece = self._socket.recv(65_536)
        except (TimeoutError, BlockingIOError):
            return []
        except OSError as error:
            raise GatewayError(f"the gateway hung up: {error.strerror or error}") from None
        if not piece:
            raise GatewayError("the gateway hung up")
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

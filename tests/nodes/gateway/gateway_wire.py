"""A connection to a gateway on which a test says what it likes, byte by byte if it wants."""

import socket
from typing import Any

from market.codec import StreamDecoder, encode_all
from market.codes import Side
from market.commands import NewOrder
from market.feed_messages import InstrumentDefinition
from market.messages import Message
from market.session_messages import Heartbeat
from tests.desk.desk_process import until
from tests.nodes.gateway.gateway_process import Pair

BTC = 0


class Wire:
    """A connection on which a test says what it likes."""

    def __init__(self, pair: Pair, *messages: Message, buffer_bytes: int = 0) -> None:
        self.socket = socket.socket()
        if buffer_bytes:  # before it is connected: the window is agreed on then
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
        self.socket.settimeout(5)
        self.socket.connect(("127.0.0.1", pair.port))
        self.decoder = StreamDecoder()
        self.heard: list[Any] = []
        self.say(*messages)

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def say(self, *messages: Message) -> None:
        """Send messages."""
        self.socket.sendall(encode_all(messages))

    def hear(self) -> bool:
        """Take what comes; return False at the end of the stream."""
        self.socket.settimeout(0.05)
        try:
            piece = self.socket.recv(65_536)
        except TimeoutError:
            return True
        except ConnectionResetError:
            return False
        self.heard += [one for one in self.decoder.feed(piece) if not isinstance(one, InstrumentDefinition)]
        return bool(piece)

    def next(self, number: int) -> list[Any]:
        """Return the next `number` messages that are no heartbeats."""

        def is_enough() -> bool:
            is_going_on = self.hear()
            self.heard = [one for one in self.heard if not isinstance(one, Heartbeat)]
            is_complete = len(self.heard) >= number
            assert is_complete or is_going_on, f"expected {number} messages, were {self.heard}"
            return is_complete

        until(f"{number} messages", is_enough)
        taken, self.heard = self.heard[:number], self.heard[number:]
        return taken

    def last_words(self) -> list[Any]:
        """Return what is said until the gateway hangs up."""
        until("the gateway hangs up", lambda: not self.hear())
        return self.heard


def order(order_id: int, price_ticks: int = 5_000_000, qty_lots: int = 10, side: Side = Side.BUY) -> NewOrder:
    """Return a limit order."""
    return NewOrder(order_id, BTC, side, price_ticks, qty_lots)

"""Answers over HTTP that have no end, or are larger than any answer: they end a call, and hold nobody up."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, repeat

import pytest

from market.codes import Side
from tests.pairs import default_instruments
from venues.binance_rest import BinanceRest
from venues.bounded_answer import BODY_BYTES_MAX, HEAD_BYTES_MAX
from venues.venue import VenueUnavailableError, VenueUnknownError

BTCUSDT = default_instruments()[0]
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
Pieces = Callable[[], Iterator[bytes]]
DRIP_S = 0.02

ENDLESS: dict[str, Pieces] = {
    "a header byte by byte": lambda: chain([HEAD + b"X-Long: "], repeat(b"a")),
    "interim answers": lambda: repeat(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "headers of interim answers": lambda: chain([b"HTTP/1.1 100 Continue\r\n"], repeat(b"X: y\r\n")),
    "a body byte by byte": lambda: chain([HEAD + b"Content-Length: 1000000\r\n\r\n"], repeat(b" ")),
    "the length of a chunk": lambda: chain([CHUNKED], repeat(b"0")),
    "a trailer": lambda: chain([CHUNKED + b"0\r\n"], repeat(b"X: y\r\n")),
}
LARGE: dict[str, Pieces] = {
    "headers": lambda: chain([HEAD], repeat(b"X: " + b"a" * 60_000 + b"\r\n", 90)),
    "interim answers": lambda: repeat(b"HTTP/1.1 100 Continue\r\n\r\n", HEAD_BYTES_MAX),
    "a body": lambda: chain(
        [HEAD + b"Content-Length: 1000000000000000\r\n\r\n"], repeat(b" " * 65_536, BODY_BYTES_MAX // 65_536 + 2)
    ),
}


class Sending:
    """A server that sends pieces to whoever asks, and waits between them if it is to drip.

    Attributes:
        url: where it is.
    """

    def __init__(self, pieces: Pieces, *, does_drip: bool) -> None:
        self._pieces, self._ending = pieces, threading.Event()
        self._pause_s = DRIP_S if does_drip else 0.0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Serve nobody any more."""
        self._ending.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        while not self._ending.is_set():
            with suppress(OSError):  # who has asked has heard enough
                asked, _ = self._listening.accept()
                with asked:
                    asked.recv(65_536)
                    for piece in self._pieces():
                        asked.sendall(piece)
                        if self._pause_s and self._ending.wait(self._pause_s):
                            return


def _check(sending: Sending, what: str) -> None:
    venue = BinanceRest("paper", sending.url, "k" * 64, "s" * 64, timeout_ms=200)
    try:
        with pytest.raises(VenueUnavailableError, match=what):
            venue.trades(BTCUSDT)
        with pytest.raises(VenueUnknownError, match=what):
            venue.enter(BTCUSDT, Side.BUY, {"type": "LIMIT"}, "hand-1")
    finally:
        sending.close()


@pytest.mark.parametrize("name", ENDLESS)
def test_an_answer_without_end_ends_a_call(name: str) -> None:
    """Its timeout is for each piece; `flatten` and the watchdog would wait for ever."""
    _check(Sending(ENDLESS[name], does_drip=True), "no answer in time")


@pytest.mark.parametrize("name", LARGE)
def test_an_answer_larger_than_any_ends_a_call(name: str) -> None:
    """Nothing is kept of it, and of an order nobody knows what became of it."""
    _check(Sending(LARGE[name], does_drip=False), "too large")

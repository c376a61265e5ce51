"""The command `book`: what it says of an api that ends in the middle of an answer, and of one that is elsewhere now."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from commands.actions import book
from desk.client import DeskError
from desk.settings import Settings, load_settings

EMPTY = '{"bids": [], "asks": [], "symbol": "BTCUSDT", "epoch": "1", "sequence": 7, "timestamp": 5}'


class Answering:
    """Answers each request with the same bytes, and hangs up."""

    def __init__(self, answer: bytes) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._answer = answer
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65_536)
                connection.sendall(self._answer)

    def close(self) -> None:
        """Answer no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def answering() -> Iterator[Callable[[str, int], Answering]]:
    """Makes those that say a text of which so many bytes are promised."""
    made: list[Answering] = []

    def make(text: str, size: int) -> Answering:
        made.append(Answering(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n{text}".encode()))
        return made[-1]

    yield make
    for each in made:
        each.close()


def _settings(folder: Path, port: int) -> Settings:
    return load_settings({"run_dir": folder, "api.port": port}).settings


@pytest.mark.parametrize(("text", "said"), [('{"bids": [', "is out of reach at 127.0.0.1:"), ("", "is out of reach")])
def test_an_api_that_ends_in_the_middle_of_an_answer_is_out_of_reach(
    tmp_path: Path, answering: Callable[[str, int], Answering], text: str, said: str
) -> None:
    """It ended the live ladder with a traceback, where the next look would have found the api again."""
    with pytest.raises(DeskError, match=said):
        book._orderbook(_settings(tmp_path, answering(text, 1_000).port), 5)


def test_looks_for_an_api_that_is_elsewhere_now(
    tmp_path: Path, answering: Callable[[str, int], Answering], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A desk on free ports that is started anew: the live ladder asked the old port for ever."""
    ports = [answering("", 1_000).port, answering(EMPTY, len(EMPTY)).port]
    looks: list[Callable[[], Any]] = []
    monkeypatch.setattr(book, "require_node", lambda *_: None)
    monkeypatch.setattr(book, "watch", lambda look, _: looks.append(look))
    book.show_book(lambda: _settings(tmp_path, ports.pop(0)), 5, is_once=False, as_json=False)
    with pytest.raises(DeskError):
        looks[0]()
    assert "the book is empty" in looks[0]().drawn(80, 24).plain

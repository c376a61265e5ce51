"""Fixtures of the paper exchange's tests."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.paper.conformance import TESTERS, unheard
from tests.paper.desk import Desk
from tests.paper.server import Server


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A connected desk with an empty book; its money is checked at the end of every test."""
    desk = Desk(tmp_path).connect()
    yield desk
    desk.ledger.check()
    desk.ledger.close()


@pytest.fixture(scope="session")
def running_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests: starting Sanic takes a while."""
    server = Server(tmp_path_factory.mktemp("paper"))
    yield server
    server.stop()


@pytest.fixture(scope="module", autouse=True)
def _claims(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hold docs/paper.md to what it claims of a client, once all tests of the client's module have run."""
    tester = next((name for name, file in TESTERS.items() if file == request.path.name and name != "raw"), None)
    if tester is None:
        yield
        return
    server: Server = request.getfixturevalue("running_server")
    server.calls.clear()
    server.streams.clear()
    yield
    chosen = request.config.option
    is_whole = not (chosen.keyword or getattr(chosen, "lf", False) or any("::" in each for each in request.config.args))
    if is_whole and not request.session.testsfailed:
        assert unheard(tester, server.calls, server.streams) == []


@pytest.fixture
def server(running_server: Server) -> Iterator[Server]:
    """The server with new accounts and an empty book; no handler may have failed, and its money is checked."""
    running_server.reset()
    yield running_server
    running_server.call(lambda desk: desk.ledger.check())
    assert running_server.bugs == []


@pytest.fixture
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no connection leave this machine."""
    connect = socket.socket.connect

    def connect_to_loopback(self: socket.socket, address: Any) -> None:
        assert isinstance(address, str | bytes) or address[0] in {"127.0.0.1", "::1", "localhost"}, address
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_to_loopback)

"""The paper exchange, for lines to it."""

from collections.abc import Iterator

import pytest

from market.codes import Side
from tests.paper.server import Server


@pytest.fixture(scope="session")
def running_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests: starting Sanic takes a while."""
    server = Server(tmp_path_factory.mktemp("paper"))
    yield server
    server.stop()


@pytest.fixture
def server(running_server: Server) -> Iterator[Server]:
    """The server with a new account and a stranger's order on each side; its money is checked."""
    running_server.reset()
    running_server.flow(Side.BUY, "89000", "0.5")
    running_server.flow(Side.SELL, "93000", "0.5")
    yield running_server
    running_server.call(lambda desk: desk.ledger.check())
    assert running_server.bugs == []

"""Real clients of the exchange, unmodified but for the URL."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import ClientConnection, connect

from paper.access.accounts import KeyPair
from tests.paper.desk import ALICE
from tests.paper.server import WAIT_S, Server

BTC = "BTC/USDT"


def ccxt_settings(server: Server, account: int = ALICE, **changes: Any) -> dict[str, Any]:
    """Return what to make a ccxt client of an account with, sync, async or pro; its calls all go to the server."""
    return ccxt_settings_of(server.url, server.keys[account], **changes)


def ccxt_settings_of(url: str, keys: KeyPair, **changes: Any) -> dict[str, Any]:
    """Return the same for an exchange at a URL and a pair of keys."""
    api, sockets = f"{url}/api", url.replace("http", "ws")
    return {
        "apiKey": keys.api_key,
        "secret": keys.secret,
        "enableRateLimit": False,
        "sandbox": True,
        "urls": {
            "test": {
                "public": f"{api}/v3",
                "private": f"{api}/v3",
                "v1": f"{api}/v1",
                "ws": {"spot": f"{sockets}/ws", "ws-api": {"spot": f"{sockets}/ws-api/v3"}},
            }
        },
        "options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}},
        **changes,
    }


class Listener:
    """A client of a socket; what comes while it waits for an answer, it keeps for later."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._kept: list[Any] = []

    def ask(self, **request: Any) -> Any:
        """Send a request and return its answer."""
        self.connection.send(json.dumps(request))
        while not (document := self._receive()).keys() >= {"id"} or document["id"] != request.get("id"):
            self._kept.append(document)
        return document

    def wait(self, is_wanted: Callable[[Any], bool] = lambda _: True) -> Any:
        """Return the next document that is wanted, and pass over the others."""
        while True:
            document = self._kept.pop(0) if self._kept else self._receive()
            if is_wanted(document):
                return document

    def read_to_the_end(self) -> None:
        """Read until the connection is closed, which raises."""
        while True:
            self.connection.recv(timeout=WAIT_S)

    def _receive(self) -> Any:
        return json.loads(self.connection.recv(timeout=WAIT_S))


@contextmanager
def listening(server: Server, path: str, **options: Any) -> Iterator[Listener]:
    """Connect to a path of the server, and be sure that it listens to the streams in the path."""
    with connect(server.url.replace("http", "ws") + path, **options) as connection:
        listener = Listener(connection)
        listener.ask(method="ping" if "ws-api" in path else "LIST_SUBSCRIPTIONS", id="connected")
        yield listener

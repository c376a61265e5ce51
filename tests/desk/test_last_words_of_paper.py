"""The paper exchange says that it goes before it goes, to whoever listens."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.desk.desk_process import Desk


@contextmanager
def listening(url: str) -> Iterator[list[Any]]:
    """Gather what a connection tells, until the exchange ends it."""
    told: list[Any] = []
    with connect(url.replace("http", "ws")) as connection:

        def listen() -> None:
            with suppress(ConnectionClosed):
                for text in connection:
                    told.append(json.loads(text))  # noqa: PERF401 - what came before the end is kept

        thread = threading.Thread(target=listen)
        thread.start()
        yield told
        thread.join()


def test_a_stop_is_announced_on_every_connection(directory: Path) -> None:
    """serverShutdown, the last that is heard; and the exchange that follows serves at the same place."""
    desk = Desk(directory / "run", "--without", "maker", "--without", "tracker", "--without", "gateway")
    try:
        url = desk.start().url("paper")
        with listening(f"{url}/ws/btcusdt@trade") as plain, listening(f"{url}/ws-api/v3") as account:
            desk.kill("paper", signal.SIGTERM)
        assert plain[-1].keys() == {"e", "E"}
        assert plain[-1]["e"] == "serverShutdown"
        assert account[-1] == {"event": plain[-1]}
    finally:
        desk.end()

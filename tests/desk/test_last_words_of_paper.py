"""The paper exchange says that it goes before it goes, to whoever listens."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.desk.desk_process import Desk


@contextmanager
def listening(url: str) -> Iterator[list[Any]]:
    """Gather what a connection tells, until the exchange ends it; the last is the code of the close frame."""
    told: list[Any] = []
    with connect(url.replace("http", "ws")) as connection:

        def listen() -> None:
            try:
                while True:
                    told.append(json.loads(connection.recv()))
            except ConnectionClosed as end:
                told.append(end.rcvd and end.rcvd.code)

        thread = threading.Thread(target=listen)
        thread.start()
        yield told
        thread.join()


def test_a_stop_is_announced_on_every_connection(directory: Path) -> None:
    """serverShutdown, once on each, then a close frame; what ends commands on their way may still come between."""
    desk = Desk(directory / "run", "--without", "maker", "--without", "tracker", "--without", "gateway")
    try:
        url = desk.start().url("paper")
        with listening(f"{url}/ws/btcusdt@trade") as plain, listening(f"{url}/ws-api/v3") as account:
            desk.kill("paper", number=signal.SIGTERM)
        assert (plain.pop(), account.pop()) == (1001, 1001), "each is closed as one that goes away"
        announced = [each for each in plain if each["e"] == "serverShutdown"]
        assert [each.keys() for each in announced] == [{"e", "E"}]
        assert account == [{"event": announced[0]}]
    finally:
        desk.end()

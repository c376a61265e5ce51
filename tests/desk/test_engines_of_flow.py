"""Markets on two engines: each is the flow's own, and none is left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from tests.desk.desk_process import CLI, PATIENCE_S, TWO_ENGINES, Desk, environment, until


class Book:
    """A symbol's book as the api tells it."""

    def __init__(self, desk: Desk, symbol: str) -> None:
        self._desk = desk
        self._symbol = symbol

    def orders(self) -> dict[int, float] | None:
        """Return the price of every order by its id; None while the book would be stale."""
        book = self._desk.get(f"/api/orderbook?symbol={self._symbol}")
        if "bids" not in book:
            return None
        levels = [*book["bids"], *book["asks"]]
        return {order["id"]: float(level["price"]) for level in levels for order in level["orders"]}

    def goes_on(self) -> Any:
        """Return a question: has an order come since now?"""
        newest = max(self.orders() or [0])
        return lambda: (orders := self.orders()) and max(orders) > newest


def _flow(desk: Desk, **settings: str) -> "subprocess.Popen[bytes]":
    """Start a flow in a process of ours, which may then be killed."""
    return subprocess.Popen(
        [sys.executable, str(CLI), "node", "flow", "--run-dir", str(desk.run_dir)],
        cwd=desk.run_dir.parent,
        env=environment(TICKBUS_ENGINES=TWO_ENGINES, **settings),
        stderr=subprocess.DEVNULL,
    )


def test_each_engine_has_its_market_and_loses_it_alone(directory: Path) -> None:
    """The market of one goes on without the other; a killed flow's orders go, also where its heir has no market."""
    nodes = [word for name in ("engine", "engine2", "api") for word in ("--only", name)]
    desk = Desk(directory / "run", *nodes, TICKBUS_ENGINES=TWO_ENGINES)
    flows: list[subprocess.Popen[bytes]] = []
    try:
        desk.start()
        btc, eth = Book(desk, "BTCUSDT"), Book(desk, "ETHUSDT")
        flows.append(_flow(desk, TICKBUS_SYMBOLS='[{"symbol": "ETHUSDT", "has_flow": true}]'))
        until("both markets are built", lambda: len(btc.orders() or ()) > 50 and len(eth.orders() or ()) > 50)
        assert 91_000 < median((btc.orders() or {}).values()) < 92_000
        assert 2_950 < median((eth.orders() or {}).values()) < 3_050
        assert not (btc.orders() or {}).keys() & (eth.orders() or {}).keys(), "an order id is used twice"

        before = eth.orders() or {}
        os.kill(desk.node("engine2")["pid"], signal.SIGSTOP)
        until("the one market goes on", btc.goes_on())
        desk.kill("engine2")
        until("the other is back with its orders", lambda: (eth.orders() or {}).keys() & before.keys())
        until("and goes on", eth.goes_on())

        flows[0].kill()
        flows[0].wait()
        last_id = max(*(btc.orders() or [0]), *(eth.orders() or [0]))
        flows.append(_flow(desk))
        until("a new market has replaced the old one", lambda: min(btc.orders() or [0]) > last_id)
        until("the old one is gone, where none replaces it", lambda: eth.orders() == {})
        flows[1].terminate()
        assert flows[1].wait(PATIENCE_S) == 0
        until("a flow that is stopped takes all out", lambda: btc.orders() == {})
        desk.stop()
    finally:
        for flow in flows:
            flow.kill()
            flow.wait()
        desk.end()

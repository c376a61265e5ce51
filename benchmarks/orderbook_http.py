"""`/api/orderbook` at 10,000 resting orders while the engine takes 100,000 orders a second.

`python -m benchmarks.orderbook_http`: requests/s and times of the api's node, of one that renders every order for each
request, and of an empty Sanic handler, one after the other in the same run. At the end the api's document must be the
engine's book, order by order.
"""

import argparse
import json
import select
import socket
import subprocess
import sys
import time
import urllib.request
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from benchmarks.engine_process import (
    ROOT,
    WAIT_S,
    Market,
    OrderGiver,
    folder_of_a_desk,
    node_process,
    quantiles,
    settings_of,
)
from benchmarks.feed import book_of, snapshot_of
from desk.settings import Settings
from market.clock import NS_PER_SECOND, monotonic_ns
from market.codes import Side

ORDERS: Final = 10_000
ORDERS_PER_S: Final = 100_000
FRAME_COMMANDS: Final = 250
CONNECTIONS: Final = 8
JOURNAL: Final = "write"

Figures = dict[str, Any]


@contextmanager
def naive_server(run_dir: Path, port: int, *empty: str) -> Iterator[None]:
    """Run the naive server, and end it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.orderbook_naive", str(run_dir), str(port), *empty],
        env=settings_of(run_dir, {}),
        cwd=ROOT,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def get(port: int, path: str) -> Any:
    """Return a document, its numbers exact; wait until there is one."""
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return json.load(answer, parse_float=Decimal)
        except OSError:
            assert time.monotonic() < deadline, f"nothing at {path}"
            time.sleep(0.05)


class Orders:
    """What the engine is given: frames made ahead, each of them given once, in their order."""

    def __init__(self, run_dir: Path) -> None:
        self.market = Market()
        self.giver = OrderGiver(run_dir)
        self.frames: deque[tuple[bytes, int]] = deque()
        self.giver.give(self.market.build(ORDERS))

    def give_at_rate(self, client: subprocess.Popen[str]) -> tuple[int, int]:
        """Give frames at the wanted rate until the client is done; return how many commands, and ns."""
        start_ns, given = monotonic_ns(), 0
        assert client.stdout is not None
        while self.frames and not select.select([client.stdout], [], [], 0)[0]:
            due_ns = start_ns + given * NS_PER_SECOND // ORDERS_PER_S
            if (ahead_ns := due_ns - monotonic_ns()) > 0:
                time.sleep(ahead_ns / NS_PER_SECOND)
            payload, count = self.frames.popleft()
            self.giver.give_one(payload, count)
            self.giver.turn()
            given += count
        took_ns = monotonic_ns() - start_ns
        self.giver.finish()
        return given, took_ns


def measure(what: str, orders: Orders, port: int, path: str, seconds: float, *etag: str) -> Figures:
    """Return how a server answers for so many seconds while the engine takes orders at the wanted rate."""
    get(port, path)
    if (missing := int(ORDERS_PER_S * (seconds + 2)) - len(orders.frames) * FRAME_COMMANDS) > 0:
        orders.frames.extend(orders.market.change(missing, FRAME_COMMANDS))
    client = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.http_client", str(port), path, str(CONNECTIONS), str(seconds), *etag],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    try:
        given, took_ns = orders.give_at_rate(client)
        said, _ = client.communicate(timeout=WAIT_S)
    finally:
        client.kill()
        client.wait()
    found = json.loads(said)
    document = json.loads(found["document"])
    assert set(found["statuses"]) <= {"200", "304"}, found["statuses"]
    return {
        "what": what,
        "requests_per_s": len(found["took_ns"]) / found["seconds"],
        "took_us": quantiles(found["took_ns"]),
        "statuses": found["statuses"],
        "body_bytes_per_s": found["body_bytes"] / found["seconds"],
        "levels": [len(document.get(side, ())) for side in ("bids", "asks")],
        "orders_per_s": given * NS_PER_SECOND / took_ns,
    }


def check_book(run_dir: Path, port: int) -> int:
    """Assert that the api's document is the engine's book; return how many orders there are."""
    instrument = Settings().instruments[0]
    end = snapshot_of(run_dir)
    deadline = time.monotonic() + WAIT_S
    while (document := get(port, "/api/orderbook"))["sequence"] < end.sequence:
        assert time.monotonic() < deadline, "the api does not catch up"
    shown = {
        side: [
            (order["id"], level["price"], order["quantity"]) for level in document[name] for order in level["orders"]
        ]
        for side, name in ((Side.BUY, "bids"), (Side.SELL, "asks"))
    }
    book = {
        side: [
            (order.order_id, instrument.ticks_to_price(order.price_ticks), instrument.lots_to_qty(order.resting_lots))
            for order in book_of(end).state()
            if order.side == side
        ]
        for side in Side
    }
    assert shown == book, "the api's document is not the engine's book"
    return sum(map(len, shown.values()))


def run(seconds: float) -> Figures:
    """Return all figures."""
    port, naive_port, empty_port = free_port(), free_port(), free_port()
    settings = {"ENGINE__JOURNAL": JOURNAL, "API__PORT": str(port)}
    path = "/api/orderbook"
    with folder_of_a_desk() as run_dir, node_process("engine", run_dir, settings):
        orders = Orders(run_dir)
        with node_process("api", run_dir, settings):
            rows = [
                measure("the api", orders, port, path, seconds),
                measure("the api, If-None-Match", orders, port, path, seconds, "etag"),
            ]
            resting = check_book(run_dir, port)
        with naive_server(run_dir, naive_port):
            rows.append(measure("rendered for each request", orders, naive_port, path, seconds))
        with naive_server(run_dir, empty_port, "empty"):
            rows.append(measure("an empty handler", orders, empty_port, "/empty", seconds))
        orders.giver.close()
    return {"journal": JOURNAL, "orders": resting, "connections": CONNECTIONS, "rows": rows}


def show(found: Figures) -> None:
    """Print the figures as a table."""
    print(
        f"{found['orders']:,} resting orders, {found['connections']} connections, journal mode {found['journal']}; "
        "the api's document is the engine's book\n"
    )
    print(f"{'':>26} requests/s      p50      p99    p99.9 µs    MB/s  orders/s meanwhile  to naive")
    naive = next(row for row in found["rows"] if row["what"] == "rendered for each request")
    for row in found["rows"]:
        times = " ".join(f"{row['took_us'][name]:>8,.0f}" for name in ("p50", "p99", "p99.9"))
        print(
            f"{row['what']:>26} {row['requests_per_s']:>10,.0f} {times}    {row['body_bytes_per_s'] / 1e6:>7,.0f} "
            f"{row['orders_per_s']:>19,.0f}  {row['requests_per_s'] / naive['requests_per_s']:>6,.1f} x"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="the order book over HTTP")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    options = parser.parse_args()
    found = run(options.seconds)
    print(json.dumps(found, indent=2)) if options.json else show(found)


if __name__ == "__main__":
    main()

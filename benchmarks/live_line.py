"""What browsers of the live line cost the api while the engine takes orders: `python -m benchmarks.live_line`.

The api's processor time with none and with three, at the same rate, in turns; and what each browser was sent. Before
anything is printed, the levels of every browser must be those of `/api/orderbook`.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any, Final

from benchmarks.engine_process import ROOT, WAIT_S, Market, OrderGiver, folder_of_a_desk, node_process
from benchmarks.node_processes import cpu_time
from benchmarks.orderbook_http import free_port, get
from desk.settings import Settings
from market.clock import NS_PER_SECOND, monotonic_ns

ORDERS: Final = 2_000
FRAME_COMMANDS: Final = 25
BROWSERS: Final = 3
ROUNDS: Final = 3
CORE_PERCENT_MAX: Final = 15.0
BYTES_PER_S_MAX: Final = 50_000
DEPTH: Final = 15

Figures = dict[str, Any]


class Load:
    """An engine's orders at a rate."""

    def __init__(self, run_dir: Path, orders_per_s: int) -> None:
        self._market = Market()
        self._giver = OrderGiver(run_dir)
        self._orders_per_s = orders_per_s
        self._giver.give(self._market.build(ORDERS))

    def give(self, seconds: float) -> None:
        """Give orders at the rate for so long."""
        frames = deque(self._market.change(int(self._orders_per_s * seconds), FRAME_COMMANDS))
        start_ns, given = monotonic_ns(), 0
        while frames:
            due_ns = start_ns + given * NS_PER_SECOND // self._orders_per_s
            if (ahead_ns := due_ns - monotonic_ns()) > 0:
                time.sleep(ahead_ns / NS_PER_SECOND)
            payload, count = frames.popleft()
            self._giver.give_one(payload, count)
            self._giver.turn()
            given += count
        self._giver.finish()

    def close(self) -> None:
        """Hang up."""
        self._giver.close()


def measure(load: Load, pid: int, port: int, browsers: int, seconds: float) -> Figures:
    """Return what the api uses with so many browsers, and what they have in the end."""
    command = [sys.executable, "-m", "benchmarks.live_readers", str(port), str(browsers), str(seconds)]
    readers = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) if browsers else None
    before, began_ns = cpu_time(pid), monotonic_ns()
    load.give(seconds)
    used, took_s = cpu_time(pid).since(before), (monotonic_ns() - began_ns) / NS_PER_SECOND
    told = json.loads(readers.communicate(timeout=WAIT_S)[0]) if readers is not None else []
    return {"core_percent": 100 * (used.user_s + used.kernel_s) / took_s, "told": told, "seconds": seconds}


def book_of_api(port: int) -> list[list[int]]:
    """Return the best levels that the api serves, in ticks and lots."""
    pair = Settings().instruments[0]
    document = get(port, f"/api/orderbook?depth={DEPTH}")
    return sorted(
        [side, pair.price_to_ticks(level["price"]), sum(pair.qty_to_lots(each["quantity"]) for each in level["orders"])]
        for side, name in enumerate(("bids", "asks"))
        for level in document[name]
    )


def run(seconds: float, orders_per_s: int) -> Figures:
    """Return all figures."""
    port = free_port()
    settings = {"ENGINE__JOURNAL": "write", "API__PORT": str(port)}
    rows: list[Figures] = []
    with folder_of_a_desk() as run_dir, node_process("engine", run_dir, settings):
        load = Load(run_dir, orders_per_s)
        with node_process("api", run_dir, settings) as api:
            get(port, "/api/orderbook?depth=1")
            for browsers in (0, BROWSERS) * ROUNDS:
                row = {"browsers": browsers, **measure(load, api.pid, port, browsers, seconds)}
                served = book_of_api(port)
                assert all(one["levels"] == served for one in row["told"]), "a browser has another book than the api"
                rows.append(row)
        load.close()
    return {"orders_per_s": orders_per_s, "rows": rows}


def summary(found: Figures) -> Figures:
    """Return the medians."""
    of = {count: [row for row in found["rows"] if row["browsers"] == count] for count in (0, BROWSERS)}
    none, some = (statistics.median(row["core_percent"] for row in of[count]) for count in (0, BROWSERS))
    told = [(one, row["seconds"]) for row in of[BROWSERS] for one in row["told"]]
    return {
        "none": none,
        "some": some,
        "more": some - none,
        "bytes_per_s": max(one["bytes"] / seconds for one, seconds in told),
        "messages_per_s": statistics.median(one["messages"] / seconds for one, seconds in told),
    }


def main() -> int:
    """Measure and print; exit code 1 if it costs more than may be."""
    parser = argparse.ArgumentParser(description="the live line")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument("--orders", type=int, default=10_000, help="orders a second that the engine takes")
    options = parser.parse_args()
    found = summary(run(options.seconds, options.orders))
    print(
        f"{options.orders:,} orders/s; every browser had the api's book\n"
        f"the api without a browser {found['none']:.1f} % of a core, with {BROWSERS} {found['some']:.1f} %: "
        f"{found['more']:.1f} % more\n"
        f"each browser {found['messages_per_s']:.1f} messages/s, at most {found['bytes_per_s'] / 1_000:.1f} kB/s"
    )
    return int(found["more"] > CORE_PERCENT_MAX or found["bytes_per_s"] > BYTES_PER_S_MAX)


if __name__ == "__main__":
    sys.exit(main())

"""How long an order takes through the TCP gateway to the engine and back: `python -m benchmarks.latency [--json]`.

A client in a process of its own sends a mixed stream of orders and cancels into a book of 10,000 resting orders and
checks every report; session, limits and idempotence are on. Measured are

- `alone`: one order at a time, the next one when the first report of this one is read;
- a steady 2,000 and 20,000 orders a second, timed from the moment at which each order was meant to be sent, so that
  a stall counts for every order that it holds up;

with the journal in each of its modes, without checkpoints and with one after another, with nodes that do not look for
the next message before they sleep, with gateway and engine as threads of one process, and with the engine's lane. Turn
by turn with `alone` run the floors, the same hops with the same sizes and no work: `floor` in Python, asleep
(latency_floor.py), and compiled, over the hops of the way, asleep and awake (compiled_floor.py).
"""

import argparse
import ctypes
import gc
import json
import select
import sys
import tempfile
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from benchmarks.compiled_floor import CompiledFloor
from benchmarks.latency_floor import Floor
from benchmarks.node_processes import node_pair
from benchmarks.order_streams import OrderStream, direct_hash, load_orders
from benchmarks.pipeline_client import LoadClient
from bus.topology import first_order_id, first_owner
from desk.settings import Settings
from engine.matching_engine import make_engine
from market.clock import NS_PER_SECOND, monotonic_ns

GATEWAY = 1  # the number that a desk gives its first gateway

SETTINGS: Final = {"GATEWAY__MESSAGES_PER_S": "1000000"}
SEED_COMMANDS: Final = 10_001
TURNS: Final = 10
ALONE_PER_TURN: Final = 300
RATES: Final = (2_000, 20_000)
SECONDS: Final = 5.0
ORDERS_MAX: Final = 65_536
QUANTILES: Final = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}


class Way(NamedTuple):
    """How the nodes run: the journal's mode, whether they are threads of one process, and more settings."""

    journal: str
    is_colocated: bool = False
    settings: tuple[tuple[str, str], ...] = ()


WAYS: Final = {
    "journal write": Way("write"),
    "journal none": Way("none"),
    "journal group": Way("group"),
    "journal sync": Way("sync"),
    "no checkpoints": Way("write", settings=(("ENGINE__CHECKPOINT_S", "0"),)),
    "one after another": Way("write", settings=(("ENGINE__CHECKPOINT_S", "0.001"),)),
    "asleep, journal write": Way("write", settings=(("BUS__SPIN_US", "0"),)),
    "colocated, journal write": Way("write", is_colocated=True),
    "colocated, journal none": Way("none", is_colocated=True),
    "lane, journal write": Way("write", settings=(("ENGINE__LANE", "on"),)),
    "lane, asleep": Way("write", settings=(("ENGINE__LANE", "on"), ("BUS__SPIN_US", "0"))),
    "lane, colocated": Way("write", is_colocated=True, settings=(("ENGINE__LANE", "on"),)),
}
COMPILED_FLOORS: Final = {"compiled asleep": False, "compiled awake": True}  # by name: whether they stay awake
_PR_SET_TIMERSLACK: Final = 29

Figures = dict[str, Any]


class LatencyClient(LoadClient):
    """Walks once through a stream, at whatever pace it is told."""

    def __init__(self, port: int, stream: OrderStream) -> None:
        super().__init__(port, stream)
        self.sent = 0

    def rush(self, count: int) -> None:
        """Send so many commands and wait for their answers."""
        self._send(self.sent + count)
        self._until_answered(self.sent, at_most=0)

    def alone(self, count: int) -> list[int]:
        """Return the ns from sending to the first report, of so many commands, one at a time."""
        took_ns = []
        self._socket.setblocking(True)  # as the floor's client: it waits in the kernel, and checks what it has timed
        for _ in range(count):
            command = self._piece(self.sent + 1)
            start_ns = monotonic_ns()
            self._socket.send(command)
            self.sent += 1
            while self._answered() < self.sent:
                end_ns = self._receive()
            took_ns.append(end_ns - start_ns)
        self._socket.setblocking(False)
        return took_ns

    def steady(self, rate: int, seconds: float) -> list[int]:
        """Return the ns from the intended sending to the first report, of commands at a fixed rate."""
        first, count, step_ns = self.sent, int(rate * seconds), NS_PER_SECOND // rate
        read: list[tuple[int, int]] = []  # how many were answered, and when that was read
        start_ns = monotonic_ns() + step_ns
        while (answered := self._answered() - first) < count:
            now_ns = monotonic_ns()
            due = min(count, (now_ns - start_ns) // step_ns + 1)
            if due > self.sent - first:
                self._send(first + due)
            next_ns = start_ns + (self.sent - first) * step_ns
            wait_s = max(0, next_ns - monotonic_ns()) / NS_PER_SECOND if self.sent - first < count else 20
            if select.select([self._socket], [], [], wait_s)[0]:
                self._receive()
                if (now_answered := self._answered() - first) > answered:
                    read.append((now_answered, monotonic_ns()))
        counts = np.diff([0, *(answered for answered, _ in read)])
        read_ns = np.repeat([at_ns for _, at_ns in read], counts)
        took_ns: list[int] = (read_ns - start_ns - np.arange(count) * step_ns).tolist()
        return took_ns

    def _send(self, until: int) -> None:
        """Send the commands up to number `until`."""
        commands = self._piece(until)
        self._socket.setblocking(True)
        self._socket.sendall(commands)
        self._socket.setblocking(False)
        self.sent = until

    def _piece(self, until: int) -> memoryview:
        """Return the bytes of the commands that follow those sent, up to number `until`."""
        ends = self._stream.ends
        at = int(ends[self.sent - 1]) if self.sent else 0
        return self._out[at : int(ends[until - 1])]


def measure_way(way: Way, folder: Path | None, path: Path | None, seconds: float) -> Figures:
    """Return the figures of one way to run the nodes, the floor beside them."""
    stream = load_orders(path)
    settings = {**SETTINGS, "ENGINE__JOURNAL": way.journal, **dict(way.settings)}
    with (
        tempfile.TemporaryDirectory(prefix="tb-") as name,
        node_pair(folder, settings, is_colocated=way.is_colocated) as pair,
    ):
        client = LatencyClient(pair.port, stream)
        floors: dict[str, Floor | CompiledFloor] = {"floor": Floor(Path(name))}
        for floor, is_awake in COMPILED_FLOORS.items():
            floors[floor] = CompiledFloor(Path(name), is_awake=is_awake, is_colocated=way.is_colocated)
        gc.freeze()
        gc.disable()
        client.rush(SEED_COMMANDS)
        took_ns: dict[str, list[int]] = {}
        for turn in range(1 + TURNS):
            for what, one in (*floors.items(), ("alone", client)):
                took = one.alone(ALONE_PER_TURN)
                took_ns[what] = took_ns[what] + took if turn > 1 else took  # the first one warms up
        for each in floors.values():
            each.close()
        steady = {f"{rate}/s": figures(client.steady(rate, seconds)) for rate in RATES}
        client.close()
        _, state_hash = pair.state()
        gc.enable()
    source = GATEWAY
    engine = make_engine("fast", len(Settings().instruments), ORDERS_MAX)
    expected = direct_hash(engine, stream, client.sent, first_order_id(source), first_owner(source))
    assert state_hash == expected, f"the engine came to state {state_hash:x}, a direct run to {expected:x}"
    told = {name: figures(took) for name, took in took_ns.items()}
    ratios = {f"ratio to {name}": told["alone"]["p50"] / told[name]["p50"] for name in floors}
    return {**told, **steady, **ratios}


def figures(took_ns: list[int]) -> Figures:
    """Return quantiles in microseconds."""
    ordered = sorted(took_ns)
    found: Figures = {name: ordered[int(share * (len(ordered) - 1))] / 1_000 for name, share in QUANTILES.items()}
    return {"count": len(ordered), **found}


def show(found: dict[str, Figures]) -> None:
    """Print the figures as a table."""
    print("answers checked; us from sending an order (at a steady rate: from when it was meant to be sent) to the")
    print("reading of its first report; `alone to it` compares the medians of orders alone, measured turn by turn\n")
    print(f"{'':>26} {'':>15} {'orders':>8} " + " ".join(f"{name:>9}" for name in QUANTILES) + "  alone to it")
    for way, row in found.items():
        for what in ("floor", *COMPILED_FLOORS, "alone", *(f"{rate}/s" for rate in RATES)):
            times = " ".join(f"{row[what][name]:>9.0f}" for name in QUANTILES)
            ratio = f"{row[f'ratio to {what}']:>11.2f} x" if f"ratio to {what}" in row else ""
            print(f"{way:>26} {what:>15} {row[what]['count']:>8,} {times} {ratio}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="round trip of an order through gateway and engine")
    parser.add_argument("--stream", type=Path, help="a mixed stream (.npz) instead of a generated one")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="at each steady rate")
    parser.add_argument("--dir", type=Path, help="where the journals are written; the disk there is measured")
    parser.add_argument("--way", action="append", choices=list(WAYS), help="only this; again for more")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1_000)  # ns; else the client itself sends up to 50 us late
    found = {}
    try:
        for name in options.way or WAYS:
            found[name] = measure_way(WAYS[name], options.dir, options.stream, options.seconds)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    print(json.dumps(found, indent=2)) if options.json else show(found)


if __name__ == "__main__":
    main()

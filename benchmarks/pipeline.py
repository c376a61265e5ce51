"""Orders a second from a TCP client through gateway and engine and back: `python -m benchmarks.pipeline [--json]`.

The client, the gateway and the engine are three processes of their own. The gateway keeps the client's session, its
limits and its reports; the engine keeps its journal in mode `write`. The client sends a mixed stream of orders (see
order_streams.py; `--stream FILE` takes a recorded one) again and again, for 10 s by default, and checks each report:
numbers without a gap, each order and each cancel answered once and in order. At last the engine's state must be that of
an engine that was given the same commands directly.

Beside it runs the naive pipeline (pipeline_naive.py) on the same stream. A shorter run under a clock (stage_clock.py)
says where the time goes.
"""

import argparse
import gc
import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.node_processes import NodePair, cpu_time, node_pair
from benchmarks.order_streams import OrderStream, direct_hash, load_orders
from benchmarks.pipeline_client import LoadClient, Sent
from benchmarks.pipeline_naive import measure_naive
from bus.topology import first_order_id, first_owner
from desk.settings import Settings
from engine.matching_engine import make_engine

GATEWAY = 1  # the number that a desk gives its first gateway

SECONDS: Final = 10.0
STAGE_SECONDS: Final = 3.0
NAIVE_SECONDS: Final = 5.0
ORDERS_MAX: Final = 65_536  # the settings' default
# All limits are on; that of messages a second is the only one that is raised.
SETTINGS: Final = {"GATEWAY__MESSAGES_PER_S": "20000000", "ENGINE__JOURNAL": "write"}

Figures = dict[str, Any]


def measure_run(pair: NodePair, stream: OrderStream, seconds: float) -> tuple[Sent, Figures]:
    """Return what was sent, and the processor time that it took in each process."""
    client = LoadClient(pair.port, stream)
    gc.freeze()
    nodes_before, client_before = pair.cpu_times(), cpu_time()
    sent = client.run(seconds)
    used = {name: time.since(nodes_before[name]) for name, time in pair.cpu_times().items()}
    used["client"] = cpu_time().since(client_before)
    client.close()
    _, state_hash = pair.state()
    engine = make_engine("fast", len(Settings().instruments), ORDERS_MAX)
    source = GATEWAY
    expected = direct_hash(engine, stream, sent.commands, first_order_id(source), first_owner(source))
    assert state_hash == expected, f"the engine came to state {state_hash:x}, a direct run to {expected:x}"
    costs = {
        name: {"user_ns": time.user_s * 1e9 / sent.commands, "kernel_ns": time.kernel_s * 1e9 / sent.commands}
        for name, time in used.items()
    }
    return sent, costs


def measure(path: Path | None, folder: Path | None, seconds: float, runs: int) -> Figures:
    """Return all figures."""
    speeds: list[Figures] = []
    for _ in range(runs):
        stream = load_orders(path)
        with node_pair(folder, SETTINGS) as pair:
            sent, costs = measure_run(pair, stream, seconds)
        speeds.append({"orders_per_s": sent.commands / sent.seconds, **sent._asdict(), "cpu": costs})
    stream = load_orders(path)
    with node_pair(folder, SETTINGS, is_timed=True) as pair:
        sent, _ = measure_run(pair, stream, STAGE_SECONDS)
        pair.stop()
        stages = {
            node: {stage: {**times, "order_ns": times["ns"] / sent.commands} for stage, times in found.items()}
            for node, found in pair.stage_times().items()
        }
    with tempfile.TemporaryDirectory(prefix="tb-") as name:
        naive = measure_naive(load_orders(path), Path(name), NAIVE_SECONDS)
    speed, naive_speed = median(row["orders_per_s"] for row in speeds), naive.commands / naive.seconds
    return {
        "stream": stream.name,
        "orders_per_s": speed,
        "naive_orders_per_s": naive_speed,
        "ratio": speed / naive_speed,
        "runs": speeds,
        "naive": {"commands": naive.commands, "seconds": naive.seconds},
        "timed_orders_per_s": sent.commands / sent.seconds,
        "stages": stages,
    }


def show(found: Figures) -> None:
    """Print the figures."""
    print(f"stream {found['stream']}; answers checked: each order and cancel answered once, in order, numbers without")
    print("a gap; state hash equal to that of a direct run. Session, limits and journal (mode write) are on.\n")
    for run in found["runs"]:
        refused = f", {run['refused']:,} of them refusals" if run["refused"] else ""
        print(
            f"{run['orders_per_s']:>11,.0f} orders/s: {run['commands']:,} in {run['seconds']:.2f} s,"
            f" {run['reports']:,} reports{refused}"
        )
    print(f"{found['naive_orders_per_s']:>11,.0f} orders/s naively ({found['naive']['commands']:,} orders)")
    print(f"\n{found['orders_per_s']:,.0f} orders/s (median) is {found['ratio']:.0f} x the naive pipeline\n")
    print("processor time for an order, ns (own code, kernel), last run:")
    for name, cost in found["runs"][-1]["cpu"].items():
        print(f"  {name:>8} {cost['user_ns']:>6.0f} {cost['kernel_ns']:>6.0f}")
    print(f"\nwhere it goes, ns for an order, under a clock ({found['timed_orders_per_s']:,.0f} orders/s):")
    for node, stages in found["stages"].items():
        for stage, times in stages.items():
            print(f"  {node:>8}  {stage:<26} {times['order_ns']:>7.1f}   {times['calls']:>7,} calls")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="orders a second through gateway and engine")
    parser.add_argument("--stream", type=Path, help="a mixed stream (.npz) instead of a generated one")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each run")
    parser.add_argument("--runs", type=int, default=3, help="the median is what counts")
    parser.add_argument("--dir", type=Path, help="where the journals are written")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    try:
        found = measure(options.stream, options.dir, options.seconds, options.runs)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    print(json.dumps(found, indent=2)) if options.json else show(found)


if __name__ == "__main__":
    main()

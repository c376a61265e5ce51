"""Backtests beside time and beside hftbacktest: `python -m benchmarks.backtest RECORDING... [--json] [--alone]`.

Each recording is traded on by the whole desk (exchange with its rules and ledger, maker, queue model, the tracker's
books), from the raw file and from its kept arrays: the same SHA-256 and sound books, else no figure is told. Beside it
the market alone, compiled and as the replay's flow on objects, which must end in the same state of the engine. Then
hftbacktest 2.4.4, from an environment of its own that is made for it (`--alone` leaves it out), gets the same book and
trades, and the same orders at the same times; what either fills stands side by side. Seconds are the processor's of
this process, and by the clock in the other; the best of three, but for what runs once.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import venv
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from commands.actions.backtest import backtest_settings
from commands.actions.record import inspected
from desk.settings import Settings
from desk.warm import warm_kernels
from engine.capacity import Capacity
from engine.fast.engine import FastEngine
from flow.mirror.changes import TRADE, Changes
from market.clock import NS_PER_SECOND
from market.commands import CancelOrder, Command, NewOrder
from market.events import Event, Executed
from market.instrument import Instrument
from nodes.flow.market_flows import make_flows
from reports.performance import is_sound
from simulation.backtest import Stretch, plan
from simulation.desk import SimulatedDesk
from simulation.market import FlowMarket, Market
from simulation.recorded_market import RecordedMarket, make_tracks, warm

PACKAGE: Final = "hftbacktest==2.4.4"
OWNER: Final = 1
RUNS: Final = 3
HALF_SPREAD: Final = "maker.half_spread=0.00005"
FILLS_SHOWN: Final = 12

# hftbacktest's kinds of rows, hftbacktest.types.
_DEPTH, _TRADE = 1, 2
_BOTH_TIMES: Final = 1 << 31 | 1 << 30
_SIDE_FLAGS: Final = np.array([1 << 29, 1 << 28], np.uint64)  # BUY, SELL
_ROW: Final = np.dtype(
    {
        "names": ["ev", "exch_ts", "local_ts", "px", "qty", "order_id", "ival", "fval"],
        "formats": ["<u8", "<i8", "<i8", "<f8", "<f8", "<u8", "<i8", "<f8"],
    },
    align=True,
)

Figures = dict[str, Any]


def measure(path: Path, cache: Path) -> Figures:
    """Return the figures of a recording, whose answers were checked before."""
    settings = backtest_settings([path], None, None, {}, [HALF_SPREAD])
    (stretch,) = plan(settings, [inspected(settings, path)[0]])
    seconds = (stretch.end_ns - stretch.start_ns) / NS_PER_SECOND
    raw_s, raw = min((_run_desk(stretch, cache / f"raw {number}") for number in range(RUNS)), key=lambda each: each[0])
    kept_s, kept = min((_run_desk(stretch, cache / "raw 0") for _ in range(RUNS)), key=lambda each: each[0])
    assert kept == raw, "the kept arrays bring another run"
    compiled_s, compiled = _run_market(stretch, lambda: _compiled(stretch, cache / "raw 0"))
    objects_s, objects = _run_market(stretch, lambda: _on_objects(stretch))
    assert compiled == objects, "the compiled market ends in another state"
    figures = {"recording": path.name, "seconds": seconds}
    took = {"desk, raw": raw_s, "desk, kept": kept_s, "market, kept": compiled_s, "market on objects": objects_s}
    return figures | {"took_s": took, "sha256": kept}


def _run_desk(stretch: Stretch, cache: Path) -> tuple[float, str]:
    with TemporaryDirectory() as folder:
        began = time.process_time()
        desk = _desk(stretch, Path(folder), cache)
        desk.run(stretch.end_ns)
        day = desk.close_books()
        took_s = time.process_time() - began
        document = desk.folder.read(day)
        assert document is not None and is_sound(document), "balances and trades do not agree"  # noqa: PT018
        assert not desk.problems, desk.problems
        return took_s, desk.digest.hexdigest()


def _desk(stretch: Stretch, folder: Path, cache: Path) -> SimulatedDesk:
    os.environ["XDG_CACHE_HOME"] = str(cache)
    return SimulatedDesk(stretch.settings, stretch.start_ns, folder)


def _run_market(stretch: Stretch, make: Callable[[], Market]) -> tuple[float, int]:
    took_s = []
    for _ in range(RUNS):
        began = time.process_time()
        market = make()
        market.advance(stretch.end_ns)
        took_s.append(time.process_time() - began)
    return min(took_s), market.engine.state_hash()


def _compiled(stretch: Stretch, cache: Path) -> Market:
    tracks = make_tracks(stretch.settings, OWNER, count(1), cache / "tickbus" / "recordings", print)
    return RecordedMarket(_engine(stretch.settings), tracks, OWNER, stretch.start_ns)


def _on_objects(stretch: Stretch) -> Market:
    (flow,) = make_flows(stretch.settings, OWNER, count(1)).values()
    return FlowMarket(_engine(stretch.settings), flow, OWNER, stretch.start_ns)


def _engine(settings: Settings) -> FastEngine:
    return FastEngine(Capacity(len(settings.instruments)))


# Beside hftbacktest


def compare(path: Path, cache: Path, python: Path) -> Figures:
    """Let hftbacktest play what the desk has ordered; return its seconds, and what either has filled of each order."""
    settings = backtest_settings([path], None, None, {}, [HALF_SPREAD])
    (stretch,) = plan(settings, [inspected(settings, path)[0]])
    with TemporaryDirectory() as folder:
        orders, acts = _ordered(_desk(stretch, Path(folder), cache / "raw 0"), stretch)
        data = Path(folder) / "data.npz"
        instrument = settings.instrument
        sizes = np.array([instrument.tick_size, instrument.lot_size], np.float64)
        np.savez(data, events=_rows(stretch, instrument, cache), acts=np.array(acts, np.int64), sizes=sizes)
        script = Path(__file__).with_name("hftbacktest_run.py")
        answer = subprocess.run([python, script, data], check=True, capture_output=True, text=True)
    told: Figures = json.loads(answer.stdout)
    theirs = {int(order_id): lots for order_id, lots in told.pop("filled").items()}
    fills = {order_id: (lots, theirs.get(order_id, 0)) for order_id, lots in orders.items()}
    return told | {"fills": {order_id: both for order_id, both in fills.items() if any(both)}, "orders": len(orders)}


def _ordered(desk: SimulatedDesk, stretch: Stretch) -> tuple[dict[int, int], list[tuple[int, int, int, int, int]]]:
    """Run a desk; return the filled lots of each order that it has placed, and its orders and cancels."""
    market, acts, filled = desk.market, list[tuple[int, int, int, int, int]](), dict[int, int]()
    submit, advance = market.submit, market.advance

    def note(events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Executed) and event.maker_order_id in filled:
                filled[event.maker_order_id] += event.qty_lots

    def noting_submit(commands: Sequence[Command]) -> list[Event]:
        for command in commands:
            if isinstance(command, NewOrder):
                acts.append((desk.heap.now_ns, command.order_id, *command[2:5]))
                filled[command.order_id] = 0
            elif isinstance(command, CancelOrder):
                acts.append((desk.heap.now_ns, command.order_id, -1, 0, 0))
        events = submit(commands)
        note(events)
        return events

    def noting_advance(until_ns: int) -> tuple[int, list[Event]]:
        now_ns, events = advance(until_ns)
        note(events)
        return now_ns, events

    market.submit, market.advance = noting_submit, noting_advance  # type: ignore[method-assign]
    desk.run(stretch.end_ns)
    return filled, acts


def _rows(stretch: Stretch, instrument: Instrument, cache: Path) -> Any:
    """Return book and trades of a recording, as they come at the simulated times, as hftbacktest's rows."""
    tracks = make_tracks(stretch.settings, OWNER, count(1), cache / "raw 0" / "tickbus" / "recordings", print)
    track = tracks[instrument.symbol_id]
    track.start(stretch.start_ns, stretch.start_ns)
    pieces = []
    while track.next_ns is not None:
        pieces.append(_piece(track.changes, instrument))
        track.go_on()
    return np.concatenate(pieces)


def _piece(changes: Changes, instrument: Instrument) -> Any:
    records = np.repeat(np.arange(len(changes.ends)), np.diff(changes.ends, prepend=0))
    trades = np.flatnonzero(changes.kinds == TRADE)
    rows = np.zeros(len(records) + len(trades), _ROW)
    at_record = np.concatenate([records, trades])
    sides = np.concatenate([changes.keys & 1, changes.values[trades, 0]])
    kinds = np.repeat(np.array([_DEPTH, _TRADE], np.uint64), [len(records), len(trades)])
    rows["ev"] = kinds | np.uint64(_BOTH_TIMES) | _SIDE_FLAGS[sides]
    rows["exch_ts"] = rows["local_ts"] = changes.times_ns[at_record]
    rows["px"] = np.concatenate([changes.keys >> 1, changes.values[trades, 1]]) * float(instrument.tick_size)
    rows["qty"] = np.concatenate([changes.lots, changes.values[trades, 2]]) * float(instrument.lot_size)
    return rows[np.argsort(at_record, kind="stable")]


def make_environment(folder: Path) -> Path | None:
    """Return a Python that has hftbacktest, None if it cannot be had, which is told."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    answer = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", PACKAGE], check=False, capture_output=True, text=True
    )
    if answer.returncode != 0:
        print(f"hftbacktest is left out: {answer.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return python


def show(figures: Figures) -> None:
    """Print the figures of a recording for a person."""
    seconds = figures["seconds"]
    print(f"\n{figures['recording']}, {seconds:.0f} s")
    for name, took_s in figures["took_s"].items():
        print(f"  {name:24} {took_s:8.3f} s {seconds / took_s:10,.0f} times as fast as time")
    if (beside := figures.get("hftbacktest")) is None:
        return
    for name in ("cold", "warm"):
        took_s = beside[f"{name}_s"]
        print(f"  {'hftbacktest, ' + name:24} {took_s:8.3f} s {seconds / took_s:10,.0f} times as fast as time")
    took = figures["took_s"]
    print(f"  hftbacktest warm is {took['market, kept'] / beside['warm_s']:.1f} times as fast as the market alone,")
    print(f"  {took['desk, kept'] / beside['warm_s']:.1f} times as fast as the desk; {beside['rows']:,} rows")
    fills, kinds = beside["fills"], Counter[str]()
    for ours, theirs in fills.values():
        kinds["same" if ours == theirs else "more here" if ours > theirs else "more there"] += 1
    print(
        f"  {beside['orders']} orders, filled: " + ", ".join(f"{kind} {many}" for kind, many in sorted(kinds.items()))
    )
    for order_id, (ours, theirs) in list(fills.items())[:FILLS_SHOWN]:
        print(f"    order {order_id}: {ours:8,} lots here, {theirs:8,} there")


def main(arguments: Sequence[str]) -> int:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("recordings", nargs="+", type=Path, metavar="RECORDING")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--alone", action="store_true", help="without hftbacktest")
    parser.add_argument("--python", type=Path, help="of an environment that has hftbacktest; else one is made")
    options = parser.parse_args(arguments)
    for warm_some in (warm_kernels, warm):
        warm_some(lambda line: print(line, file=sys.stderr))
    results = []
    with TemporaryDirectory(prefix="tickbus-") as folder:
        python = None if options.alone else options.python or make_environment(Path(folder) / "environment")
        for number, path in enumerate(options.recordings):
            cache = Path(folder) / str(number)
            results.append(measure(path, cache))
            if python is not None:
                results[-1]["hftbacktest"] = compare(path, cache, python)
            if not options.json:
                show(results[-1])
    if options.json:
        print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""How fast the matching engine is: `python -m benchmarks.matching --stream FILE.npz [--json]`.

Runs a recorded stream (see matching_streams.py) through the full-featured engine, its events written to their ring, and
checks the answer before it prints a speed. Timed is `match` alone: what a batch costs from the ring of commands to the
ring of events, Python's call included. The same stream on the reference book is the ratio beside it.

Beside it runs a yardstick (bare_matching.py) on a stream of its own, always the same: as machines differ, and one from
hour to hour, the ratio to it says more than nanoseconds.

`--deep` adds a book of a million resting orders, `--soak N` looks for growth of memory over N operations.
"""

import argparse
import gc
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np

from benchmarks.bare_matching import bare_ns
from benchmarks.matching_streams import Stream, canonical_sha256, load_stream, mixed_answer
from benchmarks.order_streams import put_rows
from desk.warm import warm_kernels
from engine.capacity import Capacity
from engine.fast.engine import FastEngine
from engine.matching_engine import MatchingEngine, make_engine
from market.codes import Tag
from market.kernels.row_codes import MASS_CANCEL, NEW
from market.kernels.rows import ROW_WIDTH, TAG, Int64Array
from market.limits import BATCH_MESSAGES_MAX

RUNS: Final = 5
BATCHES: Final = (1, 64, BATCH_MESSAGES_MAX)
DEEP_ORDERS: Final = 1_000_000
DEEP_OPERATIONS: Final = 1_000_000
YARDSTICK_ORDERS: Final = 10_000
YARDSTICK_OPERATIONS: Final = 300_000
MADE_LEVELS: Final = 150  # a side, of the streams that are made here
MADE_CENTER: Final = 32_796
MADE_SEED: Final = 23

KNOWN_ANSWERS: Final[dict[str, dict[str, Any]]] = {
    "consensus_normal_seed23": {"sha256": "e9b2e3926854410b01a035aeb25dd05f1e597c233be8263de9eb49b6713d367e"},
    "consensus_static_seed23": {"sha256": "9803843ee404fc29c9a0aa5614f8f0d5a58b5c44fcac9ef89067886fcaaa30d1"},
    "mixed_seed23": {
        "trades": 149_902,
        "volume": 5_112_364,
        "notional": 167_611_103_714,
        "trade_hash": "fe8d8a7e016994d5",
        "best": [32_792, 2_071, 32_799, 51],
        "live_orders": 10_010,
    },
}


@dataclass(frozen=True)
class Speed:
    """Nanoseconds per message over some runs, and per call over the calls of the fastest run."""

    book: str
    batch: int
    min_ns: float
    median_ns: float
    max_ns: float
    call_p50_ns: float
    call_p99_ns: float
    call_p99_9_ns: float
    call_max_ns: float


def feed(engine: MatchingEngine, rows: Int64Array, batch: int, events: list[Int64Array] | None = None) -> Int64Array:
    """Hand over `rows` in batches; return the ns of each call of `match`. `events` collects copies of the events."""
    calls_ns = []
    commands, told, match, now = engine.commands, engine.events, engine.match, time.perf_counter_ns
    for start in range(0, len(rows), batch):
        waiting = rows[start : start + batch]
        while len(waiting):
            waiting = put_rows(commands, waiting)
        while len(commands):
            before = now()
            match()
            calls_ns.append(now() - before)
            while events is not None and len(block := told.readable()):
                events.append(block.copy())
                told.consume(len(block))
            told.consume(len(told))
    return np.array(calls_ns)


def answer_of(stream: Stream, book: str) -> dict[str, Any]:
    """Run the stream once and return what it comes to."""
    engine = make_engine(book, 1, stream.orders_max)
    feed(engine, stream.rows[: stream.seed_count], BATCH_MESSAGES_MAX)
    events: list[Int64Array] = []
    feed(engine, stream.rows[stream.seed_count :], BATCH_MESSAGES_MAX, events)
    engine.check_invariants()
    if stream.is_consensus:
        return {"sha256": canonical_sha256(np.concatenate(events))}
    live = {"best": list(engine.best(0)), "live_orders": engine.live_order_count}
    return mixed_answer(np.concatenate(events)) | live


def speed_of(stream: Stream, book: str, batch: int, runs: int) -> Speed:
    """Time the stream in batches; each run begins with an empty engine and the part that only builds the book."""
    totals: list[int] = []
    best_calls = np.zeros(0, np.int64)
    message_count = len(stream.rows) - stream.seed_count
    for _ in range(runs):
        engine = make_engine(book, 1, stream.orders_max)
        feed(engine, stream.rows[: stream.seed_count], BATCH_MESSAGES_MAX)
        calls = feed(engine, stream.rows[stream.seed_count :], batch)
        if not totals or calls.sum() < min(totals):
            best_calls = calls
        totals.append(int(calls.sum()))
    per_message = sorted(total / message_count for total in totals)
    p50, p99, p99_9 = np.percentile(best_calls, [50, 99, 99.9]).tolist()
    worst = float(best_calls.max())
    return Speed(book, batch, per_message[0], median(per_message), per_message[-1], p50, p99, p99_9, worst)


def made_rows(order_count: int, operation_count: int) -> tuple[Int64Array, Int64Array]:
    """Return the orders of a book, and operations on it in the proportions of the mixed stream; always the same."""
    random = np.random.default_rng(MADE_SEED)
    ids = iter(range(1, order_count + operation_count + 1))
    sides = random.integers(0, 2, order_count + operation_count).tolist()
    distances = random.integers(1, MADE_LEVELS + 1, order_count + operation_count).tolist()
    lots = random.integers(1, 101, order_count + operation_count).tolist()
    draws, places = random.random(operation_count).tolist(), random.random(operation_count).tolist()

    def new(order_id: int, crosses: bool) -> tuple[int, ...]:
        side, distance = sides[order_id - 1], distances[order_id - 1]
        distance = -(distance % 3) if crosses else distance
        price = MADE_CENTER + (distance if side else -distance)
        return (int(Tag.NEW_ORDER), order_id, 0, side, price, lots[order_id - 1])

    book = [new(next(ids), False) for _ in range(order_count)]
    live = [row[1] for row in book]
    operations: list[tuple[int, ...]] = []
    for draw, place in zip(draws, places, strict=True):
        if draw < 0.4:
            index = int(place * len(live))
            live[index], live[-1] = live[-1], live[index]
            operations.append((int(Tag.CANCEL_ORDER), live.pop(), 0, 0, 0, 0))
        else:
            order_id = next(ids)
            operations.append(new(order_id, draw < 0.5))
            live.append(order_id)
    return _as_rows(book), _as_rows(operations)


def _as_rows(values: Sequence[tuple[int, ...]]) -> Int64Array:
    rows = np.zeros((len(values), ROW_WIDTH), np.int64)
    rows[:, : NEW.qty_lots + 1] = values
    return rows


def deep(runs: int) -> dict[str, float]:
    """Return bytes per order and ns per operation of a book with a million resting orders."""
    book, operations = made_rows(DEEP_ORDERS, DEEP_OPERATIONS)
    results = []
    bytes_each = 0.0
    for _ in range(runs):
        engine = FastEngine(Capacity(1, DEEP_ORDERS * 6 // 5, 8))
        feed(engine, book, BATCH_MESSAGES_MAX)
        assert engine.live_order_count == DEEP_ORDERS, f"expected {DEEP_ORDERS} orders, were {engine.live_order_count}"
        memory = engine.memory
        arrays = (memory.orders, memory.extras, memory.ids, memory.levels, memory.page_bits)
        bytes_each = sum(array.nbytes for array in arrays) / (DEEP_ORDERS * 6 // 5)
        results.append(feed(engine, operations, BATCH_MESSAGES_MAX).sum() / len(operations))
        engine.check_invariants()
    return {"bytes_per_order": bytes_each, "min_ns": min(results), "median_ns": median(results), "max_ns": max(results)}


def yardstick(runs: int) -> dict[str, float]:
    """Return ns per operation of engine and yardstick, in turn on the same stream; both must trade the same."""
    book, operations = made_rows(YARDSTICK_ORDERS, YARDSTICK_OPERATIONS)
    bare = engine_ns = float("inf")
    for _ in range(runs):
        bare_run, trades = bare_ns(np.concatenate((book, operations)), len(book))
        bare = min(bare, bare_run)
        engine = make_engine("fast", 1, 1 << 17)
        feed(engine, book, BATCH_MESSAGES_MAX)
        engine_ns = min(engine_ns, feed(engine, operations, BATCH_MESSAGES_MAX).sum() / len(operations))
    events: list[Int64Array] = []
    engine = make_engine("fast", 1, 1 << 17)
    feed(engine, book, BATCH_MESSAGES_MAX)
    feed(engine, operations, BATCH_MESSAGES_MAX, events)
    answer = mixed_answer(np.concatenate(events))
    assert trades == {name: answer[name] for name in trades}, f"the yardstick trades {trades}, the engine {answer}"
    return {"bare_ns": bare, "engine_ns": engine_ns, "ratio": engine_ns / bare}


def soak(stream: Stream, operation_count: int) -> dict[str, float]:
    """Repeat the stream on one engine; return its resident memory after the first pass and after the last."""
    engine = make_engine("fast", 1, stream.orders_max)
    everything = np.zeros((1, ROW_WIDTH), np.int64)
    everything[0, [TAG, MASS_CANCEL.symbol_id, MASS_CANCEL.side]] = int(Tag.MASS_CANCEL), -1, -1
    done, first_kib = 0, 0
    while done < operation_count:
        feed(engine, stream.rows, BATCH_MESSAGES_MAX)
        feed(engine, everything, 1)
        assert engine.live_order_count == 0, f"expected an empty book, has {engine.live_order_count} orders"
        done += len(stream.rows)
        first_kib = first_kib or _resident_kib()
    engine.check_invariants()
    return {"operations": done, "first_pass_kib": first_kib, "last_pass_kib": _resident_kib()}


def _resident_kib() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def check_answer(stream: Stream, answer: dict[str, Any]) -> str:
    """Return what is known of the answer.

    Raises:
        SystemExit: if the stream has a published answer and this is another.
    """
    known = KNOWN_ANSWERS.get(stream.name)
    if known is None:
        return "no published answer is known for this file"
    if answer != known:
        sys.exit(f"wrong answer for {stream.name}: expected {known}, was {answer}")
    return "the published answer"


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do what the command line asks; return everything that is to be told."""
    stream = load_stream(arguments.stream)
    answer = answer_of(stream, "fast")
    verdict = check_answer(stream, answer)
    gc.collect()
    gc.freeze()
    gc.disable()
    speeds = [speed_of(stream, "fast", batch, arguments.runs) for batch in BATCHES]
    told: dict[str, Any] = {"stream": stream.name, "messages": len(stream.rows) - stream.seed_count}
    told |= {"answer": answer, "verdict": verdict}
    fastest = min(speed.min_ns for speed in speeds)
    if not arguments.without_reference:
        speeds.append(speed_of(stream, "reference", BATCH_MESSAGES_MAX, 1))
        told["ratio"] = speeds[-1].min_ns / speeds[-2].min_ns
    told["speeds"] = [asdict(speed) for speed in speeds]
    told["yardstick"] = yardstick(arguments.runs)
    if arguments.deep:
        told["deep"] = deep(arguments.runs)
        told["deep"]["ratio"] = told["deep"]["min_ns"] / fastest
    if arguments.soak:
        told["soak"] = soak(stream, arguments.soak)
    return told


def print_table(told: dict[str, Any]) -> None:
    """Print for a reader what `--json` prints for a program."""
    print(f"{told['stream']}: {told['messages']:,} messages")
    for name, value in told["answer"].items():
        print(f"  {name:12} {value}")
    print(f"  ({told['verdict']})\n")
    print("ns per message, events written to their ring    one call, ns")
    print("book       batch      min   median      max          p50         p99       p99.9         max")
    for speed in told["speeds"]:
        figures = (speed[f"{name}_ns"] for name in ("min", "median", "max"))
        calls = (speed[f"call_{name}_ns"] for name in ("p50", "p99", "p99_9", "max"))
        columns = "".join(f"{figure:9,.1f}" for figure in figures) + " " + "".join(f"{call:12,.0f}" for call in calls)
        print(f"{speed['book']:9}{speed['batch']:7,}{columns}")
    if "ratio" in told:
        print(f"the reference book takes {told['ratio']:,.0f} times as long")
    beside = told["yardstick"]
    print(f"a stream made here: the yardstick {beside['bare_ns']:.1f} ns an operation, ", end="")
    print(f"this engine {beside['engine_ns']:.1f}, {beside['ratio']:.2f} times as long")
    if deep_book := told.get("deep"):
        print(
            f"\na book of {DEEP_ORDERS:,} orders: {deep_book['bytes_per_order']:.1f} bytes each, ns per operation",
            end="",
        )
        print(
            f" min {deep_book['min_ns']:.1f}, median {deep_book['median_ns']:.1f}, max {deep_book['max_ns']:.1f}, ",
            end="",
        )
        print(f"{deep_book['ratio']:.2f} times the fastest above")
    if soaked := told.get("soak"):
        print(f"\nresident memory after the first pass {soaked['first_pass_kib']:,} KiB, ", end="")
        print(f"after {soaked['operations']:,} operations {soaked['last_pass_kib']:,} KiB")


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stream", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--without-reference", action="store_true", help="leave out the slow ratio")
    parser.add_argument("--deep", action="store_true", help="measure a book of a million resting orders too")
    parser.add_argument("--soak", type=int, default=0, metavar="N", help="look for growth of memory over N operations")
    arguments = parser.parse_args()
    warm_kernels(lambda line: print(line, file=sys.stderr))
    told = measure(arguments)
    if arguments.json:
        print(json.dumps(told, indent=2))
    else:
        print_table(told)


if __name__ == "__main__":
    main()

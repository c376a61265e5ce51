"""What the journal costs, by mode and size of the batch, and how fast it is read back: `python -m benchmarks.journal`.

A batch is one frame of real NewOrder messages. `naive` is mode write with a write for each command of the batch. In
mode `group` a batch that finds the sync due does it, as the engine's node would between two batches. Before anything is
timed, each mode must give back what it was given, and after it the journal that was timed is read and counted.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.order_streams import load_orders, padded
from bus.engine_link import CommandBatch
from bus.topology import first_order_id, first_owner
from desk.settings import Settings
from engine.capacity import Capacity
from engine.matching_engine import make_engine
from engine.wire.codec import RowEncoder
from journal.format import JournalMode
from journal.journal import Journal
from journal.reader import JournalReader
from journal.replay import replay
from market.clock import NS_PER_SECOND, monotonic_ns
from market.codec import encode_all
from market.commands import NewOrder
from nodes.engine.command_record import COMMANDS, CommandRecord, figures_of
from nodes.engine.core import EngineCore

GATEWAY = 1  # the number that a desk gives its first gateway

CAPACITY: Final = Capacity(2)
BATCH_COUNTS: Final = (1, 64, 4_096)
ROUNDS_MAX: Final = 20_000
BYTES_MAX: Final = 1 << 27  # of one measurement
SYNC_ROUNDS: Final = 400
REBUILT_COUNTS: Final = (64, 4_096)
QUANTILES: Final = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}

Figures = dict[str, Any]


def batch_of(count: int) -> CommandRecord:
    """Return a frame of so many orders, of realistic sizes."""
    orders = [
        NewOrder(10**12 + number, number % 2, number % 2, 9_138_000 + number % 997, 1_094 + number, 2, owner=65_536)
        for number in range(1, count + 1)
    ]
    return CommandRecord(1_700_000_000_000_000_000, 1, 1, count, 0, encode_all(orders))


def check_answers(folder: Path) -> None:
    """Let every mode give back what it was given."""
    for mode in JournalMode:
        batches = [[batch_of(count)] * repeat for count in BATCH_COUNTS for repeat in (1, 3)]
        with opened(folder / mode, mode) as journal:
            for batch in batches:
                journal.append(batch, 0)
        given = [record for batch in batches for record in batch] if mode is not JournalMode.NONE else []
        found = list(JournalReader(folder / mode, COMMANDS, figures_of(CAPACITY)).records())
        assert found == list(enumerate(given, 1)), f"mode {mode} gave back {len(found)} of {len(given)} records"
        remove(folder / mode)


def opened(folder: Path, mode: JournalMode) -> Journal[CommandRecord]:
    """Return an empty journal that takes records."""
    journal = Journal(folder, COMMANDS, figures_of(CAPACITY), 1, mode)
    done = journal.recover(ignore)
    assert done.record_count == 0, f"expected an empty folder, {folder} holds {done.record_count} records"
    return journal


def ignore(_: int, record: CommandRecord) -> None:
    """Take a record for its own sake; it was checked on the way."""
    assert record.message_count > 0, record


def measure_batches(folder: Path, mode: JournalMode, count: int) -> tuple[Figures, Figures | None]:
    """Return the cost of a batch in a mode, and the speed of reading the journal that this left."""
    batch = [batch_of(count)]
    rounds = min(ROUNDS_MAX, BYTES_MAX // len(batch[0].payload))
    if mode is JournalMode.SYNC:
        rounds = min(rounds, SYNC_ROUNDS)
    with opened(folder, mode) as journal:
        took = [timed(journal, batch) for _ in range(rounds)]
    found = read_back(folder, count, rounds) if mode is JournalMode.WRITE else None
    remove(folder)
    return figures(str(mode), count, took), found


def measure_naive(folder: Path, count: int) -> Figures:
    """Return the cost of a batch whose commands are written one by one."""
    batch = [batch_of(1)]
    rounds = max(ROUNDS_MAX // count, 20)
    took = []
    with opened(folder, JournalMode.WRITE) as journal:
        for _ in range(rounds):
            start_ns = monotonic_ns()
            for _ in range(count):
                journal.append(batch, start_ns)
            took.append(monotonic_ns() - start_ns)
    remove(folder)
    return figures("naive", count, took)


def timed(journal: Journal[CommandRecord], batch: Sequence[CommandRecord]) -> int:
    """Append a batch as the engine's node does and return how long it took."""
    start_ns = monotonic_ns()
    journal.append(batch, start_ns)
    if journal.sync_due(start_ns):
        journal.sync()
    return monotonic_ns() - start_ns


def figures(mode: str, count: int, took_ns: list[int]) -> Figures:
    """Return the figures of one measurement; times in microseconds, of a command in nanoseconds."""
    ordered = sorted(took_ns)
    spread = {name: ordered[int(share * (len(ordered) - 1))] / 1_000 for name, share in QUANTILES.items()}
    mean_ns = sum(took_ns) / len(took_ns)
    return {"mode": mode, "batch": count, "rounds": len(took_ns), "mean_us": mean_ns / 1_000} | {
        **{f"{name}_us": value for name, value in spread.items()},
        "command_ns": mean_ns / count,
    }


def read_back(folder: Path, count: int, rounds: int) -> Figures:
    """Read the journal and return the speed; it must hold what was appended."""
    done = replay(JournalReader(folder, COMMANDS, figures_of(CAPACITY)), ignore)
    assert (done.record_count, done.message_count) == (rounds, rounds * count), done
    return {
        "what": "read and check",
        "batch": count,
        "commands": done.message_count,
        "commands_per_second": done.messages_per_second,
        "records_per_second": done.record_count * 1e9 / done.elapsed_ns,
    }


def measure_rebuild(folder: Path, count: int) -> Figures:
    """Return the speed at which an engine's node comes back: book, links and feed; both lives must end the same."""
    stream = load_orders(None)
    commands = stream.desk_rows(first_order_id(GATEWAY), first_owner(GATEWAY))
    rows = commands[: len(commands) // count * count]
    encoder = RowEncoder(padded(rows))
    with opened(folder, JournalMode.WRITE) as journal:
        live = _core(journal)
        for first in range(0, len(rows), count):
            live.links.restore(GATEWAY, first + count)
            batch = CommandBatch(GATEWAY, encoder.encode(first, count), first + 1, count, 0)
            live.handle([batch], 1, 0)
            live.tell(1)
            live.links.outgoing()
    again = Journal(folder, COMMANDS, figures_of(CAPACITY), 1)
    with again:
        rebuilt = _core(again)
        done = rebuilt.recover(lambda _: None)
    assert rebuilt.engine.state_hash() == live.engine.state_hash(), "the rebuilt engine differs from the one that lived"
    assert done.message_count == len(rows), done
    remove(folder)
    return {
        "what": "rebuild the engine's node",
        "batch": count,
        "commands": done.message_count,
        "commands_per_second": done.messages_per_second,
        "records_per_second": done.record_count * 1e9 / done.elapsed_ns,
    }


def _core(journal: Journal[CommandRecord]) -> EngineCore:
    """Return an empty core that keeps this journal."""
    engine = make_engine("fast", CAPACITY.symbol_count, CAPACITY.orders_max, CAPACITY.pages_max)
    instruments = Settings().instruments[: CAPACITY.symbol_count]
    return EngineCore(engine, instruments, 1, 1, CAPACITY.orders_max, journal, range(CAPACITY.symbol_count))


def remove(folder: Path) -> None:
    """Take a journal away."""
    if folder.exists():
        for path in COMMANDS.files(folder):
            path.unlink()
        folder.rmdir()


def measure(folder: Path) -> Figures:
    """Return all figures."""
    started_ns = monotonic_ns()
    check_answers(folder)
    costs, recovery = [], []
    for count in BATCH_COUNTS:
        for mode in JournalMode:
            cost, found = measure_batches(folder / "timed", mode, count)
            costs.append(cost)
            recovery += [found] if found else []
        costs.append(measure_naive(folder / "timed", count))
    recovery += [measure_rebuild(folder / "timed", count) for count in REBUILT_COUNTS]
    seconds = (monotonic_ns() - started_ns) / NS_PER_SECOND
    return {"folder": str(folder), "seconds": seconds, "appends": costs, "recovery": recovery}


def show(found: Figures) -> None:
    """Print the figures as tables."""
    print(f"answers checked; folder {found['folder']}\n")
    print(
        f"{'mode':>6} {'batch':>6} {'mean':>10} {'p50':>10} {'p99':>10} {'p99.9':>10}  µs   {'a command':>10}  to naive"
    )
    for row in found["appends"]:
        naive = next(other for other in found["appends"] if (other["mode"], other["batch"]) == ("naive", row["batch"]))
        times = " ".join(f"{row[f'{name}_us']:>10.1f}" for name in ("mean", *QUANTILES))
        ratio = naive["mean_us"] / row["mean_us"]
        print(f"{row['mode']:>6} {row['batch']:>6} {times}       {row['command_ns']:>7.0f} ns  {ratio:>7.1f} x")
    print()
    for row in found["recovery"]:
        speed = f"{row['commands_per_second']:>13,.0f} commands/s {row['records_per_second']:>11,.0f} records/s"
        print(f"{row['what']}, batches of {row['batch']:>5}: {speed}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="cost of the command journal by mode")
    parser.add_argument("--dir", type=Path, help="where to write; the disk there is what is measured")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="journal-", dir=options.dir) as name:
        found = measure(Path(name))
    print(json.dumps(found, indent=2)) if options.json else show(found)


if __name__ == "__main__":
    main()

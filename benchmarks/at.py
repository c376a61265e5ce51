"""How soon a moment of an engine's past is told: `python -m benchmarks.at [--commands N] [--batch N] [--json]`.

A journal of so many commands, in records of `batch`, is written as an engine's node writes it. The naive way replays it
from its first record to the moment. Beside it stand the first question, about the end, which replays all and keeps
states on the way, and then questions about random moments: of `Past` alone, and as the whole command `at`, with the
start of Python, of which the processor time stands there, too. Before anything is printed every answer is compared with
that of the replay: record, and state hash.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.order_streams import generated_rows, padded
from bus.topology import first_order_id, first_owner
from desk.settings import Settings, load_settings
from engine.capacity import Capacity
from engine.fast.engine import FastEngine
from engine.wire.codec import CommandDecoder, RowEncoder
from journal.format import JournalMode
from journal.journal import Journal
from journal.reader import JournalReader
from market.clock import NS_PER_MS, NS_PER_SECOND, iso_time, monotonic_ns
from market.codes import Tag
from market.kernels.row_codes import CANCEL, NEW
from market.kernels.rows import TAG
from nodes.engine.command_record import COMMANDS, CommandRecord, figures_of
from nodes.engine.past import Past

GATEWAY: Final = 1  # the number that a desk gives its first gateway
START_NS: Final = 1_767_225_600 * NS_PER_SECOND
STEP_NS: Final = 10 * NS_PER_MS  # from one record to the next
COMMANDS_COUNT: Final = 5_000_000
QUESTIONS: Final = 50
PROCESSES: Final = 5
_ROOT: Final = Path(__file__).parent.parent

Figures = dict[str, Any]


def write_journal(settings: Settings, count: int, batch: int) -> Path:
    """Write a journal of at least `count` commands where the desk's engine has its own, and return its folder."""
    rows = generated_rows(count, seed=23)
    is_new, is_cancel = rows[:, TAG] == int(Tag.NEW_ORDER), rows[:, TAG] == int(Tag.CANCEL_ORDER)
    rows[:, NEW.order_id] += first_order_id(GATEWAY)
    rows[is_new, NEW.owner] = rows[is_cancel, CANCEL.owner] = first_owner(GATEWAY)
    encoder, total = RowEncoder(padded(rows)), len(rows) // batch * batch
    (engine,) = settings.plan.engines.values()
    figures = figures_of(Capacity(len(settings.instruments)), settings.instruments)
    engine.journal_folder.parent.mkdir(parents=True, exist_ok=True)
    with Journal(engine.journal_folder, COMMANDS, figures, START_NS, JournalMode.WRITE) as journal:
        journal.recover(lambda _, __: None)
        for first in range(0, total, batch):
            time_ns = START_NS + first // batch * STEP_NS
            record = CommandRecord(time_ns, first + 1, GATEWAY, batch, 0, encoder.encode(first, batch))
            journal.append([record], time_ns)
    return engine.journal_folder


def replayed(folder: Path, symbols: Collection[int], moments_ns: Sequence[int]) -> dict[int, tuple[int, int, float]]:
    """Return by moment, in their order, the record, the state hash, and after how many ms a plain replay is there."""
    engine = FastEngine(Capacity(len(symbols)))
    decoder, found, hashing_ns = CommandDecoder(engine.commands, symbols), dict[int, tuple[int, int, float]](), 0
    waiting, started_ns = list(moments_ns), monotonic_ns()

    def pass_to(time_ns: int, sequence: int) -> None:
        nonlocal hashing_ns
        while waiting and waiting[0] < time_ns:
            now_ns = monotonic_ns()
            found[waiting.pop(0)] = (sequence, engine.state_hash(), (now_ns - started_ns - hashing_ns) / NS_PER_MS)
            hashing_ns += monotonic_ns() - now_ns

    last = 0
    for last, record in JournalReader(folder, COMMANDS).records():
        pass_to(record.time_ns, last - 1)
        decoder.admit(record.payload, record.source, record.time_ns, record.skip_count)
        while len(engine.commands):
            engine.match()
            while len(engine.events):
                engine.events.consume(len(engine.events.readable()))
    pass_to(2**63, last)
    return found


def measure(run_dir: Path, count: int, batch: int) -> Figures:
    """Return what questions about one journal cost."""
    settings = load_settings({"run_dir": run_dir}).settings
    folder = write_journal(settings, count, batch)
    (engine,) = settings.plan.engines.values()
    records = count // batch
    dice = random.Random(count)
    moments = sorted({START_NS + dice.randrange(records) * STEP_NS for _ in range(QUESTIONS)})
    end_ns = START_NS + 2 * records * STEP_NS
    naive = replayed(folder, engine.symbol_ids, [*moments, end_ns])
    kept = run_dir / "past" / engine.name
    first_ms = _asked(folder, engine.symbol_ids, kept, end_ns, naive[end_ns][:2])
    took = [_asked(folder, engine.symbol_ids, kept, each, naive[each][:2]) for each in moments]
    processes = [_command(run_dir, each, naive[each][0]) for each in dice.sample(moments, PROCESSES)]
    return {
        "commands": records * batch,
        "batch": batch,
        "journal_mb": sum(path.stat().st_size for path in folder.iterdir()) / 1e6,
        "states_mb": sum(path.stat().st_size for path in kept.rglob("*.state")) / 1e6,
        "first_ms": first_ms,
        "naive_ms": float(np.median([naive[each][2] for each in moments])),
        "naive_end_ms": naive[end_ns][2],
        "p50_ms": float(np.median(took)),
        "max_ms": max(took),
        "command_p50_ms": float(np.median([wall for wall, _ in processes])),
        "command_max_ms": max(wall for wall, _ in processes),
        "command_cpu_ms": float(np.median([cpu for _, cpu in processes])),
    }


def _asked(folder: Path, symbols: Collection[int], kept: Path, time_ns: int, expected: tuple[int, int]) -> float:
    started_ns = monotonic_ns()
    found = Past(folder, symbols, kept).at(time_ns)
    took_ns = monotonic_ns() - started_ns
    answer = found.sequence, found.engine.state_hash()
    assert answer == expected, f"at {time_ns}: {answer}, by the replay {expected}"
    return took_ns / NS_PER_MS


def _command(run_dir: Path, time_ns: int, sequence: int) -> tuple[float, float]:
    """Ask as a person does; return how long it took, and its processor time, both in ms."""
    used_before = resource.getrusage(resource.RUSAGE_CHILDREN)
    moment = iso_time(time_ns // NS_PER_MS)
    started_ns = monotonic_ns()
    command = [sys.executable, "cli.py", "at", moment, "--run-dir", str(run_dir), "--json"]
    told = subprocess.run(command, cwd=_ROOT, capture_output=True, check=True)
    took_ns = monotonic_ns() - started_ns
    found = json.loads(told.stdout)["record"]
    assert found == sequence, f"at {moment}: record {found}, by the replay {sequence}"
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = used.ru_utime + used.ru_stime - used_before.ru_utime - used_before.ru_stime
    return took_ns / NS_PER_MS, seconds * 1e3


def show(found: Figures) -> None:
    """Print the figures of one journal."""
    print(f"answers checked; {found['commands']:,} commands, {found['batch']} a record, {found['journal_mb']:,.0f} MB")
    print(f"first question, about the end: {found['first_ms']:,.0f} ms; keeps {found['states_mb']:,.0f} MB of states")
    print(f"a random moment: p50 {found['p50_ms']:,.0f} ms, most {found['max_ms']:,.0f} ms")
    print(f"as a command:    p50 {found['command_p50_ms']:,.0f} ms, most {found['command_max_ms']:,.0f} ms", end="; ")
    print(f"p50 of its processor time {found['command_cpu_ms']:,.0f} ms")
    ratio = found["naive_ms"] / found["p50_ms"]
    end = f"the end {found['naive_end_ms']:,.0f} ms"
    print(f"replayed from the beginning: p50 {found['naive_ms']:,.0f} ms, {ratio:,.0f} x; {end}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=COMMANDS_COUNT)
    parser.add_argument("--batch", type=int, default=10, help="commands in a record")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), asked.commands, asked.batch)
    if asked.json:
        print(json.dumps(found))
    else:
        show(found)


if __name__ == "__main__":
    main()

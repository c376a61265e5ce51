"""What checkpoints cost and win, against the age of a journal: `python -m benchmarks.checkpoints`.

The engine of a desk is told a mixed stream again and again, some commands a record, as a default desk sends them. At
each age a checkpoint is taken as the engine's node takes it: `pause` is what the matching waits for, `write` what the
thread beside it does. Then the engine begins again behind its newest checkpoint and, while the first file is there,
with all of the journal; both must be in the state of the one that lived. `disk` is what the journal keeps.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.journal import CAPACITY, GATEWAY
from benchmarks.order_streams import load_orders, padded
from bus.engine_link import CommandBatch
from bus.topology import first_order_id, first_owner
from desk.settings import Settings
from engine.matching_engine import make_engine
from engine.wire.codec import RowEncoder
from journal.checkpoint import checkpoint_paths
from journal.format import JournalMode
from journal.journal import Journal
from journal.pruning import Keep, Retention
from market.clock import NS_PER_MS, NS_PER_SECOND, monotonic_ns
from market.codec import encode_all
from market.commands import MassCancel
from nodes.engine.checkpoints import Checkpoints, CheckpointTimes, Work
from nodes.engine.command_record import COMMANDS, CommandRecord, figures_of
from nodes.engine.core import EngineCore

COMMANDS_A_RECORD: Final = 4
RECORDS_A_SECOND: Final = 40  # of a default desk
RECORDS: Final = (20_000, 40_000, 120_000, 360_000)
TAIL_RECORDS: Final = 40_000  # the most that a start replays: engine.checkpoint_records
BYTES_MAX: Final = 1 << 24  # small, so that pruning shows
FILE_BYTES_MAX: Final = 1 << 22
EVERY: Final = CheckpointTimes(NS_PER_SECOND, TAIL_RECORDS)

Figures = dict[str, Any]


class Lived:
    """An engine's node that is told a stream, as a desk tells it."""

    def __init__(self, folder: Path) -> None:
        self.journal = journal_in(folder)
        self.core = core_of(self.journal)
        self.core.recover(lambda _: None)
        rows = load_orders(None).desk_rows(first_order_id(GATEWAY), first_owner(GATEWAY))
        self._encoder, self._row_count, self._at = RowEncoder(padded(rows)), len(rows), 0
        self._taken = self._time_ns = 0
        retention = Retention(Keep.PRUNE, 0, BYTES_MAX)
        self.checkpoints = Checkpoints(self.core, self.journal, EVERY, retention, self._write)
        self.written: list[tuple[int, int]] = []  # ns: the pause, and the writing

    def tell(self, count: int) -> None:
        """Give it so many records, and take the checkpoints that are due."""
        for _ in range(count):
            self._time_ns += NS_PER_SECOND // RECORDS_A_SECOND
            size = min(COMMANDS_A_RECORD, self._row_count - self._at)
            self._hand_over(self._encoder.encode(self._at, size), size)
            self._at = (self._at + size) % self._row_count
            if not self._at:  # its ids are to be free again
                self._hand_over(encode_all([MassCancel(owner=first_owner(GATEWAY))]), 1)
            self._begun_ns = monotonic_ns()
            self.checkpoints.look(self._time_ns, self._time_ns)

    def _hand_over(self, payload: bytes, size: int) -> None:
        self._time_ns += 1
        first, self._taken = self._taken + 1, self._taken + size
        self.core.links.restore(GATEWAY, self._taken)
        self.core.handle([CommandBatch(GATEWAY, payload, first, size, 0)], self._time_ns, 0)
        self.core.tell(self._time_ns)
        self.core.links.outgoing()

    def _write(self, work: Work) -> None:
        middle_ns = monotonic_ns()
        work()
        self.written.append((middle_ns - self._begun_ns, monotonic_ns() - middle_ns))
        assert not self.checkpoints.failure, self.checkpoints.failure


def journal_in(folder: Path) -> Journal[CommandRecord]:
    """Return the journal of an engine, in small files; it is still to be recovered."""
    return Journal(folder, COMMANDS, figures_of(CAPACITY), 1, JournalMode.WRITE, file_bytes_max=FILE_BYTES_MAX)


def core_of(journal: Journal[CommandRecord]) -> EngineCore:
    """Return an empty core that keeps this journal."""
    engine = make_engine("fast", CAPACITY.symbol_count, CAPACITY.orders_max, CAPACITY.pages_max)
    instruments = Settings().instruments[: CAPACITY.symbol_count]
    return EngineCore(engine, instruments, 1, 1, CAPACITY.orders_max, journal, range(CAPACITY.symbol_count))


def begun(folder: Path, state_hash: int) -> tuple[float, int]:
    """Return the seconds that a start takes, and behind which record it began; it must come to this state."""
    start_ns = monotonic_ns()
    with journal_in(folder) as journal:
        core = core_of(journal)
        core.recover(lambda _: None)
    took_s = (monotonic_ns() - start_ns) / NS_PER_SECOND
    assert core.engine.state_hash() == state_hash, "the start differs from the engine that lived"
    return took_s, core.checkpoint_sequence


def measure(folder: Path, records: tuple[int, ...]) -> list[Figures]:
    """Return the figures of each age."""
    lived, found, told = Lived(folder), [], 0
    for count in records:
        lived.tell(count - told)
        told = count
        lived.journal.sync()
        start_s, sequence = begun_copy(folder, lived.core.engine.state_hash(), has_checkpoints=True)
        is_whole = COMMANDS.number_of(COMMANDS.files(folder)[0]) == 1
        whole = begun_copy(folder, lived.core.engine.state_hash(), has_checkpoints=False) if is_whole else None
        pauses, writes = zip(*lived.written, strict=True) if lived.written else ((0,), (0,))
        paths = checkpoint_paths(folder)
        found.append(
            {
                "records": count,
                "hours": count / RECORDS_A_SECOND / 3_600,
                "open_orders": lived.core.engine.live_order_count,
                "tail": lived.journal.sequence - sequence,
                "start_s": start_s,
                "whole_s": whole[0] if whole else None,
                "pause_ms": max(pauses) / NS_PER_MS,
                "write_ms": max(writes) / NS_PER_MS,
                "checkpoint_bytes": paths[-1].stat().st_size if paths else 0,
                "disk_bytes": sum(path.stat().st_size for path in folder.iterdir()),
            }
        )
    lived.journal.close()
    return found


def begun_copy(folder: Path, state_hash: int, *, has_checkpoints: bool) -> tuple[float, int]:
    """Return what `begun` does, of a journal that another engine keeps: of links to its files in a folder beside it."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        for path in [*COMMANDS.files(folder), *(checkpoint_paths(folder) if has_checkpoints else ())]:
            (Path(name) / path.name).hardlink_to(path)
        return begun(Path(name), state_hash)


def show(found: list[Figures]) -> None:
    """Print the figures as a table."""
    print(f"answers checked; a record has {COMMANDS_A_RECORD} commands; hours of a default desk\n")
    columns = "records  hours  orders    tail  start s  of all s  pause ms  write ms  checkpoint kB  disk MB"
    print(columns)
    for row in found:
        counts = f"{row['records']:>7,} {row['hours']:>6.2f} {row['open_orders']:>7,} {row['tail']:>7,}"
        whole = "pruned" if row["whole_s"] is None else f"{row['whole_s']:.2f}"
        times = f"{row['start_s']:>8.2f} {whole:>9} {row['pause_ms']:>9.2f} {row['write_ms']:>9.1f}"
        print(f"{counts} {times} {row['checkpoint_bytes'] / 1e3:>14.0f} {row['disk_bytes'] / 1e6:>8.1f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="checkpoints against the age of a journal")
    parser.add_argument("--dir", type=Path, help="where the journal is written; the disk there is measured")
    parser.add_argument("--records", type=int, nargs="+", default=RECORDS, help="ages to measure at, ascending")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tb-", dir=options.dir) as name:
        found = measure(Path(name) / "journal", tuple(options.records))
    print(json.dumps(found)) if options.json else show(found)


if __name__ == "__main__":
    main()

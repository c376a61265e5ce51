"""How soon a dead maker's orders are off the venue: `python -m benchmarks.watchdog [--tries N] [--desks N] [--json]`.

A desk of real processes on its own paper exchange, whose openOrders is asked every 5 ms. The maker is killed, or
stopped so that it is silent; its supervisor is as it was, stopped (so that nobody restarts the maker), or killed, for
which each try takes a desk of its own. `gone` is the time from the signal to an answer without an order of the
maker's, `back` until it quotes both sides again. Without a watchdog the orders stay until `back`, or for ever.
"""

import argparse
import json
import math
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.desk_process import running_desk
from desk.client import desk_status
from desk.desk_file import kept_settings
from desk.run_dir import holder_pid
from desk.settings import load_kept_settings
from desk.venue import quick_venue
from venues.binance_account import BinanceAccount

TRIES: Final = 50
DESKS: Final = 5
LOOK_S: Final = 0.005
WAIT_S: Final = 60.0
MAKER: Final = {"killed": signal.SIGKILL, "stopped": signal.SIGSTOP}


@dataclass
class Row:
    """Tries of one kind: in which state maker and supervisor were, and the seconds until orders were gone and back."""

    maker: str
    supervisor: str
    gone_s: list[float] = field(default_factory=list)
    back_s: list[float] = field(default_factory=list)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=TRIES, help="of each kind on one desk")
    parser.add_argument("--desks", type=int, default=DESKS, help="whose supervisor is killed, for each end of a maker")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = [Row(maker, supervisor) for maker in MAKER for supervisor in ("running", "stopped", "killed")]
    on_one_desk = [row for row in rows if row.supervisor != "killed"]
    with _desk() as (run_dir, venue):
        for row in arguments.tries * on_one_desk:
            _try_and_mend(run_dir, venue, row)
    for row in arguments.desks * [row for row in rows if row not in on_one_desk]:
        with _desk() as (run_dir, venue):
            _end(run_dir, venue, row, signal.SIGKILL)
            _await_end(run_dir)
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    print("maker    supervisor  tries  gone p50    p99    max  back p50    max")
    for row in rows:
        gone, back = sorted(row.gone_s), sorted(row.back_s)
        times = f"{_part(gone, 0.5):9.2f} {_part(gone, 0.99):6.2f} {_part(gone, 1):6.2f}"
        print(f"{row.maker:8} {row.supervisor:10} {len(gone):6} {times} {_part(back, 0.5):9.2f} {_part(back, 1):6.2f}")


@contextmanager
def _desk() -> Iterator[tuple[Path, BinanceAccount]]:
    with running_desk({"paper.rate_limits": "false"}, ["tracker"], "--api-port", "0") as run_dir:
        kept = kept_settings(run_dir)
        assert kept is not None, f"no desk has run in {run_dir}"
        yield run_dir, quick_venue(load_kept_settings(kept.settings, "the desk", {}))


def _try_and_mend(run_dir: Path, venue: BinanceAccount, row: Row) -> None:
    supervisor = int(desk_status(run_dir)["pid"])
    end_ns = _end(run_dir, venue, row, signal.SIGSTOP if row.supervisor == "stopped" else signal.SIGCONT)
    os.kill(supervisor, signal.SIGCONT)
    _await_quotes(venue, 2)
    row.back_s.append((time.monotonic_ns() - end_ns) / 1e9)


def _end(run_dir: Path, venue: BinanceAccount, row: Row, to_supervisor: int) -> int:
    """Wait until the maker quotes, signal supervisor and maker, wait until its orders are gone; return when it was."""
    _await_quotes(venue, 2)
    status = desk_status(run_dir)
    maker = next(each["pid"] for each in status["nodes"] if each["node"] == "maker")
    os.kill(int(status["pid"]), to_supervisor)
    os.kill(maker, MAKER[row.maker])
    end_ns = time.monotonic_ns()
    _await_quotes(venue, 0)
    row.gone_s.append((time.monotonic_ns() - end_ns) / 1e9)
    return end_ns


def _await_quotes(venue: BinanceAccount, count: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while len(venue.open_orders()) != count:
        assert time.monotonic() < deadline, f"not {count} orders within {WAIT_S:.0f} s"
        time.sleep(LOOK_S)


def _await_end(run_dir: Path) -> None:
    """Wait for the end of the nodes whose supervisor was killed, and of the watchdog: they still use the folder."""
    deadline = time.monotonic() + WAIT_S
    while any(map(holder_pid, run_dir.glob("*.lock"))):
        assert time.monotonic() < deadline, f"the desk has not ended within {WAIT_S:.0f} s"
        time.sleep(LOOK_S)


def _part(times: list[float], part: float) -> float:
    return times[min(len(times) - 1, int(part * len(times)))] if times else math.inf


if __name__ == "__main__":
    main()

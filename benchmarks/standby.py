"""How long a command waits for whom has to have it, and how long a promotion takes: `python -m benchmarks.standby`.

Engines are processes of their own, as in a desk. One source gives one order at a time, the next when that was handled
and reported. `standby` waits for another engine's journal, over a socket of this machine or over tcp with keys. Then
the primary is killed in the middle of a load, and the standby promoted as the command does it; `lost` counts the
orders that were acknowledged and are not there: there must be none.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.engine_process import Market, OrderGiver, folder_of_a_desk, node_process, quantiles
from bus.curve import load_or_make_keys
from commands.actions.promote import promote
from desk.role_file import RoleFile
from desk.settings import load_settings
from journal.reader import JournalReader
from market.clock import NS_PER_SECOND, monotonic_ns
from nodes.engine.command_record import COMMANDS

WARM_COUNT: Final = 300
WAIT_S: Final = 60.0
PORT: Final = 28_090

WAYS: Final = {  # by what has to have a command: the primary's journal, and how its standby follows
    "write": ("write", ""),
    "group": ("group", ""),
    "sync": ("sync", ""),
    "write + standby write, ipc": ("write", "ipc"),
    "write + standby write, tcp with keys": ("write", "tcp"),
    "write + standby sync, ipc": ("write", "ipc sync"),
}


@contextmanager
def engines(run_dir: Path, mode: str, follows: str) -> Iterator[tuple[Any, Path]]:
    """Run an engine, and its standby if there is one; give the primary's process, and the standby's run directory."""
    other = run_dir.parent / "b"
    with ExitStack() as stack:
        primary, standby = {"ENGINE__JOURNAL": mode}, {"ENGINE__JOURNAL": "sync" if "sync" in follows else "write"}
        if follows:
            other.mkdir(mode=0o700)
            primary["ENGINE__STANDBY"] = "must"
            place = str(run_dir)
            if follows == "tcp":
                keys = [load_or_make_keys(each / "bus" / "curve.keys").public.decode() for each in (run_dir, other)]
                (run_dir / "bus" / "allowed_keys").write_text(f"{keys[1]} the standby\n")
                primary |= {"BUS__LISTEN": "true", "BUS__PORT": str(PORT)}
                place = f"127.0.0.1:{PORT} {keys[0]}"
            stack.enter_context(node_process("engine", other, standby | {"ENGINE__FOLLOWS": place}))
        process = stack.enter_context(node_process("engine", run_dir, primary, may_end=True))
        if follows:
            deadline = time.monotonic() + WAIT_S
            while not RoleFile(other, "engine").read().is_whole:
                assert time.monotonic() < deadline, "the standby does not follow"
                time.sleep(0.05)
        yield process, other


def measured(mode: str, follows: str, count: int) -> dict[str, float]:
    """Return the quantiles of the round trip, in microseconds."""
    with folder_of_a_desk() as run_dir, engines(run_dir, mode, follows):
        giver, market = OrderGiver(run_dir), Market()
        try:
            giver.give(market.build(2_000))
            round_trips(giver, market.change(WARM_COUNT, 1))
            return quantiles(round_trips(giver, market.change(count, 1)))
        finally:
            giver.close()


def round_trips(giver: OrderGiver, frames: Sequence[tuple[bytes, int]]) -> list[int]:
    """Return the ns of each frame, given one after the other."""
    took_ns = []
    for payload, count in frames:
        start_ns = monotonic_ns()
        giver.round_trip(payload, count)
        took_ns.append(monotonic_ns() - start_ns)
    return took_ns


def promoted(rounds: int) -> dict[str, Any]:
    """Return how long a promotion takes after a kill under load, seconds, and what was lost."""
    took_s, lost = [], 0
    for _ in range(rounds):
        with folder_of_a_desk() as run_dir, engines(run_dir, "write", "ipc") as (process, other):
            giver, market = OrderGiver(run_dir), Market()
            giver.give(market.build(20_000))
            giver.give(market.change(20_000, 64))
            process.kill()
            process.wait()
            start_ns = monotonic_ns()
            promote(load_settings({"run_dir": other}).settings, None)
            took_s.append((monotonic_ns() - start_ns) / NS_PER_SECOND)
            records = (record for _, record in JournalReader(other / "journal", COMMANDS).records())
            lost += max(0, giver.acknowledged - sum(record.message_count - record.skip_count for record in records))
            giver.close()
    return {"rounds": rounds, "median": sorted(took_s)[len(took_s) // 2], "max": max(took_s), "lost": lost}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5_000, help="orders of each way")
    parser.add_argument("--rounds", type=int, default=5, help="promotions")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, Any] = {}
    for name, (mode, follows) in WAYS.items():
        found[name] = measured(mode, follows, options.count)
        if not options.json:
            print(
                f"{name:38} " + "  ".join(f"{key} {value:9,.0f} µs" for key, value in found[name].items()), flush=True
            )
    found["promotion"] = promoted(options.rounds)
    print(json.dumps(found) if options.json else f"promotion, s: {found['promotion']}")
    return 1 if found["promotion"]["lost"] else 0


if __name__ == "__main__":
    sys.exit(main())

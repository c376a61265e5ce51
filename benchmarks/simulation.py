"""Simulated seconds per second of one core: `python -m benchmarks.simulation [--seconds N] [--profile] [--json]`.

For each preset the synthetic flow trades in front of the fast engine, in one process and on a simulated clock. Beside
it stand the naive way, a match call for each command, and the floor, the engine alone on the commands that the flow had
sent. All three must leave the engine in the same state. Then the whole desk, with the exchange, its ledger, the maker
and the books of the tracker, whose money must add up. Times are the processor's, the best of three runs.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from cProfile import Profile
from itertools import count
from pathlib import Path
from pstats import Stats
from tempfile import TemporaryDirectory
from typing import Final

from desk.settings import Settings, load_settings
from desk.warm import warm_kernels
from engine.matching_engine import MatchingEngine, make_engine
from flow.market_settings import DEFAULT_PRESET, PRESETS, settings_of
from flow.synthetic import SyntheticFlow
from market.clock import NS_PER_SECOND
from market.commands import Command
from market.events import Event
from market.kernels.rows import TAG, Int64Array
from market.messages import COMMAND_BY_TAG
from reports.performance import is_sound
from simulation.desk import SimulatedDesk
from simulation.market import FlowMarket, Watch

SEED: Final = 1
START_NS: Final = 1_767_225_600 * NS_PER_SECOND  # 2026-01-01
OWNER: Final = 1
RUNS: Final = 3
PROFILE_LINES: Final = 30

Figures = dict[str, float]
Simulated = Callable[[], MatchingEngine]


class OneByOne(FlowMarket):
    """The naive way: each command is a batch of its own."""

    def _handle(self, commands: Sequence[Command], time_ns: int | None = None) -> list[Event]:
        return [event for command in commands for event in super(OneByOne, self)._handle([command], time_ns)]


def simulate(kind: type[FlowMarket], preset: str, seconds: int, watch: Watch | None = None) -> MatchingEngine:
    """Run a preset's market from nothing and return its engine."""
    instrument = Settings().instrument
    flow = SyntheticFlow(instrument, settings_of(preset, instrument.symbol, seed=SEED), OWNER, count(1))
    market = kind(make_engine("fast", 1 + instrument.symbol_id), flow, OWNER, 0, watch)
    market.advance(seconds * NS_PER_SECOND)
    return market.engine


def simulate_desk(preset: str, seconds: int) -> MatchingEngine:
    """Run a whole desk on a preset's market, see that its books add up, and return its engine."""
    settings = load_settings({"flow.source": "synthetic", "flow.preset": preset, "flow.seed": SEED}).settings
    with TemporaryDirectory() as folder:
        desk = SimulatedDesk(settings, START_NS, Path(folder))
        desk.run(START_NS + seconds * NS_PER_SECOND)
        document = desk.folder.read(desk.close_books())
    assert document is not None, "no daily file"
    assert is_sound(document), f"{preset}: the books do not add up"
    assert desk.told.counts.get("Quoted"), f"{preset}: the maker did not quote"
    desk.exchange.ledger.check()
    return desk.market.engine


def commands_of(preset: str, seconds: int) -> list[Int64Array]:
    """Return the rows of all commands that the flow sends, batch by batch."""
    batches: list[Int64Array] = []

    def keep(rows: Int64Array) -> None:
        if rows[0, TAG] in COMMAND_BY_TAG:
            batches.append(rows.copy())

    simulate(FlowMarket, preset, seconds, keep)
    return batches


def match_alone(batches: Sequence[Int64Array]) -> MatchingEngine:
    """The floor: let an engine match batches that are rows already, and throw its events away."""
    engine = make_engine("fast", 1 + Settings().instrument.symbol_id)
    commands, events = engine.commands, engine.events
    for rows in batches:
        first = commands.claim()
        commands.rows[first : first + len(rows)] = rows
        commands.publish(len(rows))
        while len(commands):
            engine.match()
            events.consume(len(events))
    return engine


def timed(simulated: Simulated) -> tuple[float, int]:
    """Return how many s of the processor's time a run takes, the best of some, and the hash of the engine's state."""
    took, hashes = [], set()
    for _ in range(RUNS):
        start_ns = time.process_time_ns()
        engine = simulated()
        took.append(time.process_time_ns() - start_ns)
        hashes.add(engine.state_hash())
    assert len(hashes) == 1, f"expected the same state from the same seed, were {hashes}"
    engine.check_invariants()
    return min(took) / NS_PER_SECOND, hashes.pop()


def measure(preset: str, seconds: int) -> Figures:
    """Return the simulated seconds per second of a preset, of the three ways."""
    batches = commands_of(preset, seconds)
    batched_s, batched_hash = timed(lambda: simulate(FlowMarket, preset, seconds))
    naive_s, naive_hash = timed(lambda: simulate(OneByOne, preset, seconds))
    floor_s, floor_hash = timed(lambda: match_alone(batches))
    desk_s, _ = timed(lambda: simulate_desk(preset, seconds))
    assert batched_hash == naive_hash == floor_hash, f"{preset}: one command at a time gives another book"
    command_count = sum(map(len, batches))
    return {
        "commands_per_s": command_count / seconds,
        "simulated": seconds / batched_s,
        "command_us": batched_s / command_count * 1e6,
        "naive": seconds / naive_s,
        "engine_alone": seconds / floor_s,
        "desk": seconds / desk_s,
    }


def profile(preset: str, seconds: int) -> None:
    """Print where the time of a desk goes: the functions that take most themselves."""
    profiler = Profile()
    profiler.runcall(simulate_desk, preset, seconds)
    Stats(profiler).sort_stats("tottime").print_stats(PROFILE_LINES)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=120, help="simulated, of each run")
    parser.add_argument("--profile", action="store_true", help=f"print where a desk on {DEFAULT_PRESET} has its time")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    warm_kernels(print)
    if options.profile:
        profile(DEFAULT_PRESET, options.seconds)
        return
    figures = {preset: measure(preset, options.seconds) for preset in PRESETS}
    if options.json:
        print(json.dumps(figures))
        return
    print(
        "| flow and engine | commands/s | simulated s/s | us/command | a call a command | engine alone | whole desk |"
    )
    print("|---|---|---|---|---|---|---|")
    for preset, of in figures.items():
        print(
            f"| {preset} | {of['commands_per_s']:,.0f} | {of['simulated']:,.0f} | {of['command_us']:.1f} "
            f"| {of['naive']:,.0f} | {of['engine_alone']:,.0f} | {of['desk']:,.0f} |"
        )


if __name__ == "__main__":
    main()

"""An hour of a desk on real processes beside simulated ones: `python -m benchmarks.hour [--seconds S] [--runs N]`.

A desk trades on the practice market, in real time. The journal of its engine tells what it did, and how long its orders
took. Then desks with the same settings and latencies are simulated: some of the same market, that is with its seed,
each with other dice of latency, and as many of other markets. Order for order two such runs are never the same, for the
market reacts to fills (docs/determinism.md); so figures are compared. The real ones must lie within `DEVIATIONS_MAX`
standard deviations of the simulated ones of the same market, or of all markets where those spread more. Exit code 1
if one does not.

`--run-dir` takes a desk that has traded for so long already, instead of a new one.
"""

import argparse
import json
import math
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Final, NamedTuple

from benchmarks.desk_process import running_desk
from benchmarks.engine_process import folder_of_a_desk
from benchmarks.hour_measures import Tally, look_times
from benchmarks.parity_records import OURS
from bus.topology import Source, first_order_id, first_owner
from desk.client import desk_settings
from desk.settings import Settings
from engine.matching_engine import make_engine
from journal.reader import JournalReader
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codec import decode_commands
from market.codes import TimeInForce
from market.commands import AmendOrder, CancelOrder, Command, MassCancel, NewOrder
from market.kernels.rows import TAG, Int64Array, read_command
from market.messages import COMMAND_BY_TAG
from nodes.engine.command_record import COMMANDS
from nodes.flow.market import OrderIds
from nodes.flow.market_flows import make_flows
from simulation.delays import Delays
from simulation.desk import SimulatedDesk
from simulation.market import FlowMarket

SECONDS: Final = 3_600.0
RUNS: Final = 8
RUNS_MIN: Final = 4
DEVIATIONS_MAX: Final = 4.0
PAUSE_NS_MAX: Final = 50 * NS_PER_MS  # two own commands that are closer follow one on the other's answer
FLOW: Final = first_owner(Source.FLOW)
ORDERS: Final = (NewOrder, CancelOrder, AmendOrder)


class Given(NamedTuple):
    """A command at the engine, and when it was there, ns since 1970."""

    time_ns: int
    command: Command


class Real(NamedTuple):
    """What a desk on real processes did.

    Attributes:
        start_ns: when its market began.
        commands: those until the end.
        delays: how long its orders took.
    """

    settings: Settings
    start_ns: int
    commands: Sequence[Given]
    delays: Delays
    tally: Tally


# --- real


def real_hour(run_dir: Path, seconds: float) -> Real:
    """Read what a desk has done, from when its market began, for so long."""
    settings = desk_settings(run_dir)
    (engine,) = settings.plan.engines.values()
    commands: list[Given] = []
    start_ns: int | None = None
    for _, record in JournalReader(engine.journal_folder, COMMANDS).records():
        if start_ns is not None and record.time_ns > start_ns + seconds * NS_PER_SECOND:
            break
        for command in decode_commands(record.payload)[record.skip_count :]:
            if start_ns is None and isinstance(command, MassCancel) and command.owner == FLOW:
                start_ns = record.time_ns
            commands.append(Given(record.time_ns, command))
    assert start_ns is not None, "the journal has no market"
    end_ns = start_ns + round(seconds * NS_PER_SECOND)
    return Real(settings, start_ns, commands, delays_of(commands), matched(settings, commands, start_ns, end_ns))


def matched(settings: Settings, commands: Sequence[Given], start_ns: int, end_ns: int) -> Tally:
    """Match all commands once more, and look once a second."""
    tally = Tally(settings.instrument)
    market = FlowMarket(make_engine("fast", len(settings.instruments)), None, FLOW, 0)
    waiting = deque(commands)
    for look_ns in look_times(start_ns, end_ns):
        while waiting and waiting[0].time_ns <= look_ns:
            tally.take(market.submit([waiting.popleft().command]))
        tally.look(market.engine.depth(settings.instrument.symbol_id, 1))
    return tally


def delays_of(commands: Sequence[Given]) -> Delays:
    """Return how long orders took: to the engine by the exchange's stamp, from the trader by what followed an answer.

    A trader has one call at a time under way, so the time between two of its commands at the engine is a way back and
    a way there, each of them from trader to exchange and on to the engine.
    """
    own = [each for each in commands if isinstance(each.command, NewOrder | CancelOrder) and each.command.owner in OURS]
    order_ns = round(median(given.time_ns - given.command.time_ns for given in own))
    turns_ns = sorted(after.time_ns - before.time_ns for before, after in pairwise(own))
    ways_ns = [max(0, turn_ns // 2 - order_ns) for turn_ns in turns_ns if 0 < turn_ns < PAUSE_NS_MAX]
    least_ns = ways_ns[len(ways_ns) // 20]
    return Delays(order_ns, least_ns, max(0, round(fmean(ways_ns)) - least_ns))


# --- simulated


def simulated_hour(settings: Settings, start_ns: int, seconds: float, delays: Delays) -> Tally:
    """Simulate a desk for so long."""
    tally = Tally(settings.instrument)
    with folder_of_a_desk() as run_dir:
        desk = SimulatedDesk(settings, start_ns, run_dir / "reports", delays)
        desk.exchange.exchange.account_listeners.append(tally.hear)
        desk.exchange.exchange.market.listeners.append(tally)

        def look() -> None:
            tally.look(desk.market.engine.depth(settings.instrument.symbol_id, 1))

        end_ns = start_ns + round(seconds * NS_PER_SECOND)
        for at_ns in look_times(start_ns, end_ns):
            desk.heap.at(at_ns, look)
        desk.run(end_ns)
    return tally


def simulated_hours(real: Real, seconds: float, seeds: Sequence[tuple[int, int]]) -> list[Tally]:
    """Simulate desks, on all cores; each has a seed of the market and one of the latencies."""
    flow = real.settings.flow
    with ProcessPoolExecutor() as pool:
        runs = []
        for market_seed, latency_seed in seeds:
            seeded = flow.model_copy(update={"seed": market_seed})
            settings = real.settings.model_copy(update={"flow": seeded})
            delays = replace(real.delays, seed=latency_seed)
            runs.append(pool.submit(simulated_hour, settings, real.start_ns, seconds, delays))
        return [run.result() for run in runs]


# --- the same market


class Alike(NamedTuple):
    """How far the market's own commands are the same live and where nobody but the market trades.

    Attributes:
        first_count: so many are the same from the beginning on.
        first_s: when the first differs.
        taker_share: of those who take, number for number, the part with the same side and quantity.
        late_ms: how much later they came live: the median, of the latest hundredth the earliest, the latest.
    """

    first_count: int
    first_s: float
    taker_count: int
    taker_share: float
    late_ms: tuple[float, float, float]


def alike(real: Real, seconds: float) -> Alike:
    """Compare the market's commands with those of the same seed alone."""
    theirs = [each for each in real.commands if isinstance(each.command, ORDERS) and each.command.owner == FLOW]
    alone = _alone(real.settings, real.start_ns, seconds)
    pairs = zip(theirs, alone, strict=False)
    same = [one.command._replace(time_ns=two.time_ns) == two.command for one, two in pairs]
    first_count = same.index(False) if False in same else len(same)
    first_ns = theirs[min(first_count, len(theirs) - 1)].time_ns
    takers = list(zip(filter(_is_taker, theirs), filter(_is_taker, alone), strict=False))
    late_ms = sorted((one.time_ns - two.time_ns) / NS_PER_MS for one, two in takers)
    return Alike(
        first_count,
        (first_ns - real.start_ns) / NS_PER_SECOND,
        len(takers),
        fmean(_takes(one) == _takes(two) for one, two in takers),
        (median(late_ms), late_ms[len(late_ms) * 99 // 100], late_ms[-1]),
    )


def _alone(settings: Settings, start_ns: int, seconds: float) -> list[Given]:
    """Return the commands of the market where nobody else trades."""
    commands: list[Given] = []

    def keep(rows: Int64Array) -> None:
        told = [read_command(row) for row in rows if row[TAG] in COMMAND_BY_TAG]
        commands.extend(Given(each.time_ns, each) for each in told if isinstance(each, ORDERS))

    (flow,) = make_flows(settings, FLOW, OrderIds(first_order_id(Source.FLOW))).values()
    market = FlowMarket(make_engine("fast", len(settings.instruments)), flow, FLOW, start_ns, keep)
    market.advance(start_ns + round(seconds * NS_PER_SECOND))
    return commands


def _is_taker(given: Given) -> bool:
    return isinstance(given.command, NewOrder) and given.command.time_in_force == TimeInForce.IOC


def _takes(given: Given) -> tuple[int, int]:
    """Return side and quantity of an order."""
    assert isinstance(given.command, NewOrder), given
    return given.command.side, given.command.qty_lots


# --- both


class Compared(NamedTuple):
    """A figure: of the real desk, and mean and standard deviation of the simulated ones.

    Attributes:
        deviations: how far the real one is from the mean of the same market, in standard deviations of those that
            spread more.
    """

    real: float
    same: tuple[float, float]
    others: tuple[float, float]
    deviations: float

    @property
    def is_within(self) -> bool:
        """Whether chance alone can be why they differ."""
        return abs(self.deviations) <= DEVIATIONS_MAX


def compare(
    real: Mapping[str, float], same: Sequence[Mapping[str, float]], others: Sequence[Mapping[str, float]]
) -> dict[str, Compared]:
    """Return how the figures of a real desk stand to those of simulated ones."""
    table = {}
    for name, value in real.items():
        (mean, of_same), (mean_of_others, of_others) = (
            (fmean(each[name] for each in runs), stdev(each[name] for each in runs)) for runs in (same, others)
        )
        spread = max(of_same, of_others)
        apart = value - mean
        deviations = apart / spread if spread else 0.0 if not apart else math.copysign(math.inf, apart)
        table[name] = Compared(value, (mean, of_same), (mean_of_others, of_others), deviations)
    return table


def main() -> None:
    """Let a desk trade, simulate the like, and print how they compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--runs", type=int, default=RUNS, help="simulated, of the same market and of others each")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the desk")
    parser.add_argument("--run-dir", type=Path, help="of a desk that has traded for so long")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.runs < RUNS_MIN:
        parser.error(f"--runs must be {RUNS_MIN} or more, was {given.runs}: of fewer nobody knows how far they spread")
    if given.run_dir is not None:
        real = real_hour(given.run_dir, given.seconds)
    else:
        with running_desk(dict(text.split("=", 1) for text in given.set), ("api", "tracker")) as run_dir:
            time.sleep(given.seconds)
            real = real_hour(run_dir, given.seconds)
    seed, numbers = real.settings.flow.seed, range(1, given.runs + 1)
    seeds = [(seed, number) for number in numbers] + [(seed + number, number) for number in numbers]
    tallies = simulated_hours(real, given.seconds, seeds)
    measures = [tally.measures() for tally in tallies]
    table = compare(real.tally.measures(), measures[: given.runs], measures[given.runs :])
    told = alike(real, given.seconds)
    aparts = [real.tally.apart(tally) for tally in tallies[: given.runs]]
    paths = {"mid_bps": fmean(apart[0] for apart in aparts), "position": fmean(apart[1] for apart in aparts)}
    among = [one.apart(two) for one, two in pairwise(tallies[: given.runs])]
    paths |= {"mid_bps_simulated": fmean(apart[0] for apart in among)}
    paths |= {"position_simulated": fmean(apart[1] for apart in among)}
    if given.json:
        rows = {name: each._asdict() for name, each in table.items()}
        print(json.dumps({"figures": rows, "paths": paths, "alike": told._asdict(), "delays": asdict(real.delays)}))
    else:
        _print(real.delays, table, paths, told)
    sys.exit(0 if all(each.is_within for each in table.values()) else 1)


def _print(delays: Delays, table: Mapping[str, Compared], paths: Mapping[str, float], told: Alike) -> None:
    ways_ms = (delays.order_ns / NS_PER_MS, delays.venue_ns / NS_PER_MS, delays.venue_more_ns / NS_PER_MS)
    print(
        "latencies: exchange to engine {:.2f} ms; trader to exchange {:.2f} ms and {:.2f} more on average".format(
            *ways_ms
        )
    )
    print("| figure | real | simulated, the same market | other markets | deviations |")
    print("|---|---|---|---|---|")
    for name, row in table.items():
        cells = (f"{mean:,.4g} ± {spread:.2g}" for mean, spread in (row.same, row.others))
        print(f"| {name} | {row.real:,.4g} | {' | '.join(cells)} | {row.deviations:+.1f} |")
    print(
        f"mids, real and simulated: {paths['mid_bps']:.2f} bps apart; two simulated: {paths['mid_bps_simulated']:.2f}"
    )
    print(f"positions: {paths['position']:.4f} apart; two simulated: {paths['position_simulated']:.4f}")
    print(
        "the market was {:.1f} ms late in the median, {:.1f} in the latest hundredth, {:.1f} at most".format(
            *told.late_ms
        )
    )
    print(
        f"the market's commands, and those where nobody else trades: the first {told.first_count} are the same,"
        f" up to {told.first_s:.2f} s; of {told.taker_count} takers {told.taker_share:.1%} take the same lots of a side"
    )


if __name__ == "__main__":
    main()

"""How the quoting models fare: `python -m benchmarks.strategies [RECORDING...] [--seconds S] [--seeds N] [--json]`.

Each trades on a simulated desk, with the exchange's rules and latency: an hour of each synthetic market for each of ten
seeds, and each recording once. PnL is told with the 95 % interval of its mean over the seeds (Student's t); beside it
what it is made of (spread captured, gained by the inventory, fees), and it over the volume, in bps: the fee at
which nothing would be left. The same arguments give the same figures. All but `default` pay no fee, as a market maker
by contract: at Binance's 10 bps none of them could quote within a basis point. `--markets` and `--only` take some.
With `--keep FOLDER` the figures of each run are kept there, so that a stopped benchmark goes on. A folder is of one
program: what is there is not traded again, though the market or the maker may have changed since.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from pathlib import Path
from statistics import fmean, stdev
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.strategies_measures import Measures
from commands.actions.backtest import backtest_settings
from commands.actions.record import inspected
from commands.actions.simulate import start_of
from desk.settings import Settings, load_settings, values_of
from desk.warm import warm_kernels
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.whole_file import make_folder, write_whole
from reports.performance import is_sound
from simulation.backtest import plan
from simulation.delays import Delays
from simulation.desk import SimulatedDesk

Values = Mapping[str, str]
Figures = dict[str, float]

SECONDS: Final = 3_600
SEEDS: Final = 10
DELAYS: Final = Delays(venue_ns=NS_PER_MS)
_NARROW: Final = {"maker.half_spread": "0.0001", "maker.requote_tolerance": "0.00003", "paper.maker_fee": "0"}
_LEANING: Final = {**_NARROW, "maker.skew": "0.0002"}
STRATEGIES: Final[Mapping[str, Values]] = {
    "default": {},
    "narrow": _NARROW,
    "skewed": _LEANING,
    "avellaneda-stoikov": {**_LEANING, "maker.model": "avellaneda-stoikov"},
    "glft": {**_LEANING, "maker.model": "glft"},
}
MARKETS: Final = ("calm", "normal", "toxic", "practice")
# The 97.5 % quantile of Student's t, for 1, 2, ... degrees of freedom.
T_975: Final = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
COLUMNS: Final = {
    "fills": ("fills", ",.0f"),
    "pnl": ("PnL", "+,.1f"),
    "per_volume_bps": ("of volume, bps", "+.2f"),
    "capture": ("spread", "+,.1f"),
    "inventory": ("inventory", "+,.1f"),
    "fees": ("fees", ",.1f"),
    "markout_1s": ("markout 1 s", "+.2f"),
    "markout_10s": ("10 s", "+.2f"),
    "markout_60s": ("60 s", "+.2f"),
    "held_mean": ("held", ",.0f"),
    "held_most": ("at most", ",.0f"),
    "picked_off": ("picked off", ".1%"),
    "presence": ("present", ".1%"),
}


def simulated(strategy: str, market: str, seed: int, seconds: int) -> Figures:
    """Return the figures of a strategy in a synthetic market."""
    flow = {"flow.source": "synthetic", "flow.preset": market, "flow.seed": seed}
    settings = load_settings({**flow, **values_of(STRATEGIES[strategy], "benchmark")}).settings
    start_ns = start_of("2026-01-01T00:00:00")
    return _measured(settings, start_ns, start_ns + seconds * NS_PER_SECOND)


def backtested(strategy: str, recording: Path) -> Figures:
    """Return the figures of a strategy on a recording."""
    sets = [f"{key}={value}" for key, value in STRATEGIES[strategy].items()]
    settings = backtest_settings([recording], None, None, {}, sets)
    (stretch,) = plan(settings, [inspected(settings, recording)[0]])
    return _measured(stretch.settings, stretch.start_ns, stretch.end_ns)


def interval(values: Sequence[float]) -> float:
    """Return half of the 95 % interval of the mean; of one value nothing is known."""
    freedom = len(values) - 1
    if freedom < 1:
        return math.nan
    quantile = T_975[freedom - 1] if freedom <= len(T_975) else 1.96 + 2.7 / freedom  # too wide by 1 % at most
    return quantile * stdev(values) / math.sqrt(len(values))


def _measured(settings: Settings, start_ns: int, end_ns: int) -> Figures:
    with TemporaryDirectory() as folder:
        desk = SimulatedDesk(settings, start_ns, Path(folder), DELAYS)
        measures = Measures(desk, settings.instrument, start_ns)
        measures.follow(end_ns)
        document = desk.folder.read(desk.close_books())
        assert document is not None and is_sound(document), "balances and trades do not agree"  # noqa: PT018
        figures = measures.figures()
        reported = document["symbols"].get(settings.symbol, {"maker_volume": 0.0})
        assert math.isclose(figures["volume"], float(reported["maker_volume"]), rel_tol=1e-9), "fills were missed"
        return figures


def kept(folder: Path | None, name: str, run: Callable[[], Figures]) -> Figures:
    """Return the figures of a run: those that the folder has, or else those of the run now, which are put there.

    Raises:
        ValueError: if a file of the folder is damaged.
        OSError: if it cannot be read or written.
    """
    if folder is None:
        return run()
    path = folder / f"{name}.json"
    if path.exists():
        found: Figures = json.loads(path.read_bytes())
        if not isinstance(found, dict) or not {*COLUMNS, "volume"} <= found.keys():
            raise ValueError(f"{path}: expected the figures of a run")
        return found
    figures = run()
    write_whole(path, json.dumps(figures).encode(), is_synced=False)
    return figures


def measure(
    markets: Sequence[str],
    recordings: Sequence[Path],
    strategies: Sequence[str],
    seconds: int,
    seeds: range,
    folder: Path | None = None,
) -> dict[str, dict[str, list[Figures]]]:
    """Return the figures of each run, by market and strategy.

    Args:
        folder: where the figures of each run are kept, see `kept`; None: nowhere.
    """
    if folder is not None:
        make_folder(folder)
    with ProcessPoolExecutor() as pool:

        def of_seed(market: str, strategy: str, seed: int) -> Future[Figures]:
            run = partial(simulated, strategy, market, seed, seconds)
            return pool.submit(kept, folder, f"{market}-{strategy}-seed-{seed}-of-{seconds}-s", run)

        runs = {
            market: {each: [of_seed(market, each, seed) for seed in seeds] for each in strategies} for market in markets
        }
        for recording in recordings:
            runs[recording.name] = {
                each: [pool.submit(kept, folder, f"{recording.name}-{each}", partial(backtested, each, recording))]
                for each in strategies
            }
        return {
            market: {strategy: [run.result() for run in of_it] for strategy, of_it in of_market.items()}
            for market, of_market in runs.items()
        }


def show(figures: Mapping[str, Mapping[str, Sequence[Figures]]]) -> None:
    """Print a table for each market."""
    for market, of_market in figures.items():
        print(f"\n{market}\n")
        print(f"| strategy | {' | '.join(title for title, _ in COLUMNS.values())} |")
        print("|---" * (len(COLUMNS) + 1) + "|")
        for strategy, runs in of_market.items():
            cells = []
            for name, (_, form) in COLUMNS.items():
                known = [run[name] for run in runs if not math.isnan(run[name])]
                cell = format(fmean(known), form) if known else "-"
                if name == "pnl" and len(runs) > 1:
                    cell += f" ± {interval(known):,.1f}"
                cells.append(cell)
            print(f"| {strategy} | {' | '.join(cells)} |")


def main() -> None:
    """Run all, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="*", type=Path, metavar="RECORDING")
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many, from 1")
    parser.add_argument("--markets", nargs="*", choices=MARKETS, default=MARKETS)
    parser.add_argument("--only", nargs="+", choices=STRATEGIES, default=list(STRATEGIES))
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    warm_kernels(partial(print, file=sys.stderr))
    seeds = range(1, given.seeds + 1)
    figures = measure(given.markets, given.recordings, given.only, given.seconds, seeds, given.keep)
    if given.json:
        json.dump(figures, sys.stdout)
    else:
        show(figures)


if __name__ == "__main__":
    main()

"""What a maker sees of each market: `python -m benchmarks.estimates [RECORDING ...] [--seconds S] [--seed N]`.

A desk with the default settings trades on each preset of the synthetic market, and on recordings. Every half minute
from the first minute on it is asked for the volatility, and for A and k of both sides, as it has estimated them. The
means stand here, of the volatility the least and the most, too; `known` is how often A and k were.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Final

from commands.actions.backtest import backtest_settings
from commands.actions.record import inspected
from commands.actions.simulate import start_of
from desk.settings import Settings, load_settings
from desk.strategy import model_of
from flow.market_settings import PRESETS
from market.clock import NS_PER_SECOND
from simulation.backtest import plan
from simulation.desk import SimulatedDesk
from trading.model_strategy import ModelStrategy
from trading.quoting import Estimates

SECONDS: Final = 600
ASKED_NS: Final = 30 * NS_PER_SECOND
HEAD: Final = "| market | σ, bps per √s | least | most | A, per s | 1 / k, bps | n | R² | known |"
_BPS: Final = 1e4


def seen_of(settings: Settings, start_ns: int, end_ns: int) -> Iterator[Estimates]:
    """Yield what a maker knows from time to time."""
    strategy = model_of(settings)
    assert isinstance(strategy, ModelStrategy), "a model is one"
    with TemporaryDirectory() as folder:
        desk = SimulatedDesk(settings, start_ns, Path(folder), strategy=strategy)
        for at_ns in range(start_ns + 2 * ASKED_NS, end_ns + 1, ASKED_NS):
            desk.run(at_ns)
            yield strategy.seen


def row(market: str, seen: Sequence[Estimates]) -> str:
    """Return a market's line of the table."""
    volatility = [_BPS * each.volatility for each in seen if each.volatility is not None]
    arrivals = [side for each in seen for side in (each.bid, each.ask) if side is not None]
    cells = [f"{figure:.2f}" for figure in (fmean(volatility), min(volatility), max(volatility))] if volatility else []
    cells += [""] * (3 - len(cells))
    if arrivals:
        rates, decays, takers, r2 = zip(*arrivals, strict=True)
        cells += [f"{fmean(rates):.2f}", f"{fmean(_BPS / decay for decay in decays):.2f}"]
        cells += [f"{fmean(takers):.0f}", f"{fmean(r2):.2f}"]
    cells += [""] * (7 - len(cells))
    return f"| {market} | {' | '.join(cells)} | {len(arrivals) / (2 * len(seen)):.0%} |"


def main() -> None:
    """Print the table, a market at a time."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.estimates", description=__doc__)
    parser.add_argument("recordings", nargs="*", type=Path, metavar="RECORDING")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of a synthetic market, 60 or more")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if given.seconds < 2 * ASKED_NS // NS_PER_SECOND:
        parser.error("expected 60 seconds or more")
    print(HEAD)
    print("|---" * 9 + "|")
    start_ns = start_of("2026-01-01T00:00:00")
    for preset in PRESETS:
        settings = load_settings({"flow.source": "synthetic", "flow.preset": preset, "flow.seed": given.seed}).settings
        print(row(preset, [*seen_of(settings, start_ns, start_ns + given.seconds * NS_PER_SECOND)]), flush=True)
    for recording in given.recordings:
        settings = backtest_settings([recording], None, None, {}, ())
        (stretch,) = plan(settings, [inspected(settings, recording)[0]])
        print(row(recording.name, [*seen_of(stretch.settings, stretch.start_ns, stretch.end_ns)]), flush=True)


if __name__ == "__main__":
    main()

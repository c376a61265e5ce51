"""Do the error bars of markouts hold? `python -m benchmarks.coverage [--runs N] [--seconds S] [--keep FOLDER]`.

Desks trade in made-up markets, `--runs` seeds at each toxicity, for half an hour each by default. Of each run the
markouts and their 95 % intervals are those of the daily file, of both sides and of each. The true value is the mean of
all other runs at that toxicity, every fill by its notional. Its own error is told beside it: of N runs it makes a miss
sqrt(N / (N - 1)) times as wide, so few runs make intervals look too narrow: by 4 % at 14, by half a percent at 100.
Runs of one seed at several toxicities have much of their market in common: they are no independent witnesses.
Told is how many of the runs' intervals have it, and how many plain ones, mean / sqrt(n), would; `apart` is how far the
means of the runs really lie from each other (a standard deviation), `told` and `plain` what the intervals take it for.
What each kind of counterparty has brought must add up to what the account has gained, to the last unit, in every run.

A run takes some 18 s of a processor. `--keep` puts each into a file and trades none that is there, so that a stopped
benchmark goes on; `--from` judges what a folder has, and trades nothing. Seed by seed, not toxicity by toxicity.

Exit code 1: in a run it does not, or of 100 runs or more the intervals of 10 s cover less than 90 % or more than 99 %.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks.coverage_kept import Key, keys_in, read_run, runs_of
from benchmarks.coverage_runs import HORIZONS_S, Fill, Run
from desk.warm import warm_kernels
from reports.block_means import block_mean
from reports.markouts import block_s_of
from reports.statistics import LEVEL, student_quantile

RUNS: Final = 100
RUNS_MIN: Final = 2  # what the others say of one alone is nothing
SECONDS: Final = 1_800
TOXICITIES: Final = (0.0, 0.1, 0.3)
JUDGED_S: Final = 10
JUDGED_MIN: Final = 100
BOUNDS: Final = (0.90, 0.99)

_NORMAL: Final = 1.96
_SIGNS: Final = {"both": (1, -1), "buy": (1,), "sell": (-1,)}

Figures = dict[str, Any]
_Floats: TypeAlias = npt.NDArray[np.float64]


def covered(runs: Sequence[Sequence[Fill]], horizon_s: int, side: str) -> Figures | None:
    """Return how often the intervals of runs cover the mean of the others, and how wide they are.

    None where fewer than two runs have fills whose mids are known.
    """
    marked = [_marked([fill for fill in fills if fill[1] in _SIGNS[side]], horizon_s) for fills in runs]
    series = [each for each in marked if len(each[0])]
    if len(series) < RUNS_MIN:
        return None
    gained = np.array([weights @ values for _, values, weights in series])
    notional = np.array([weights.sum() for _, _, weights in series])
    means, truths = gained / notional, (gained.sum() - gained) / (notional.sum() - notional)
    plain = np.array([_plain_error(values, weights) for _, values, weights in series])
    found = [block_mean(*each, block_s_of(horizon_s)) for each in series]
    told = [(one.interval, one.blocks, truth) for one, truth in zip(found, truths, strict=True) if one and one.interval]
    errors = [(each.high - each.low) / 2 / student_quantile((1 + LEVEL) / 2, blocks - 1) for each, blocks, _ in told]
    return {
        "horizon_s": horizon_s,
        "side": side,
        "runs": len(runs),
        "told_of": len(told),
        "fills": fmean(len(values) for _, values, _ in series),
        "blocks": fmean(each.blocks for each in found if each),
        "mean_bps": float(gained.sum() / notional.sum()),
        "mean_error_bps": float(means.std(ddof=1)) / math.sqrt(len(means)),
        "covered": fmean(each.low <= truth <= each.high for each, _, truth in told) if told else math.nan,
        "plainly_covered": float((np.abs(means - truths) <= _NORMAL * plain).mean()),
        "apart_bps": float(means.std(ddof=1)),
        "told_bps": math.sqrt(fmean(each * each for each in errors)) if told else math.nan,
        "plain_bps": math.sqrt(float((plain**2).mean())),
    }


def _marked(fills: Iterable[Fill], horizon_s: int) -> tuple[_Floats, _Floats, _Floats]:
    """Return of fills with both mids: times in s, markouts in bps, notionals."""
    place = 1 + HORIZONS_S.index(horizon_s)
    rows = [
        (time_ms / 1_000, 10_000 * sign * (later - price) / before, price * qty)
        for time_ms, sign, price, qty, _, mids in fills
        if (before := mids[0]) is not None and (later := mids[place]) is not None
    ]
    times, values, weights = np.array(rows, np.float64).reshape(-1, 3).T
    return times, values, weights


def _plain_error(values: _Floats, weights: _Floats) -> float:
    """Return the error of a weighted mean of values none of which depends on another."""
    mean = (weights @ values) / weights.sum()
    return math.sqrt(float(weights**2 @ (values - mean) ** 2)) / float(weights.sum())


def judged(keys: Sequence[Key], runs: Sequence[Run]) -> tuple[list[Figures], int]:
    """Return the figures of each toxicity and horizon, and in how many runs the PnL by kind does not add up."""
    fills: dict[float, list[list[Fill]]] = {}
    for key, each in zip(keys, runs, strict=True):
        fills.setdefault(key.toxicity, []).append(each.fills)
    rows = [
        {"toxicity": toxicity, **row}
        for toxicity, those in fills.items()
        for side in _SIGNS
        for horizon_s in HORIZONS_S
        if (row := covered(those, horizon_s, side)) is not None
    ]
    return rows, sum(sum(each.pnl.values(), Fraction(0)) != each.own_pnl for each in runs)


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--toxicity", type=float, nargs="+", default=TOXICITIES)
    parser.add_argument("--workers", type=int, help="how many runs at once")
    places = parser.add_mutually_exclusive_group()
    places.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="of runs: what is not there is traded and put there"
    )
    places.add_argument("--from", type=Path, metavar="FOLDER", dest="kept", help="of runs: trade nothing")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    keys = [Key(toxicity, seed, given.seconds) for seed in range(1, given.runs + 1) for toxicity in given.toxicity]
    if given.kept is not None:
        keys = keys_in(given.kept, keys)
        runs = [read_run(given.kept / key.file_name, key) for key in keys]
    else:
        warm_kernels(partial(print, file=sys.stderr))
        runs = [*runs_of(keys, given.keep, given.workers)]
    if min((sum(key.toxicity == each for key in keys) for each in given.toxicity), default=0) < RUNS_MIN:
        parser.error(f"expected {RUNS_MIN} runs or more at each toxicity, were {len(keys)} in all")
    rows, wrong = judged(keys, runs)
    show(rows, as_json=given.json)
    if wrong:
        print(f"in {wrong} runs the kinds of counterparties do not add up to the account", file=sys.stderr)
    whole = [row for row in rows if row["side"] == "both" and row["horizon_s"] == JUDGED_S]
    shares = [row["covered"] for row in whole if row["runs"] >= JUDGED_MIN]
    return int(wrong > 0 or not all(BOUNDS[0] <= each <= BOUNDS[1] for each in shares))


def show(rows: Iterable[Figures], *, as_json: bool) -> None:
    """Print the figures."""
    if as_json:
        print(json.dumps(list(rows)))
        return
    print("toxicity  side  horizon  runs  fills  blocks  mean, bps        covered  plainly   apart    told   plain")
    for row in rows:
        print(
            f"{row['toxicity']:8.0%}  {row['side']:4}  {row['horizon_s']:5} s  {row['told_of']:4}  "
            f"{row['fills']:5.0f}  {row['blocks']:6.1f}  "
            f"{row['mean_bps']:+6.3f} ± {row['mean_error_bps']:5.3f}  {row['covered']:7.1%}  "
            f"{row['plainly_covered']:7.1%}  {row['apart_bps']:6.3f}  {row['told_bps']:6.3f}  {row['plain_bps']:6.3f}"
        )


if __name__ == "__main__":
    sys.exit(main())

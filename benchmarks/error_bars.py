"""Do the error bars of means hold where the truth is known? `python -m benchmarks.error_bars [--draws N] [--json]`.

Values at times, drawn from models whose true mean is known: series that remember, moving sums, markouts of fills that
come at random, in sweeps, or one after the other, and a market that changes slowly. Each for so many seconds. Told is
of how many draws the 95 % interval of `reports.block_means` has the truth, and what mean / sqrt(n) would have; `told`
is the root of the mean of the interval's squared error over how far the means really lie apart: 1 if it is right.

Exit code 1: of a model whose memory a block is some times as long as, fewer than 90 % or more than 98 % have it: chance
takes 500 draws there once in some hundred rows if truly 93 %, once in a thousand if 95 %.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from reports.block_means import block_mean
from reports.markouts import block_s_of
from reports.statistics import LEVEL, student_quantile

DRAWS: Final = 500
SPANS_S: Final = (600, 1_800, 7_200)
BOUNDS: Final = (0.90, 0.98)
_NORMAL: Final = 1.96
_STEPS_PER_S: Final = 10  # of the mid

_Floats: TypeAlias = npt.NDArray[np.float64]
Figures = dict[str, Any]


class Drawn(NamedTuple):
    """Values whose true mean is 0, by their time in s."""

    times_s: _Floats
    values: _Floats
    weights: _Floats


Draw = Callable[[np.random.Generator, int], Drawn]


class Model(NamedTuple):
    """What is drawn.

    Attributes:
        draw: for so many seconds.
        block_s: the least length of a block.
        is_short: whether a block is some times as long as what makes values depend on each other.
    """

    draw: Draw
    block_s: int
    is_short: bool = True


def remembering(memory: float) -> Draw:
    """Draw a value a second, each so much of the one before."""

    def draw(dice: np.random.Generator, span_s: int) -> Drawn:
        values = np.array([*accumulate(dice.normal(size=span_s + 400), lambda last, new: memory * last + new)][400:])
        return Drawn(np.arange(float(span_s)), values, np.ones(span_s))

    return draw


def moving_sum(length: int) -> Draw:
    """Draw a value a second, each the sum of so many draws."""

    def draw(dice: np.random.Generator, span_s: int) -> Drawn:
        values = np.convolve(dice.normal(size=span_s + length - 1), np.ones(length), "valid")
        return Drawn(np.arange(float(span_s)), values, np.ones(span_s))

    return draw


def alone(per_s: float, horizon_s: int, *, both_sides: bool = False) -> Draw:
    """Draw markouts of fills each of which comes by itself; notionals differ."""

    def draw(dice: np.random.Generator, span_s: int) -> Drawn:
        times = np.sort(dice.uniform(0, span_s, max(2, dice.poisson(per_s * span_s))))
        signs = dice.choice([-1.0, 1.0], len(times)) if both_sides else np.ones(len(times))
        values = signs * _moves(dice, times, horizon_s) + dice.normal(size=len(times))
        return Drawn(times, values, dice.lognormal(0, 1, len(times)))

    return draw


def sweeps(per_s: float, horizon_s: int, fills: float) -> Draw:
    """Draw markouts of fills some of which come together within 2 s, and share what their taker knew: Student's t."""

    def draw(dice: np.random.Generator, span_s: int) -> Drawn:
        first = np.sort(dice.uniform(0, span_s - 2, max(2, dice.poisson(per_s * span_s))))
        counts = dice.geometric(1 / fills, len(first))
        times = np.repeat(first, counts) + dice.uniform(0, 2, counts.sum())
        shared = np.repeat(dice.standard_t(4, len(first)), counts)
        values = shared + _moves(dice, times, horizon_s) + dice.normal(size=len(times)) / 2
        return Drawn(times, values, dice.lognormal(0, 0.7, len(times)))

    return draw


def informed(per_s: float, horizon_s: int) -> Draw:
    """Draw markouts of which a fifth of the takers, who know more, take six fills at once, and the others 1.5."""
    mean = (0.2 * 6 * -2 + 0.8 * 1.5 * 1) / (0.2 * 6 + 0.8 * 1.5)

    def draw(dice: np.random.Generator, span_s: int) -> Drawn:
        first = np.sort(dice.uniform(0, span_s - 1, max(2, dice.poisson(per_s * span_s))))
        knows = dice.random(len(first)) < 0.2
        counts = np.where(knows, dice.geometric(1 / 6, len(first)), dice.geometric(1 / 1.5, len(first)))
        times = np.repeat(first, counts) + dice.uniform(0, 1, counts.sum())
        worth = np.repeat(np.where(knows, -2.0, 1.0) + dice.normal(size=len(first)) / 2, counts)
        return Drawn(times, worth - mean + _moves(dice, times, horizon_s) / 2, np.ones(len(times)))

    return draw


def exciting(horizon_s: int) -> Draw:
    """Draw markouts of fills of which each brings 0.7 others, within 5 s or so (Hawkes, Biometrika 58, 1971)."""

    def draw(dice: np.random.Generator, span_s: int) -> Drawn:
        parents = dice.uniform(-60, span_s, dice.poisson(0.05 * (span_s + 60)))
        found = [parents]
        while len(parents):
            parents = np.repeat(parents, dice.poisson(0.7, len(parents)))
            parents = parents + dice.exponential(5, len(parents))
            found.append(parents)
        times = np.sort(np.concatenate(found))
        times = times[(times >= 0) & (times < span_s)]
        values = _moves(dice, times, horizon_s) + dice.normal(size=len(times))
        return Drawn(times, values, dice.lognormal(0, 1, len(times)))

    return draw


def slow(per_s: float, memory_s: float) -> Draw:
    """Draw fills of a market that is sometimes better and sometimes worse, for about so long."""

    def draw(dice: np.random.Generator, span_s: int) -> Drawn:
        times = np.sort(dice.uniform(0, span_s, max(2, dice.poisson(per_s * span_s))))
        kept = math.exp(-1 / memory_s)
        noise = dice.normal(size=span_s + int(8 * memory_s)) * math.sqrt(1 - kept * kept)
        market = np.array([*accumulate(noise, lambda last, new: kept * last + new)][-span_s:])
        values = 0.3 * market[times.astype(int)] + dice.normal(size=len(times))
        return Drawn(times, values, dice.lognormal(0, 0.7, len(times)))

    return draw


def _moves(dice: np.random.Generator, times_s: _Floats, horizon_s: int) -> _Floats:
    """Return how far a mid that goes at random went within a horizon of each time."""
    count = (int(times_s.max(initial=0)) + horizon_s + 2) * _STEPS_PER_S
    mid = np.cumsum(dice.normal(size=count)) / math.sqrt(_STEPS_PER_S)
    places = (times_s * _STEPS_PER_S).astype(int)
    return np.asarray(mid[places + horizon_s * _STEPS_PER_S] - mid[places])


MODELS: Final[Mapping[str, Model]] = {
    "independent": Model(remembering(0), 30),
    "remembers 0.8": Model(remembering(0.8), 30),
    "remembers 0.9": Model(remembering(0.9), 30, is_short=False),
    "remembers 0.95": Model(remembering(0.95), 30, is_short=False),
    "sums of 10": Model(moving_sum(10), 30),
    "sums of 60": Model(moving_sum(60), 180),
    "1 s, one a second": Model(alone(1, 1), block_s_of(1)),
    "10 s, 6 a minute": Model(alone(0.1, 10), block_s_of(10)),
    "10 s, 1 a minute": Model(alone(1 / 60, 10), block_s_of(10)),
    "10 s, both sides": Model(alone(0.1, 10, both_sides=True), block_s_of(10)),
    "60 s, 6 a minute": Model(alone(0.1, 60), block_s_of(60)),
    "60 s, both sides": Model(alone(0.1, 60, both_sides=True), block_s_of(60)),
    "1 s, in sweeps": Model(sweeps(0.03, 1, 4), block_s_of(1)),
    "10 s, in sweeps": Model(sweeps(0.03, 10, 3), block_s_of(10)),
    "10 s, some informed": Model(informed(0.05, 10), block_s_of(10)),
    "10 s, exciting": Model(exciting(10), block_s_of(10)),
    "60 s, exciting": Model(exciting(60), block_s_of(60)),
    "slow, a minute": Model(slow(0.3, 60), 30, is_short=False),
    "slow, 5 minutes": Model(slow(0.3, 300), 30, is_short=False),
}


def held(name: str, span_s: int, draws: int) -> Figures:
    """Return how often the intervals of a model have the truth, and how wide they are."""
    model = MODELS[name]
    dice = np.random.default_rng([*name.encode(), span_s])
    means, squares, has, plainly, blocks = [], [], 0, 0, 0.0
    for _ in range(draws):
        drawn = model.draw(dice, span_s)
        found = block_mean(*drawn, model.block_s)
        if found is None or found.interval is None:
            continue
        means.append(found.mean)
        reach = found.interval.high - found.mean
        squares.append((reach / student_quantile((1 + LEVEL) / 2, found.blocks - 1)) ** 2)
        weighed = drawn.weights * (drawn.values - found.mean)
        has += found.interval.low <= 0 <= found.interval.high
        plainly += abs(found.mean) <= _NORMAL * math.sqrt(float(weighed @ weighed)) / float(drawn.weights.sum())
        blocks += found.blocks
    count = len(means)
    if count < 2:
        return {"model": name, "span_s": span_s, "draws": draws, "told_of": count}
    return {
        "model": name,
        "span_s": span_s,
        "draws": draws,
        "told_of": count,
        "blocks": blocks / count,
        "covered": has / count,
        "plainly_covered": plainly / count,
        "told": math.sqrt(sum(squares) / count) / float(np.std(means, ddof=1)),
    }


def main() -> int:
    """Draw, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--spans", type=int, nargs="+", default=SPANS_S, metavar="S")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = []
    for span_s in given.spans:
        for name in MODELS:
            rows.append(held(name, span_s, given.draws))
            if not given.json:
                print(_line(rows[-1]), flush=True)
    if given.json:
        print(json.dumps(rows))
    judged = [row for row in rows if MODELS[row["model"]].is_short and row["told_of"] >= DRAWS]
    return int(not all(BOUNDS[0] <= row["covered"] <= BOUNDS[1] for row in judged))


def _line(row: Figures) -> str:
    if "covered" not in row:
        return f"{row['span_s']:6} s  {row['model']:20}  too few blocks"
    return (
        f"{row['span_s']:6} s  {row['model']:20}  {row['told_of']:4} told, {row['blocks']:5.1f} blocks  "
        f"{row['covered']:6.1%} (plainly {row['plainly_covered']:6.1%})  told {row['told']:4.2f}"
    )


if __name__ == "__main__":
    sys.exit(main())

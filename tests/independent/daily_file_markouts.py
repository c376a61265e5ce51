"""Markouts and intervals of a daily file, by docs/reports.md alone."""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import NormalDist

from tests.independent.daily_file_books import Json

_T_ERROR = 5e-6  # of Student's t in the file


@dataclass(frozen=True)
class Near:
    """A figure that is made in binary, and written with so many decimals."""

    value: float
    places: int = 6
    slack: float = 1e-9  # how far the value itself may be off


def markouts_of(rows: Sequence[Json]) -> Iterator[Json]:
    """Yield the rows of `markouts`."""
    for horizon in (1, 10, 60):
        for side in ("buy", "sell", "both"):
            own = [row for row in rows if side in ("both", row["side"].lower())]
            pairs = [
                (row, later)
                for row in own
                if row.get("mid") is not None and (later := (row.get("mids") or {}).get(str(horizon))) is not None
            ]
            yield {"horizon_s": horizon, "side": side} | _markout(pairs, len(own), max(30, 3 * horizon))


def _markout(pairs: Sequence[tuple[Json, Decimal]], count: int, block_s: int) -> Json:
    found: Json = dict.fromkeys(("mean_bps", "low_bps", "high_bps", "capture_bps", "adverse_bps"))
    found |= {"n": len(pairs), "missing": count - len(pairs), "block_s": block_s, "blocks": Near(0.0, 1)}
    if not pairs:
        return found
    times = [int(row["time_ms"]) for row, _ in pairs]
    weights = [float(row["price"] * row["qty"]) for row, _ in pairs]
    signs = [1 if row["side"] == "BUY" else -1 for row, _ in pairs]
    worth = [float(s * (m - r["price"]) / r["mid"]) * 1e4 for (r, m), s in zip(pairs, signs, strict=True)]
    capture = [float(s * (r["mid"] - r["price"]) / r["mid"]) * 1e4 for (r, _), s in zip(pairs, signs, strict=True)]
    whole = math.fsum(weights)
    mean, at_once = (math.fsum(map(float.__mul__, weights, each)) / whole for each in (worth, capture))
    block = block_s * 1_000 * max(1.0, whole**2 / in_common(times, weights, block_s * 1_000) / 20)
    blocks = whole**2 / in_common(times, weights, block)
    found |= {"mean_bps": Near(mean, 4), "capture_bps": Near(at_once, 4), "adverse_bps": Near(at_once - mean, 4)}
    found |= {"block_s": round(block / 1_000), "blocks": Near(blocks, 1)}
    if blocks >= 5:
        errors = [weight * (each - mean) for weight, each in zip(weights, worth, strict=True)]
        error = math.sqrt(max(0.0, in_common(times, errors, block))) / whole * math.sqrt(blocks / (blocks - 1))
        reach, slack = student(blocks - 1) * error, 1e-9 + _T_ERROR * error
        found |= {"low_bps": Near(mean - reach, 4, slack), "high_bps": Near(mean + reach, 4, slack)}
    return found


def in_common(times: Sequence[int], values: Sequence[float], block: float) -> float:
    """Return Q: the sum over all pairs of their product by the part of a block that they have in common."""
    sums, moments = [0.0], [0.0]
    for at, value in zip(times, values, strict=True):
        sums.append(sums[-1] + value)
        moments.append(moments[-1] + value * (at - times[0]))
    pairs = []
    for index, (at, value) in enumerate(zip(times, values, strict=True)):
        first = bisect_left(times, at - block)
        near, moment = sums[index] - sums[first], moments[index] - moments[first]
        pairs.append(value * (near * (1 - (at - times[0]) / block) + moment / block))
    return math.fsum(value * value for value in values) + 2 * math.fsum(pairs)


def student(freedom: float) -> float:
    """Return Student's t(0.975): its density over t = sqrt(freedom) tan(angle) is summed by Simpson's rule."""
    scale = 2 * math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)

    def within(t: float) -> float:
        step = math.atan(t / math.sqrt(freedom)) / 200
        heights: list[float] = [math.pow(math.cos(step * index), freedom - 1) for index in range(201)]
        return scale * step / 3 * (heights[0] + heights[-1] + 4 * sum(heights[1:-1:2]) + 2 * sum(heights[2:-1:2]))

    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle) < 0.95 else (low, middle)
    return low


def wilson(wins: int, n: int) -> tuple[float, float]:
    """Return Wilson's interval of 95 % (JASA 22, 1927)."""
    z = NormalDist().inv_cdf(0.975)
    middle, width = wins + z * z / 2, z * math.sqrt(wins * (n - wins) / n + z * z / 4)
    return max(0.0, (middle - width) / (n + z * z)), min(1.0, (middle + width) / (n + z * z))

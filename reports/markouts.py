"""Markouts: what a fill was worth a while later, against the mid of the others. docs/reports.md has the definitions."""

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.exact_json import JsonObject
from reports.block_means import block_mean
from reports.marked_fills import HORIZONS_S, SIDES, MarkedFill

BLOCKS_PER_HORIZON: Final = (
    3  # so many times as long as the horizon is a block at least; `benchmarks.coverage` measures it
)
BLOCK_S_MIN: Final = 30

_MS_PER_SECOND: Final = NS_PER_SECOND // NS_PER_MS
_BPS: Final = 10_000
_PLACES: Final = 4
_SIGN: Final = 1  # columns of a table of fills: time in s, sign, price, notional, mid before, mids later
_MID: Final = 4
_FIRST_LATER: Final = 5

_Floats: TypeAlias = npt.NDArray[np.float64]


def block_s_of(horizon_s: int) -> int:
    """Return how long a block of markouts is at least."""
    return max(BLOCK_S_MIN, BLOCKS_PER_HORIZON * horizon_s)


def markouts(fills: Iterable[MarkedFill]) -> list[JsonObject]:
    """Return the markouts of fills as the daily document has them: a row for each horizon and side, and for both.

    All figures of a row are of the fills that have both mids, weighted with their notional, in bps of the mid before
    them: `mean_bps` of s (mid later - price), `capture_bps` of s (mid before - price), and `adverse_bps` is how far the
    mid went against us meanwhile: mean = capture - adverse.
    """
    table = np.array([_numbers(fill) for fill in fills], np.float64).reshape(-1, _FIRST_LATER + len(HORIZONS_S))
    signs = table[:, _SIGN]
    sides = dict(zip(SIDES, (signs > 0, signs < 0, signs != 0), strict=True))
    return [
        _row(horizon_s, side, table[is_of_side], _FIRST_LATER + index)
        for index, horizon_s in enumerate(HORIZONS_S)
        for side, is_of_side in sides.items()
    ]


def _numbers(fill: MarkedFill) -> list[float]:
    """Return a fill as numbers, NaN for what is not known."""
    mids = [fill.mid, *(fill.mids.get(horizon_s) for horizon_s in HORIZONS_S)]
    price, sign = float(fill.price), 1.0 if fill.side is Side.BUY else -1.0
    known = [math.nan if mid is None else float(mid) for mid in mids]
    return [fill.time_ms / _MS_PER_SECOND, sign, price, price * float(fill.qty), *known]


def _row(horizon_s: int, side: str, fills: _Floats, later: int) -> JsonObject:
    marked = fills[~np.isnan(fills[:, _MID]) & ~np.isnan(fills[:, later])]
    times_s, sign, price, notional, mid = marked[:, :_FIRST_LATER].T
    block_s = block_s_of(horizon_s)
    mean = block_mean(times_s, sign * (marked[:, later] - price) / mid * _BPS, notional, block_s)
    capture = block_mean(times_s, sign * (mid - price) / mid * _BPS, notional, block_s)
    low, high = (None, None) if mean is None or mean.interval is None else mean.interval
    gained, captured = (None if each is None else each.mean for each in (mean, capture))
    return {
        "horizon_s": horizon_s,
        "side": side,
        "n": len(marked),
        "missing": len(fills) - len(marked),
        "mean_bps": _told(gained),
        "low_bps": _told(low),
        "high_bps": _told(high),
        "capture_bps": _told(captured),
        "adverse_bps": None if captured is None or gained is None else _told(captured - gained),
        "block_s": round(block_s if mean is None else mean.block_s),
        "blocks": round(Decimal(0 if mean is None else mean.blocks), 1),
    }


def _told(bps: float | None) -> Decimal | None:
    return None if bps is None else round(Decimal(bps), _PLACES)

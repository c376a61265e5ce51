"""Markouts: what a fill was worth a while later, against the mid of the others. docs/reports.md has the definitions."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.exact_json import JsonObject
from reports.block_means import block_mean

HORIZONS_S: Final = (1, 10, 60)
BLOCKS_PER_HORIZON: Final = 6  # how many times as long as the horizon a block is; `benchmarks.coverage` measures it
BLOCK_S_MIN: Final = 30

_MS_PER_SECOND: Final = NS_PER_SECOND // NS_PER_MS
_BPS: Final = 10_000
_PLACES: Final = 4


class MarkedFill(NamedTuple):
    """A fill, and the others' mids around it.

    Attributes:
        mid: just before it; None where it is not known.
        mids: by how many seconds after it; no entry, or None, where it is not known.
    """

    time_ms: int
    side: Side
    price: Decimal
    qty: Decimal
    mid: Decimal | None
    mids: Mapping[int, Decimal | None]


def block_s_of(horizon_s: int) -> int:
    """Return how long a block of markouts is."""
    return max(BLOCK_S_MIN, BLOCKS_PER_HORIZON * horizon_s)


def markouts(fills: Sequence[MarkedFill]) -> list[JsonObject]:
    """Return the markouts of fills as the daily document has them: a row for each horizon and side, and for both.

    All figures of a row are of the fills that have both mids, weighted with their notional, in bps of the mid before
    them: `mean_bps` of s (mid later - price), `capture_bps` of s (mid before - price), and `adverse_bps` is how far the
    mid went against us meanwhile: mean = capture - adverse.
    """
    return [
        _row(horizon_s, name, [fill for fill in fills if side is None or fill.side is side])
        for horizon_s in HORIZONS_S
        for name, side in (("buy", Side.BUY), ("sell", Side.SELL), ("both", None))
    ]


def _row(horizon_s: int, side: str, fills: Sequence[MarkedFill]) -> JsonObject:
    marked = [*_marked(fills, horizon_s)]
    row = {"horizon_s": horizon_s, "side": side, "n": len(marked), "missing": len(fills) - len(marked)}
    block_s = block_s_of(horizon_s)
    if not marked:
        empty = dict.fromkeys(("mean_bps", "low_bps", "high_bps", "capture_bps", "adverse_bps"))
        return row | empty | {"block_s": block_s, "blocks": Decimal(0)}
    times_s, weights, gained, captured = zip(*marked, strict=True)
    found = block_mean(times_s, gained, weights, block_s)
    capture = block_mean(times_s, captured, weights, block_s)
    assert found is not None and capture is not None, "there are fills"  # noqa: PT018
    low, high = found.interval or (None, None)
    return row | {
        "mean_bps": _told(found.mean),
        "low_bps": _told(low),
        "high_bps": _told(high),
        "capture_bps": _told(capture.mean),
        "adverse_bps": _told(capture.mean - found.mean),
        "block_s": block_s,
        "blocks": round(Decimal(found.blocks), 1),
    }


def _marked(fills: Iterable[MarkedFill], horizon_s: int) -> Iterable[tuple[float, float, float, float]]:
    """Yield of fills with both mids: time in s, notional, markout and capture in bps."""
    for fill in fills:
        later = fill.mids.get(horizon_s)
        if fill.mid is None or later is None:
            continue
        sign = 1 if fill.side is Side.BUY else -1
        gained, captured = (float(sign * (mid - fill.price) / fill.mid * _BPS) for mid in (later, fill.mid))
        yield fill.time_ms / _MS_PER_SECOND, float(fill.price * fill.qty), gained, captured


def _told(bps: float | None) -> Decimal | None:
    return None if bps is None else round(Decimal(bps), _PLACES)

"""Two accounts of the same days or of others, side by side: which figures differ by more than chance.

Each figure has its own interval, by what it is: a share by Wilson's, a mean of hours or days by Student's, a figure of
fills by blocks of time, for neighbouring fills share their market. The interval of a difference is made of the two, as
if nothing of the one depended on the other: its lower reach is sqrt((a - low of a)² + (high of b - b)²), and likewise
the upper one (Zou and Donner, Statistics in Medicine 27, 2008; of shares: Newcombe, ibid. 17, 1998, method 10).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from math import sqrt
from typing import Final, NamedTuple

from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.exact_json import JsonObject
from reports.block_means import block_mean
from reports.marked_fills import MarkedFill
from reports.markouts import markouts
from reports.statistics import Interval, mean_interval, share_interval

_MS_PER_HOUR: Final = 3_600 * NS_PER_SECOND // NS_PER_MS
_HOUR_S: Final = 3_600.0
_BPS: Final = 10_000
_PLACES: Final = 6
_NO_MID: Final = "no fill has a known mid then"
_WHY: Final = {
    "fills_an_hour": "no whole hour lies between the first fill of a day and its last",
    "fill_ratio": "no maker has counted its orders",
    "win_rate": "no round trip is decided",
    "pnl_bps": "there is no fill of which it is known",
    "pnl_a_day": "no day tells it",
}


class Estimate(NamedTuple):
    """A figure with the interval of 95 % that it is known to; None, of too few values."""

    value: float
    interval: Interval | None
    n: int


def comparison(
    ours: Mapping[date, JsonObject], theirs: Mapping[date, JsonObject], symbol: str | None = None
) -> JsonObject:
    """Return the figures of two sets of daily documents, their differences, and which neither has, and why.

    Args:
        ours, theirs: daily documents by day.
        symbol: the only pair whose fills are looked at; all without it.

    Raises:
        ValueError: if they are not in one quote asset.
    """
    every = [*ours.values(), *theirs.values()]
    quotes = {
        part["quote"]
        for document in every
        for name, part in document.get("symbols", {}).items()
        if part["buys"] + part["sells"] and symbol in (None, name)
    }
    if len(quotes) > 1:
        raise ValueError(f"expected one quote asset, were {', '.join(sorted(quotes))}: name a pair with --symbol")
    found = [_figures(documents, symbol) for documents in (ours, theirs)]
    names = [name for name in found[0] if found[0][name] is not None or found[1][name] is not None]
    return {
        "quote": min(quotes, default=None),
        "a": _days(ours),
        "b": _days(theirs),
        "figures": [_row(name, found[0][name], found[1][name]) for name in names],
        "left_out": [{"figure": name, "why": _WHY.get(name, _NO_MID)} for name in found[0] if name not in names],
    }


def difference(ours: Estimate, theirs: Estimate) -> Interval | None:
    """Return the interval of `ours` less `theirs`; None if one of them has none."""
    if ours.interval is None or theirs.interval is None:
        return None
    middle = ours.value - theirs.value
    down = sqrt((ours.value - ours.interval.low) ** 2 + (theirs.interval.high - theirs.value) ** 2)
    up = sqrt((ours.interval.high - ours.value) ** 2 + (theirs.value - theirs.interval.low) ** 2)
    return Interval(middle - down, middle + up)


def _figures(documents: Mapping[date, JsonObject], symbol: str | None) -> dict[str, Estimate | None]:
    by_day = [
        [row for row in document.get("trade_history", ()) if symbol in (None, row["symbol"])]
        for document in documents.values()
    ]
    fills = [row for rows in by_day for row in rows]
    parts = [
        part
        for document in documents.values()
        for name, part in document.get("symbols", {}).items()
        if symbol in (None, name)
    ]
    ratios = [document.get("metrics", {}).get("fill_ratio", {}) for document in documents.values()]
    placed = [ratio for ratio in ratios if ratio.get("value") is not None]
    filled = sum(round(ratio["value"] * ratio["n"]) for ratio in placed)
    decided = sum(part["round_trips"] - part.get("undecided", 0) for part in parts)
    return {
        "fills_an_hour": _mean([count for rows in by_day for count in _hours(rows)]),
        "fill_ratio": _share(filled, sum(ratio["n"] for ratio in placed)),
        **_markouts(fills),
        "win_rate": _share(sum(part["wins"] for part in parts), decided),
        "pnl_bps": _earned(fills),
        "pnl_a_day": _pnl_a_day(documents, symbol),
    }


def _hours(fills: Iterable[JsonObject]) -> list[float]:
    """Return how many of a day's fills were in each whole hour between the first of them and the last."""
    counts = Counter(row["time_ms"] // _MS_PER_HOUR for row in fills)
    return [float(counts[hour]) for hour in range(min(counts) + 1, max(counts))] if counts else []


def _share(hits: int, count: int) -> Estimate | None:
    return Estimate(hits / count, share_interval(hits, count), count) if count else None


def _mean(values: Sequence[float]) -> Estimate | None:
    if not values:
        return None
    return Estimate(sum(values) / len(values), mean_interval(values) if len(values) > 1 else None, len(values))


def _markouts(fills: Iterable[JsonObject]) -> dict[str, Estimate | None]:
    marked = [
        MarkedFill(
            row["time_ms"],
            Side[row["side"]],
            row["price"],
            row["qty"],
            row.get("mid"),
            {int(after_s): mid for after_s, mid in row.get("mids", {}).items()},
        )
        for row in fills
    ]
    found: dict[str, Estimate | None] = {}
    for row in markouts(marked):
        if row["side"] == "both":
            mean, ends = row["mean_bps"], (row["low_bps"], row["high_bps"])
            interval = None if None in ends else Interval(float(ends[0]), float(ends[1]))
            name = f"markout_{row['horizon_s']}_s_bps"
            found[name] = None if mean is None else Estimate(float(mean), interval, row["n"])
    return found


def _earned(fills: Sequence[JsonObject]) -> Estimate | None:
    """Return what was realized of what was traded, in bps."""
    told = [row for row in fills if row.get("realized") is not None]
    if not told:
        return None
    weights = [float(row["quote_qty"]) for row in told]
    values = [float(row["realized"]) / weight * _BPS for row, weight in zip(told, weights, strict=True)]
    found = block_mean([row["time_ms"] / 1_000 for row in told], values, weights, _HOUR_S)
    return None if found is None else Estimate(found.mean, found.interval, found.n)


def _pnl_a_day(documents: Mapping[date, JsonObject], symbol: str | None) -> Estimate | None:
    if symbol is None:
        gains = [document["trades"].get("pnl") for document in documents.values()]
    else:
        gains = [document.get("symbols", {}).get(symbol, {}).get("pnl") for document in documents.values()]
    return _mean([float(gain) for gain in gains if gain is not None])


def _days(documents: Mapping[date, JsonObject]) -> JsonObject:
    days = sorted(documents)
    return {"days": len(days), "from": str(days[0]), "to": str(days[-1])} if days else {"days": 0}


def _row(name: str, ours: Estimate | None, theirs: Estimate | None) -> JsonObject:
    row: JsonObject = {"figure": name, "a": _told(ours), "b": _told(theirs), "difference": None}
    if ours is not None and theirs is not None:
        interval = difference(ours, theirs)
        row["difference"] = _told(Estimate(ours.value - theirs.value, interval, min(ours.n, theirs.n)))
        row["is_apart"] = None if interval is None else not interval.low <= 0 <= interval.high
    return row


def _told(one: Estimate | None) -> JsonObject | None:
    if one is None:
        return None
    low, high = one.interval or (None, None)
    return {"value": _rounded(one.value), "low": _rounded(low), "high": _rounded(high), "n": one.n}


def _rounded(value: float | None) -> Decimal | None:
    return None if value is None else round(Decimal(value), _PLACES)

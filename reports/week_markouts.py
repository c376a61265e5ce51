"""Markouts of several days: each day's, and of all days together by what each of them knows.

A day's rows tell mean, interval and blocks, not its fills: so many days cost what their rows cost. Their weights are
the notional of the fills that have mids, which is the day's volume times n / (n + missing): exact where no mid is
missing. A day of too few fills for an interval has no part, if others have one. Days are drawn apart, so the error of
the weighted mean is the root of the sum of (weight x error)^2, with the degrees of freedom that Welch and Satterthwaite
give (F. E. Satterthwaite, Biometrics Bulletin 2, 1946).
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from math import sqrt
from typing import Any, NamedTuple

from market.exact_json import JsonObject
from reports.marked_fills import HORIZONS_S
from reports.statistics import LEVEL, student_quantile

_PLACES = 4


class _Day(NamedTuple):
    """A day's row: its weight in quote, its mean and error in bps, None where there is none, and its freedom."""

    weight: float
    mean: float
    error: float | None
    freedom: float
    n: int


def week_markouts(documents: Sequence[JsonObject]) -> JsonObject:
    """Return `days` and `total`, rows of `horizon_s`, `n`, `mean_bps`, `low_bps` and `high_bps` of both sides together.

    Args:
        documents: of the days, oldest first; those without markouts have no rows, and no part of the total. Several
            quote assets cannot be weighed against each other: then there is no total.
    """
    told = [document for document in documents if document.get("markouts")]
    rows = [{"date": each["date"], "rows": [_told(row) for row in _both(each)]} for each in told]
    quotes = {part["quote"] for each in told for part in each["symbols"].values() if part["buys"] + part["sells"]}
    return {"days": rows, "total": list(_total(told)) if len(quotes) <= 1 else []}


def _both(document: JsonObject) -> Iterator[JsonObject]:
    return (row for row in document["markouts"] if row["side"] == "both")


def _told(row: JsonObject) -> JsonObject:
    return {name: row[name] for name in ("horizon_s", "n", "mean_bps", "low_bps", "high_bps")}


def _total(documents: Sequence[JsonObject]) -> Iterator[JsonObject]:
    for horizon_s in HORIZONS_S:
        days = [
            _day(row, document["trades"]["volume"])
            for document in documents
            for row in _both(document)
            if row["horizon_s"] == horizon_s and row["n"] and document["trades"].get("volume") is not None
        ]
        told = [day for day in days if day.error is not None] or days
        yield {"horizon_s": horizon_s, "n": sum(day.n for day in told), **_pooled(told)}


def _day(row: JsonObject, volume: Any) -> _Day:
    freedom = float(row["blocks"]) - 1
    error = None
    if row["low_bps"] is not None and freedom > 0:
        error = float(row["high_bps"] - row["low_bps"]) / 2 / student_quantile((1 + LEVEL) / 2, freedom)
    weight = float(volume) * row["n"] / (row["n"] + row["missing"])
    return _Day(weight, float(row["mean_bps"]), error, freedom, row["n"])


def _pooled(days: Iterable[_Day]) -> JsonObject:
    every = list(days)
    whole = sum(day.weight for day in every)
    if not whole:
        return dict.fromkeys(("mean_bps", "low_bps", "high_bps"))
    mean = sum(day.weight * day.mean for day in every) / whole
    known = [(day.weight * day.error / whole, day.freedom) for day in every if day.error is not None]
    variance = sum(error**2 for error, _ in known)
    if len(known) < len(every):
        return {"mean_bps": _short(mean), "low_bps": None, "high_bps": None}
    if not variance:
        return {"mean_bps": _short(mean), "low_bps": _short(mean), "high_bps": _short(mean)}
    freedom = variance**2 / sum(error**4 / each for error, each in known)
    reach = student_quantile((1 + LEVEL) / 2, freedom) * sqrt(variance)
    return {"mean_bps": _short(mean), "low_bps": _short(mean - reach), "high_bps": _short(mean + reach)}


def _short(bps: float) -> Decimal:
    return round(Decimal(bps), _PLACES)

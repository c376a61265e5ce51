"""Sharpe and Sortino of daily returns. Floats: these are statistics, and no money."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import sqrt
from statistics import fmean, stdev
from typing import Final

from market.exact_json import JsonObject

DAYS_MIN: Final = 5  # below which a ratio says nothing
DAYS_PER_YEAR: Final = 365  # there is no closing bell
_PLACES: Final = 6


def ratios(returns: Sequence[Fraction | None]) -> JsonObject:
    """Return `sharpe` and `sortino` of the returns of neighbouring days, null with `why` where there are too few.

    Mean / standard deviation (n - 1) x sqrt(365) (W. F. Sharpe, The Journal of Portfolio Management 21, 1994), and
    mean / sqrt(sum of min(r, 0)^2 / n) x sqrt(365).
    """
    known = [float(one) for one in returns if one is not None]
    why = None
    if len(known) < DAYS_MIN:
        why = f"it takes {DAYS_MIN} days with a known equity"
    elif len(known) < len(returns):
        why = "the equity of a day between is not known"
    if why is not None:
        return {name: {"value": None, "n": len(known), "why": why} for name in ("sharpe", "sortino")}
    mean, year = fmean(known), sqrt(DAYS_PER_YEAR)
    spread, downside = stdev(known), sqrt(fmean(min(one, 0.0) ** 2 for one in known))
    return {
        "sharpe": _ratio(mean * year, spread, len(known), "every day had the same return"),
        "sortino": _ratio(mean * year, downside, len(known), "no day had a loss"),
    }


def day_return(document: JsonObject) -> Fraction | None:
    """Return what a day's equity has earned, flows left out, per unit of it; None where the document cannot say."""
    equity = document.get("equity", {})
    if equity.get("change_less_flows") is None or not equity["start"] > 0:
        return None
    return Fraction(equity["change_less_flows"]) / Fraction(equity["start"])


def _ratio(mean: float, risk: float, n: int, why: str) -> JsonObject:
    if not risk:
        return {"value": None, "n": n, "why": why}
    return {"value": round(Decimal(mean / risk), _PLACES), "n": n}

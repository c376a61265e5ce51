"""Figures of a page as text: short on an axis, with what they were counted from beside them."""

from decimal import Decimal
from typing import Any

from market.exact_json import JsonObject
from market.words import counted
from screens.money import percent_text

_PERCENT_OF_MIN = 20  # of fewer a percentage says less than two counts


def short(value: float, step: float) -> str:
    """Return an amount as it stands on an axis whose labels are `step` apart: `-12.5`, `250k`, `1.5M`."""
    for unit, least, sign in ((1_000_000, 200_000, "M"), (1_000, 2_000, "k")):
        if value and step >= least:
            return _plain(value / unit, step / unit) + sign
    return _plain(value, step)


def rate_text(won: int, of: int, metric: JsonObject | None = None) -> tuple[str, str]:
    """Return a rate and what it was counted from; two counts alone where they are few."""
    if of < _PERCENT_OF_MIN:
        return f"{won:,} of {of:,}", ""
    low_high = interval_text(metric)
    return percent_text(Decimal(won) / of), f"{won:,} of {of:,}{low_high}"


def interval_text(metric: JsonObject | None) -> str:
    """Return `, 95 %: 54.1 to 71.0 %` of a ratio with an interval; nothing without one."""
    if metric is None or metric.get("low") is None:
        return ""
    low, high = (f"{Decimal(metric[end]) * 100:.1f}" for end in ("low", "high"))
    return f"; 95 %: {low} to {high} %"


def of_n(metric: JsonObject) -> str:
    """Return how many a metric was made of."""
    count: Any = metric.get("n")
    return "" if count is None else counted(int(count), "value")


def _plain(value: float, step: float) -> str:
    places = 0
    while places < 8 and abs(step * 10**places - round(step * 10**places)) > 1e-6:
        places += 1
    return f"{value if abs(value) > step / 2 else 0:,.{places}f}"

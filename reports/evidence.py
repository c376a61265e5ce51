"""Recommendations as evidence: what days of fills say of a setting, tested, with an interval; or what is missing.

A fill of side s earns, in basis points of the mid, `capture` s (mid - price) / mid at once, and loses `adverse`
-s (mid later - mid) / mid within `HORIZON_S`; what is left after the fee is its `edge`. Takers reach a distance d from
the mid at a rate that falls as exp(-k d) (Avellaneda and Stoikov 2008). A maker then earns most where the edge is
1 / k, as the derivative of exp(-k d) (d - adverse - fee) says: where k x edge is 1 the spread is right, and elsewhere
it earns k x edge x exp(1 - k x edge) of the most. Between `RATIO_MIN` and `RATIO_MAX` that is three quarters or more,
and no test is asked to tell it from right.

Four causes are tested on the same fills, so each at a quarter of the error that all of them may have together.
Neighbouring fills share what the mid does: their sums over blocks of time are the draws, not they themselves.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from math import exp, log, sqrt
from statistics import fmean
from typing import Any, Final, NamedTuple

from market.exact_json import JsonObject
from reports.daily_file import SealedHistory
from reports.enough import FILLS, HELD, MARKED, Watched, blocks_lacking, blocks_of, fills_lacking, later, watched
from reports.statistics import Interval, share_interval, student_quantile

HORIZON_S: Final = 10
ERROR: Final = 0.05  # of recommending anything where all is right
CAUSES: Final = ("spread_too_wide", "spread_too_narrow", "toxic_flow", "skew_missing")
LEVEL: Final = 1 - 2 * ERROR / len(CAUSES)  # of an interval whose one end is a test at a quarter of the error
RATIO_MIN, RATIO_MAX = 0.5, 2.0  # of k x edge
REVERTING_GOAL: Final = 0.75  # of fills while `POSITIONS_FULL` are held, those that make it less: by chance it is half
REVERTING_MAX: Final = 0.65  # below, the goal is missed
POSITIONS_FULL: Final = 5
FILLS_MIN: Final = 60
BLOCKS_MIN: Final = 12
DECAY_ERRORS: Final = 2.0  # the relative error of k is at most so many over the root of the takers seen

_BPS: Final = 10_000.0


class Fill(NamedTuple):
    """One of ours; all but time and quantity in basis points of the mid.

    Attributes:
        sign: 1 of a buy, -1 of a sell.
        later: None where the mid of then is not known.
    """

    time_s: float
    sign: int
    qty: float
    capture: float
    fee: float
    later: float | None

    @property
    def edge(self) -> float:
        """What it was worth, its fee paid; of one that has a mid later."""
        assert self.later is not None
        return self.capture + self.sign * self.later - self.fee


class Estimate(NamedTuple):
    """A mean of fills, and what is known of it."""

    value: float
    error: float
    interval: Interval
    n: int


class Market(NamedTuple):
    """What the maker has seen, and what it was set to, all in basis points.

    Attributes:
        reach: 1 / k.
        reach_error: of it, relative.
        half_spread, skew: None where the documents do not say.
        inventory: at which the skew is at its full, in orders.
    """

    reach: float
    reach_error: float
    half_spread: float | None
    skew: float | None
    inventory: float


def evidence(documents: Sequence[JsonObject]) -> tuple[list[JsonObject], list[JsonObject]]:
    """Return what is recommended, and of what too little is known to say.

    Args:
        documents: of days, oldest first; what is tested are the fills in the pair that the last maker quoted.

    Returns:
        Rows of `rule` (the cause), `setting`, `was`, `to`, `figure`, `value`, `low`, `high`, `level`, `n`, `expected`,
        `replay` (None, for who tries it) and `advice`; and rows of `rule`, what `lacks`, `n`, `needed`, `days`
        and `hours` (of quoting until there is enough, None if nobody can say) and `advice`.
    """
    quoted = [document for document in documents if (document.get("quoting") or {}).get("symbol")]
    if not quoted:
        return [], []  # no maker of this desk has traded here
    fills, held = _fills(documents, quoted[-1]["quoting"]["symbol"])
    market = _market(quoted)
    known = [fill for fill in fills if fill.later is not None]
    seen = watched(documents)
    if (missing := _missing(known, seen)) is not None:
        return [], [missing]
    if market is None:
        return [], [_without_market()]
    found = list(_of_spread(known, market))
    skew, waiting = _of_skew(held, market, seen)
    waiting += _undecided(known, market, seen) if not found else []
    return found + skew, waiting


# --- what the documents hold


def _fills(documents: Sequence[JsonObject], symbol: str) -> tuple[list[Fill], list[tuple[float, int]]]:
    """Return the fills with a mid, and of each what was held before it, in fills of the usual size, and its sign."""
    fills: list[Fill] = []
    held: list[tuple[float, int]] = []
    for document in documents:
        told = document.get("trade_history", [])
        entries = told.in_floats() if isinstance(told, SealedHistory) else told
        rows = [row for row in entries if row["symbol"] == symbol]
        carried = document.get("symbols", {}).get(symbol, {}).get("carried", {})
        position = float(carried.get("qty") or 0)
        usual = fmean(float(row["qty"]) for row in rows) if rows else 1.0
        for row in rows:
            sign, qty = (1 if row["side"] == "BUY" else -1), float(row["qty"])
            held.append((position / usual, sign))
            position += sign * qty
            if (mid := row.get("mid")) is not None:
                fills.append(_fill(row, sign, qty, float(mid)))
    return fills, held


def _fill(row: Mapping[str, Any], sign: int, qty: float, mid: float) -> Fill:
    later = row.get("mids", {}).get(str(HORIZON_S))
    price, fee = float(row["price"]), float(row["fee_in_quote"] or 0)
    return Fill(
        row["time_ms"] / 1_000,
        sign,
        qty,
        _BPS * sign * (mid - price) / mid,
        _BPS * fee / (price * qty),
        None if later is None else _BPS * (float(later) - mid) / mid,
    )


def _market(documents: Sequence[JsonObject]) -> Market | None:
    """Return what the newest document with a maker's sight of its takers says; None if none has it."""
    for document in reversed(documents):
        quoting = document["quoting"]
        seen = quoting.get("seen") or {}
        sides = [side for side in (seen.get("bid"), seen.get("ask")) if side is not None]
        if sides:
            takers = sum(float(side["takers"]) for side in sides)
            decay = exp(sum(float(side["takers"]) * log(float(side["decay"])) for side in sides) / takers)
            settings = quoting.get("maker", {})
            spread, skew, inventory, notional = map(settings.get, ("half_spread", "skew", "inventory", "notional"))
            is_full_known = inventory is not None and notional is not None
            return Market(
                _BPS / decay,
                DECAY_ERRORS / sqrt(takers),
                None if spread is None else _BPS * float(spread),
                None if skew is None else _BPS * float(skew),
                float(inventory) / float(notional) if is_full_known else float(POSITIONS_FULL),
            )
    return None


# --- the tests


def _of_spread(fills: Sequence[Fill], market: Market) -> Iterator[JsonObject]:
    """Yield what the edge and what is lost to the informed say of the spread: one cause at most."""
    edge, adverse = _mean(fills, [each.edge for each in fills]), _mean(fills, [_adverse(each) for each in fills])
    ratio, toxicity = _over_reach(edge, market), _over_reach(adverse, market)
    if toxicity.interval.low > 1:
        cause, figure, shown = "toxic_flow", "adverse_over_reach", toxicity
    elif ratio.interval.low > RATIO_MAX:
        cause, figure, shown = "spread_too_wide", "edge_over_reach", ratio
    elif ratio.interval.high < RATIO_MIN:
        cause, figure, shown = "spread_too_narrow", "edge_over_reach", ratio
    else:
        return
    to = None if market.half_spread is None else max(0.1, market.half_spread + market.reach - edge.value)
    yield {
        "rule": cause,
        **_setting("maker.half_spread", market.half_spread, to),
        **_shown(figure, shown),
        "expected": _of_the_most(ratio),
        "replay": None,
        "advice": _spread_advice(cause, edge, adverse, market, to),
    }


def _of_skew(
    held: Sequence[tuple[float, int]], market: Market, seen: Watched
) -> tuple[list[JsonObject], list[JsonObject]]:
    """Return what fills while much is held say of the skew, or that they are too few."""
    signs = [(position > 0) == (sign < 0) for position, sign in held if abs(position) >= POSITIONS_FULL]
    if len(signs) < FILLS_MIN:
        return [], []  # not much was held: there is nothing to lean against
    share, interval = sum(signs) / len(signs), share_interval(sum(signs), len(signs), LEVEL)
    if interval.high >= REVERTING_MAX:
        needed = _needed(len(signs), (interval.high - interval.low) / 2, REVERTING_GOAL - REVERTING_MAX)
        is_open = interval.low < REVERTING_MAX and needed > len(signs)
        return [], [fills_lacking(HELD, len(signs), needed, seen)] if is_open else []
    lean = market.reach * log(REVERTING_GOAL / (1 - REVERTING_GOAL)) / 2  # of both sides, at POSITIONS_FULL
    to = (market.skew or 0) + lean * market.inventory / POSITIONS_FULL
    typical = sqrt(fmean(position * position for position, _ in held))
    odds = (1 - REVERTING_GOAL) / REVERTING_GOAL
    row = {
        "rule": "skew_missing",
        **_setting("maker.skew", market.skew, to),
        **_shown("reverting_share", Estimate(share, 0.0, interval, len(signs))),
        "expected": {"figure": "position_in_fills", "now": _short(typical), "to": _short(POSITIONS_FULL * sqrt(odds))},
        "replay": None,
        "advice": f"Nothing brings the position back: of {len(signs)} fills while {POSITIONS_FULL} or more orders were "
        f"held {share:.0%} made it less ({interval.low:.0%} to {interval.high:.0%}), by chance it is half; "
        f"set maker.skew to {to / _BPS:.5f}.",
    }
    return [row], []


def _missing(fills: Sequence[Fill], seen: Watched) -> JsonObject | None:
    """Return what is missing for any test at all: fills, or time over which they are spread; what lasts longer."""
    times_s = [fill.time_s for fill in fills]
    lacking = []
    if len(fills) < FILLS_MIN:
        lacking.append(fills_lacking(MARKED, len(fills), FILLS_MIN, seen, max(times_s, default=None)))
    if fills and len(set(blocks_of(times_s))) < BLOCKS_MIN:
        lacking.append(blocks_lacking(times_s, BLOCKS_MIN, seen))
    return later(lacking) if lacking else None


def _undecided(fills: Sequence[Fill], market: Market, seen: Watched) -> list[JsonObject]:
    """Say how many fills it would take where the interval of k x edge is wider than what is to be told apart."""
    ratio = _over_reach(_mean(fills, [each.edge for each in fills]), market)
    reach = (ratio.interval.high - ratio.interval.low) / 2
    needed = _needed(len(fills), reach, (RATIO_MAX - RATIO_MIN) / 2)
    is_inside = ratio.interval.low > RATIO_MIN and ratio.interval.high < RATIO_MAX
    return (
        [] if is_inside or needed <= len(fills) else [fills_lacking(FILLS, len(fills), needed, seen, fills[-1].time_s)]
    )


# --- the statistics


def _mean(fills: Sequence[Fill], values: Sequence[float]) -> Estimate:
    """Return the mean of one value a fill, by the sums over blocks of time: a ratio estimate (Cochran 1977, 6.4)."""
    mean = fmean(values)
    residuals: dict[int, float] = {}
    for block, value in zip(blocks_of(fill.time_s for fill in fills), values, strict=True):
        residuals[block] = residuals.get(block, 0.0) + value - mean
    count = len(residuals)
    error = sqrt(sum(each * each for each in residuals.values()) * count / (count - 1)) / len(values)
    reach = student_quantile((1 + LEVEL) / 2, count - 1) * error
    return Estimate(mean, error, Interval(mean - reach, mean + reach), len(values))


def _over_reach(estimate: Estimate, market: Market) -> Estimate:
    """Return k x a mean; the errors of both count."""
    value = estimate.value / market.reach
    widened = (estimate.interval.high - estimate.value) / estimate.error if estimate.error else 0.0
    error = sqrt((estimate.error / market.reach) ** 2 + (value * market.reach_error) ** 2)
    return Estimate(value, error, Interval(value - widened * error, value + widened * error), estimate.n)


def _adverse(fill: Fill) -> float:
    assert fill.later is not None
    return -fill.sign * fill.later


def _needed(count: int, reach: float, wanted: float) -> int:
    """Return of how many an interval reaches no farther than wanted: its reach falls with the root of their number."""
    return round(count * max(1.0, reach / wanted) ** 2)


# --- what is told


def _setting(name: str, was_bps: float | None, to_bps: float | None) -> JsonObject:
    was, to = (None if each is None else _short(each / _BPS) for each in (was_bps, to_bps))
    return {"setting": name, "was": was, "to": to}


def _shown(figure: str, estimate: Estimate) -> JsonObject:
    low, high = map(_short, estimate.interval)
    shown = {"figure": figure, "value": _short(estimate.value), "low": low, "high": high}
    return shown | {"level": _short(LEVEL), "n": estimate.n}


def _of_the_most(ratio: Estimate) -> JsonObject:
    """Return which part of the most the edge earns now, and by what factor that would rise; None of a loss."""
    now = _earned(ratio.value)
    ends = sorted(map(_earned, ratio.interval))
    factor = None if now <= 0 else _short(1 / now)
    return {"figure": "part_of_the_most", "now": _short(now), "low": _short(ends[0]), "high": _short(ends[1])} | {
        "to": _short(1.0),
        "factor": factor,
    }


def _earned(ratio: float) -> float:
    return ratio * exp(1 - ratio)


def _spread_advice(cause: str, edge: Estimate, adverse: Estimate, market: Market, to: float | None) -> str:
    said = {
        "spread_too_wide": "Quotes stand too far out",
        "spread_too_narrow": "Quotes stand too near",
        "toxic_flow": f"Takers know more than we: a fill loses {adverse.value:.2f} bps in {HORIZON_S} s",
    }[cause]
    low, high = edge.interval
    means = f"a fill is worth {edge.value:.2f} bps ({low:.2f} to {high:.2f}, n {edge.n}) after {HORIZON_S} s and fees"
    best = f"in this market {market.reach:.2f} would earn most"
    change = "" if to is None else f"; set maker.half_spread to {to / _BPS:.5f}"
    return f"{said}: {means}, {best}{change}."


def _without_market() -> JsonObject:
    advice = "How takers reach for prices is not known: it takes a maker that has seen 100 of them on a side."
    return {
        "rule": "market_unknown",
        "lacks": None,
        "n": None,
        "needed": None,
        "days": None,
        "hours": None,
        "advice": advice,
    }


def _short(value: float) -> Decimal:
    return Decimal(f"{value:.4g}")

"""What a week's figures suggest, as a table of rules: each row says when it speaks and what it says."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final

from market.exact_json import JsonObject
from reports.folder import ReportsFolder
from reports.weekly import DAYS, Activity, Week, week_of, week_to_json

ROUND_TRIPS_MIN: Final = 20  # below this a win rate is chance: at 20 its standard error is still 11 points
WIN_RATE_MIN: Final = Fraction(1, 2)
FEE_SHARE_MAX: Final = Fraction(1, 2)  # of the gross
SIDE_IMBALANCE_MAX: Final = Fraction(1, 4)  # |bought - sold| / volume
MAKER_RATIO_MIN: Final = Fraction(95, 100)


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table: `applies` to the week, or not; `advice` is only asked for when it applies."""

    name: str
    applies: Callable[[Week], bool]
    advice: Callable[[Week], str]


def recommendations(week: Week) -> list[JsonObject]:
    """Return `{"rule", "advice"}` of every rule that applies, in the order of the table."""
    found: list[JsonObject] = [{"rule": rule.name, "advice": rule.advice(week)} for rule in RULES if rule.applies(week)]
    if not found:
        return [{"rule": "nothing_stands_out", "advice": "Nothing stands out: keep the settings and keep watching."}]
    return found


def weekly_document(folder: ReportsFolder, last: date) -> JsonObject:
    """Return the weekly document of the seven days that end with `last`, as the folder holds them."""
    week = week_of(last, *folder.read_days(last, DAYS))
    return week_to_json(week, recommendations(week))


def _active(week: Week) -> Activity:
    """Return the week's activity, that of an idle week where it cannot be said."""
    return week.activity or Activity()


def _imbalance(week: Week) -> Fraction:
    activity = _active(week)
    return (activity.bought - activity.sold) / activity.volume if activity.volume else Fraction(0)


def _percent(value: Fraction | None) -> str:
    assert value is not None
    return f"{round(value * 100)} %"


def _unreconciled_days(week: Week) -> list[str]:
    return [one.day.isoformat() for one in week.reported if one.is_reconciled is False]


def _unvalued_assets(week: Week) -> list[str]:
    return sorted(frozenset[str]().union(*(one.unvalued_assets for one in week.reported)))


def _has_win_rate(week: Week) -> bool:
    return _active(week).round_trips >= ROUND_TRIPS_MIN


def _win_rate(week: Week) -> Fraction:
    rate = _active(week).win_rate
    return Fraction(0) if rate is None else rate


def _maker_ratio(week: Week) -> Fraction:
    ratio = _active(week).maker_ratio
    return Fraction(1) if ratio is None else ratio


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "damaged_days",
        lambda week: bool(week.damaged),
        lambda week: (
            f"{len(week.damaged)} of 7 days have a damaged report: look at the disk and at the file kept aside."
        ),
    ),
    Rule(
        "missing_days",
        lambda week: bool(week.missing),
        lambda week: (
            f"{len(week.missing)} of 7 days have no report: the totals leave them out; let the tracker run daily."
        ),
    ),
    Rule(
        "not_reconciled",
        lambda week: bool(_unreconciled_days(week)),
        lambda week: (
            f"Balances and trades disagree on {', '.join(_unreconciled_days(week))}: "
            "look for deposits, withdrawals or missed trades before trusting the PnL."
        ),
    ),
    Rule(
        "unvalued_fees",
        lambda week: bool(_unvalued_assets(week)),
        lambda week: f"Fees in {', '.join(_unvalued_assets(week))} have no price: the PnL leaves them out.",
    ),
    Rule(
        "no_fills",
        lambda week: bool(week.reported) and week.trades == 0,
        lambda _: (
            "No fills: the spread is too wide for this market, or nothing was quoted; narrow it and check the maker."
        ),
    ),
    Rule(
        "one_sided",
        lambda week: abs(_imbalance(week)) > SIDE_IMBALANCE_MAX,
        lambda week: (
            f"One-sided: {'buys' if _imbalance(week) > 0 else 'sells'} outweigh the other side by "
            f"{_percent(abs(_imbalance(week)))} of the volume; lean the quotes against the inventory."
        ),
    ),
    Rule(
        "fees_exceed_edge",
        lambda week: _active(week).fees >= _active(week).gross > 0,
        lambda week: (
            f"Fees are {_percent(_active(week).fees / _active(week).gross)} of the gross: every round trip loses; "
            "widen the spread or trade where fees are lower."
        ),
    ),
    Rule(
        "fees_eat_edge",
        lambda week: _active(week).gross > _active(week).fees > FEE_SHARE_MAX * _active(week).gross,
        lambda week: (
            f"Fees take {_percent(_active(week).fees / _active(week).gross)} of the gross: "
            "widen the spread a little or lower the fee tier."
        ),
    ),
    Rule(
        "adverse_selection",
        lambda week: _active(week).gross < 0,
        lambda _: "The matches lose before fees: the market moves through the quotes; widen them when it is volatile.",
    ),
    Rule(
        "takes_liquidity",
        lambda week: _maker_ratio(week) < MAKER_RATIO_MIN,
        lambda week: f"Only {_percent(_maker_ratio(week))} of the volume was made, not taken: quote post-only.",
    ),
    Rule(
        "win_rate_low",
        lambda week: _has_win_rate(week) and _win_rate(week) < WIN_RATE_MIN,
        lambda week: (
            f"Win rate {_percent(_win_rate(week))} over {_active(week).round_trips} round trips: "
            "quotes are too close to the market for its moves; widen them or replace them sooner."
        ),
    ),
    Rule(
        "few_round_trips",
        lambda week: week.trades > 0 and week.activity is not None and not _has_win_rate(week),
        lambda week: (
            f"Round trips: {_active(week).round_trips} of the {ROUND_TRIPS_MIN} that it takes to judge the win rate; "
            "change nothing because of it yet."
        ),
    ),
    Rule(
        "worst_day_outweighs",
        lambda week: len(week.ranked) > 1 and -(week.ranked[0].pnl or 0) > (week.ranked[-1].pnl or 0) > 0,
        lambda week: (
            f"The worst day, {week.ranked[0].day}, lost more than the best one earned: set a loss limit per day."
        ),
    ),
)

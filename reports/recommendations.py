"""What a week's figures suggest, as a table of rules: each row says when it speaks and what it says."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Final

from market.exact_json import JsonObject
from market.words import counted
from reports.folder import ReportsFolder
from reports.weekly import DAYS, Activity, Week, week_of, week_to_json

ROUND_TRIPS_MIN: Final = 20  # below this a win rate is chance: at 20 its standard error is still 11 points
WIN_RATE_MIN: Final = Fraction(1, 2)
FEE_SHARE_MAX: Final = Fraction(1, 2)  # of the gross
SIDE_IMBALANCE_MAX: Final = Fraction(1, 4)  # |bought - sold| / volume
SIDES_TRADES_MIN: Final = 10  # below this one side may be ahead by chance
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
    if not found and not week.reported:
        return [{"rule": "no_reports", "advice": "No day reported: there is nothing to say of these days."}]
    if not found:
        return [{"rule": "nothing_stands_out", "advice": "Nothing stands out: keep the settings and keep watching."}]
    return found


def weekly_document(folder: ReportsFolder, last: date, count: int = DAYS) -> JsonObject:
    """Return the document of the `count` days that end with `last`, as the folder holds them."""
    first = min(folder.days(), default=last)
    week = week_of(last, *folder.read_days(last, count), count, first)
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


def _share(count: int, week: Week) -> str:
    return f"{count} of {counted(week.count, 'day')} {'has' if count == 1 else 'have'}"


def _dates(days: Iterable[date]) -> str:
    """Return the days, a run of neighbours by its ends."""
    runs: list[list[date]] = []
    for day in sorted(days):
        if runs and day - runs[-1][-1] == timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _unreconciled_days(week: Week) -> list[str]:
    return [one.day.isoformat() for one in week.reported if one.is_reconciled is False]


def _unvalued_assets(week: Week) -> list[str]:
    return sorted(frozenset[str]().union(*(one.unvalued_assets for one in week.reported)))


def _has_win_rate(week: Week) -> bool:
    return _active(week).round_trips - _active(week).undecided >= ROUND_TRIPS_MIN


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "damaged_days",
        lambda week: bool(week.damaged),
        lambda week: (
            f"{_share(len(week.damaged), week)} a damaged report ({_dates(week.damaged)}), which the totals leave out: "
            "look at the disk, and put the file back from a backup or move it away."
        ),
    ),
    Rule(
        "missing_days",
        lambda week: bool(week.missing),
        lambda week: (
            f"{_share(len(week.missing), week)} no report ({_dates(week.missing)}), which adds nothing to the totals: "
            "of one that was traded on, the tracker makes a report when it runs again."
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
            "No fills: the spread is too wide for this market, or nothing was quoted; "
            "lower maker.half_spread, or look at the maker's log."
        ),
    ),
    Rule(
        "one_sided",
        lambda week: week.trades >= SIDES_TRADES_MIN and abs(_imbalance(week)) > SIDE_IMBALANCE_MAX,
        lambda week: (
            f"One-sided: {'buys' if _imbalance(week) > 0 else 'sells'} outweigh the other side by "
            f"{_percent(abs(_imbalance(week)))} of the volume; a smaller maker.notional "
            "risks less on the position that this leaves."
        ),
    ),
    Rule(
        "fees_exceed_edge",
        lambda week: _active(week).fees >= _active(week).gross > 0,
        lambda week: (
            f"Fees are {_percent(_active(week).fees / _active(week).gross)} of the gross: what was matched loses; "
            "raise maker.half_spread, or trade where fees are lower."
        ),
    ),
    Rule(
        "fees_eat_edge",
        lambda week: _active(week).gross > _active(week).fees > FEE_SHARE_MAX * _active(week).gross,
        lambda week: (
            f"Fees take {_percent(_active(week).fees / _active(week).gross)} of the gross: "
            "raise maker.half_spread a little."
        ),
    ),
    Rule(
        "adverse_selection",
        lambda week: _active(week).gross < 0,
        lambda _: "The matches lose before fees: the market moves through the quotes; raise maker.half_spread.",
    ),
    Rule(
        "takes_liquidity",
        lambda week: _active(week).maker_volume < MAKER_RATIO_MIN * _active(week).volume,
        lambda week: (
            f"Only {_percent(_active(week).maker_ratio)} of the volume was made, not taken: "
            "the maker takes nothing, so look for another program or a hand on the account."
        ),
    ),
    Rule(
        "win_rate_low",
        lambda week: _has_win_rate(week) and (_active(week).win_rate or 0) < WIN_RATE_MIN,
        lambda week: (
            f"Win rate {_percent(_active(week).win_rate)} over {_active(week).round_trips} round trips: "
            "quotes are too close to the market for its moves; raise maker.half_spread, "
            "or lower maker.requote_tolerance to replace them sooner."
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
            f"The worst day, {week.ranked[0].day}, lost more than the best one earned: "
            "a smaller maker.notional loses less on such a day."
        ),
    ),
)

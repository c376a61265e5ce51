"""What a week's figures suggest: each rule says when it speaks and what it says."""

from collections.abc import Iterable, Iterator
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


def recommendations(week: Week) -> list[JsonObject]:
    """Return `{"rule", "advice"}` of every rule that applies."""
    found = [*_of_the_days(week), *_of_the_trades(week, week.activity or Activity())]
    if not found and not week.reported:
        found = [("no_reports", "No day reported: there is nothing to say of these days.")]
    elif not found:
        found = [("nothing_stands_out", "Nothing stands out: keep the settings and keep watching.")]
    return [{"rule": rule, "advice": advice} for rule, advice in found]


def weekly_document(folder: ReportsFolder, last: date, count: int = DAYS) -> JsonObject:
    """Return the document of the `count` days that end with `last`, as the folder holds them."""
    first = min(folder.days(), default=last)
    week = week_of(last, *folder.read_days(last, count), count, first)
    return week_to_json(week, recommendations(week))


def _of_the_days(week: Week) -> Iterator[tuple[str, str]]:
    """Yield what there is to say of the documents, each with its rule."""
    if week.damaged:
        yield (
            "damaged_days",
            f"{_share(len(week.damaged), week)} a damaged report ({_dates(week.damaged)}), which the totals leave out: "
            "look at the disk, and put the file back from a backup or move it away.",
        )
    if week.missing:
        yield (
            "missing_days",
            f"{_share(len(week.missing), week)} no report ({_dates(week.missing)}), which adds nothing to the totals: "
            "of one that was traded on, the tracker makes a report when it runs again.",
        )
    if unreconciled := [one.day.isoformat() for one in week.reported if one.is_reconciled is False]:
        yield (
            "not_reconciled",
            f"Balances and trades disagree on {', '.join(unreconciled)}: "
            "look for deposits, withdrawals or missed trades before trusting the PnL.",
        )
    if unvalued := sorted({asset for one in week.reported for asset in one.unvalued_assets}):
        yield "unvalued_fees", f"Fees in {', '.join(unvalued)} have no price: the PnL leaves them out."


def _of_the_trades(week: Week, activity: Activity) -> Iterator[tuple[str, str]]:
    """Yield what there is to say of the figures, each with its rule; `activity` of an idle week if nobody can say."""
    if week.reported and not week.trades:
        yield (
            "no_fills",
            "No fills: the spread is too wide for this market, or nothing was quoted; "
            "lower maker.half_spread, or look at the maker's log.",
        )
    imbalance = (activity.bought - activity.sold) / activity.volume if activity.volume else Fraction(0)
    if week.trades >= SIDES_TRADES_MIN and abs(imbalance) > SIDE_IMBALANCE_MAX:
        yield (
            "one_sided",
            f"One-sided: {'buys' if imbalance > 0 else 'sells'} outweigh the other side by {_percent(abs(imbalance))} "
            "of the volume; a smaller maker.notional risks less on the position that this leaves.",
        )
    if activity.fees >= activity.gross > 0:
        yield (
            "fees_exceed_edge",
            f"Fees are {_percent(activity.fees / activity.gross)} of the gross: what was matched loses; "
            "raise maker.half_spread, or trade where fees are lower.",
        )
    if activity.gross > activity.fees > FEE_SHARE_MAX * activity.gross:
        share = _percent(activity.fees / activity.gross)
        yield "fees_eat_edge", f"Fees take {share} of the gross: raise maker.half_spread a little."
    if activity.gross < 0:
        yield (
            "adverse_selection",
            "The matches lose before fees: the market moves through the quotes; raise maker.half_spread.",
        )
    maker_ratio, win_rate = activity.maker_ratio, activity.win_rate
    if maker_ratio is not None and maker_ratio < MAKER_RATIO_MIN:
        yield (
            "takes_liquidity",
            f"Only {_percent(maker_ratio)} of the volume was made, not taken: "
            "the maker takes nothing, so look for another program or a hand on the account.",
        )
    has_win_rate = activity.round_trips - activity.undecided >= ROUND_TRIPS_MIN
    if has_win_rate and win_rate is not None and win_rate < WIN_RATE_MIN:
        yield (
            "win_rate_low",
            f"Win rate {_percent(win_rate)} over {activity.round_trips} round trips: "
            "quotes are too close to the market for its moves; raise maker.half_spread, "
            "or lower maker.requote_tolerance to replace them sooner.",
        )
    if week.trades and week.activity is not None and not has_win_rate:
        yield (
            "few_round_trips",
            f"Round trips: {activity.round_trips} of the {ROUND_TRIPS_MIN} that it takes to judge the win rate; "
            "change nothing because of it yet.",
        )
    ranked = week.ranked
    if len(ranked) > 1 and -(ranked[0].pnl or 0) > (ranked[-1].pnl or 0) > 0:
        yield (
            "worst_day_outweighs",
            f"The worst day, {ranked[0].day}, lost more than the best one earned: "
            "a smaller maker.notional loses less on such a day.",
        )


def _percent(value: Fraction) -> str:
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

"""What some days suggest: notices of data that cannot be trusted, and what the evidence says of a setting.

Each is a row of `kind`, `rule` and `advice`. A `notice` is of the documents; a `recommendation` is of a setting, with
all that `reports.evidence` has to say for it; a row of kind `waiting` says of what too little is known yet, and one of
kind `none` that there is nothing to say.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from market.collecting import uncollected
from market.exact_json import JsonObject
from market.words import counted
from reports.evidence import evidence
from reports.folder import ReportsFolder
from reports.one_symbol import of_symbol
from reports.week_markouts import week_markouts
from reports.weekly import DAYS, Week, week_of, week_to_json

MAKER_RATIO_MIN: Final = Fraction(95, 100)


def recommendations(week: Week, documents: Sequence[JsonObject] = ()) -> list[JsonObject]:
    """Return a row of everything that is to be said; `documents` are those of the days, oldest first."""
    notices = [{"kind": "notice", "rule": rule, "advice": advice} for rule, advice in _notices(week)]
    found, waiting = evidence(documents)
    rows = [{"kind": "recommendation", **row} for row in found] + [{"kind": "waiting", **row} for row in waiting]
    if rows or notices:
        return notices + rows
    if not week.reported:
        rule, advice = "no_reports", "No day reported: there is nothing to say of these days."
    else:
        rule, advice = "nothing_stands_out", "Nothing stands out: keep the settings and keep watching."
    return [{"kind": "none", "rule": rule, "advice": advice}]


def weekly_document(
    folder: ReportsFolder,
    last: date,
    count: int = DAYS,
    symbol: str | None = None,
    known: Mapping[date, JsonObject] = MappingProxyType({}),
) -> JsonObject:
    """Return the document of the `count` days that end with `last`, as the folder holds them.

    Args:
        symbol: the only one that is told of; a file that does not tell its trades by symbol is damaged for that.
        known: documents that were read already.
    """
    first = min(folder.days(), default=None)
    try:
        with uncollected():
            return _week_of_files(folder.read_sums(last, count, known), last, count, symbol, first)
    except (ValueError, LookupError, TypeError, AttributeError):
        # A history that its checksum calls right, and that is none: who looks at each entry names the file.
        return _week_of_files(folder.read_days(last, count), last, count, symbol, first)


def _week_of_files(
    files: tuple[dict[date, JsonObject], dict[date, str]],
    last: date,
    count: int,
    symbol: str | None,
    first: date | None,
) -> JsonObject:
    documents, damaged = files
    if symbol is not None:
        documents, unknown = _narrowed(documents, symbol)
        damaged = {**damaged, **unknown}
    week = week_of(last, documents, damaged, count, first)
    ordered = [documents[day] for day in sorted(documents)]
    told = week_to_json(week, recommendations(week, ordered)) | {"markouts": week_markouts(ordered)}
    return told if symbol is None else told | {"symbol": symbol}


def _narrowed(documents: Mapping[date, JsonObject], symbol: str) -> tuple[dict[date, JsonObject], dict[date, str]]:
    """Return the days with nothing but a symbol, and of those that do not tell of it why."""
    found: dict[date, JsonObject] = {}
    unknown: dict[date, str] = {}
    for day, document in documents.items():
        try:
            found[day] = of_symbol(document, symbol)
        except ValueError as error:
            unknown[day] = str(error)
    return found, unknown


def _notices(week: Week) -> Iterator[tuple[str, str]]:
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
    if week.reported and not week.trades:
        yield (
            "no_fills",
            "No fills, so nothing can be said of the settings: `why` tells what was quoted, and why not.",
        )
    maker_ratio = week.activity.maker_ratio if week.activity else None
    if maker_ratio is not None and maker_ratio < MAKER_RATIO_MIN:
        yield (
            "takes_liquidity",
            f"Only {round(maker_ratio * 100)} % of the volume was made, not taken: "
            "the maker takes nothing, so look for another program or a hand on the account.",
        )


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

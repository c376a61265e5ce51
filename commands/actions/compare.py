"""`report --compare`: the daily files of two desks, venues or settings side by side."""

import sys
from datetime import date
from pathlib import Path

from commands.actions.report import Period
from commands.output import columns
from desk.client import DeskError
from market.exact_json import JsonObject, dumps
from reports.comparison import comparison
from reports.folder import ReportsFolder
from screens.comparison import comparison_text
from screens.fold import folded


def print_comparison(ours: Path, theirs: Path, period: Period, symbol: str | None, *, as_json: bool) -> int:
    """Print how two folders of daily files compare, and return the exit code: 1 if a file is damaged.

    Args:
        ours, theirs: reports folders, or run directories with one in it.
        period: the days of each that are looked at, if they were asked for; else all.
        symbol: the only pair, if one was asked for.

    Raises:
        DeskError: if there is nothing to compare, or the two are not in one quote asset.
    """
    (documents, is_damaged), (others, are_damaged) = (_read(path, period) for path in (ours, theirs))
    try:
        found = comparison(documents, others, symbol)
    except ValueError as error:
        raise DeskError(str(error)) from None
    width = columns()
    if as_json:
        print(dumps(found))
    elif width is None:
        print(comparison_text(found, str(ours), str(theirs)))
    else:
        print(folded(comparison_text(found, str(ours), str(theirs), width), width))
    return 1 if is_damaged or are_damaged else 0


def _read(path: Path, period: Period) -> tuple[dict[date, JsonObject], bool]:
    folder = ReportsFolder(path / "reports" if (path / "reports").is_dir() else path)
    days = [day for day in folder.days() if not period.is_given or period.first <= day <= period.last]
    if not days:
        raise DeskError(f"there is no report of these days in {folder.path}")
    documents, damaged = folder.read_days(days[-1], (days[-1] - days[0]).days + 1)
    for day, why in damaged.items():
        print(f"note: {day} in {folder.path} damaged: {why}", file=sys.stderr)
    return documents, bool(damaged)

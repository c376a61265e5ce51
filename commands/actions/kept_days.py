"""A folder of daily files without a desk: what `simulate --out` and `backtest --out` leave, or a copy of some."""

from datetime import date, timedelta

from commands.actions.report import Period
from desk.settings import Settings
from reports.folder import ReportsFolder


def of_kept_days(settings: Settings) -> Settings | None:
    """Return the settings with the run directory itself as reports folder, if that holds daily files, and no desk's."""
    run_dir = settings.run_dir
    is_of_a_desk = settings.reports_dir == run_dir or (run_dir / "reports").is_dir()
    if is_of_a_desk or not ReportsFolder(run_dir).days():
        return None
    return settings.model_copy(update={"tracker": settings.tracker.model_copy(update={"folder": run_dir})})


def kept_period(settings: Settings, period: Period, days: int | None) -> Period:
    """Return the days that are meant of such a folder: the last one, and the last `days`, are those that it holds."""
    last: date = max(ReportsFolder(settings.reports_dir).days())
    if days is not None:
        return Period(last - timedelta(days=days - 1), last)
    return period if period.is_given else Period(last, last, is_given=False)

"""A day of a desk on real processes, so that it can be traded again: its engine's journal, and its daily file."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

from desk.client import DeskError
from desk.decisions_file import decided_ns
from desk.settings import Settings, load_kept_settings, setting_texts
from desk.settings_log import SettingChange, settings_set
from journal.format import JournalError
from journal.reader import JournalReader
from market.clock import NS_PER_MS, NS_PER_SECOND, day_bounds_ns, utc_date
from market.clock import now as time_now
from market.exact_json import JsonObject
from nodes.engine.command_record import COMMANDS, CommandRecord
from reports.folder import DamagedReportError, ReportsFolder
from reports.performance import history_of
from reports.trade_history import HistoryRow
from simulation.delays import Delays

LATENCY: Final = Delays()  # of a desk and an exchange on one machine


class DeskDay(NamedTuple):
    """What there is of the day.

    Attributes:
        folder: the run directory.
        start_ns, end_ns: of the day, or of as much of it as the journal and the daily file have.
        settings: at its start.
        rows: its trades, oldest first.
        changes: what was set while it went on, as far as the maker's logs reach.
        decided_ns: when the maker decided anything, as far as its journal of decisions has it.
    """

    folder: Path
    settings: Settings
    start_ns: int
    end_ns: int
    rows: Sequence[HistoryRow]
    delays: Delays = LATENCY
    changes: Sequence[SettingChange] = ()
    decided_ns: Sequence[int] = ()

    def records(self) -> Iterator[CommandRecord]:
        """Yield what was sent to the engine of the pair, oldest first.

        Raises:
            JournalError, OSError: if it cannot be read.
        """
        return _records(self.settings)


def desk_day(settings: Settings, day: date | None) -> DeskDay:
    """Return a day of a desk, without one the last that has a daily file.

    Raises:
        DeskError: if there is no journal of it, or no daily file.
    """
    if settings.venue.name != "paper":
        raise DeskError(f"the market of {settings.venue.name} is not in our journal: record it, and use backtest")
    folder = ReportsFolder(settings.reports_dir)
    day = day or max(folder.days(), default=utc_date(time_now().time_ns))
    try:
        document = folder.read(day)
        first = next(_records(settings), None)
    except (DamagedReportError, JournalError) as error:
        raise DeskError(str(error)) from None
    except OSError as error:
        raise DeskError(f"cannot read {error.filename}: {error.strerror or error}") from None
    if document is None:
        raise DeskError(f"there is no report of {day} in {folder.path}")
    start_ns, end_ns = _seen_ns(document)
    if first is None or first.time_ns >= end_ns:
        raise DeskError(f"no journal here holds anything of {day}")
    rows = [row for row in history_of(document) if row.trade.time_ms * NS_PER_MS >= first.time_ns]
    start_ns = max(start_ns, first.time_ns)
    begun, changes = _settings_at(settings, start_ns)
    during = [change for change in changes if change.time_ns < end_ns]
    try:
        decided = decided_ns(settings.run_dir, day, settings.symbol)
    except OSError as error:
        raise DeskError(f"cannot read {error.filename}: {error.strerror or error}") from None
    return DeskDay(settings.run_dir, begun, start_ns, end_ns, rows, changes=during, decided_ns=decided)


def _settings_at(settings: Settings, time_ns: int) -> tuple[Settings, list[SettingChange]]:
    """Return how a desk was set at a time: as it is now, but for what was set since, which is returned as well."""
    try:
        changes = settings_set(settings.run_dir, time_ns)
    except OSError as error:
        raise DeskError(f"cannot read {error.filename}: {error.strerror or error}") from None
    if not changes:
        return settings, []
    first = {change.key: change.before for change in reversed(changes)}
    return load_kept_settings(setting_texts(settings) | first, str(settings.run_dir), {}), changes


def _seen_ns(document: JsonObject) -> tuple[int, int]:
    """Return from when to when a daily document tells of its day."""
    start_ns, _ = day_bounds_ns(date.fromisoformat(document["date"]))
    hours, minutes, seconds = map(int, document["time"].split(":"))
    opening_ms: int = document.get("opening", {}).get("time_ms", 0)
    return max(start_ns, opening_ms * NS_PER_MS), start_ns + ((hours * 60 + minutes) * 60 + seconds) * NS_PER_SECOND


def _records(settings: Settings) -> Iterator[CommandRecord]:
    """Yield what the journal put aside holds, then that of now: where one ends no order is open."""
    folder = settings.plan.engines[settings.plan.engine_of[settings.symbol]].journal_folder
    both = (folder.with_name(f"{folder.name}.before"), folder)
    return chain.from_iterable((record for _, record in JournalReader(each, COMMANDS).records()) for each in both)

"""One step of the tracker: what the venue says now goes into the daily file, and nothing already there is lost."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from market.exact_json import JsonObject
from reports.folder import DamagedReportError, ReportsFolder
from reports.performance import AccountSnapshot, history_of, performance_document, with_late_trades
from reports.trade_history import reset_reason, utc_day


@dataclass(frozen=True, slots=True)
class Recorded:
    """The daily file as it is now, and what its reader should be told (a file kept aside, late trades added)."""

    path: Path
    document: JsonObject
    notes: tuple[str, ...]


def record(folder: ReportsFolder, snapshot: AccountSnapshot) -> Recorded:
    """Write the snapshot into its day's file, and trades of earlier days into theirs.

    A file of the day that is damaged, that belongs to an account which the venue has since forgotten, or that other
    hands made without a trade history, is kept under another name, and the day starts anew.

    Raises:
        OSError: if the disk refuses; the files stay as they were.
        FolderBusyError: if another process does not let go of the folder.
        ValueError: for a trade in a symbol that is not among the snapshot's instruments.
    """
    notes: list[str] = []
    with folder.locked():
        for day in sorted({utc_day(trade.time_ms) for trade in snapshot.trades} - {snapshot.day}):
            _add_late_trades(folder, day, snapshot, notes)
        document = performance_document(snapshot, _previous(folder, snapshot, notes))
        path = folder.write(snapshot.day, document)
    return Recorded(path, document, tuple(notes))


def _previous(folder: ReportsFolder, snapshot: AccountSnapshot, notes: list[str]) -> JsonObject | None:
    """Return the day's document to go on with; one that cannot be gone on with is kept aside and noted."""
    try:
        document = folder.read(snapshot.day)
    except DamagedReportError as error:
        aside = folder.keep_aside(snapshot.day, "damaged")
        notes.append(f"{error}; kept as {aside.name}, the day's report starts anew")
        return None
    if document is None:
        return None
    if "trade_history" not in document:
        aside = folder.keep_aside(snapshot.day, "foreign")
        notes.append(f"{folder.file_of(snapshot.day)} has no trade history to go on with; kept as {aside.name}")
        return None
    reason = reset_reason(history_of(document), snapshot.trades)
    if reason is not None:
        aside = folder.keep_aside(snapshot.day, "before-reset")
        notes.append(f"the venue has a new account: {reason}; the old one's report is kept as {aside.name}")
        return None
    return document


def _add_late_trades(folder: ReportsFolder, day: date, snapshot: AccountSnapshot, notes: list[str]) -> None:
    """Add to the file of a `day` gone by what was traded after it was last written; without a file there is no day."""
    try:
        document = folder.read(day)
    except DamagedReportError as error:
        notes.append(f"{error}; its late trades are not added")
        return
    if document is None:
        return
    trades = [trade for trade in snapshot.trades if utc_day(trade.time_ms) == day]
    reason = reset_reason(history_of(document), trades)
    if reason is not None:
        notes.append(f"the report of {day} is of an older account, late trades are not added: {reason}")
        return
    completed = with_late_trades(document, trades, snapshot.instruments, snapshot.mark_prices)
    if completed is not document:
        folder.write(day, completed)
        added = completed["total_trades"] - document["total_trades"]
        notes.append(f"{added} late trades of {day} were added to {folder.file_of(day).name}")

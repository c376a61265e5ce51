"""One step of the tracker: what the venue says now goes into the daily file, and nothing already there is lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from market.clock import NS_PER_MS, iso_time
from market.exact_json import JsonObject
from reports.folder import DamagedReportError, ReportsFolder
from reports.performance import AccountSnapshot, history_of, performance_document, with_late_trades
from reports.trade_history import HistoryRow, reset_reason, utc_day

SETTLED_MS: Final = 60_000  # after which a venue surely tells a trade wherever it is asked


@dataclass(frozen=True, slots=True)
class Recorded:
    """The daily file as it is now, and what its reader should be told (a file kept aside, late trades added)."""

    path: Path
    document: JsonObject
    notes: tuple[str, ...]
    was_reset: bool = False


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
        found = _previous(folder, snapshot, notes)
        resets = _resets(folder, snapshot, found, notes)
        was_reset = len(resets) > len((found or {}).get("resets", []))
        document = performance_document(snapshot, None if was_reset else found, resets)
        path = folder.write(snapshot.day, document)
    return Recorded(path, document, tuple(notes), was_reset)


def _previous(folder: ReportsFolder, snapshot: AccountSnapshot, notes: list[str]) -> JsonObject | None:
    """Return the day's document so far; one that cannot be understood is kept aside and noted."""
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
    return document


def _resets(
    folder: ReportsFolder, snapshot: AccountSnapshot, found: JsonObject | None, notes: list[str]
) -> list[JsonObject]:
    """Return the day's resets; a document of the account before the newest one is kept aside, and noted."""
    resets: list[JsonObject] = (found or {}).get("resets", [])
    if found is None:
        found_id, name = _yesterdays_account_id(folder, snapshot), ""
        reason = _id_reason(found_id, snapshot)
    else:
        history = history_of(found)
        reason = _id_reason(found.get("account_id", ""), snapshot)
        reason = reason or reset_reason(history, snapshot.trades) or _vanished_reason(history, snapshot)
        name = folder.keep_also_as(snapshot.day, "before-reset").name if reason else ""
    if reason is None:
        return resets
    where = f"; the old one's report is kept as {name}" if name else ""
    notes.append(f"the venue has a new account: {reason}{where}")
    time_ms = snapshot.now_ns // NS_PER_MS
    return [*resets, {"time": iso_time(time_ms), "time_ms": time_ms, "reason": reason, "kept_as": name}]


def _id_reason(known_id: str, snapshot: AccountSnapshot) -> str | None:
    """Return that the account's id has changed, if both are known and it has."""
    if not known_id or not snapshot.account_id or known_id == snapshot.account_id:
        return None
    return f"its id is {snapshot.account_id}, was {known_id}"


def _vanished_reason(known: Sequence[HistoryRow], snapshot: AccountSnapshot) -> str | None:
    """Return that the venue has forgotten the day's trades, if it tells all there are and none of them is known.

    The newest trades do not count: a venue may show a trade and, asked again at once, not yet show it elsewhere.
    """
    settled_ms = snapshot.now_ns // NS_PER_MS - SETTLED_MS
    told = {(trade.symbol, trade.trade_id) for trade in snapshot.trades}
    is_gone = snapshot.has_all_trades and any(row.trade.time_ms <= settled_ms for row in known)
    return "it knows none of the day's trades" if is_gone and not any(row.key in told for row in known) else None


def _yesterdays_account_id(folder: ReportsFolder, snapshot: AccountSnapshot) -> str:
    try:
        document = folder.read(snapshot.day - timedelta(days=1))
    except DamagedReportError:
        return ""
    account_id = (document or {}).get("account_id", "")
    return account_id if isinstance(account_id, str) else ""


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

"""What `doctor` finds of a desk's stores: journals, sessions, ledger, history, daily files. Nothing is changed."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote

from desk.client import command_text
from desk.settings import Settings
from journal.format import JournalError
from market.words import counted
from nodes.engine.inspection import verify
from nodes.engine.making import engine_figures
from nodes.paper.node import LEDGER_FILE
from paper.money.tables import SCHEMA_VERSION, UPGRADES
from reports.folder import ReportsFolder
from sessions.session_store import verify_store

_DAYS_READ: Final = 31  # of the daily files; a year of busy days takes minutes to read

State = Literal["ok", "note", "wrong"]


class Finding(NamedTuple):
    """What one check has found: a `note` is worth knowing, what is `wrong` hinders the desk; `do` is what to do."""

    check: str
    state: State
    what: str
    do: str = ""


def ok(check: str, what: str) -> Finding:
    """Return that all is well."""
    return Finding(check, "ok", what)


def note(check: str, what: str, do: str = "") -> Finding:
    """Return what is worth knowing."""
    return Finding(check, "note", what, do)


def wrong(check: str, what: str, do: str = "") -> Finding:
    """Return what hinders the desk."""
    return Finding(check, "wrong", what, do)


def journal_findings(settings: Settings) -> Iterator[Finding]:
    """Yield of each engine's journal whether an engine can start from it."""
    for engine in settings.plan.engines.values():
        folder = engine.journal_folder
        aside = f"mv {folder} {folder}.bad, and lose what rests in the book; docs/journal.md says what else may help"
        repair = command_text("journal repair --yes", settings.run_dir)
        try:
            found = verify(folder, engine_figures(settings, engine.name))
        except (JournalError, OSError) as error:
            yield wrong("journal", str(error), f"start it as before, or {aside}")
            continue
        count = counted(found["records"], "record")
        if found["state"] == "damaged":
            why = f"{found['corruption']['why']}; an engine starts behind record {found['begins_after']:,} all the same"
            yield note("journal", why, repair)
        elif found["state"] == "corrupt":
            yield wrong("journal", found["corruption"]["why"], f"{repair}, which loses what rests in the book")
        elif found["torn_tail"] and not found["is_in_use"]:
            size = counted(found["torn_tail"]["bytes"], "byte")
            yield note("journal", f"{folder}: {count}, and {size} of a last one that the next start cuts off")
        else:
            yield ok("journal", f"{folder}: {count}, sound" if found["files"] else f"{folder}: none yet")


def session_findings(settings: Settings) -> Iterator[Finding]:
    """Yield of each gateway whether it can go on with its sessions."""
    for gateway in settings.plan.gateways.values():
        try:
            sessions, records = verify_store(gateway.folder)
        except (JournalError, OSError) as error:
            yield wrong("sessions", str(error), f"mv {gateway.folder} {gateway.folder}.bad: every session begins anew")
            continue
        kept = f"{counted(sessions, 'session')}, {counted(records, 'frame')} of reports, sound"
        yield ok("sessions", f"{gateway.folder}: {kept}" if sessions else f"{gateway.folder}: none kept")


def ledger_findings(settings: Settings) -> Iterator[Finding]:
    """Yield whether the paper exchange can use its ledger."""
    path = settings.run_dir / "paper" / LEDGER_FILE
    afresh = f"restore a backup of it, or forget the paper accounts: {command_text('up --fresh', settings.run_dir)}"
    if not path.exists():
        yield ok("ledger", "none yet")
        return
    try:
        version = int(_checked(path, "PRAGMA user_version"))
    except sqlite3.Error as error:
        yield wrong("ledger", f"{path}: {error}", afresh)
        return
    if version > SCHEMA_VERSION:
        what = f"{path} is of version {version}, newer than the {SCHEMA_VERSION} known here"
        yield wrong("ledger", what, "run the newer program, or another --run-dir")
    elif version != SCHEMA_VERSION and version not in UPGRADES:
        yield wrong("ledger", f"{path} is of version {version}, which this program does not read", afresh)
    else:
        older = "" if version == SCHEMA_VERSION else f"; the next start brings it to {SCHEMA_VERSION}"
        yield ok("ledger", f"{path}: version {version}, sound{older}")


def history_findings(settings: Settings) -> Iterator[Finding]:
    """Yield whether the tracker can use its history."""
    from history.database import FILE_NAME  # takes a fifth of a second
    from history.schema import REVISION

    path = settings.reports_dir / FILE_NAME
    if not path.exists():
        yield ok("history", "none yet")
        return
    try:
        version = int(_checked(path, "SELECT version_num FROM alembic_version"))
    except (sqlite3.Error, ValueError) as error:
        yield wrong("history", f"{path}: {error}", "nothing: the tracker puts it aside, and asks the venue anew")
        return
    if version > int(REVISION):
        what = f"{path} is of version {version}, newer than the {int(REVISION)} known here"
        yield wrong("history", what, "run the newer program; this one's tracker goes on without it")
    else:
        older = "" if version == int(REVISION) else f"; the tracker brings it to {int(REVISION)}"
        yield ok("history", f"{path}: version {version}, sound{older}")


def report_findings(settings: Settings) -> Iterator[Finding]:
    """Yield which of the last daily files are not what was written."""
    folder = ReportsFolder(settings.reports_dir)
    days = folder.days()
    if not days:
        yield ok("reports", "none yet")
        return
    read = days[-_DAYS_READ:]
    damaged: dict[str, str] = {}
    for day in read:
        damaged |= {str(folder.file_of(each)): why for each, why in folder.read_days(day, 1)[1].items()}
    for path, why in damaged.items():
        yield wrong("reports", f"{path}: {why}", "restore a backup, or let the tracker write it anew from the venue")
    if aside := len(list(settings.reports_dir.glob("performance_*.damaged-*.json"))):
        yield note("reports", f"kept aside: {counted(aside, 'damaged file')}")
    if not damaged:
        more = f" of {len(days):,}" if len(days) > len(read) else ""
        yield ok("reports", f"{settings.reports_dir}: {counted(len(read), 'day')}{more} read, sound")


def _checked(path: Path, question: str) -> Any:
    """Return the one answer to a question to a file of SQLite, after every page of it was looked at.

    Raises:
        sqlite3.Error: if it cannot be read, or is not sound.
    """
    is_open = _has_log(path)
    try:
        # Whoever opens a file with a log makes the log's files; where there are none, nobody writes, and none are made.
        return _answered(path, question, "mode=ro" if is_open else "immutable=1")
    except sqlite3.Error:
        if is_open or not _has_log(path):
            raise
    return _answered(path, question, "mode=ro")  # a desk has started meanwhile


def _has_log(path: Path) -> bool:
    return path.with_name(f"{path.name}-wal").exists()


def _answered(path: Path, question: str, how: str) -> Any:
    with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?{how}", uri=True)) as connection:
        rows = [text for (text,) in connection.execute("PRAGMA quick_check(1)")]
        if rows != ["ok"]:
            raise sqlite3.DatabaseError(rows[0] if rows else "it cannot be checked")
        row = connection.execute(question).fetchone()
    if row is None:
        raise sqlite3.DatabaseError("it does not say its version")
    return row[0]

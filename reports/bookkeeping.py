"""One step of the tracker: what the venue says now goes into the daily file, and nothing already there is lost."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from market.account import VenueTrade
from market.clock import NS_PER_MS, NS_PER_SECOND, Clock, iso_time
from market.exact_json import JsonObject
from reports.carried import Carried
from reports.daily_file import encode_lines
from reports.day_book import DayBook
from reports.folder import DamagedReportError, FileMark, ReportsFolder
from reports.other_days import OtherDays, changed_id
from reports.performance import AccountSnapshot, document_head, refigured, take, with_history, with_markouts
from reports.reconciliation import SETTLED_MS
from reports.trade_history import HistoryRow, reset_reason, utc_day, vanished

BYTES_PER_SECOND_MAX: Final = 500_000  # what is written, on average, of a file that grows all day
PAUSE_SECONDS_MAX: Final = 60  # by which the file may be behind the venue


@dataclass(frozen=True, slots=True)
class Recorded:
    """The daily file as it is now, and what its reader should be told (a file kept aside, late trades added).

    Attributes:
        head: the daily document without its trades.
        markouts: those of the file, which may be behind `head`: they cost as much as the day is long.
    """

    path: Path
    head: JsonObject
    book: DayBook
    notes: tuple[str, ...]
    markouts: Sequence[JsonObject] = ()

    @property
    def document(self) -> JsonObject:
        """The daily document."""
        return with_history(self.head, self.book)


@dataclass(frozen=True, slots=True)
class _Aside:
    """Why a file is to be kept under another name, and what is told before and after that name."""

    why: str
    before: str
    after: str = ""


@dataclass(slots=True)
class _Day:
    """The day that is being written: what is known of it, and which file that was read from or written to."""

    book: DayBook
    head: JsonObject | None  # None before the first snapshot
    mark: FileMark | None  # None where there is no file
    account_id: str = ""
    resets: list[JsonObject] = field(default_factory=list)
    aside: _Aside | None = None  # the file is to be kept under another name
    written_ns: int = 0  # on the monotonic clock
    pause_ns: int = 0
    is_behind: bool = False  # whether the file lacks something of `head`
    markouts: Sequence[JsonObject] = ()  # as they were written last; the first record of a day is written at once


class Recorder:
    """The daily files between two snapshots: what they hold is kept in memory, so that a snapshot costs what is new.

    The file of a long day is not written with every snapshot but at most at `BYTES_PER_SECOND_MAX` on average, and at
    least once in `PAUSE_SECONDS_MAX`. What it lacks meanwhile the venue still tells: a process that is killed loses
    nothing.
    """

    def __init__(self, folder: ReportsFolder, now: Clock) -> None:
        """Begin with what the `folder` holds; `now` tells the time."""
        self._folder = folder
        self._now = now
        self._others = OtherDays(folder)
        self._day: _Day | None = None
        self._vanished_ns: int | None = None  # since when the venue tells none of the day's trades

    def look(self, day: date) -> None:
        """Take in what the file of `day` holds, if another process, or nobody yet, has written it.

        Call it before the venue is asked: a snapshot that is older than the file can then be told from a newer one.

        Raises:
            OSError: if the file cannot be read, or that of the day before not written.
            FolderBusyError: if another process does not let go of the folder.
        """
        if self._day is None or self._day.book.day != day:
            self.write()
            self._day = self._loaded(day)
        elif self._day.mark != self._folder.mark_of(day):
            self._reload(self._day)

    @property
    def book(self) -> DayBook:
        """The day that was looked at."""
        assert self._day is not None, "looked at no day"
        return self._day.book

    def knows(self, trade: VenueTrade) -> bool:
        """Say whether just this trade is on file: of the day, or the newest of its symbol before it."""
        if self.book.knows(trade):
            return True
        newest = self.newest(trade.symbol)
        return newest is not None and newest.trade == trade

    def newest(self, symbol: str) -> HistoryRow | None:
        """Return the newest trade in `symbol` of the day or before it, by the venue's number; None if there is none."""
        return self.book.newest.get(symbol) or self._others.newest(symbol, self.book.day)

    def days(self) -> list[date]:
        """Return the days that have a file, oldest first."""
        return self._folder.days()

    def record(self, snapshot: AccountSnapshot, *, is_final: bool = False) -> Recorded | None:
        """Take the snapshot in and, when it is time or `is_final`, write the day's file; None if it came too late.

        It came too late if the file has changed, or the day, since `look`: then look, and ask the venue, again.
        A file of the day that is damaged, that belongs to an account which the venue has since forgotten, or that other
        hands made without a trade history, is kept under another name, and the day starts anew. A snapshot that is
        older than the file changes nothing. Trades of other days go into theirs.

        Raises:
            OSError: if the disk refuses; the files stay as they were.
            FolderBusyError: if another process does not let go of the folder.
            ValueError: for a trade in a symbol that is not among the snapshot's instruments.
        """
        with self._folder.locked():
            day = self._day
            if day is None or day.book.day != snapshot.day or day.mark != self._folder.mark_of(snapshot.day):
                return None
            notes = self._put_aside(day)
            reason = self._reset_reason(day, snapshot)
            if reason is not None:
                day, note = self._begin_anew(day, snapshot, reason)
                self._day, notes = day, [*notes, note]
            elif day.head is not None and _is_older(day.book, snapshot):
                return self._recorded(day, [*notes, "the venue tells less than it did; what it said last stands"])
            symbols = [instrument.symbol for instrument in snapshot.instruments]
            notes += self._others.take(snapshot, {} if reason else {symbol: self.newest(symbol) for symbol in symbols})
            if self._others.has_changed and reason is None:
                day.book.carry(self._others.carried_into(snapshot.day, snapshot.account_id))
            take(day.book, snapshot)
            market = snapshot.market or (day.head or {}).get("market", {})
            day.head = document_head(day.book, snapshot, day.resets, market)
            day.account_id, day.is_behind = snapshot.account_id or day.account_id, True
            if is_final or self._now().monotonic_ns - day.written_ns >= day.pause_ns:
                self._write(day)
            return self._recorded(day, notes)

    def write(self) -> None:
        """Write what the day's file lacks.

        Raises:
            OSError, FolderBusyError: as `record`.
        """
        day = self._day
        if day is None or not day.is_behind:
            return
        with self._folder.locked():
            if day.mark != self._folder.mark_of(day.book.day):
                self._reload(day)
            if day.is_behind:
                self._put_aside(day)
                self._write(day)

    def _recorded(self, day: _Day, notes: list[str]) -> Recorded:
        assert day.head is not None
        return Recorded(self._folder.file_of(day.book.day), day.head, day.book, tuple(notes), day.markouts)

    def _write(self, day: _Day) -> None:
        assert day.head is not None
        written = with_markouts(day.head, day.book)
        content = encode_lines(written, day.book.lines)
        self._folder.write_bytes(day.book.day, content)
        day.markouts = written["markouts"]
        day.mark = self._folder.mark_of(day.book.day)
        day.written_ns, day.is_behind = self._now().monotonic_ns, False
        seconds = min(len(content) / BYTES_PER_SECOND_MAX, PAUSE_SECONDS_MAX)
        day.pause_ns = int(seconds * NS_PER_SECOND) if seconds >= 1 else 0

    def _put_aside(self, day: _Day) -> list[str]:
        """Give a file that cannot be gone on with another name, and return what is to be told of it."""
        if day.aside is None:
            return []
        name = self._folder.keep_aside(day.book.day, day.aside.why).name
        note = f"{day.aside.before}; kept as {name}{day.aside.after}"
        day.aside, day.mark = None, None
        return [note]

    def _loaded(self, day: date) -> _Day:
        """Return the day as its file holds it, empty without one that can be gone on with."""
        mark = self._folder.mark_of(day)
        if self._day is not None:
            self._others.leave(self._day.book, day)
        try:
            found = self._folder.read_book(day)
        except DamagedReportError as error:
            aside = _Aside("damaged", str(error), ", the day's report starts anew")
            account_id = self._others.account_id_before(day)
            return _Day(self._empty(day, account_id), None, mark, account_id, aside=aside)
        if found is None:
            account_id = self._day.account_id if self._day is not None else self._others.account_id_before(day)
            return _Day(self._empty(day, account_id), None, mark, account_id)
        document, book = found
        if book is None:
            foreign = _Aside("foreign", f"{self._folder.file_of(day)} has no trade history to go on with")
            return _Day(self._empty(day, ""), None, mark, aside=foreign)
        head = _head_of(document)
        loaded = _Day(book, head, mark, head.get("account_id", ""), head.get("resets", []))
        loaded.book.add(self._others.since_opening(loaded.book, head), {})
        return loaded

    def _empty(self, day: date, account_id: str) -> DayBook:
        """Return a day of which nothing is known but what the days before it have left open."""
        book = DayBook(day, {})
        book.carry(self._others.carried_into(day, account_id))
        return book

    def _reload(self, day: _Day) -> None:
        """Take in what another process has made of the day's file; what only the memory holds stays."""
        mark = self._folder.mark_of(day.book.day)
        document, book, day.aside = None, None, None
        try:
            document, book = self._folder.read_book(day.book.day) or (None, None)
        except DamagedReportError as error:
            day.aside = _Aside("damaged", str(error), ", the day's report is written again")
        if document is not None and book is None:
            day.aside = _Aside("foreign", f"{self._folder.file_of(day.book.day)} was replaced by one of other hands")
        day.mark, day.pause_ns = mark, 0
        if document is None or book is None:
            day.is_behind = day.head is not None
            return
        head = _head_of(document)
        if day.resets == head.get("resets", []):
            book.watch(one for symbol, one in day.book.instruments.items() if symbol not in book.instruments)
            book.load(day.book.rows)
            book.add(day.book.strays.values(), {})
        book.add(self._others.since_opening(book, head), {})
        day.is_behind = len(book.rows) > document["total_trades"]
        day.book, day.head = book, refigured(head, book) if day.is_behind else head
        day.account_id, day.resets = head.get("account_id", ""), head.get("resets", [])

    def _reset_reason(self, day: _Day, snapshot: AccountSnapshot) -> str | None:
        """Return why the snapshot is of another account than what is on file, or None if it need not be."""
        reason = changed_id(day.account_id, snapshot)
        if reason is not None or any(day.book.knows(trade) for trade in snapshot.trades):
            self._vanished_ns = None
            return reason
        symbols = {instrument.symbol for instrument in snapshot.instruments}
        of_night = [] if day.resets else self._of_the_night(day.book, symbols)
        if vanished(day.book.rows, snapshot.trades, symbols, is_all=snapshot.has_all_trades):
            if self._is_settled(day.book.rows, snapshot):
                return "it knows none of the day's trades"
        elif of_night and vanished(of_night, snapshot.trades, symbols, is_all=snapshot.has_all_trades):
            if self._is_settled(of_night, snapshot):
                return "it knows none of the last trades of the day before"
        else:
            self._vanished_ns = None
        return reset_reason([*day.book.numbered(snapshot.trades), *of_night], snapshot.trades)

    def _of_the_night(self, book: DayBook, symbols: Iterable[str]) -> list[HistoryRow]:
        """Return the newest trades of the day before: a wipe over midnight has left none of this day to be missed."""
        newest = (self._others.newest(symbol, book.day) for symbol in symbols)
        before = book.day - timedelta(days=1)
        return [row for row in newest if row is not None and utc_day(row.trade.time_ms) == before]

    def _is_settled(self, rows: Iterable[HistoryRow], snapshot: AccountSnapshot) -> bool:
        """Say whether the venue has had the time to tell the day's trades, by their times or by our own patience.

        The newest trades do not count: a venue may show a trade and, asked again at once, not yet show it elsewhere.
        """
        now_ns = self._now().monotonic_ns
        self._vanished_ns = now_ns if self._vanished_ns is None else self._vanished_ns
        settled_ms = snapshot.now_ns // NS_PER_MS - SETTLED_MS
        is_old = any(row.trade.time_ms <= settled_ms for row in rows)
        return is_old or now_ns - self._vanished_ns >= SETTLED_MS * NS_PER_MS

    def _begin_anew(self, day: _Day, snapshot: AccountSnapshot, reason: str) -> tuple[_Day, str]:
        """Keep the day of the account before; return an empty one that tells of the reset, and a word on it."""
        name = ""
        if day.head is not None:
            if day.is_behind:
                self._write(day)
            name = self._folder.keep_also_as(snapshot.day, "before-reset").name
        self._others.forget(instrument.symbol for instrument in snapshot.instruments)
        self._vanished_ns = None
        time_ms = snapshot.now_ns // NS_PER_MS
        reset: JsonObject = {"time": iso_time(time_ms), "time_ms": time_ms, "reason": reason, "kept_as": name}
        where = f"; the old one's report is kept as {name}" if name else ""
        book = DayBook(snapshot.day, {})
        book.carry(Carried(ends=day.book.ends, is_wiped=True))
        new = _Day(book, None, day.mark, snapshot.account_id, [*day.resets, reset])
        return new, f"the venue has a new account: {reason}{where}"


def _head_of(document: JsonObject) -> JsonObject:
    return {name: value for name, value in document.items() if name != "trade_history"}


def _is_older(book: DayBook, snapshot: AccountSnapshot) -> bool:
    """Say whether the snapshot is from before the book's newest trade; a trade of long ago may be told no more."""
    settled_ms = snapshot.now_ns // NS_PER_MS - SETTLED_MS
    highest: dict[str, int] = {}
    for trade in snapshot.trades:
        highest[trade.symbol] = max(trade.trade_id, highest.get(trade.symbol, 0))
    newest = (book.newest.get(instrument.symbol) for instrument in snapshot.instruments)
    return any(
        row is not None and row.trade.trade_id > highest.get(row.trade.symbol, -1) and row.trade.time_ms > settled_ms
        for row in newest
    )

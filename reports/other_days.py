"""The days around the one that is being written: what their files know, and what is added to them."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from market.account import VenueTrade
from market.exact_json import JsonObject
from market.words import counted
from reports.carried import Carried
from reports.day_book import DayBook
from reports.folder import DamagedReportError, ReportsFolder
from reports.performance import AccountSnapshot, history_of, unseen_document, with_carried, with_late_trades
from reports.reconciliation import is_after
from reports.trade_history import HistoryRow, TradeKey, key_of, reset_reason, utc_day


class OtherDays:
    """The other days of a folder.

    Each trade of theirs is looked up in its file once. The venue tells the last hundred again and again, and a day's
    file may be large.
    """

    def __init__(self, folder: ReportsFolder) -> None:
        """Begin with what the `folder` holds."""
        self._folder = folder
        self._filed: set[TradeKey] = set()  # trades that are done with
        self._newest: dict[str, HistoryRow | None] = {}
        self.has_changed = False  # whether the last `take` has changed what an earlier day leaves open
        self._last: DayBook | None = None  # the day that was written before this one

    def leave(self, book: DayBook, day: date) -> None:
        """Take `book`, that was written until now, for one of the other days; `day` is written from now on."""
        self._last = book
        is_newest = book.day < day and not any(book.day < one < day for one in self._folder.days())
        self._newest = dict(book.newest) if is_newest else {}

    def forget(self, symbols: Iterable[str]) -> None:
        """Begin a new account: what the files know of `symbols` is of another."""
        self._last, self._newest = None, dict.fromkeys(symbols, None)

    def newest(self, symbol: str, day: date) -> HistoryRow | None:
        """Return the newest trade in `symbol` of the days before `day`, by the venue's number; None if there is none.

        One of a later day, on file since a clock was set back or the venue's is ahead, says nothing of the trades of
        `day`: a day of which none is on file is to be asked for whole.
        """
        if symbol not in self._newest:
            self._newest[symbol] = self._looked_up(symbol, day)
        return self._newest[symbol]

    def account_id_before(self, day: date) -> str:
        """Return the account of the newest day before `day`; empty where nobody knows it."""
        for other in reversed([one for one in self._folder.days() if one < day]):
            account_id = (self._read(other) or {}).get("account_id", "")
            if isinstance(account_id, str) and account_id:
                return account_id
        return ""

    def carried_into(self, day: date, account_id: str) -> Carried:
        """Return the lots that the newest day before `day` has left open; none of another account."""
        last = max((one for one in self._folder.days() if one < day), default=None)
        if last is None:
            return Carried()
        try:
            found = self._folder.read_book(last)
        except (DamagedReportError, OSError):
            return Carried(why=f"the report of {last} cannot be read")
        if found is None:
            return Carried()
        document, book = found
        if book is None:
            return Carried(why=f"the report of {last} is by other hands and tells no trades")
        if document.get("account_id", "") not in ("", account_id) and account_id:
            return Carried()
        lots = {symbol: tuple(one.fifo.open_lots) for symbol, one in book.symbols.items()}
        return Carried(lots, book.instruments, last, ends=book.ends)

    def since_opening(self, book: DayBook, head: JsonObject) -> list[VenueTrade]:
        """Return the trades since the opening of the `book` that are in other days' files, see `Books`."""
        opening = book.opening
        if opening is None or head.get("resets"):
            return []
        found: list[VenueTrade] = []
        for day in self._folder.days():
            if day > book.day or day == book.day - timedelta(days=1):
                document = self._read(day)
                if document is None or document.get("account_id", "") not in ("", head.get("account_id", "")):
                    continue
                trades = [row.trade for row in history_of(document) if row.trade.symbol in book.instruments]
                found += [trade for trade in trades if is_after(trade, opening)]
        return found

    def take(self, snapshot: AccountSnapshot, newest: Mapping[str, HistoryRow | None]) -> list[str]:
        """Put what was traded on other days, and is not on file yet, into their files; return what is to be told.

        Args:
            newest: the newest trade of any day by symbol; empty for an account that has just begun anew.

        Raises:
            OSError: if the disk takes no file; one that cannot be read is told, and left alone.
        """
        notes: list[str] = []
        changed: list[date] = []
        by_day: dict[date, list[VenueTrade]] = {}
        for trade in snapshot.trades:
            day = utc_day(trade.time_ms)
            is_known = key_of(trade) in self._filed or (self._last is not None and self._last.knows(trade))
            if day != snapshot.day and not is_known:
                by_day.setdefault(day, []).append(trade)
        for day in sorted(by_day):
            trades = by_day[day]
            try:
                document = self._folder.read(day)
            except OSError as error:
                path = self._folder.file_of(day)
                notes.append(f"{path} cannot be read, its late trades are not added: {error.strerror or error}")
                continue
            except DamagedReportError as error:
                notes.append(f"{error}; its late trades are not added")
            else:
                if document is not None:
                    said = self._add_late(day, document, trades, snapshot)
                    notes += said
                    changed += [day] if said else []
                elif self._may_make(day, trades, snapshot, newest):
                    carried = self.carried_into(day, snapshot.account_id)
                    known = snapshot.instruments, snapshot.mark_prices
                    document = unseen_document(day, trades, *known, carried, snapshot.details)
                    changed.append(day)
                    path = self._folder.write(day, document)
                    notes.append(f"{path.name} was made of {counted(len(trades), 'trade')}: nobody saw that day")
            self._filed.update(key_of(trade) for trade in trades)
        self.has_changed = any(day < snapshot.day for day in changed)
        if self.has_changed:
            self._carry_on(min(changed), snapshot)
        return notes

    def _carry_on(self, first: date, snapshot: AccountSnapshot) -> None:
        """Carry what `first` has left open now into the days after it, up to the one that is being written."""
        for day in self._folder.days():
            document = self._read(day) if first < day < snapshot.day else None
            if document is not None:
                completed = with_carried(document, self.carried_into(day, snapshot.account_id))
                if completed != document:
                    self._folder.write(day, completed)

    def _add_late(
        self, day: date, document: JsonObject, trades: list[VenueTrade], snapshot: AccountSnapshot
    ) -> list[str]:
        """Add to the file of `day` by what was traded after it was last written."""
        reason = changed_id(document.get("account_id", ""), snapshot) or reset_reason(history_of(document), trades)
        if reason is not None:
            return [f"the report of {day} is of an older account, late trades are not added: {reason}"]
        known = snapshot.instruments, snapshot.mark_prices, snapshot.details
        completed = with_late_trades(document, trades, *known)
        if completed is document:
            return []
        path = self._folder.write(day, completed)
        added = completed["total_trades"] - document["total_trades"]
        return [f"{counted(added, 'late trade')} of {day} {'was' if added == 1 else 'were'} added to {path.name}"]

    def _may_make(
        self,
        day: date,
        trades: list[VenueTrade],
        snapshot: AccountSnapshot,
        newest: Mapping[str, HistoryRow | None],
    ) -> bool:
        """Say whether `trades` are all that the account traded on `day`, and the desk was in service before them."""
        told = {key_of(trade) for trade in snapshot.trades}
        is_in_service = any(one < day for one in self._folder.days())
        for trade in trades:
            last = newest.get(trade.symbol)
            if last is not None:
                is_whole = last.key in told and trade.trade_id >= last.trade.trade_id
            else:
                is_whole = is_in_service and (snapshot.has_all_trades or snapshot.is_gapless)
            if not is_whole or trade.symbol not in newest:
                return False
        return True

    def _looked_up(self, symbol: str, day: date) -> HistoryRow | None:
        for other in reversed([one for one in self._folder.days() if one < day]):
            rows = [row for row in history_of(self._read(other)) if row.trade.symbol == symbol]
            if rows:
                return max(rows, key=lambda row: row.trade.trade_id)
        return None

    def _read(self, day: date) -> JsonObject | None:
        """Return the document of `day`, None where there is none that can be read: it is told of where it is needed."""
        try:
            return self._folder.read(day)
        except (DamagedReportError, OSError):
            return None


def changed_id(known_id: str, snapshot: AccountSnapshot) -> str | None:
    """Return that the account's id has changed, if both are known and it has."""
    if not known_id or not snapshot.account_id or known_id == snapshot.account_id:
        return None
    return f"its id is {snapshot.account_id}, was {known_id}"

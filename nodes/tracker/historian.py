"""Keeps the history database beside the daily file: opens it, fills it step by step, and bears its failures.

The database is a copy: the venue is right. So whatever becomes of it, a full disk, a lock, a damaged file, trading and
the daily file go on, and it is filled again from where it ended.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from history import keeping
from history.database import DamagedHistoryError, Database, HistoryError, put_aside
from history.retention import forget_some
from market.clock import NS_PER_MS, NS_PER_SECOND, Clock, day_bounds_ns
from market.instrument import Instrument
from nodes.tracker.history_step import HistoryStep, Kept
from reports.bookkeeping import Recorded
from reports.folder import ReportsFolder
from reports.performance import AccountSnapshot
from reports.trade_history import FillDetail, TradeKey, key_of
from venues.venue import HistoricalVenue, VenueError

ORDERS_EVERY_NS: Final = 30 * NS_PER_SECOND
MIDS_MAX: Final = 100_000  # fills whose mids are remembered while the history fails
RETRY_NS: Final = 30 * NS_PER_SECOND  # after a failure of the database


class Historian:
    """One account's history.

    Args:
        path: of the database.
        venue: where the account trades, and its name.
        run_dir: where the maker keeps its decisions.
        now: tells the time.
        keep: for how many days books and details are kept, see `history/retention.py`.
        pairs: all that the desk knows.

    Attributes:
        failing: why the last step was not done; None if it was.
    """

    def __init__(
        self,
        path: Path,
        venue: HistoricalVenue,
        venue_name: str,
        run_dir: Path,
        now: Clock,
        keep: tuple[int, int] = (1_100, 30),
        pairs: Sequence[Instrument] = (),
    ) -> None:
        self._path = path
        self._venue = venue
        self._venue_name = venue_name
        self._run_dir = run_dir
        self._now = now
        self._keep = keep
        self._pairs = pairs
        self._database: Database | None = None
        self._kept: Kept | None = None
        self.failing: str | None = None
        self._failed_ns: int | None = None  # when the database failed, on the monotonic clock
        self._mids: dict[TradeKey, tuple[int, FillDetail]] = {}  # what is not kept yet, with the times of the trades
        self._life: tuple[str, int] | None = None  # of the account that they are of
        self._has_all_mids = False  # whether those that the daily file knew at first are kept, too

    def take(self, snapshot: AccountSnapshot, recorded: Recorded, *, is_final: bool = False) -> tuple[str, ...]:
        """Keep what the tracker has read, and what is lacking before it; return what a person should be told.

        Args:
            is_final: whether nothing comes after: then the orders are read, too, whenever that was done last.
        """
        now_ns = self._now().monotonic_ns
        self._remember_mids(snapshot, recorded)
        if self._failed_ns is not None and now_ns - self._failed_ns < RETRY_NS and not is_final:
            return ()
        notes: list[str] = []
        try:
            self._take(snapshot, recorded, notes.append, is_final=is_final)
        except DamagedHistoryError as error:
            self._fail(now_ns, error)
            return (*notes, _put_aside(self._path, error))
        except (HistoryError, VenueError, OSError) as error:
            self._fail(now_ns, error)
            return (*notes, f"the history is behind, and will be filled again: {error}")
        self._failed_ns = self.failing = None
        return tuple(notes)

    def _remember_mids(self, snapshot: AccountSnapshot, recorded: Recorded) -> None:
        """Note what is known of mids now: while the history fails nobody tells it again."""
        life = snapshot.account_id, len(recorded.head["resets"])
        if life != self._life:
            self._life, self._mids = life, {}
        times_ms = {key_of(trade): trade.time_ms for trade in (*snapshot.followed, *snapshot.trades)}
        for key, detail in snapshot.details.items():
            if key in times_ms and detail != self._mids.get(key, (0, None))[1]:
                self._mids[key] = times_ms[key], detail
        while len(self._mids) > MIDS_MAX:
            del self._mids[next(iter(self._mids))]

    def close(self) -> None:
        """Let go of the database."""
        if self._database is not None:
            self._database.close()
        self._database = self._kept = None

    def _fail(self, now_ns: int, error: Exception) -> None:
        """Know nothing of the database any more, and leave it alone for a while."""
        with suppress(HistoryError):
            self.close()
        self._failed_ns, self.failing = now_ns, str(error)

    def _take(
        self, snapshot: AccountSnapshot, recorded: Recorded, tell: Callable[[str], object], *, is_final: bool
    ) -> None:
        if self._database is not None and not self._database.is_in_place:
            self.close()
        database = self._database = self._database or Database(self._path)
        kept = self._kept = self._kept_of(database, snapshot, recorded, tell)
        step = HistoryStep(self._venue, database, kept, snapshot, recorded, tell)
        try:
            for instrument in snapshot.instruments:
                step.take_trades(instrument)
        except keeping.AnotherAccountError as error:
            self._begin_account(database, snapshot, str(error))
            return
        now_ns = self._now().monotonic_ns
        if is_final or kept.orders_ns is None or now_ns - kept.orders_ns >= ORDERS_EVERY_NS:
            for instrument in snapshot.instruments:
                step.take_orders(instrument)
            kept.orders_ns = now_ns
        if not self._has_all_mids:
            on_file = {row.key: (row.trade.time_ms, row.detail) for row in recorded.book.rows if row.detail is not None}
            self._mids = on_file | self._mids
        step.take_mids(self._mids)
        self._mids, self._has_all_mids = {}, True
        step.take_balances()
        step.take_flows_of_before(ReportsFolder(self._path.parent), self._venue_name)
        step.take_decisions(self._run_dir)
        try:
            step.take_other_pairs(self._pairs)
        except keeping.AnotherAccountError as error:
            self._begin_account(database, snapshot, str(error))
            return
        self._forget(database, kept, snapshot.day)

    def _begin_account(self, database: Database, snapshot: AccountSnapshot, why: str) -> None:
        with database.transaction() as connection:
            ms = snapshot.now_ns // NS_PER_MS
            keeping.begin_account(connection, self._venue_name, snapshot.account_id, ms, why)

    def _forget(self, database: Database, kept: Kept, today: date) -> None:
        """Let what is too old go, a batch a step, until there is none; and then again on the next day."""
        if kept.forgotten != today:
            books_ms, details_ms = (day_bounds_ns(today - timedelta(days=days))[0] // NS_PER_MS for days in self._keep)
            with database.transaction() as connection:
                if not forget_some(connection, books_ms, details_ms):
                    kept.forgotten = today

    def _kept_of(
        self, database: Database, snapshot: AccountSnapshot, recorded: Recorded, tell: Callable[[str], object]
    ) -> Kept:
        """Return what is known of the account in its present life."""
        resets = recorded.head["resets"]
        reset = (resets[-1]["time_ms"], resets[-1]["reason"]) if resets else None
        ms = snapshot.now_ns // NS_PER_MS
        with database.transaction() as connection:
            account = keeping.account_of(connection, self._venue_name, snapshot.account_id, ms, reset)
            if self._kept is not None and self._kept.account == account:
                return self._kept
            return Kept(account, keeping.last_balances(connection, account, tell))


def _put_aside(path: Path, error: HistoryError) -> str:
    """Give a damaged database another name, so that the next step begins one; return what is told of it."""
    try:
        aside = put_aside(path)
    except OSError as refusal:
        return f"the history is damaged and cannot be put aside: {error}; {refusal}"
    return f"the history is damaged: {error}; kept as {aside.name}, and filled again from what the venue tells"

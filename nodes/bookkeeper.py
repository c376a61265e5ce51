"""Brings the venue's account into the daily file: for the tracker, and for the `report` command."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from market.account import VenueTrade
from market.clock import NS_PER_MS, day_bounds_ns, time_ns, utc_date
from market.exact_json import JsonObject
from market.instrument import Instrument
from reports.bookkeeping import Recorded, record
from reports.folder import DamagedReportError, ReportsFolder
from reports.performance import AccountSnapshot, history_of
from reports.recommendations import recommendations
from reports.weekly import DAYS, week_of, week_to_json
from venues.venue import Venue

LATEST_TRADES = 100
PAGE_TRADES = 1_000
READINGS_MAX = 5


class Bookkeeper:
    """One account at one venue, and the folder of its daily files."""

    def __init__(self, venue: Venue, instrument: Instrument, folder: ReportsFolder) -> None:
        self._venue = venue
        self._instrument = instrument
        self._folder = folder
        self._known_id: int | None = None  # the highest trade id in the files, once it was looked up
        self._is_known = False

    def update(self) -> Recorded:
        """Read the account and write today's file.

        Raises:
            VenueError: if the venue does not answer.
            OSError: if the disk refuses; the files stay as they were.
            FolderBusyError: if another process does not let go of the folder.
        """
        if not self._is_known:
            self._known_id, self._is_known = self._last_id_on_file(), True
        snapshot = self._snapshot()
        recorded = record(self._folder, snapshot)
        if recorded.was_reset and not snapshot.has_all_trades:
            self._known_id = None  # a new account's trades may be numbered anew: what is missing is asked for by time
        else:
            known_id = None if recorded.was_reset else self._known_id
            self._known_id = max((trade.trade_id for trade in snapshot.trades), default=known_id)
        return recorded

    def week(self) -> JsonObject:
        """Return the weekly document: the seven days that end today."""
        today = utc_date(time_ns())
        week = week_of(today, *self._folder.read_days(today, DAYS))
        return week_to_json(week, recommendations(week))

    def _snapshot(self) -> AccountSnapshot:
        trades = self._trades()
        for _ in range(READINGS_MAX):  # a fill between two readings belongs to both or to neither
            account = self._venue.account()
            open_orders = self._venue.open_orders(self._instrument)
            again = self._trades()
            if again == trades:
                break
            trades = again
        return AccountSnapshot(
            time_ns(),
            [self._instrument],
            account.balances,
            trades,
            open_orders,
            self._marks(),
            account_id=account.account_id,
            has_all_trades=len(trades) < LATEST_TRADES,
        )

    def _marks(self) -> dict[str, Decimal]:
        mid_ticks_x2 = self._venue.depth(self._instrument, 5).mid_ticks_x2
        return {} if mid_ticks_x2 is None else {self._instrument.symbol: mid_ticks_x2 * self._instrument.tick_size / 2}

    def _trades(self) -> Sequence[VenueTrade]:
        """Return the latest trades, and before them all that the files do not know yet."""
        latest = self._venue.trades(self._instrument, LATEST_TRADES)
        known_id = self._known_id
        is_complete = len(latest) < LATEST_TRADES or (known_id is not None and latest[0].trade_id <= known_id)
        if is_complete:
            return latest
        if known_id is None:
            start_ns, _ = day_bounds_ns(utc_date(time_ns()))
            page = self._venue.trades(self._instrument, PAGE_TRADES, since_ms=start_ns // NS_PER_MS)
        else:
            page = self._venue.trades(self._instrument, PAGE_TRADES, from_id=known_id + 1)
        trades = list(page)
        while len(page) == PAGE_TRADES:
            page = self._venue.trades(self._instrument, PAGE_TRADES, from_id=trades[-1].trade_id + 1)
            trades.extend(page)
        return trades or latest

    def _last_id_on_file(self) -> int | None:
        """Return the highest trade id in the file of today or yesterday, None if neither has one."""
        today = utc_date(time_ns())
        for day in (today, today - timedelta(days=1)):
            try:
                rows = history_of(self._folder.read(day))
            except (DamagedReportError, ValueError):
                continue
            ids = [row.trade.trade_id for row in rows if row.trade.symbol == self._instrument.symbol]
            if ids:
                return max(ids)
        return None

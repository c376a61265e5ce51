"""Brings the venue's account into the daily file: for the tracker, and for the `report` command."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from market.account import VenueAccount, VenueOrder, VenueTrade
from market.clock import NS_PER_MS, Clock, day_bounds_ns, utc_date
from market.exact_json import JsonObject
from market.instrument import Instrument
from nodes.tracker.fill_mids import FillMids
from nodes.tracker.fill_orders import OrdersOfFills
from nodes.tracker.mids import KEPT_NS, Mids
from reports.bookkeeping import Recorded, Recorder
from reports.day_book import DayBook
from reports.folder import FolderBusyError, ReportsFolder
from reports.performance import AccountSnapshot
from reports.reconciliation import held, opening_total
from reports.trade_history import FillDetail, TradeKey, key_of, past_key
from venues.venue import Venue, VenueNoSuchPairError, VenueRefusedError

LATEST_TRADES = 100
PAGE_TRADES = 1_000
READINGS_MAX = 5
MINUTE_MS: Final = 60_000
PAST_MS: Final = 2 * MINUTE_MS  # a fee of before is valued by what was paid in its minute, not by the mid of now


class Bookkeeper:
    """One account at one venue, and the folder of its daily files.

    Args:
        instrument: the pair to report on; others that were traded on the same day are read along.
        now: tells the time.
        market: where the account trades, as the daily document tells it.
        quoting: tells how well the maker has quoted on a day, if anybody knows.
        pairs: all that the desk knows: whose base asset has moved since the day's opening was traded by somebody.
        mids: of the others in that pair, as far as somebody follows it.
        fill_orders: knows what the orders of fills were placed for.
        asked: a pair that somebody asks for: it is read along, and is one of the day's only if it was traded on it.

    Attributes:
        snapshot: what the venue told last, of which the daily file has been made.
    """

    def __init__(
        self,
        venue: Venue,
        instrument: Instrument,
        folder: ReportsFolder,
        now: Clock,
        market: JsonObject | None = None,
        pairs: Sequence[Instrument] = (),
        quoting: Callable[[date], JsonObject | None] = lambda _: None,
        mids: Mids | None = None,
        fill_orders: OrdersOfFills | None = None,
        asked: Instrument | None = None,
    ) -> None:
        self._venue = venue
        self._instrument = instrument
        self._folder = folder
        self._now = now
        self._market = market or {}
        self._pairs = pairs
        self._quoting = quoting
        self._recorder = Recorder(folder, now)
        self._fill_mids = FillMids(instrument, mids or Mids())
        self._fill_orders = fill_orders
        self._asked = asked
        self._described: DayBook | None = None  # of which every fill was looked at once
        self.snapshot: AccountSnapshot | None = None
        self._refused: set[str] = set()  # symbols that the venue does not trade

    def update(self, *, is_final: bool = True) -> Recorded:
        """Read the account and bring today's file up to date.

        Args:
            is_final: whether the file is to hold all of it now; if not, one that is long may be behind for a while, see
                `Recorder`.

        Raises:
            VenueError: if the venue does not answer.
            OSError: if the disk refuses; the files stay as they were.
            FolderBusyError: if other processes do not let go of the folder.
        """
        for attempt in range(READINGS_MAX):
            today = utc_date(self._now().time_ns)
            self._recorder.look(today)
            snapshot = self._snapshot(today)
            if snapshot.unsure and self._recorder.book.opening is None and attempt < READINGS_MAX - 1:
                continue  # all day would be compared with balances of which nobody knows what they hold
            recorded = self._recorder.record(snapshot, is_final=is_final)
            if recorded is not None:
                self.snapshot = snapshot
                return recorded
        raise FolderBusyError(f"{self._folder.path} is being written by other processes again and again")

    def write(self) -> None:
        """Write what today's file lacks, without asking the venue.

        Raises:
            OSError: if the disk refuses.
            FolderBusyError: if another process does not let go of the folder.
        """
        self._recorder.write()

    def _snapshot(self, today: date) -> AccountSnapshot:
        instruments = self._instruments()
        reading = _Reading(self._venue, self._recorder, today)
        reading.read(instruments)
        for _ in range(READINGS_MAX):  # a fill between two readings belongs to both or to neither
            account = self._venue.account()
            open_orders = [order for one in instruments for order in self._venue.open_orders(one)]
            moved = self._moved(account, instruments)
            instruments += moved
            if not reading.read(instruments) and not moved:
                break
        instruments, trades = self._of_the_day(instruments, reading.trades, today)
        return AccountSnapshot(
            self._now().time_ns,
            instruments,
            account.balances,
            trades,
            [order for order in open_orders if order.symbol in {one.symbol for one in instruments}],
            self._marks(instruments, trades),
            account_id=account.account_id,
            has_all_trades=reading.has_all_trades,
            is_gapless=reading.is_gapless,
            unsure=reading.fresh,
            market=self._market,
            quoting=self._quoting(today),
            details=self._details(instruments, trades, open_orders),
            followed=self._fill_mids.followed,
        )

    def _details(
        self, instruments: Sequence[Instrument], trades: Sequence[VenueTrade], open_orders: Sequence[VenueOrder]
    ) -> dict[TradeKey, FillDetail]:
        """Return what is known now of fills besides what the venue tells of them."""
        book = self._recorder.book
        of_before = [] if book is self._described else [row.trade for row in book.rows]
        self._described = book
        last_ms = of_before[-1].time_ms - KEPT_NS // NS_PER_MS if of_before else 0
        recent = [trade for trade in of_before if trade.time_ms >= last_ms]
        found = self._fill_mids.details_of([*recent, *trades], book.detail_of)
        if self._fill_orders is None:
            return found
        self._fill_orders.await_all(of_before)

        def known(trade: VenueTrade) -> FillDetail | None:
            return found.get(key_of(trade)) or book.detail_of(trade)

        self._fill_orders.see(open_orders)
        return found | self._fill_orders.details_of(instruments, trades, known)

    def _instruments(self) -> list[Instrument]:
        """Return the desk's pair, and what else was traded today, or is open since before: all moves the account."""
        others, traded = self._recorder.book.instruments.values(), self._traded()
        wanted = [one for one in others if one.symbol in traded and one.symbol not in self._refused]
        wanted += [one for one in (self._asked,) if one is not None and one not in wanted]
        return [self._instrument, *(one for one in wanted if one.symbol != self._instrument.symbol)]

    def _traded(self) -> set[str]:
        book = self._recorder.book
        return {*book.newest, *(symbol for symbol, lots in book.carried.lots.items() if lots)}

    def _of_the_day(
        self, instruments: Sequence[Instrument], trades: Sequence[VenueTrade], today: date
    ) -> tuple[list[Instrument], list[VenueTrade]]:
        """Return the desk's pair and those that were traded, with their trades.

        Others were only looked at, for somebody asked or their asset came without a trade: they have nothing to value.
        """
        traded = {self._instrument.symbol, *self._traded()}
        for trade in trades:
            is_asked = self._asked is not None and trade.symbol == self._asked.symbol
            if not is_asked or utc_date(trade.time_ms * NS_PER_MS) == today:
                traded.add(trade.symbol)
        return (
            [one for one in instruments if one.symbol in traded],
            [trade for trade in trades if trade.symbol in traded],
        )

    def _moved(self, account: VenueAccount, instruments: Sequence[Instrument]) -> list[Instrument]:
        """Return pairs of the desk that are not read though the account holds more or less of them than at first.

        At the first sight of a day that is compared with the end of the day before, if that is known.
        """
        opening, ends = self._recorder.book.opening, self._recorder.book.carried.ends
        if opening is None and ends is None:
            return []
        read = {one.symbol for one in instruments}
        others = [one for one in self._pairs if one.symbol not in read]
        if opening is not None:
            moved = [one for one in others if held(account.balances, one.base) != opening_total(opening, one.base)]
        else:
            moved = [one for one in others if held(account.balances, one.base) != (ends or {}).get(one.base, 0)]
        for one in moved:
            self._mid(one.symbol)  # a pair that the venue does not know is refused here, and not asked for again
        return [one for one in moved if one.symbol not in self._refused]

    def _marks(self, instruments: Sequence[Instrument], trades: Sequence[VenueTrade]) -> dict[str, Decimal]:
        """Return the mids: of the pairs, and of those that price a fee in a third asset that has no price yet."""
        marks = {one.symbol: mid for one in instruments if (mid := self._mid(one.symbol)) is not None}
        by_symbol = {one.symbol: one for one in instruments}
        pending: dict[tuple[str, str], list[int]] = {pair: [] for pair in sorted(self._recorder.book.unvalued_fees)}
        for trade in trades:
            traded = by_symbol[trade.symbol]
            if trade.fee and trade.fee_asset not in (traded.base, traded.quote) and not self._recorder.knows(trade):
                pending.setdefault((trade.fee_asset, traded.quote), []).append(trade.time_ms)
        for asset, quote in sorted(pending):
            symbol = asset + quote
            if symbol in self._refused:
                continue
            mid = marks.get(symbol) or self._mid(symbol)
            if mid is not None:
                marks |= {symbol: mid} | self._past_prices(symbol, pending[asset, quote])
        return marks

    def _past_prices(self, symbol: str, times_ms: Sequence[int]) -> dict[str, Decimal]:
        """Return the prices of the minutes of `times_ms` that are gone by, where the venue remembers them."""
        found: dict[str, Decimal] = {}
        until_ms = self._now().time_ns // NS_PER_MS - PAST_MS
        prices: Mapping[int, Decimal] = {}
        end_ms = 0
        for time_ms in sorted(time_ms for time_ms in times_ms if time_ms < until_ms):
            minute_ms = time_ms - time_ms % MINUTE_MS
            if minute_ms >= end_ms:
                prices, end_ms = self._venue.minute_prices(symbol, minute_ms), minute_ms + PAGE_TRADES * MINUTE_MS
            if minute_ms in prices:
                found[past_key(symbol, time_ms)] = prices[minute_ms]
        return found

    def _mid(self, symbol: str) -> Decimal | None:
        """Return the mid of a pair; None for one with an empty side, and for one that the venue does not tell.

        One that it does not know is not asked for again; any other refusal may be another one the next time.
        """
        try:
            return self._venue.mid(symbol)
        except VenueRefusedError as error:
            if symbol == self._instrument.symbol:
                raise
            if isinstance(error, VenueNoSuchPairError):
                self._refused.add(symbol)
            return None


class _Reading:
    """The trades that the venue tells, read until two readings agree.

    Attributes:
        is_gapless: whether there are none between those on file and these.
        fresh: those that only the last reading has told.
    """

    def __init__(self, venue: Venue, recorder: Recorder, today: date) -> None:
        self._venue = venue
        self._recorder = recorder
        self._today = today
        self._told: dict[TradeKey, VenueTrade] = {}
        self._is_whole: dict[str, bool] = {}  # by symbol: whether all of today was told
        self.is_gapless = True
        self.fresh: list[VenueTrade] = []

    @property
    def trades(self) -> list[VenueTrade]:
        """All that was told so far."""
        return list(self._told.values())

    @property
    def has_all_trades(self) -> bool:
        """Whether the account has no other trades today."""
        return all(self._is_whole.values())

    def read(self, instruments: Sequence[Instrument]) -> bool:
        """Read the latest trades, and before them all that are not on file; say whether anything has changed."""
        before = self._told.keys() | set()
        for instrument in instruments:
            self._read(instrument)
        self.fresh = [trade for key, trade in self._told.items() if key not in before]
        return self._told.keys() != before

    def _read(self, instrument: Instrument) -> None:
        latest = self._venue.trades(instrument, LATEST_TRADES)
        is_whole = len(latest) < LATEST_TRADES
        self._forget_what_is_gone(instrument, latest, is_whole=is_whole)
        is_linked = is_whole or any(key_of(trade) in self._told or self._recorder.knows(trade) for trade in latest)
        if not is_linked and not self._read_on(instrument):
            self._read_since_the_last_day(instrument)
            is_whole = True
        self._is_whole[instrument.symbol] = is_whole or self._is_whole.get(instrument.symbol, False)
        self._take(latest)

    def _forget_what_is_gone(self, instrument: Instrument, latest: Sequence[VenueTrade], *, is_whole: bool) -> None:
        """Begin anew with a symbol of which a trade is no longer told: between two readings the account was reset."""
        lowest = -1 if is_whole else min(trade.trade_id for trade in latest)
        mine = [key for key in self._told if key[0] == instrument.symbol]
        if {key for key in mine if key[1] > lowest} - {key_of(trade) for trade in latest}:
            self._is_whole.pop(instrument.symbol, None)
            for key in mine:
                del self._told[key]

    def _read_on(self, instrument: Instrument) -> bool:
        """Read from the newest trade that is known on; say whether the venue tells that one too: it is the account's.

        Asked for is the known number itself, not the next one: it may have another half that is not known.
        """
        numbers = [trade.trade_id for trade in self._told.values() if trade.symbol == instrument.symbol]
        if (newest := self._recorder.newest(instrument.symbol)) is not None:
            numbers.append(newest.trade.trade_id)
        if not numbers:
            return False
        page = self._venue.trades(instrument, PAGE_TRADES, from_id=max(numbers))
        if not any(key_of(trade) in self._told or self._recorder.knows(trade) for trade in page):
            return False
        self._take_pages(instrument, page)
        return True

    def _read_since_the_last_day(self, instrument: Instrument) -> None:
        """Read all trades since the start of the newest day on file, for an account of which none is known."""
        days = [] if self._recorder.newest(instrument.symbol) else self._recorder.days()
        start_ns, _ = day_bounds_ns(min([*days[-1:], self._today]))
        self.is_gapless = self.is_gapless and self._recorder.newest(instrument.symbol) is None
        self._take_pages(instrument, self._venue.trades(instrument, PAGE_TRADES, since_ms=start_ns // NS_PER_MS))

    def _take_pages(self, instrument: Instrument, page: Sequence[VenueTrade]) -> None:
        """Take a page of trades and those after it; a page may end between the two halves of one number."""
        count = -1
        while count < len(self._told):
            count = len(self._told)
            self._take(page)
            if len(page) < PAGE_TRADES:
                return
            page = self._venue.trades(instrument, PAGE_TRADES, from_id=max(trade.trade_id for trade in page))

    def _take(self, trades: Sequence[VenueTrade]) -> None:
        self._told.update((key_of(trade), trade) for trade in trades)

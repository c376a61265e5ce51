"""Brings the venue's account into the daily file: for the tracker, and for the `report` command."""

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import date
from decimal import Decimal
from typing import Final

from market.account import VenueAccount, VenueOrder, VenueTrade
from market.clock import NS_PER_MS, NS_PER_SECOND, Clock, day_bounds_ns, utc_date
from market.exact_json import JsonObject
from market.instrument import Instrument
from nodes.tracker.fill_mids import FillMids
from nodes.tracker.fill_orders import OrdersOfFills
from nodes.tracker.mids import KEPT_NS, Mids
from nodes.tracker.reading import PAGE_TRADES, Reading
from reports.bookkeeping import Recorded, Recorder
from reports.day_book import DayBook
from reports.folder import FolderBusyError, ReportsFolder
from reports.performance import AccountSnapshot
from reports.reconciliation import SETTLED_MS, held, opening_total
from reports.trade_history import FillDetail, TradeKey, key_of, past_key
from venues.venue import Venue, VenueKeysError, VenueNoSuchPairError, VenueRefusedError

READINGS_MAX = 5
MINUTE_MS: Final = 60_000
ASKED_AGAIN_NS: Final = 60 * NS_PER_SECOND
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
        self._unpriced: set[tuple[str, int]] = set()  # those of which it does not tell the price of an opening
        self._elsewhere: Sequence[Instrument] = ()  # the pairs besides that had trades, by the last answers
        self._answered: tuple[date, int] | None = None  # on which day those were given, and when on the monotonic clock
        self._asked_for: Set[tuple[str, object]] = frozenset()  # the occasions for which they were asked

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
            occasions = self._occasions(today)
            snapshot = self._snapshot(today, is_to_ask=bool(occasions - self._asked_for))
            if snapshot.unsure and self._recorder.book.opening is None and attempt < READINGS_MAX - 1:
                continue  # all day would be compared with balances of which nobody knows what they hold
            recorded = self._recorder.record(snapshot, is_final=is_final)
            if recorded is not None:
                self.snapshot, self._asked_for = snapshot, occasions
                return recorded
        raise FolderBusyError(f"{self._folder.path} is being written by other processes again and again")

    def write(self) -> None:
        """Write what today's file lacks, without asking the venue.

        Raises:
            OSError: if the disk refuses.
            FolderBusyError: if another process does not let go of the folder.
        """
        self._recorder.write()

    def _snapshot(self, today: date, *, is_to_ask: bool) -> AccountSnapshot:
        instruments = self._instruments()
        instruments += self._traded_elsewhere(instruments, today) if is_to_ask else []
        reading = Reading(self._venue, self._recorder, today)
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
        carried = (symbol for symbol, lots in book.carried.lots.items() if lots)
        return {*book.newest, *carried, *book.watched_at_opening}

    def _day_before(self, today: date) -> date | None:
        """Return the newest day before `today` that is on file."""
        return max((day for day in self._recorder.days() if day < today), default=None)

    def _occasions(self, today: date) -> Set[tuple[str, object]]:
        """Return for what other pairs are to be asked whether they were traded, each once.

        At the first sight of a day: a fill after the last sight of the day before may have left as many coins as there
        were. When a venue has surely told all that was before that sight, and when a bookkeeper begins later than that:
        nobody has watched. And when the balances have come to differ, before that is taken for a flow.
        """
        book = self._recorder.book
        if book.opening is None:
            return frozenset() if self._day_before(today) is None else {("opening", today)}
        opened_ms, since_ms = book.opening["time_ms"], (book.last_sight or {}).get("since_ms")
        is_settled = self._now().time_ns // NS_PER_MS - opened_ms >= SETTLED_MS
        found: set[tuple[str, object]] = {("settled", today)} if is_settled else set()
        return found if since_ms is None else found | {("difference", since_ms)}

    def _traded_elsewhere(self, instruments: Sequence[Instrument], today: date) -> list[Instrument]:
        """Return the pairs besides, of the desk and of the day before, that were traded since that day began.

        For a minute the last answers do: an update may fail again and again.
        """
        now_ns, read = self._now().monotonic_ns, {one.symbol for one in instruments}
        if self._answered is None or self._answered[0] != today or now_ns - self._answered[1] >= ASKED_AGAIN_NS:
            start_ms = day_bounds_ns(self._day_before(today) or today)[0] // NS_PER_MS
            known = {one.symbol: one for one in (*self._recorder.book.carried.instruments.values(), *self._pairs)}
            others = [one for symbol, one in known.items() if symbol not in read]
            self._elsewhere = [one for one in others if self._has_trades(one, start_ms)]
            self._answered = today, now_ns
        return [one for one in self._elsewhere if one.symbol not in read]

    def _has_trades(self, instrument: Instrument, since_ms: int) -> bool:
        """Say whether the venue tells a trade in a pair since then; refusals as in `_mid`."""
        if instrument.symbol in self._refused:
            return False
        try:
            return bool(self._venue.trades(instrument, 1, since_ms=since_ms))
        except VenueKeysError:
            raise
        except VenueRefusedError as error:
            if isinstance(error, VenueNoSuchPairError):
                self._refused.add(instrument.symbol)
            return False

    def _of_the_day(
        self, instruments: Sequence[Instrument], trades: Sequence[VenueTrade], today: date
    ) -> tuple[list[Instrument], list[VenueTrade]]:
        """Return the desk's pair and those that were traded, with their trades.

        Others were only looked at, for somebody asked, their asset came without a trade, or all that they have traded
        since the newest day before this one began is on file: they have nothing to value.
        """
        traded = {self._instrument.symbol, *self._traded()}
        others = [trade for trade in trades if trade.symbol not in traded]
        start_ns, _ = day_bounds_ns((self._day_before(today) if others else None) or today)
        for trade in others:
            if trade.time_ms * NS_PER_MS >= start_ns and trade.symbol not in traded:
                newest = self._recorder.newest(trade.symbol)
                if newest is None or trade.trade_id > newest.trade.trade_id:
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
        return marks | self._opening_prices(instruments)

    def _opening_prices(self, instruments: Sequence[Instrument]) -> dict[str, Decimal]:
        """Return what those pairs cost at the opening of which no mid was known then: they have come to the day since.

        Each is asked for once, when its minute is gone by.
        """
        book, found = self._recorder.book, dict[str, Decimal]()
        opened_ms: int = (book.opening or {}).get("time_ms", self._now().time_ns // NS_PER_MS)
        if opened_ms < self._now().time_ns // NS_PER_MS - PAST_MS:
            for symbol in (one.symbol for one in instruments if one.symbol not in book.opening_marks):
                if (symbol, opened_ms) not in self._unpriced:
                    prices = self._past_prices(symbol, [opened_ms])
                    found |= prices
                    self._unpriced |= set() if prices else {(symbol, opened_ms)}
        return found

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

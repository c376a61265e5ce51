"""The trades of an account as a venue tells them, read until two readings agree."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from market.account import VenueTrade
from market.clock import NS_PER_MS, day_bounds_ns
from market.instrument import Instrument
from reports.bookkeeping import Recorder
from reports.trade_history import TradeKey, key_of
from venues.venue import Venue

LATEST_TRADES: Final = 100
PAGE_TRADES: Final = 1_000


class Reading:
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

"""Follows the market of the desk's pair as the maker does, over a line of its own, and keeps the others' mid."""

import socket
from collections.abc import Callable
from typing import Final

from market.clock import NS_PER_MS, NS_PER_SECOND
from market.instrument import Instrument
from nodes.tracker.mids import Mids
from trading import news
from trading.actions import ListOrders
from trading.others_book import OthersBook
from trading.own_orders import OwnOrders
from venues.trading_line import TradingLine
from venues.venue import ARRIVAL_MS_MAX

SURE_NS: Final = 5 * NS_PER_SECOND  # a line that says nothing is found to be dead by then
LATE_NS: Final = NS_PER_SECOND  # news that may be as old has no time


class MarketFollower:
    """What a line tells, as the mid of the others.

    It is not known before the line stands and has told which orders are ours, nor from the last news before it fell
    silent on.

    Args:
        line: to the venue; nothing is sent on it but questions.
        clock: ns since 1970 UTC.

    Attributes:
        mids: as they are surely known.
    """

    def __init__(self, line: TradingLine, instrument: Instrument, clock: Callable[[], int]) -> None:
        self.mids = Mids()
        self._line = line
        self._instrument = instrument
        self._clock = clock
        self._is_asking = self._is_listed = False
        self._left_ns: int | None = None  # since when nobody listens
        self._begin()

    @property
    def ready(self) -> socket.socket:
        """Can be read while there is news to `hear`."""
        return self._line.ready

    def hear(self) -> None:
        """Take the news that there is: it is of now, unless we have looked away for long."""
        now_ns = self._clock()
        left_ns, self._left_ns = self._left_ns, None
        said = self._line.take()
        if said and left_ns is not None and now_ns - left_ns > LATE_NS:
            self.mids.lose(now_ns)
        for each in said:
            self._take(now_ns, each)

    def look_away(self) -> None:
        """Know that what nobody has told of has not happened; ask again for what was not answered.

        What is told from now on until `hear` is called again is of a time in between.
        """
        now_ns = self._left_ns = self._clock()
        if self._is_listed:
            self.mids.pass_to(now_ns - SURE_NS)
        elif self._is_asking:
            self._line.act([ListOrders()])

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def _begin(self) -> None:
        self._own = OwnOrders(ARRIVAL_MS_MAX * NS_PER_MS)
        self._book = OthersBook(self._instrument, self._own)
        self._is_listed = False

    def _take(self, now_ns: int, said: news.News) -> None:
        match said:
            case news.Silent():
                self._is_asking = False
                self._begin()
                self.mids.lose(now_ns)
            case news.Following():
                self._begin()
                self._is_asking = True
                self._line.act([ListOrders()])
            case news.BookNews(depth):
                self._book.hear(depth)
                self._settle(now_ns)
            case news.OrderNews(order):
                self._own.hear(order, now_ns)
            case news.Listed(orders):
                for order in orders:
                    self._own.hear(order, now_ns)
                self._is_listed = True
                self._settle(now_ns)
            case _:
                pass

    def _settle(self, now_ns: int) -> None:
        """Take our orders out of the book as they are known at its moment."""
        if self._is_listed and (depth := self._book.settle()) is not None:
            self.mids.hear(now_ns, depth.mid_ticks_x2)

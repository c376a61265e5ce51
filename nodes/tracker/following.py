"""Follows the market of the desk's pair as the maker does, over a line of its own, and keeps the others' mid."""

import socket
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from market.clock import NS_PER_MS, NS_PER_SECOND
from market.instrument import Instrument
from nodes.tracker.mids import Mids
from trading import news
from trading.actions import Action, ListOrders
from trading.others_book import OthersBook
from trading.own_orders import OwnOrders
from venues.venue import ARRIVAL_MS_MAX
from venues.watching_line import Told

SURE_NS: Final = 5 * NS_PER_SECOND  # a line that says nothing is found to be dead by then


class Line(Protocol):
    """What is needed of a `venues.watching_line.WatchingLine`."""

    ready: socket.socket

    def act(self, actions: Sequence[Action]) -> None:
        """Have the open orders listed."""

    def take_told(self) -> tuple[list[Told], bool]:
        """Return the news since the last call, and whether it is all."""

    def close(self) -> None:
        """Hang up."""


class MarketFollower:
    """What a line tells, as the mid of the others.

    It is not known before the line stands and has told which orders are ours, nor from the last news before it fell
    silent on.

    Args:
        line: to the venue; nothing is sent on it but questions.
        clock: ns since 1970 UTC, that of the line.

    Attributes:
        mids: as they are surely known.
    """

    def __init__(self, line: Line, instrument: Instrument, clock: Callable[[], int]) -> None:
        self.mids = Mids()
        self._line = line
        self._instrument = instrument
        self._clock = clock
        self._is_asking = self._is_listed = False
        self._begin()

    @property
    def ready(self) -> socket.socket:
        """Can be read when the line is to be asked for our orders: `hear` then."""
        return self._line.ready

    def hear(self) -> None:
        """Take the news that there is, each of the time at which it came."""
        told, is_whole = self._line.take_told()
        if not is_whole:
            self._book.forget()
            self.mids.lose(self._clock())
        for time_ns, said in told:
            self._take(time_ns, said)

    def look(self) -> None:
        """Take the news, and know that what nobody has told of has not happened; ask again what was not answered."""
        self.hear()
        if self._is_listed:
            self.mids.pass_to(self._clock() - SURE_NS)
        elif self._is_asking:
            self._line.act([ListOrders()])

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def _begin(self) -> None:
        self._own = OwnOrders(ARRIVAL_MS_MAX * NS_PER_MS)
        self._book = OthersBook(self._instrument, self._own)
        self._is_listed = False

    def _take(self, time_ns: int, said: news.News) -> None:
        match said:
            case news.Silent():
                self._is_asking = False
                self._begin()
                self.mids.lose(time_ns)
            case news.Following():
                self._begin()
                self._is_asking = True
                self._line.act([ListOrders()])
            case news.BookNews(depth):
                self._book.hear(depth)
                self._settle(time_ns)
            case news.OrderNews(order):
                self._own.hear(order, time_ns)
            case news.Listed(orders):
                for order in orders:
                    self._own.hear(order, time_ns)
                self._is_listed = True
                self._settle(time_ns)
            case _:
                pass

    def _settle(self, time_ns: int) -> None:
        """Take our orders out of the book as they are known at its moment."""
        if self._is_listed and (depth := self._book.settle()) is not None:
            self.mids.hear(time_ns, depth.mid_ticks_x2)

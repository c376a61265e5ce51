"""A line of somebody who trades nothing, and looks at what was told now and then: each news waits with its time."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from trading import news
from trading.actions import Action
from venues.binance_sockets import BinanceSockets
from venues.polling_line import VenueCalls
from venues.socket_line import SocketLine

BOOKS_WAITING_MAX: Final = 1_200  # two minutes of them: whoever looks takes seconds


class Told(NamedTuple):
    """News, and when it came, ns since 1970 UTC."""

    time_ns: int
    said: news.News


class WatchingLine(SocketLine):
    """A line over sockets that tells no trades, and wakes nobody but when the venue is followed anew.

    Args:
        calls: the account over HTTP.
        connect: makes the account's sockets, in the line's thread.
        clock: ns since 1970 UTC; asked in the line's thread.
    """

    follows_trades = False

    def __init__(self, calls: VenueCalls, connect: Callable[[], BinanceSockets], clock: Callable[[], int]) -> None:
        self._clock = clock
        self._told: list[Told] = []
        self._book_count = 0
        self._is_whole = True
        self._has_rung = False
        super().__init__(calls, connect)

    def take_told(self) -> tuple[list[Told], bool]:
        """Return the news since the last call, oldest first, and whether it is all; if not, books before it are lost.

        Raises:
            Exception: what has ended the line, a bug of ours.
        """
        self.take()
        with self._lock:
            if self._has_rung:
                self.ready.recv(1)
            told, is_whole = self._told, self._is_whole
            self._told, self._book_count, self._is_whole, self._has_rung = [], 0, True, False
        return told, is_whole

    def _say(self, said: Sequence[news.News], batch: deque[Action] | None = None) -> None:  # noqa: ARG002 - no batch ends here
        """Keep news with its time; of books that nobody takes, none: orders are never dropped."""
        now_ns = self._clock()
        with self._lock:
            self._told += [Told(now_ns, each) for each in said]
            self._book_count += sum(isinstance(each, news.BookNews) for each in said)
            if self._book_count > BOOKS_WAITING_MAX:
                self._told = [each for each in self._told if not isinstance(each.said, news.BookNews)]
                self._book_count, self._is_whole = 0, False
            if not self._has_rung and any(isinstance(each, news.Following) for each in said):
                self._has_rung = True
                self._ring()

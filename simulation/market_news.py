"""What the simulated exchange tells of its market: it travels to the trader, and waits there until that one looks."""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from paper.exchange.public_market import Touched
from paper.exchange.tape import PublicTrade
from paper.units import Symbol
from simulation.delays import Travel
from simulation.heap import EventHeap, Place
from simulation.looks import Look, Looks
from trading import news

_TIME_OF: Final = attrgetter("time_ns")


class MarketNews:
    """One connection of a trader to the exchange, over which nothing overtakes.

    At each look the exchange tells of the trades since the one before, and of the book if it has changed.

    Args:
        looks: at the book.
        travel: how long each thing takes.
        symbol_id: of the market.
    """

    def __init__(self, heap: EventHeap, looks: Looks, travel: Travel, symbol_id: int) -> None:
        self._heap = heap
        self._looks = looks
        self._travel = travel
        self._symbol_id = symbol_id
        self._last_ns = heap.now_ns
        self._passed_ns = 0  # the next look, when it was last told of those before it
        self._traded: list[PublicTrade] = []  # since the last look
        self._coming: deque[tuple[Place, Look | Sequence[PublicTrade]]] = deque()

    @property
    def due_ns(self) -> int | None:
        """When the first of what was told arrives, or has arrived; None if there is nothing."""
        return self._coming[0][0][0] if self._coming else None

    def tell(self) -> None:
        """Send what belongs to the looks that have passed: of each the trades first."""
        passed_ns = self._looks.next_ns
        if passed_ns == self._passed_ns and not self._traded:
            return
        self._passed_ns = passed_ns
        for look in self._looks.take():
            self._tell_trades(look.time_ns)
            self._send(look.time_ns, look)
        self._tell_trades(passed_ns - 1)

    def take(self) -> list[news.News]:
        """Return what has arrived; of several books the last one."""
        said: list[news.News] = []
        last: Look | None = None
        while self._coming and self._coming[0][0] < self._heap.place:
            _, each = self._coming.popleft()
            if isinstance(each, Look):
                last = each
            else:
                said.append(news.TradesNews([*map(news.MarketTrade._make, each)]))
        if last is not None:
            said.append(news.BookNews(last.depth()))
        return said

    def on_trades(self, symbol: Symbol, trades: Sequence[PublicTrade]) -> None:
        """Take trades, oldest first."""
        if symbol.symbol_id == self._symbol_id:
            self._traded += trades

    def on_book(self, symbol: Symbol, touched: Touched) -> None:
        """Do nothing: the book is told of when it is looked at."""

    def _tell_trades(self, until_ns: int) -> None:
        """Send of all trades up to a look those together that belong to the same one."""
        traded = self._traded
        while traded and (told_ns := self._looks.due_ns(traded[0].time_ns)) <= until_ns:
            count = bisect_right(traded, told_ns, key=_TIME_OF)
            self._send(told_ns, traded[:count])
            del traded[:count]

    def _send(self, told_ns: int, told: Look | Sequence[PublicTrade]) -> None:
        self._last_ns = max(self._last_ns, told_ns + self._travel())
        self._coming.append((self._heap.place_at(self._last_ns), told))

"""A trader's line over calls that block: they are made in a thread of their own, one after the other.

Nobody tells it of the market or of our orders by itself: the book comes with each list of our open orders.
"""

import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from market.instrument import Instrument
from trading import news
from trading.actions import Action, AskBalances, Cancel, FindOrder, ListOrders, Place
from venues.trading_line import failure, news_of_error
from venues.venue import Venue, VenueError

BOOK_LEVELS: Final = 20


class VenueCalls:
    """Actions as calls of a venue.

    Args:
        clock: tells when something is asked, on the clock that the trader's steps have.
    """

    def __init__(self, venue: Venue, instrument: Instrument, clock: Callable[[], int]) -> None:
        self._venue = venue
        self._instrument = instrument
        self._clock = clock

    def answer(self, action: Action) -> list[news.News]:
        """Make the call that an action is; return what that tells."""
        try:
            return self._told(action)
        except VenueError as error:
            return [news_of_error(action, error)]

    def _told(self, action: Action) -> list[news.News]:
        venue, instrument, asked_ns = self._venue, self._instrument, self._clock()
        match action:
            case Place(name, side, price_ticks, qty_lots):
                return [news.OrderNews(venue.place(instrument, side, price_ticks, qty_lots, name))]
            case Cancel(name, order_id):
                ended = venue.cancel(instrument, order_id)
                return [news.Gone(name) if ended is None else news.OrderNews(ended)]
            case FindOrder(name):
                return [news.Found(name, venue.find_order(instrument, name), asked_ns)]
            case ListOrders():
                listed = news.Listed(venue.open_orders(instrument), asked_ns)
                return [self._book(), listed]
            case AskBalances():
                return [news.Balances(venue.balances())]

    def _book(self) -> news.News:
        """Ask for the book, after our orders, so that we know what of it is ours; they are told even without it."""
        try:
            return news.BookNews(self._venue.depth(self._instrument, BOOK_LEVELS))
        except VenueError as error:
            return failure(error, ())


def with_what_follows(said: news.News, batch: deque[Action]) -> news.News:
    """Return news of an action; if that has failed, what was to follow it in its batch is undone, too."""
    if isinstance(said, news.Failed) and said.undone:
        said = said._replace(undone=(*said.undone, *batch))
        batch.clear()
    return said


class PollingLine:
    """A line over calls that block; see `TradingLine`."""

    def __init__(self, calls: VenueCalls) -> None:
        self._calls = calls
        self.ready, self._bell = socket.socketpair()
        for end in (self.ready, self._bell):
            end.setblocking(False)
        self._changed = threading.Condition()
        self._batches: deque[deque[Action]] = deque()
        self._news: list[news.News] = []
        self._bug: BaseException | None = None
        self._is_closed = False
        # A daemon: nobody waits for a call that hangs once the line is closed.
        threading.Thread(target=self._work, name="venue calls", daemon=True).start()

    def act(self, actions: Sequence[Action]) -> None:
        """Have actions carried out; see `TradingLine`."""
        with self._changed:
            self._batches.append(deque(actions))
            self._changed.notify()

    def take_back(self) -> Sequence[Action]:
        """Return the actions that have not begun; see `TradingLine`."""
        with self._changed:
            taken = [action for batch in self._batches for action in batch]
            for batch in self._batches:
                batch.clear()  # the one that is at work, too
            return taken

    def take(self) -> list[news.News]:
        """Return the news since the last call; see `TradingLine`."""
        with self._changed:
            if self._bug is not None:
                raise self._bug
            if self._news:
                self.ready.recv(1)
            said, self._news = self._news, []
            return said

    def close(self) -> None:
        """Hang up; see `TradingLine`."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
            self.ready.close()
            self._bell.close()

    def _work(self) -> None:
        try:
            while (next_one := self._next()) is not None:
                batch, action = next_one
                self._say(self._calls.answer(action), batch)
        except BaseException as bug:  # noqa: BLE001 - raised again by `take`
            with self._changed:
                self._bug = bug
                self._ring()

    def _next(self) -> tuple[deque[Action], Action] | None:
        """Wait for an action; return it with its batch, None at the end."""
        with self._changed:
            while not self._is_closed:
                while self._batches and not self._batches[0]:
                    self._batches.popleft()
                if self._batches:
                    return self._batches[0], self._batches[0].popleft()
                self._changed.wait()
        return None

    def _say(self, said: Sequence[news.News], batch: deque[Action]) -> None:
        with self._changed:
            if not self._news:
                self._ring()
            self._news += [with_what_follows(each, batch) for each in said]

    def _ring(self) -> None:
        if not self._is_closed:
            self._bell.send(b"\0")

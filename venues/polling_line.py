"""A trader's line over calls that block: they are made in a thread of their own, one after the other.

Nobody tells it of the market or of our orders by itself: the book comes with each list of our open orders. It is for
whoever only has to take orders away.
"""

import threading
from collections.abc import Callable
from typing import Final, Protocol

from market.instrument import Instrument
from trading import news
from trading.actions import Action, Amend, AskBalances, AskRules, Cancel, FindOrder, ListOrders, Move, Place
from trading.order_rules import MarketRules
from venues.line_end import LineEnd
from venues.trading_line import failure, news_of_amend, news_of_cancel, news_of_error, news_of_move
from venues.venue import Venue, VenueError

BOOK_LEVELS: Final = 20


class TradedVenue(Venue, Protocol):
    """A venue that tells its rules, too."""

    def market_rules(self, instrument: Instrument) -> MarketRules:
        """Return the venue's rules of a pair as they are now."""


class VenueCalls:
    """Actions as calls of a venue.

    Args:
        clock: tells when something is asked, on the clock that the trader's steps have.
    """

    def __init__(self, venue: TradedVenue, instrument: Instrument, clock: Callable[[], int]) -> None:
        self._venue = venue
        self._instrument = instrument
        self._clock = clock

    def answer(self, action: Action) -> list[news.News]:
        """Make the call that an action is; return what that tells."""
        try:
            return self._told(action)
        except VenueError as error:
            return news_of_error(action, error)

    def book(self) -> news.News:
        """Ask for the book."""
        try:
            return news.BookNews(self._venue.depth(self._instrument, BOOK_LEVELS))
        except VenueError as error:
            return failure(error, ())

    def _told(self, action: Action) -> list[news.News]:
        venue, instrument, asked_ns = self._venue, self._instrument, self._clock()
        match action:
            case Place(name, side, price_ticks, qty_lots, _, is_taking):
                placed = venue.place(instrument, side, price_ticks, qty_lots, name, is_taking=is_taking)
                return [news.OrderNews(placed)]
            case Cancel(_, order_id):
                return [news_of_cancel(action, venue.cancel(instrument, order_id))]
            case Amend():
                return [news_of_amend(action, venue.amend(instrument, action))]
            case Move():
                return news_of_move(action, venue.move(instrument, action))
            case FindOrder(name):
                return [news.Found(name, venue.find_order(instrument, name), asked_ns)]
            case ListOrders():
                return [news.Listed(venue.open_orders(instrument), asked_ns)]
            case AskBalances():
                return [news.Balances(venue.balances())]
            case AskRules():
                return [news.RulesNews(venue.market_rules(instrument))]


def polled(calls: VenueCalls, action: Action) -> list[news.News]:
    """Make the call that an action is; with a list of our orders, ask for the book after it."""
    said = calls.answer(action)
    return [calls.book(), *said] if isinstance(said[0], news.Listed) else said


class PollingLine(LineEnd):
    """A line over calls that block; see `TradingLine`."""

    list_ns = 0

    def __init__(self, calls: VenueCalls) -> None:
        super().__init__()
        self._calls = calls
        self._changes = threading.Semaphore(0)
        # A daemon: nobody waits for a call that hangs once the line is closed.
        threading.Thread(target=self._work, name="venue calls", daemon=True).start()

    def _wake(self) -> None:
        self._changes.release()

    def _work(self) -> None:
        try:
            while not self._is_closed:
                if (next_one := self._next()) is None:
                    self._changes.acquire()
                else:
                    batch, action = next_one
                    self._say(polled(self._calls, action), batch)
        except BaseException as bug:  # noqa: BLE001 - raised again by `take`
            self._fail(bug)

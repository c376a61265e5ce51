"""The tracker's view of the market, over a line that says what the test tells it to."""

import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from market.account import VenueOrder
from market.clock import NS_PER_SECOND
from market.codes import Side
from market.depth import Depth, Level
from nodes.tracker.following import SURE_NS, MarketFollower
from tests.reports.fills import BTC
from trading import news
from trading.actions import Action, ListOrders
from venues.watching_line import Told

S = NS_PER_SECOND
OURS = VenueOrder("7", "ours", "BTCUSDT", Side.BUY, Decimal("1.04"), Decimal("0.00003"), Decimal(0), "NEW", 0)


class Line:
    """Says what it is told to, and notes what it is asked."""

    def __init__(self) -> None:
        self.ready, self._other = socket.socketpair()
        self.told: list[Told] = []
        self.is_whole = True
        self.asked: list[Action] = []

    def act(self, actions: Sequence[Action]) -> None:
        self.asked += actions

    def take_told(self) -> tuple[list[Told], bool]:
        told, is_whole, self.told, self.is_whole = self.told, self.is_whole, [], True
        return told, is_whole

    def close(self) -> None:
        self.ready.close()
        self._other.close()


class Followed:
    """A follower, its line, and its clock in seconds."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.line = Line()
        self.follower = MarketFollower(self.line, BTC, lambda: round(self.now_s * S))

    def hear(self, at_s: float, *said: news.News) -> None:
        """Let a time come, and the line say something."""
        self.say(at_s, *said)
        self.follower.hear()

    def say(self, at_s: float, *said: news.News) -> None:
        """Have the line say something while nobody listens."""
        self.now_s = at_s
        self.line.told += [Told(round(at_s * S), each) for each in said]

    def look(self, at_s: float) -> None:
        """Let a time come at which the tracker looks."""
        self.now_s = at_s
        self.follower.look()

    def at(self, at_s: float) -> int | None:
        """Return what is known of a time."""
        return self.follower.mids.at(round(at_s * S))


@pytest.fixture
def followed() -> Iterator[Followed]:
    """Return one that is listened to from the first second on, and closed again."""
    one = Followed()
    one.hear(1, news.Following(), book(100, 110), news.Listed([], 0))
    yield one
    one.follower.close()


def book(bid: int, ask: int, own_bid: int | None = None) -> news.BookNews:
    """Return a book of two prices, and of ours before them."""
    bids = [Level(bid, 5)] if own_bid is None else [Level(own_bid, 3), Level(bid, 5)]
    return news.BookNews(Depth(tuple(bids), (Level(ask, 5),)))


def test_a_mid_is_known_once_the_line_has_told_which_orders_are_ours() -> None:
    """Before that nobody can take them out of the book."""
    one = Followed()
    one.hear(1, news.Following(), book(100, 110, own_bid=104))
    assert one.line.asked == [ListOrders()]
    one.look(20)
    assert (one.at(1), one.at(14)) == (None, None)
    assert one.line.asked == [ListOrders()] * 2  # that was not answered
    one.hear(21, news.Listed([OURS], 0))
    one.look(30)
    assert (one.at(20), one.at(21), one.at(25)) == (None, 210, 210)
    one.follower.close()


def test_our_orders_are_not_the_market(followed: Followed) -> None:
    """As they are known when the book comes; an order that has ended since was still in it."""
    followed.hear(2, news.OrderNews(OURS), book(100, 110, own_bid=104))
    followed.hear(3, book(101, 110, own_bid=104))
    followed.hear(4, news.OrderNews(replace(OURS, status="CANCELED")))
    followed.hear(5, book(102, 110))
    followed.look(20)
    assert [followed.at(at_s) for at_s in (1, 2, 3, 4, 5)] == [210, 210, 211, 211, 212]


def test_silence_is_not_the_last_mid(followed: Followed) -> None:
    """Guards a stale stream: what it said last holds until then, and what it says again from then on."""
    followed.hear(2, book(101, 110))
    followed.hear(6, news.Silent("two pings without an answer"))
    followed.look(30)
    assert [followed.at(at_s) for at_s in (2, 3, 6, 20)] == [211, None, None, None]
    followed.hear(40, news.Following(), book(105, 110))
    followed.hear(41, news.Listed([], 0))
    followed.look(60)
    assert [followed.at(at_s) for at_s in (39, 40, 41, 50)] == [None, None, 215, 215]


def test_what_may_still_turn_out_to_be_silence_is_not_known_yet(followed: Followed) -> None:
    """A line is found to be dead some seconds late: a quiet market is known up to then alone."""
    followed.look(20)
    assert (followed.at(20 - SURE_NS / S), followed.at(20)) == (210, None)


def test_what_is_taken_late_is_of_the_time_at_which_it_came(followed: Followed) -> None:
    """Guards the fills of an outage of the venue's HTTP, for which the tracker waits: the book was followed."""
    followed.say(2, book(102, 110), news.OrderNews(OURS))
    followed.say(3, book(104, 110, own_bid=104))
    followed.say(4, book(104, 110))
    followed.look(30)
    assert [followed.at(at_s) for at_s in (1, 2, 3, 4, 25)] == [210, 212, 214, 214, 214]


def test_books_that_are_lost_are_not_the_last_mid(followed: Followed) -> None:
    """Guards a tracker that is held up for minutes: what the line has dropped meanwhile nobody knows."""
    followed.hear(2, book(102, 110))
    followed.line.is_whole = False
    followed.say(60, news.OrderNews(OURS), news.Listed([OURS], 0))
    followed.say(70, book(106, 110, own_bid=104))
    followed.look(90)
    assert [followed.at(at_s) for at_s in (2, 2.1, 60, 69, 70)] == [212, None, None, None, 216]

"""A line of somebody who only looks: what was told waits with its time, and wakes nobody but to ask for our orders."""

import select
import time
from collections.abc import Iterator
from typing import Any

import pytest

from market.clock import NS_PER_SECOND, monotonic_ns, time_ns
from market.codes import Side
from market.depth import Depth
from tests.paper.desk import ALICE
from tests.paper.server import Server
from tests.venues.lines import BTC, WAIT_S, bid
from trading import news
from venues.binance import BinanceVenue
from venues.binance_sockets import BinanceSockets
from venues.ccxt_binance import settings_of
from venues.polling_line import VenueCalls
from venues.watching_line import BOOKS_WAITING_MAX, Told, WatchingLine


class Watched:
    """A line of ALICE's, and all that it has told."""

    def __init__(self, server: Server) -> None:
        keys = server.keys[ALICE].api_key, server.keys[ALICE].secret
        account, settings = BinanceVenue("paper", server.url, *keys, 2_000), settings_of(server.url, *keys, 2_000)
        calls = VenueCalls(account, BTC, monotonic_ns)
        self.line = WatchingLine(calls, lambda: BinanceSockets(settings, account, BTC), time_ns)
        self.told: list[Told] = []

    def hear(self, is_wanted: Any) -> Told:
        """Wait until something is told."""
        deadline_s = time.monotonic() + WAIT_S
        while not (found := [each for each in self.told if is_wanted(each.said)]):
            assert time.monotonic() < deadline_s, self.told
            time.sleep(0.01)
            self.told += self.line.take_told()[0]
        return found[0]

    @property
    def rings(self) -> bool:
        """Whether it wakes who waits for it."""
        return bool(select.select([self.line.ready], [], [], 0)[0])


@pytest.fixture
def watched(server: Server) -> Iterator[Watched]:
    """Return one that has rung because it follows, and has told so."""
    one = Watched(server)
    assert select.select([one.line.ready], [], [], WAIT_S)[0]
    one.hear(lambda said: isinstance(said, news.Following))
    yield one
    one.line.close()


def test_what_happens_waits_with_its_time_and_wakes_nobody(server: Server, watched: Watched) -> None:
    """A book a tenth of a second and our orders, in their order; of the market's trades nothing is asked."""
    before_ns = time_ns()
    watched.line.act([bid("mine")])
    server.flow(Side.BUY, "93000", "0.2")
    time.sleep(0.5)
    assert not watched.rings
    mine = watched.hear(lambda said: isinstance(said, news.OrderNews))
    book = watched.hear(lambda said: isinstance(said, news.BookNews) and said.depth.asks[0].qty_lots == 30_000)
    assert before_ns < mine.time_ns < time_ns() - NS_PER_SECOND // 4
    assert before_ns < book.time_ns < time_ns() - NS_PER_SECOND // 4
    assert not any(isinstance(each.said, news.TradesNews) for each in watched.told)
    assert desk_streams(server) == ["btcusdt@depth@100ms"]


def desk_streams(server: Server) -> list[str]:
    """Return the streams that somebody listens to."""
    listened: dict[str, Any] = server.call(lambda _: server.hub._listened)
    return [name for name, each in listened.items() if each.subscribers]


def test_it_rings_again_where_it_follows_anew(watched: Watched) -> None:
    """Then our orders are to be asked for at once: until they are told no mid is known."""
    assert not watched.rings
    watched.line._say([news.Silent("two pings without an answer"), news.BookNews(Depth((), ()))])
    assert not watched.rings
    watched.line._say([news.Following()])
    assert watched.rings
    watched.line.take_told()
    assert not watched.rings


def test_of_books_that_nobody_takes_none_is_told_and_of_orders_all(watched: Watched) -> None:
    """Guards the memory while a tracker is held up by its disk; what was left out is said."""
    watched.line.take_told()
    gone = [news.Gone(str(number)) for number in range(3)]
    for number in range(BOOKS_WAITING_MAX):
        watched.line._say([news.BookNews(Depth((), ())), *gone[number : number + 1]])
    told, is_whole = watched.line.take_told()
    assert (len(told), is_whole) == (BOOKS_WAITING_MAX + 3, True)
    for number in range(BOOKS_WAITING_MAX + 1):
        watched.line._say([news.BookNews(Depth((), ())), *gone[number : number + 1]])
    told, is_whole = watched.line.take_told()
    assert ([each.said for each in told if not isinstance(each.said, news.BookNews)], is_whole) == (gone, False)
    assert sum(isinstance(each.said, news.BookNews) for each in told) < 10
    assert watched.line.take_told() == ([], True)

"""A move at the paper exchange, over sockets and over HTTP: each half told, whatever became of the other."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from market.account import VenueOrder
from market.clock import NS_PER_SECOND, monotonic_ns, time_ns
from market.codes import Side
from paper.access.accounts import KeyPair
from paper.access.usage import Usage
from paper.errors import ExchangeError
from tests.paper.desk import ALICE
from tests.paper.server import Server
from tests.venues.lines import BTC, Line, arm, bid
from trading import news
from trading.actions import Amend, Cancel, ListOrders, Move
from trading.reasons import NOT_WANTED
from venues.binance import BinanceVenue
from venues.polling_line import PollingLine, VenueCalls


class Polled(Line):
    """A line over calls that block, through ccxt over HTTP."""

    def __init__(self, url: str, keys: KeyPair) -> None:
        account = BinanceVenue("paper", url, keys.api_key, keys.secret, 2_000)
        account.load(BTC)
        self.line = PollingLine(VenueCalls(account, BTC, monotonic_ns))
        self.told: list[news.News] = []
        self._seen = 0


@pytest.fixture(params=[Line, Polled], ids=["sockets", "http"])
def line(server: Server, request: pytest.FixtureRequest) -> Iterator[Line]:
    """ALICE's line, that stands."""
    line = request.param(server.url, server.keys[ALICE])
    if not isinstance(line, Polled):
        line.hear(news.Following)
    yield line
    line.line.close()


def stand(line: Line) -> VenueOrder:
    """Enter an order and return it."""
    line.act(bid("old"))
    return line.hear(news.OrderNews).order


def move(line: Line, old: VenueOrder, **terms: str) -> tuple[Move, list[news.News]]:
    """Move it, then list what is open; return the move and all that was told until then."""
    since, one = len(line.told), Move(Cancel("old", old.order_id, NOT_WANTED), bid("new", **terms))
    line.act(one, ListOrders())
    line.hear((news.Listed, news.Failed))  # type: ignore[arg-type]  # as isinstance takes them
    return one, [each for each in line.told[since:] if not isinstance(each, news.BookNews | news.TradesNews)]


def fates(told: list[news.News]) -> set[tuple[str, str]]:
    """Return what became of each order by what was told, each once however often."""
    found = set()
    for each in told:
        if isinstance(each, news.OrderNews):
            found.add((each.order.client_order_id, each.order.status))
        elif isinstance(each, news.Gone | news.Untried | news.Refused | news.Unknown):
            found.add((each.client_order_id, type(each).__name__))
    return found


def open_orders(server: Server) -> list[Any]:
    """Return ALICE's open orders at the exchange."""
    orders: list[Any] = server.call(lambda desk: desk.ledger.open_orders_of(ALICE))
    return orders


def open_at(server: Server) -> list[str]:
    """Return their client ids."""
    return [order.client_order_id for order in open_orders(server)]


def test_both_halves_are_told(server: Server, line: Line) -> None:
    """The old one has ended, the new one stands, and there is one call."""
    _, told = move(line, stand(line), price="89999")
    assert fates(told) == {("old", "CANCELED"), ("new", "NEW")}
    assert isinstance(told[-1], news.Listed)
    assert open_at(server) == ["new"]


@pytest.mark.parametrize("terms", [{"qty": "5"}, {"price": "93000"}], ids=["no funds", "would trade"])
def test_a_new_order_that_is_refused_has_cost_the_old_one(server: Server, line: Line, terms: dict[str, str]) -> None:
    """409: what was taken for "nothing was done" would have been an order lost; the batch goes on."""
    _, told = move(line, stand(line), **terms)
    assert fates(told) == {("old", "CANCELED"), ("new", "Refused")}
    (refused,) = (each for each in told if isinstance(each, news.Refused))
    assert refused.code == -2010
    assert open_at(server) == []


def test_an_order_that_was_filled_is_not_moved(server: Server, line: Line) -> None:
    """400: nothing was done, and the new order that was not tried does not double what was traded."""
    old = stand(line)
    server.flow(Side.SELL, "90000", "0.01")
    server.wait_until(lambda desk: not desk.ledger.open_orders_of(ALICE))
    _, told = move(line, old)
    assert {("old", "Gone"), ("new", "Untried")} <= fates(told)
    assert open_at(server) == []


def test_a_move_that_breaks_a_filter_leaves_the_old_order_alone(server: Server, line: Line) -> None:
    """Filters are looked at before the cancel."""
    _, told = move(line, stand(line), qty="0.00001")
    assert fates(told) == {("old", "Untried"), ("new", "Refused")}
    assert open_at(server) == ["old"]


def test_of_too_many_orders_the_old_one_is_gone_all_the_same(server: Server, line: Line) -> None:
    """It would have stood at an old price for as long as the venue says."""
    for _ in range(2):  # the ten seconds may change between two calls
        server.usage.is_limiting = False
        old = stand(line)
        server.usage.is_limiting = True
        server.call(lambda _: _use_up(server.usage))
        _, told = move(line, old)
        if ("new", "Untried") in fates(told):
            break
        server.call(lambda desk: desk.exchange.cancel(desk.ledger.open_orders_of(ALICE), time_ns()))
    assert fates(told) == {("old", "CANCELED"), ("new", "Untried")}
    assert open_at(server) == []


def _use_up(usage: Usage) -> None:
    with suppress(ExchangeError):
        while True:
            usage.charge_orders(ALICE, 1, time_ns() // NS_PER_SECOND)


def test_a_lost_reply_leaves_both_in_doubt(server: Server, line: Line) -> None:
    """Nobody tells anything: the new order is unknown, the cancel and what was to follow have failed."""
    old = stand(line)
    deaf = server.call(lambda _: server.users._by_account.pop(ALICE, None))
    arm(server, "drop_reply", method="POST")
    one, told = move(line, old)
    assert fates(told) == {("new", "Unknown")}
    failed = told[-1]
    assert isinstance(failed, news.Failed)
    assert failed.undone == (one.cancel, ListOrders())
    assert open_at(server) == ["new"]
    if deaf is not None:
        server.call(lambda _: server.users._by_account.update({ALICE: deaf}))


def test_a_lost_reply_is_not_missed_where_the_account_s_news_tells_as_much(server: Server) -> None:
    """Over sockets alone: the end of the old order and the new one are news by themselves."""
    line = Line(server.url, server.keys[ALICE])
    line.hear(news.Following)
    old = stand(line)
    arm(server, "drop_reply", method="POST", channel="socket")
    _, told = move(line, old)
    assert fates(told) == {("old", "CANCELED"), ("new", "NEW")}
    assert isinstance(told[-1], news.Listed)
    line.line.close()


def test_an_order_gets_smaller_in_its_place(server: Server, line: Line) -> None:
    """order/amend/keepPriority: it keeps its name, too; a fill before it counts."""
    old = stand(line)
    server.flow(Side.SELL, "90000", "0.004")
    server.wait_until(lambda desk: desk.ledger.open_orders_of(ALICE)[0].filled_lots == 400)
    line.act(Amend("old", old.order_id, 700, NOT_WANTED), Amend("old", old.order_id, 700, NOT_WANTED))
    told = line.hear(news.Amended)
    assert told.order is not None
    assert (told.order.client_order_id, told.order.leaves_qty) == ("old", BTC.lots_to_qty(300))
    refused = line.hear(news.Amended)
    assert (refused.order, "no state" in refused.why) == (None, True)
    assert [(each.client_order_id, each.qty_lots) for each in open_orders(server)] == [("old", 700)]


def test_an_order_that_is_gone_is_not_amended(server: Server, line: Line) -> None:
    """-2013, as a cancel's -2011."""
    old = stand(line)
    server.flow(Side.SELL, "90000", "0.01")
    server.wait_until(lambda desk: not desk.ledger.open_orders_of(ALICE))
    line.act(Amend("old", old.order_id, 700, NOT_WANTED))
    assert line.hear(news.Gone).client_order_id == "old"

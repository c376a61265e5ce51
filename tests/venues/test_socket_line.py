"""A trader's line over sockets, through real ccxt.pro, against the paper exchange."""

import asyncio
import select
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from market.clock import NS_PER_MS, NS_PER_SECOND, time_ns
from market.codes import Side
from market.depth import Level
from paper.access.accounts import KeyPair
from tests.paper.desk import ALICE
from tests.paper.server import Server
from tests.paper.test_admin import ask
from tests.venues.lines import BTC, WAIT_S, Line, arm, bid, names_of, offer
from trading import news
from trading.actions import Action, AskBalances, Cancel, FindOrder, ListOrders, Move
from trading.reasons import NOT_WANTED
from venues.binance_sockets import BinanceSockets
from venues.ccxt_exchange import refused
from venues.socket_line import SocketLine
from venues.told_orders import LOOK_NS, LOOKS_MAX
from venues.venue import VenueUnavailableError


@pytest.fixture
def line(server: Server) -> Iterator[Line]:
    """ALICE's line, that stands."""
    line = Line(server.url, server.keys[ALICE])
    line.hear(news.Following)
    yield line
    line.line.close()


def orders_at(server: Server) -> list[tuple[str, str]]:
    """Return client id and status of every order that the exchange has ever had of ALICE, oldest first."""
    documents: list[Any] = server.call(lambda desk: desk.ledger.open_orders_of(ALICE))
    return [(each.client_order_id, str(each.status.value)) for each in documents]


# --- what is told ---


def test_tells_the_book_and_the_trades_as_they_change(server: Server, line: Line) -> None:
    """@depth and @trade, in ticks and lots; who took is told."""
    first = line.hear(news.BookNews)
    assert first.depth == ((Level(8_900_000, 50_000),), (Level(9_300_000, 50_000),))
    server.flow(Side.BUY, "93000", "0.2")
    (trade,) = line.hear(news.TradesNews).trades
    assert (trade.price_ticks, trade.qty_lots, trade.taker_side) == (9_300_000, 20_000, Side.BUY)
    line.hear(news.BookNews, lambda said: said.depth.asks == (Level(9_300_000, 30_000),))


def test_tells_of_own_orders_as_they_happen(server: Server, line: Line) -> None:
    """executionReport: a fill is known before anybody asks."""
    line.act(bid("mine"))
    assert line.hear(news.OrderNews).order.status == "NEW"
    server.flow(Side.SELL, "90000", "0.004")
    told = line.hear(news.OrderNews, lambda said: said.order.filled_qty)
    assert (told.order.status, str(told.order.filled_qty), told.order.client_order_id) == (
        "PARTIALLY_FILLED",
        "0.00400000",
        "mine",
    )


def test_answers_every_action_once_and_in_order(server: Server, line: Line) -> None:
    """As the trader awaits it."""
    line.act(ListOrders(), AskBalances(), bid("mine"), offer("other"), FindOrder("mine"), FindOrder("nobody"))
    assert line.hear(news.Listed).orders == []
    assert line.hear(news.Balances).balances["BTC"].total == 1
    line.hear(news.OrderNews, lambda said: said.order.client_order_id == "mine")
    line.hear(news.OrderNews, lambda said: said.order.client_order_id == "other")
    found = line.hear(news.Found)
    assert found.order is not None
    assert line.hear(news.Found) == news.Found("nobody", None, line.all_of(news.Found)[-1].asked_ns)
    line.act(
        Cancel("mine", found.order.order_id, NOT_WANTED), Cancel("mine", found.order.order_id, NOT_WANTED), ListOrders()
    )
    ended = line.hear(news.OrderNews, lambda said: not said.order.is_open)
    assert (ended.order.client_order_id, ended.order.status) == ("mine", "CANCELED"), "not the cancel's own id"
    assert line.hear(news.Gone).client_order_id == "mine"
    assert names_of(line.hear(news.Listed).orders) == ["other"]


def test_tells_a_refusal_once_with_its_reason(server: Server, line: Line) -> None:
    """A post-only order that would trade: what the account is told of it is no news of an order."""
    line.act(bid("mine", price="93000"), bid("poor", qty="5"), bid("fine"))
    refused = line.hear(news.Refused)
    assert (refused.client_order_id, refused.code) == ("mine", -2010)
    assert "immediately match" in refused.why
    assert line.hear(news.Refused).client_order_id == "poor"
    assert line.hear(news.OrderNews).order.client_order_id == "fine", "a refusal does not end the batch"
    assert names_of([said.order for said in line.all_of(news.OrderNews)][:1]) == ["fine"]


def test_what_has_not_begun_can_be_taken_back(server: Server, line: Line) -> None:
    """A halt does not wait for a batch of quotes."""
    arm(server, "delay", ms=500, method="POST")
    actions = [bid("first"), offer("second"), offer("third")]
    line.act(*actions)
    server.wait_until(lambda _: not server.faults.armed)
    assert line.line.take_back() == actions[1:]
    line.act(ListOrders())
    assert names_of(line.hear(news.Listed).orders) == ["first"]


# --- what goes wrong with one action ---


def test_a_lost_reply_neither_doubles_an_order_nor_holds_anybody_up(server: Server, line: Line) -> None:
    """The account's news says what the reply would have."""
    arm(server, "drop_reply", method="POST", channel="socket")
    arm(server, "drop_reply", method="DELETE", channel="socket")
    line.act(bid("mine"))
    order = line.hear(news.OrderNews).order
    line.act(Cancel("mine", order.order_id, NOT_WANTED), ListOrders())
    assert line.hear(news.Listed).orders == []
    server.wait_until(lambda _: not server.faults.armed)
    assert line.all_of(news.Unknown) == []
    assert line.all_of(news.Failed) == []
    assert [said.order.status for said in line.all_of(news.OrderNews)] == ["NEW", "CANCELED"]


def test_an_order_of_which_nobody_tells_is_unknown_and_found(server: Server, line: Line) -> None:
    """Reply and news are lost: it is asked for, never sent again."""
    deaf = server.call(lambda _: server.users._by_account.pop(ALICE))
    arm(server, "drop_reply", method="POST", channel="socket")
    line.act(bid("mine"), offer("other"), FindOrder("mine"))
    lost = line.hear(news.Unknown)
    assert lost.client_order_id == "mine"
    assert lost.age_ns >= 2_000 * NS_PER_MS, "it left when the wait for its answer began"
    assert line.hear(news.OrderNews).order.client_order_id == "other", "it does not end the batch"
    found = line.hear(news.Found).order
    assert found is not None
    assert found.status == "NEW"
    assert orders_at(server) == [("mine", "NEW"), ("other", "NEW")]
    server.call(lambda _: server.users._by_account.update({ALICE: deaf}))


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        ("rate_limit", {"retry_after_s": 7}, news.Failed),
        ("rate_limit", {"status": 418, "retry_after_s": 120}, news.Failed),
        ("reject", {"code": -2015}, news.Failed),
        ("reject", {"code": -1013}, news.Refused),
        ("reject", {"code": -1006}, news.Unknown),
        ("server_error", {"status": 502}, news.Unknown),
        ("server_error", {"status": 503}, news.Unknown),
    ],
)
def test_failures_are_judged_as_over_http(
    server: Server, line: Line, kind: str, options: dict[str, Any], told: type[Any]
) -> None:
    """Refused, busy with a time, keys, unknown: as venues.binance has them; what was to follow a failure is undone."""
    arm(server, kind, method="POST", channel="socket", **options)
    rest: tuple[Action, ...] = (offer("other"), ListOrders())
    line.act(bid("mine"), *rest)
    said = line.hear(told)
    if isinstance(said, news.Failed):
        assert said.undone == (bid("mine"), *rest)
        assert said.is_keys == (options.get("code") == -2015)
        wait_s = options.get("retry_after_s", 0)
        assert wait_s - 1 <= said.retry_after_s <= wait_s
        line.act(ListOrders())
        assert line.hear(news.Listed).orders == []
    else:
        assert said.client_order_id == "mine"
        line.hear(news.Listed, lambda listed: names_of(listed.orders) == ["other"])


@pytest.mark.parametrize("offset_ms", [-30_000, 30_000])
def test_a_wrong_clock_is_mended(server: Server, line: Line, offset_ms: int) -> None:
    """-1021: the venue's time is asked for, and the order given again."""
    arm(server, "wrong_clock", offset_ms=offset_ms)
    line.act(bid("mine"))
    assert line.hear(news.OrderNews).order.client_order_id == "mine"
    assert line.all_of(news.Refused) == []


# --- a stream that says nothing ---


def test_a_mute_stream_of_the_account_is_connected_anew_and_tells_again(server: Server, line: Line) -> None:
    """Pings and calls were answered, so that it was never found dead: fills came by lists alone, for ever."""
    arm(server, "mute", streams="account")
    line.act(bid("mine"))
    line.hear(news.Silent, lambda said: "says nothing while its orders change" in said.why)
    server.flow(Side.SELL, "90000", "0.004")
    assert ask(server, "DELETE", "faults")[0] == 200
    line.hear(news.Following)
    line.act(ListOrders())
    (order,) = line.hear(news.Listed).orders
    assert str(order.filled_qty) == "0.00400000", "what was filled meanwhile is asked for"
    server.flow(Side.SELL, "90000", "0.001")
    line.hear(news.OrderNews, lambda said: str(said.order.filled_qty) == "0.00500000")


def test_a_fill_that_a_list_alone_tells_ends_a_connection_whose_stream_had_told_of_its_order(
    server: Server, line: Line
) -> None:
    """It was alive, and is mute from some moment on."""
    line.act(bid("mine"))
    line.hear(news.OrderNews)
    arm(server, "mute", streams="account")
    server.flow(Side.SELL, "90000", "0.004")
    line.act(ListOrders())
    line.hear(news.Silent, lambda said: "says nothing while its orders change" in said.why)
    line.hear(news.Following)


def test_a_stream_that_tells_all_is_never_taken_for_dead(server: Server, line: Line) -> None:
    """Placed, filled, moved, cancelled, listed, asked for: whichever of news and answer is the first."""
    line.act(bid("mine"), offer("other"), ListOrders(), FindOrder("mine"))
    line.hear(news.Found)
    server.flow(Side.SELL, "90000", "0.004")
    order = line.hear(news.OrderNews, lambda said: said.order.filled_qty).order
    move = Move(Cancel("mine", order.order_id, NOT_WANTED), bid("next", price="90001"))
    line.act(move, ListOrders(), FindOrder("next"))
    line.hear(news.Found, lambda said: said.client_order_id == "next")
    line.listen((LOOKS_MAX + 2) * LOOK_NS / NS_PER_SECOND)
    assert line.all_of(news.Silent) == []


# --- what goes wrong with connections ---


@pytest.mark.parametrize("streams", ["all", "market", "account"])
def test_a_cut_is_told_and_mended_twice(server: Server, line: Line, streams: str) -> None:
    """Silent, and Following with the book as it is then; what happened in between is found by asking."""
    line.act(bid("mine"))
    line.hear(news.OrderNews)
    for price in ("88001", "88003"):
        arm(server, "disconnect", streams=streams)
        line.hear(news.Silent)
        server.flow(Side.BUY, price, "0.1")
        line.hear(news.Following)
        line.hear(news.BookNews, lambda said: said.depth.bids[-1].price_ticks == 8_800_100)
    line.act(offer("other"), ListOrders())
    assert names_of(line.hear(news.Listed).orders) == ["mine", "other"]


def test_a_missing_update_of_the_book_is_told_and_mended(server: Server, line: Line) -> None:
    """A gap: the next update does not begin where the last one ended."""
    line.hear(news.BookNews)
    without_depth(server, lambda: server.flow(Side.BUY, "88001", "0.1"))
    server.flow(Side.BUY, "88002", "0.1")
    assert "missing" in line.hear(news.Silent).why
    line.hear(news.Following)
    bids = line.hear(news.BookNews).depth.bids
    assert [level.price_ticks for level in bids] == [8_900_000, 8_800_200, 8_800_100]


@pytest.mark.parametrize("place", ["_levels", "_read_message"])
def test_a_book_that_cannot_be_read_is_told_at_once_and_mended(
    server: Server, line: Line, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """ccxt would read no further message, and say nothing: for seconds the book of before was taken for that of now."""
    line.hear(news.BookNews)
    sockets: BinanceSockets = line.line._sockets  # type: ignore[attr-defined]
    read, bad = getattr(sockets, place), [ValueError("no number")]

    def read_badly(*given: Any) -> Any:
        if bad:
            raise bad.pop()
        return read(*given)

    monkeypatch.setattr(sockets, place, read_badly)
    server.flow(Side.BUY, "88001", "0.1")
    assert "ValueError" in line.hear(news.Silent).why, "it was not noticed by silence"
    line.hear(news.Following)
    assert line.hear(news.BookNews).depth.bids[-1].price_ticks == 8_800_100


def test_a_stream_that_says_nothing_is_noticed_though_it_answers_pings(server: Server, line: Line) -> None:
    """The venue's book goes on without us: said within seconds, and connected anew."""
    line.hear(news.BookNews)
    without_depth(server, lambda: server.flow(Side.BUY, "88001", "0.1"), for_good=True)
    assert "says nothing" in line.hear(news.Silent).why
    line.hear(news.Following)
    assert line.hear(news.BookNews).depth.bids[-1].price_ticks == 8_800_100


def test_a_market_that_stands_still_is_not_believed_until_it_moves(server: Server, line: Line) -> None:
    """Quotes were back in a frozen market after 4 s: the venue repeats an old book as its newest one."""
    line.hear(news.BookNews)
    arm(server, "stale_market")
    server.flow(Side.BUY, "88001", "0.1")
    why = line.hear(news.Silent).why
    assert why.endswith("tells no book to go by (its depth stream says nothing while the book changes)")
    told_count = len(line.told)
    line.listen(6.0)
    assert line.all_of(news.Following, told_count) == []
    assert ask(server, "DELETE", "faults")[0] == 200
    server.flow(Side.BUY, "88002", "0.1")
    line.hear(news.Following)
    assert [level.price_ticks for level in line.hear(news.BookNews).depth.bids][1:] == [8_800_200, 8_800_100]


def test_a_book_that_shows_nothing_of_what_we_do_is_not_believed(server: Server) -> None:
    """It stood still before it was first asked for, so that what the venue says of it is never newer."""
    arm(server, "stale_market")
    line = Line(server.url, server.keys[ALICE])
    try:
        line.hear(news.Following)
        line.listen(4.5)  # so that it has asked how far the book is, and gets that answer from now on
        line.act(bid("mine"))
        line.hear(news.OrderNews)
        assert "says nothing" in line.hear(news.Silent).why
    finally:
        line.line.close()


def test_a_quiet_market_is_not_silent(server: Server, line: Line) -> None:
    """No change of the book in seconds, and none missed."""
    line.hear(news.BookNews)
    line.listen(5.0)
    assert line.all_of(news.Silent) == []


def test_an_account_s_stream_that_the_venue_ends_is_told_and_mended(server: Server, line: Line) -> None:
    """eventStreamTerminated comes on a connection that stands."""

    def terminate(_: Any) -> None:
        for client, _number in list(server.users._by_account[ALICE]):
            client.unsubscribe()

    server.call(terminate)
    line.hear(news.Silent)
    line.hear(news.Following)
    line.act(bid("mine"))
    line.hear(news.OrderNews)


def test_a_server_that_is_about_to_go_is_left_before_it_goes(server: Server, line: Line) -> None:
    """Both connections are made anew while the old ones still stand, and quotes go on."""
    before = server.call(lambda _: server.connections.of_market | server.connections.of_accounts)
    server.call(lambda _: server.connections.announce_shutdown(1_700_000_000_000))
    line.hear(news.Silent)
    line.hear(news.Following)
    after = server.call(lambda _: server.connections.of_market | server.connections.of_accounts)
    assert len(after - before) == 2
    line.act(bid("mine"))
    line.hear(news.OrderNews)
    server.flow(Side.BUY, "93000", "0.2")
    line.hear(news.TradesNews)


def test_while_the_account_s_connection_is_gone_orders_are_cancelled_over_http_and_not_placed(server: Server) -> None:
    """Quotes are pulled at once; a new one would be one of which no fill is told."""
    line = Line(server.url, server.keys[ALICE])
    line.hear(news.Following)
    line.act(bid("mine"))
    order = line.hear(news.OrderNews).order
    arm(server, "reject", code=-1003, channel="socket", count=None)
    arm(server, "disconnect", streams="account")
    line.hear(news.Silent)
    line.act(Cancel("mine", order.order_id, NOT_WANTED), bid("more"))
    assert line.hear(news.OrderNews).order.status == "CANCELED"
    assert line.hear(news.Failed).undone == (bid("more"),)
    ask(server, "DELETE", "faults")
    line.hear(news.Following)
    line.line.close()


def test_no_quote_leaves_while_the_market_is_not_known(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that wait behind a slow one were for a book that is gone."""
    line = Line(server.url, server.keys[ALICE])
    line.hear(news.Following)
    arm(server, "delay", ms=500, method="POST")
    line.act(bid("first"), bid("second"))
    server.wait_until(lambda _: not server.faults.armed)

    async def is_gone(_: BinanceSockets) -> None:
        raise VenueUnavailableError("the depth stream says nothing while the book changes")

    monkeypatch.setattr(BinanceSockets, "depth", is_gone)  # connecting anew fails
    arm(server, "disconnect", streams="market")
    line.hear(news.Silent)
    assert line.hear(news.Failed).undone == (bid("second"),)
    line.line.close()


def test_a_ban_is_waited_out_by_the_venue_s_clock() -> None:
    """Ours is a minute ahead; by it the ban would be over. A started second counts whole."""
    told: list[Any] = []
    client = SimpleNamespace(subscriptions={}, futures={"7": None}, reject=lambda error, _: told.append(error))
    venue_ms = time_ns() // NS_PER_MS - 60_000
    data = {"serverTime": venue_ms, "retryAfter": venue_ms + 29_100}
    message = {"id": 7, "status": 418, "error": {"code": -1003, "msg": "banned", "data": data}}
    refused(client, message)
    assert float(told[0].retry_after) == 30


def test_keys_that_are_not_accepted_are_told_without_naming_them(server: Server) -> None:
    """A person must mend it; the text has no secret."""
    keys = KeyPair.generate()
    line = Line(server.url, keys)
    line.act(ListOrders())
    failed = line.hear(news.Failed)
    silent = line.hear(news.Silent, lambda said: "key" in said.why) if not line.all_of(news.Silent) else None
    assert failed.is_keys
    for text in (failed.why, *(said.why for said in line.all_of(news.Silent)), silent.why if silent else ""):
        assert keys.api_key not in text
        assert keys.secret not in text
    line.line.close()


def test_nothing_is_told_of_an_exchange_that_is_not_there_but_that() -> None:
    """Silent, and each action fails."""
    line = Line("http://127.0.0.1:1", KeyPair.generate())
    assert "out of reach" in line.hear(news.Silent).why
    line.act(bid("mine"))
    assert line.hear(news.Failed).undone == (bid("mine"),)
    line.line.close()


@pytest.mark.parametrize(
    ("bug", "said"), [(ZeroDivisionError(), ZeroDivisionError), (asyncio.CancelledError(), RuntimeError)]
)
def test_a_bug_ends_the_line_and_is_raised_to_who_listens(bug: BaseException, said: type[BaseException]) -> None:
    """In its thread nobody would see it; and of a wait that ccxt had cancelled nobody heard again."""

    class Broken(BinanceSockets):
        def __init__(self) -> None:
            """Have nothing."""

        async def depth(self) -> Any:
            raise bug

        async def subscribe(self) -> None:
            await asyncio.sleep(WAIT_S)

        async def close(self) -> None:
            """Do nothing."""

    line = SocketLine(None, Broken)  # type: ignore[arg-type]
    assert select.select([line.ready], [], [], WAIT_S)[0], "it rings"
    with pytest.raises(said):
        line.take()
    line.close()


def without_depth(server: Server, act: Callable[[], None], *, for_good: bool = False) -> None:
    """Do something of which the depth stream says nothing to those who listen."""
    listened = server.call(lambda _: server.hub._listened[f"{BTC.symbol.lower()}@depth@100ms"])
    stream: Any = listened.stream
    deaf = dict(listened.subscribers)
    server.call(lambda _: listened.subscribers.clear())
    before = stream._told_id
    act()
    server.wait_until(lambda _: stream._told_id > before)
    if not for_good:
        server.call(lambda _: listened.subscribers.update(deaf))

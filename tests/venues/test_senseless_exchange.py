"""A line to an exchange that answers nonsense, is late, or sends us elsewhere; through real ccxt.pro."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from paper.access.accounts import KeyPair
from tests.venues.lines import Line, bid
from tests.venues.scripted_exchange import ORDER, ScriptedExchange, report, update
from trading import news
from trading.actions import Cancel, ListOrders
from trading.reasons import NOT_WANTED
from venues.binance_rest import BinanceRest
from venues.venue import VenueUnavailableError


@pytest.fixture
def exchange() -> Iterator[ScriptedExchange]:
    """The exchange."""
    one = ScriptedExchange()
    yield one
    one.close()


@pytest.fixture
def connect(exchange: ScriptedExchange) -> Iterator[Callable[[], Line]]:
    """Make a line to it."""
    lines: list[Line] = []

    def make() -> Line:
        lines.append(Line(exchange.url, KeyPair.generate()))
        return lines[-1]

    yield make
    for line in lines:
        line.line.close()


def test_an_order_whose_reply_is_nonsense_is_unknown(exchange: ScriptedExchange, connect: Callable[[], Line]) -> None:
    """It ended the line, and the maker's process with it, while the order may rest."""
    line = connect()
    line.hear(news.Following)
    replies: list[dict[str, Any]] = [{"result": {}}, {}, {"result": {**ORDER, "price": "NaN"}}]
    for number, reply in enumerate(replies):
        exchange.on_call["order.place"] = lambda _, reply=reply: reply  # type: ignore[misc]
        line.act(bid(f"mine-{number}"))
        assert line.hear(news.Unknown).client_order_id == f"mine-{number}"
    line.act(ListOrders())
    line.hear(news.Listed)


def test_a_refusal_of_nobody_knows_what_leaves_an_order_unknown(
    exchange: ScriptedExchange, connect: Callable[[], Line]
) -> None:
    """The order that was on its way was taken for refused, though the refusal has no id."""
    line = connect()
    line.hear(news.Following)
    error = {"code": -1102, "msg": "A mandatory parameter was not sent."}
    exchange.on_call["order.place"] = lambda _: {"id": None, "status": 400, "error": error}
    line.act(bid("mine"))
    assert line.hear(news.Unknown).client_order_id == "mine"
    assert line.all_of(news.Refused) == []


def test_fees_in_assets_that_nobody_has_loaded_end_no_stream(
    exchange: ScriptedExchange, connect: Callable[[], Line]
) -> None:
    """The second part of an order, paid for in BNB, or in another pair of the account, was nonsense to ccxt."""
    line = connect()
    line.hear(news.Following)
    foreign = {"s": "ETHUSDT", "c": "of-another-desk", "i": 8}
    for more, fee_asset in (({}, "BNB"), (foreign, "ETH"), ({}, "BNB")):
        for part in ("0.00100", "0.00200"):
            fill = {"z": part, "l": "0.00100", "L": "90000.00", "n": "0.0001", "N": fee_asset, "t": 1}
            exchange.tell("account", report("TRADE", "PARTIALLY_FILLED", **fill, **more))
    exchange.tell("account", report("CANCELED", "CANCELED", c="other", C="mine", z="0.00200"))
    line.hear(news.OrderNews, lambda said: said.order.status == "CANCELED")
    assert line.all_of(news.Silent) == []


def test_what_is_no_json_is_told_at_once(exchange: ScriptedExchange, connect: Callable[[], Line]) -> None:
    """Nothing more was read, and that was noticed only when no ping was answered any more."""
    line = connect()
    line.hear(news.Following)
    for stream in ("market", "account"):
        exchange.tell(stream, "{none")
        assert "JSONDecodeError" in line.hear(news.Silent).why
        line.hear(news.Following)


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ({"told_on_subscribing": [update(201, 202)]}, "its snapshot is older than its depth stream"),
        ({"snapshot": {"lastUpdateId": 1, "bids": [["89000.005", "1"]], "asks": []}}, "something else (ValueError)"),
        ({"snapshot_status": 429}, "asks us to slow down, for 7 s"),
        ({"handshake": {"account": (429, {"Retry-After": "30"})}}, "asks us to slow down, for 30 s"),
        ({"handshake": {"market": (418, {"retry-after": "120"})}}, "has banned our address, for 120 s"),
    ],
    ids=["old snapshot", "between ticks", "busy", "busy with connections", "banned"],
)
def test_no_book_to_go_by_is_said_and_asked_for_when_the_venue_likes(
    exchange: ScriptedExchange, connect: Callable[[], Line], what: dict[str, Any], why: str
) -> None:
    """Two of these ended the line; an old book was quoted from, and a busy venue asked thrice at once, and again."""
    vars(exchange).update(what)
    line = connect()
    line.hear(news.Silent, lambda said: why in said.why)
    line.listen(1.0)
    assert line.all_of(news.Following) == []
    if "asks us" in why or "banned" in why:
        asked = {"snapshot_status": "depth", "handshake": "/ws-api/v3" if "30" in why else "/ws/0"}[next(iter(what))]
        assert exchange.asked.count(asked) == 1


def test_an_answer_without_end_holds_up_no_cancel(exchange: ScriptedExchange, connect: Callable[[], Line]) -> None:
    """Its timeout was for each byte: the orders that must leave waited behind it, and the watchdog for ever."""
    line = connect()
    line.hear(news.Following)
    exchange.endless = {"openOrders"}
    line.line._sockets.answer_s_max = 0.5  # type: ignore[attr-defined]
    exchange.on_call["order.cancel"] = lambda _: {"result": {**ORDER, "status": "CANCELED"}}
    line.act(ListOrders())
    assert line.hear(news.Failed).undone == (ListOrders(),)
    line.act(Cancel("mine", "7", NOT_WANTED))
    assert line.hear(news.OrderNews).order.status == "CANCELED"
    with pytest.raises(VenueUnavailableError):
        BinanceRest("paper", exchange.url, "key", "secret", timeout_ms=100).open_orders()


def test_nobody_follows_a_socket_to_another_host(exchange: ScriptedExchange, connect: Callable[[], Line]) -> None:
    """A signed order went where a redirect of the handshake named: to the exchange itself, perhaps."""
    elsewhere = ScriptedExchange()
    try:
        exchange.handshake = {
            "account": (302, {"Location": f"{elsewhere.url}/ws-api/v3"}),
            "market": (307, {"Location": f"{elsewhere.url}/ws/0"}),
        }
        line = connect()
        line.hear(news.Silent, lambda said: "status 30" in said.why)
        line.act(bid("mine"))
        assert line.hear(news.Failed).undone == (bid("mine"),)
        deadline_s = time.monotonic() + 0.5
        while time.monotonic() < deadline_s:
            line.listen()
        assert elsewhere.asked == []
    finally:
        elsewhere.close()

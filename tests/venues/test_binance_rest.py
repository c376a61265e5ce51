"""What a look-alike answers, and what it does not, turned into what a command can tell; on a real HTTP server."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from commands.actions import by_hand
from desk.client import DeskError
from market.account import VenueOrder
from market.codes import Side
from tests.pairs import default_instruments
from tests.venues.test_binance import API_KEY, SECRET, Answering
from venues.binance_rest import BinanceRest
from venues.venue import (
    VenueBusyError,
    VenueError,
    VenueKeysError,
    VenueRefusedError,
    VenueUnavailableError,
    VenueUnknownError,
)

BTCUSDT = default_instruments()[0]
TERMS = {"type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01000", "price": "91000.00"}
ORDER = {
    "symbol": "BTCUSDT", "orderId": 7, "clientOrderId": "hand-1", "transactTime": 5, "price": "91000.00000000",
    "origQty": "0.01000000", "executedQty": "0.00000000", "status": "NEW", "side": "BUY",
}  # fmt: skip


@pytest.fixture
def server() -> Iterator[Answering]:
    """A venue that gives one prepared answer to everything."""
    with Answering() as one:
        thread = threading.Thread(target=one.serve_forever, args=(0.02,))
        thread.start()
        yield one
        one.shutdown()
        thread.join()


@pytest.fixture
def venue(server: Answering) -> BinanceRest:
    return BinanceRest("paper", f"http://127.0.0.1:{server.server_address[1]}", API_KEY, SECRET, timeout_ms=1_000)


def enter(venue: BinanceRest) -> VenueOrder:
    return venue.enter(BTCUSDT, Side.BUY, TERMS, "hand-1")


def error(code: int, text: str) -> bytes:
    return json.dumps({"code": code, "msg": text}).encode()


@pytest.mark.parametrize(
    ("answer", "of_order", "of_question"),
    [
        ((400, {}, error(-2010, "Market is closed.")), VenueRefusedError, VenueRefusedError),
        ((401, {}, error(-2015, "Invalid API-key.")), VenueKeysError, VenueKeysError),
        ((429, {"Retry-After": "7"}, error(-1003, "Too much.")), VenueBusyError, VenueBusyError),
        ((418, {"Retry-After": "soon"}, b"<html>"), VenueBusyError, VenueBusyError),
        ((503, {}, error(-1000, "An unknown error.")), VenueUnknownError, VenueUnavailableError),
        ((400, {}, error(-1007, "Timeout.")), VenueUnknownError, VenueUnavailableError),
        ((502, {}, b"<html>bad gateway</html>"), VenueUnknownError, VenueUnavailableError),
        ((200, {}, b"<html>maintenance</html>"), VenueUnknownError, VenueUnavailableError),
        ((200, {}, b"[" * 100_000), VenueUnknownError, VenueUnavailableError),
        ((200, {}, b"{}"), VenueUnknownError, VenueUnavailableError),
        ((400, {}, b'{"code": "x"}'), VenueUnknownError, VenueUnavailableError),
        (None, VenueUnknownError, VenueUnavailableError),
    ],
)
def test_tells_what_was_done_from_what_is_unknown(
    venue: BinanceRest,
    server: Answering,
    answer: tuple[int, dict[str, str], bytes] | None,
    of_order: type[VenueError],
    of_question: type[VenueError],
) -> None:
    """Guards against an order that is taken for refused because its reply was lost, or was somebody else's page."""
    server.answer = answer
    for call, kind in ((lambda: enter(venue), of_order), (lambda: venue.trades(BTCUSDT), of_question)):
        with pytest.raises(VenueError) as told:
            call()
        assert type(told.value) is kind
        assert API_KEY not in str(told.value)
        assert SECRET not in str(told.value)


@pytest.mark.parametrize(
    ("status", "text"),
    [(429, "paper asks us to slow down, for 7 s"), (418, "paper has banned our address, for 7 s")],
)
def test_a_pause_is_told_from_a_ban(venue: BinanceRest, server: Answering, status: int, text: str) -> None:
    """The one is over with the minute, the other may last for days."""
    server.answer = (status, {"Retry-After": "7"}, error(-1003, "Too much."))
    with pytest.raises(VenueBusyError) as told:
        venue.trades(BTCUSDT)
    assert str(told.value) == text


@pytest.mark.parametrize(
    ("header", "wait_s", "text"),
    [
        ("259200", 259_200, "paper has banned our address, for 259200 s"),
        ("259201", 259_200, "paper has banned our address, for 259200 s; it said '259201'"),
        ("9" * 15, 259_200, "paper has banned our address, for 259200 s; it said '999999999999999'"),
        ("9" * 2_000, 10, f"paper has banned our address, for 10 s; it said '{'9' * 40}'"),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 259_200, r"paper has banned our address, for 259200 s; it said '\d{12}'"),
        ("-5", 10, "paper has banned our address, for 10 s; it said '-5'"),
        ("NaN", 10, "paper has banned our address, for 10 s; it said 'NaN'"),
        ("1e9", 10, "paper has banned our address, for 10 s; it said '1e9'"),
        ("", 10, "paper has banned our address, for 10 s"),
    ],
)
def test_no_ban_is_longer_than_the_longest_and_what_is_no_time_is_told(
    venue: BinanceRest, server: Answering, header: str, wait_s: int, text: str
) -> None:
    """A venue, or a proxy before it, could send a desk away for a hundred days, with no word that it had."""
    server.answer = (418, {"Retry-After": header}, error(-1003, "Too much."))
    with pytest.raises(VenueBusyError, match=f"^{text}$") as told:
        venue.trades(BTCUSDT)
    assert told.value.retry_after_s == wait_s


def test_an_order_that_found_nobody_was_not_entered() -> None:
    """Guards the difference between a refused connection and a lost reply."""
    nobody = BinanceRest("paper", "http://127.0.0.1:1", API_KEY, SECRET, timeout_ms=500)
    with pytest.raises(
        VenueUnavailableError, match=r"paper is out of reach at http://127\.0\.0\.1:1 \(Connection refu"
    ):
        enter(nobody)


def test_signs_what_it_sends(venue: BinanceRest, server: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the signature: HMAC-SHA256 of the query as it is sent, without itself, and no None among the values."""
    paths: list[str] = []
    serve = server.RequestHandlerClass._serve  # type: ignore[attr-defined]

    def noted(handler: Any) -> None:
        paths.append(handler.path)
        serve(handler)

    monkeypatch.setattr(server.RequestHandlerClass, "do_POST", noted)
    server.answer = (200, {}, json.dumps(ORDER).encode())
    order = enter(venue)
    assert (order.order_id, order.side, order.price, order.qty) == ("7", Side.BUY, Decimal(91000), Decimal("0.01"))
    query, _, signature = urlsplit(paths[0]).query.rpartition("&signature=")
    assert signature == hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
    assert {"side": "BUY", "newClientOrderId": "hand-1", **TERMS}.items() <= dict(parse_qsl(query)).items()


def test_asks_for_the_time_once_when_the_clock_is_wrong(venue: BinanceRest, server: Answering) -> None:
    """Guards a machine whose clock is off: refused for its time means not done, so it may be asked again."""
    server.answer = (400, {}, error(-1021, "Timestamp for this request is outside of the recvWindow."))
    with pytest.raises(VenueRefusedError, match="-1021"):
        enter(venue)
    assert server.calls == ["POST /api/v3/order", "GET /api/v3/time", "POST /api/v3/order"]


@pytest.mark.parametrize(("code", "text"), [(-2011, "Unknown order sent."), (-2013, "Order does not exist.")])
def test_what_the_venue_has_never_had_is_none(venue: BinanceRest, server: Answering, code: int, text: str) -> None:
    """And only that: of any other refusal nobody knows whether there is such an order."""
    server.answer = (400, {}, error(code, text))
    assert venue.find_order(BTCUSDT, "hand-1") is None
    assert venue.order(BTCUSDT, "7") is None
    assert venue.cancel(BTCUSDT, "7") is None
    server.answer = (400, {}, error(-1121, "Invalid symbol."))
    for ask in (venue.find_order, venue.order, venue.cancel):
        with pytest.raises(VenueRefusedError, match="-1121"):
            ask(BTCUSDT, "7")


def test_an_order_whose_reply_is_lost_is_asked_for_before_it_is_called_unknown(
    venue: BinanceRest, server: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards `place`: nothing is entered twice, and what nobody knows of is said with its id."""
    monkeypatch.setattr(by_hand, "_ASK_S_MAX", 0.5)
    lost = VenueUnknownError("paper: the reply to an order was lost")
    server.answer = (200, {}, json.dumps({**ORDER, "status": "FILLED"}).encode())
    assert by_hand._settled(venue, BTCUSDT, "hand-1", lost).status == "FILLED"
    server.answer = (400, {}, error(-2013, "Order does not exist."))
    with pytest.raises(DeskError, match=r"reply to an order was lost; asked again .* client order id is hand-1"):
        by_hand._settled(venue, BTCUSDT, "hand-1", lost)
    assert {call.split()[0] for call in server.calls} == {"GET"}


def test_a_busy_venue_is_asked_for_a_lost_order_when_it_likes(
    server: Answering, venue: BinanceRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was asked five times a second while it had said that it bans who does not wait."""
    monkeypatch.setattr(by_hand, "_ASK_S_MAX", 0.5)
    server.answer = (429, {"Retry-After": "7"}, error(-1003, "Too much."))
    with pytest.raises(DeskError, match="client order id is hand-1"):
        by_hand._settled(venue, BTCUSDT, "hand-1", VenueUnknownError("lost"))
    assert len(server.calls) == 1


@pytest.mark.parametrize("text", ["0,01", "0,010", "1,5", "1,0000", "91,00", ",01", "1.000,5"])
def test_a_comma_that_parts_no_thousands_is_no_number(text: str) -> None:
    """It was left out: who had typed 0,01 sold a whole coin at the market."""
    with pytest.raises(DeskError, match="the quantity cannot be used: expected a plain decimal number"):
        by_hand._terms(BTCUSDT, text, None, is_post_only=False, is_ioc=False)


def test_commas_between_thousands_are_left_out() -> None:
    """As screens print prices."""
    terms = by_hand._terms(BTCUSDT, "0.01", "91,000.50", is_post_only=False, is_ioc=False)
    assert terms["price"] == "91000.50"

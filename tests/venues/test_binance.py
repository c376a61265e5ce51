"""What ccxt raises, turned into what the desk can act on; every answer comes from a real HTTP server."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from market.codes import Side
from tests.pairs import default_instruments
from trading.order_rules import OrderRules
from venues.binance import BinanceVenue
from venues.binance_rest import BinanceRest
from venues.venue import (
    VenueBusyError,
    VenueError,
    VenueKeysError,
    VenueNoSuchOrderError,
    VenueNoSuchPairError,
    VenueRefusedError,
    VenueRulesError,
    VenueUnavailableError,
    VenueUnknownError,
    VenueWouldTakeError,
)

BTCUSDT = default_instruments()[0]
API_KEY, SECRET = "k" * 64, "s" * 64
_FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
    {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.0", "stepSize": "0.00001"},
    {"filterType": "NOTIONAL", "minNotional": "5.0"},
]
MARKET = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "baseAssetPrecision": 8,
    "quotePrecision": 8,
    "quoteAssetPrecision": 8,
    "orderTypes": ["LIMIT", "LIMIT_MAKER"],
    "isSpotTradingAllowed": True,
    "permissions": ["SPOT"],
    "permissionSets": [["SPOT"]],
    "filters": _FILTERS,
}


class Answering(ThreadingHTTPServer):
    """A venue that knows its markets and gives one prepared answer to everything else."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: tuple[int, dict[str, str], bytes] | None = (200, {}, b"{}")
        self.refusal: tuple[int, dict[str, str], bytes] | None = None  # of a symbol
        self.time_answer: tuple[int, dict[str, str], bytes] = (200, {}, b'{"serverTime": 1}')
        self.calls: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Answering

    def _serve(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "exchangeInfo" in self.path:
            self._send(*(self.server.refusal or (200, {}, json.dumps({"symbols": [MARKET]}).encode())))
            return
        self.server.calls.append(f"{self.command} {self.path.split('?')[0]}")
        if "/time" in self.path:
            self._send(*self.server.time_answer)
        elif self.server.answer is None:
            self.close_connection = True  # the reply is lost
        else:
            self._send(*self.server.answer)

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - named by http.server

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _serving() -> Iterator[Answering]:
    with Answering() as one:
        thread = threading.Thread(target=one.serve_forever, args=(0.02,))
        thread.start()
        yield one
        one.shutdown()
        thread.join()


@pytest.fixture
def server() -> Iterator[Answering]:
    """The venue."""
    yield from _serving()


@pytest.fixture
def elsewhere() -> Iterator[Answering]:
    """Another host."""
    yield from _serving()


@pytest.fixture
def venue(server: Answering) -> BinanceVenue:
    """Our way to it."""
    one = BinanceVenue("testnet", f"http://127.0.0.1:{server.server_address[1]}", API_KEY, SECRET, timeout_ms=1_000)
    one.load(BTCUSDT)
    return one


def test_tells_what_was_paid_in_each_minute(server: Answering, venue: BinanceVenue) -> None:
    """Guards what values a fee of before: the middle of a minute's first and last price, exactly."""
    bars = [[60_000, "600.01", "700", "500", "600.04", "1", 119_999, "1", 1, "1", "1", "0"]]
    server.answer = (200, {}, json.dumps(bars).encode())
    assert venue.minute_prices("BNBUSDT", 60_000) == {60_000: Decimal("600.025")}
    assert server.calls[-1] == "GET /api/v3/klines"


@pytest.mark.parametrize(
    ("bid", "ask", "mid"),
    [("0.00651200", "0.00651300", Decimal("0.0065125")), ("600.01", "600.02", Decimal("600.015")), ("0", "600", None)],
)
def test_tells_the_mid_of_a_pair_whose_steps_nobody_knows(
    server: Answering, venue: BinanceVenue, bid: str, ask: str, mid: Decimal | None
) -> None:
    """Guards what values a fee of now: a book in ticks would be no answer where the desk does not know the ticks."""
    ticker = {"symbol": "BNBBTC", "bidPrice": bid, "bidQty": "1", "askPrice": ask, "askQty": "0.5"}
    server.answer = (200, {}, json.dumps(ticker).encode())
    rest = BinanceRest("paper", f"http://127.0.0.1:{server.server_address[1]}", API_KEY, SECRET, timeout_ms=1_000)
    assert [venue.mid("BNBBTC"), rest.mid("BNBBTC")] == [mid, mid]
    server.answer = (200, {}, b'{"bidPrice": "NaN", "askPrice": "1"}')
    for one in (venue, rest):
        with pytest.raises(VenueUnavailableError):
            one.mid("BNBBTC")


def _place(venue: BinanceVenue) -> None:
    venue.place(BTCUSDT, Side.BUY, 9_120_223, 1_094, "tb-test-1")


def _error(code: int, text: str) -> bytes:
    return json.dumps({"code": code, "msg": text}).encode()


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind"),
    [
        (400, {}, _error(-2010, "Order would immediately match and take."), VenueWouldTakeError),
        (400, {}, _error(-2010, "Account has insufficient balance for requested action."), VenueRefusedError),
        (400, {}, _error(-1013, "Filter failure: NOTIONAL"), VenueRulesError),
        (400, {}, _error(-1111, "Parameter 'quantity' has too much precision."), VenueRulesError),
        (401, {}, _error(-2015, "Invalid API-key, IP, or permissions for action."), VenueKeysError),
        (400, {}, _error(-2014, "API-key format invalid."), VenueKeysError),
        (429, {"Retry-After": "7"}, _error(-1003, "Too much request weight used."), VenueBusyError),
        (418, {"Retry-After": "7"}, _error(-1003, "Way too much request weight used; IP banned."), VenueBusyError),
        (504, {}, _error(-1007, "Timeout waiting for response from backend server."), VenueUnknownError),
        (500, {}, _error(-1016, "This service is no longer available."), VenueUnknownError),
        (503, {}, _error(-9999, "A code of tomorrow."), VenueUnknownError),
        (503, {}, _error(-1008, "Request throttled by system-level protection."), VenueRefusedError),
        (503, {}, b"Service Unavailable", VenueUnknownError),
        (502, {"Content-Type": "text/html"}, b"<html>Bad Gateway</html>", VenueUnknownError),
        (200, {"Content-Type": "text/html"}, b"<html>Maintenance</html>", VenueUnknownError),
        (200, {"Content-Encoding": "gzip"}, b"cut off", VenueUnknownError),
    ],
)
def test_order_answers_have_one_meaning_each(
    server: Answering, venue: BinanceVenue, status: int, headers: dict[str, str], body: bytes, kind: type[VenueError]
) -> None:
    """Refused means not done; a lost or senseless reply means unknown, and is never sent again by itself."""
    server.answer = (status, headers, body)
    with pytest.raises(kind) as caught:
        _place(venue)
    assert type(caught.value) is kind
    assert [call for call in server.calls if call.startswith("POST")] == ["POST /api/v3/order"]
    for secret in (API_KEY, SECRET, "signature"):
        assert secret not in str(caught.value)


def test_busy_venue_says_how_long_to_wait(server: Answering, venue: BinanceVenue) -> None:
    """Retry-After is honoured."""
    server.answer = (429, {"Retry-After": "7"}, _error(-1003, "Too much request weight used."))
    with pytest.raises(VenueBusyError) as caught:
        venue.balances()
    assert caught.value.retry_after_s == 7


def test_lost_reply_to_an_order_is_unknown_and_to_a_question_is_not(server: Answering, venue: BinanceVenue) -> None:
    """The connection closes after the request was read."""
    server.answer = None
    with pytest.raises(VenueUnknownError):
        _place(venue)
    with pytest.raises(VenueUnavailableError):
        venue.balances()
    assert server.calls.count("POST /api/v3/order") == 1


def test_venue_out_of_reach_did_nothing(server: Answering, venue: BinanceVenue) -> None:
    """No connection, no order: it may be placed again."""
    server.shutdown()
    server.server_close()
    with pytest.raises(VenueUnavailableError, match=r"out of reach at http://127\.0\.0\.1:\d+ \(no connection\)"):
        _place(venue)


def test_clock_ahead_is_mended_through_the_venue_s_time(server: Answering, venue: BinanceVenue) -> None:
    """-1021 was not executed: ask for the time, sign anew, once."""
    server.answer = (400, {}, _error(-1021, "Timestamp for this request is outside of the recvWindow."))
    with pytest.raises(VenueRefusedError):
        _place(venue)
    assert server.calls == ["POST /api/v3/order", "GET /api/v3/time", "POST /api/v3/order"]


def test_cancel_of_an_order_that_is_gone_is_no_error(server: Answering, venue: BinanceVenue) -> None:
    """It was filled on the way; another refusal stays one."""
    server.answer = (400, {}, _error(-2011, "Unknown order sent."))
    venue.cancel(BTCUSDT, "5")
    server.answer = (400, {}, _error(-1100, "Illegal characters found in a parameter."))
    with pytest.raises(VenueRefusedError):
        venue.cancel(BTCUSDT, "5")


@pytest.mark.parametrize(
    "text",
    [
        "Market is closed.",
        "Order was not canceled due to cancel restrictions.",
        "Unknown order list sent.",
        "This action is disabled on this account.",
        "Internal error; unable to process your request. Please try again.",
        "",
    ],
)
def test_a_cancel_that_is_refused_for_another_reason_leaves_the_order_where_it_is(
    server: Answering, venue: BinanceVenue, text: str
) -> None:
    """Of all texts of -2011 one says that there is no such order; any other was taken for it, and an order for gone."""
    server.answer = (400, {}, _error(-2011, text))
    with pytest.raises(VenueRefusedError, match="-2011") as told:
        venue.cancel(BTCUSDT, "5")
    assert not isinstance(told.value, VenueNoSuchOrderError)


@pytest.mark.parametrize(
    ("code", "text", "is_no_pair"),
    [
        (-1121, "Invalid symbol.", True),
        (-1100, r"Illegal characters found in parameter 'symbol'; legal range is '^[\\w\\-._&&[^a-z]]{1,50}$'.", True),
        (-1100, "Illegal characters found in parameter 'orderId'; legal range is '^[0-9]{1,20}$'.", False),
    ],
)
def test_only_what_names_the_pair_says_that_there_is_none(
    server: Answering, venue: BinanceVenue, code: int, text: str, *, is_no_pair: bool
) -> None:
    """An order in a pair that is taken for gone is cancelled by nobody."""
    server.answer = (400, {}, _error(code, text))
    with pytest.raises(VenueRefusedError) as told:
        venue.cancel(BTCUSDT, "5")
    assert isinstance(told.value, VenueNoSuchPairError) is is_no_pair


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [(400, -2010, "Duplicate order sent."), (409, -2021, "Order cancel-replace partially failed.")],
)
def test_what_says_that_something_of_ours_is_there_is_no_refusal(
    server: Answering, venue: BinanceVenue, status: int, code: int, text: str
) -> None:
    """An order of that id is open, or one half of a move was done: who takes it for nothing places another beside."""
    server.answer = (status, {}, _error(code, text))
    with pytest.raises(VenueUnknownError):
        _place(venue)


def test_unknown_order_is_not_found(server: Answering, venue: BinanceVenue) -> None:
    """The answer to `what became of it` may be `never heard of it`."""
    server.answer = (400, {}, _error(-2013, "Order does not exist."))
    assert venue.find_order(BTCUSDT, "tb-test-1") is None


@pytest.mark.parametrize("kind", [BinanceVenue, BinanceRest])
def test_another_market_is_refused_before_any_order(
    server: Answering, kind: type[BinanceVenue | BinanceRest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A desk in wrong units would be off by powers of ten."""
    one = kind("one", f"http://127.0.0.1:{server.server_address[1]}", API_KEY, SECRET, timeout_ms=1_000)
    monkeypatch.setitem(MARKET, "filters", [{**_FILTERS[0], "tickSize": "0.10000000"}, *_FILTERS[1:]])
    with pytest.raises(
        VenueRefusedError, match=r"^one trades BTCUSDT in ticks and lots of 0\.1 and 0\.00001, not 0\.01"
    ):
        one.load(BTCUSDT)
    assert one.market_rules(BTCUSDT)[:2] == (Decimal("0.1"), Decimal("0.00001"))
    server.refusal = (400, {}, _error(-1121, "Invalid symbol."))
    with pytest.raises(VenueRefusedError, match=r"^one does not trade BTCUSDT$"):
        one.load(BTCUSDT)


QUESTIONS: dict[str, Callable[[BinanceVenue], object]] = {
    "depth": lambda venue: venue.depth(BTCUSDT, 5),
    "open orders": lambda venue: venue.open_orders(BTCUSDT),
    "cancel": lambda venue: venue.cancel(BTCUSDT, "5"),
    "find": lambda venue: venue.find_order(BTCUSDT, "tb-test-1"),
    "account": lambda venue: venue.account(),
    "trades": lambda venue: venue.trades(BTCUSDT),
    "orders": lambda venue: venue.orders(BTCUSDT),
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("body", [b"<html>Maintenance</html>", b"{}", b"null", b"", b'"x"', b'{"code":0}'])
def test_page_with_status_200_answers_no_question(
    server: Answering, venue: BinanceVenue, question: str, body: bytes
) -> None:
    """`{}` passed for no open orders, which doubled both quotes; a page for a cancel that was done; others crashed."""
    server.answer = (200, {}, body)
    with pytest.raises(VenueUnavailableError):
        QUESTIONS[question](venue)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b"", b'{"orderId":5}', b'{"orderId":null,"symbol":"BTCUSDT"}'])
def test_order_that_is_answered_with_something_else_is_unknown(
    server: Answering, venue: BinanceVenue, body: bytes
) -> None:
    """ccxt makes an order without an id of it, and raises nothing."""
    server.answer = (200, {}, body)
    with pytest.raises(VenueUnknownError):
        _place(venue)


@pytest.mark.parametrize(
    ("value", "wait_s"),
    [
        ("7", 7), ("0", 0), ("7.5", 7.5), ("", 10), ("-1", 10), ("1e9", 10), ("\xb2", 10), ("Fri, 1 Jan 2027", 10),
        ("Fri, 45 Jan 2027 00:00:00 GMT", 10), ("Thu, 01 Jan 2026 00:00:00 GMT", 0),
    ],
)  # fmt: skip
def test_time_to_wait_is_read_or_made_up(server: Answering, venue: BinanceVenue, value: str, wait_s: float) -> None:
    """A superscript two is a digit to Python, and no number: it ended the maker as a bug."""
    server.answer = (418, {"Retry-After": value}, _error(-1003, "Way too much; IP banned until 1."))
    with pytest.raises(VenueBusyError) as caught:
        venue.balances()
    assert caught.value.retry_after_s == wait_s
    assert str(caught.value).split(";")[0] == f"testnet has banned our address, for {wait_s:.0f} s"


def test_time_to_wait_may_be_a_date(server: Answering, venue: BinanceVenue) -> None:
    """As proxies write it: a ban of minutes was asked again after ten seconds, which makes it longer."""
    header = {"Retry-After": formatdate(time.time() + 120, usegmt=True)}
    server.answer = (418, header, _error(-1003, "Way too much; IP banned until 1."))
    with pytest.raises(VenueBusyError) as caught:
        venue.balances()
    assert 100 < caught.value.retry_after_s <= 121


@pytest.mark.parametrize("kind", [BinanceVenue, BinanceRest])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nobody_follows_a_redirect(
    server: Answering, elsewhere: Answering, kind: type[BinanceVenue | BinanceRest], status: int
) -> None:
    """The key, and with 307 a signed order, went to whatever host it names: to the exchange itself, perhaps."""
    one = kind("one", f"http://127.0.0.1:{server.server_address[1]}", API_KEY, SECRET, timeout_ms=1_000)
    server.answer = (status, {"Location": f"http://127.0.0.1:{elsewhere.server_address[1]}/api/v3/order"}, b"")
    with pytest.raises(VenueUnknownError, match=f"answered with something else .status {status}"):
        one.place(BTCUSDT, Side.BUY, 9_120_223, 1_094, "tb-test-1")
    with pytest.raises(VenueUnavailableError, match=f"answered with something else .status {status}"):
        one.balances()
    assert elsewhere.calls == []


def test_a_refusal_is_one_line(server: Answering, venue: BinanceVenue) -> None:
    """What a venue says goes to screens and logs: no second line, and nothing that a screen takes for a command."""
    server.answer = (400, {}, _error(-2010, "No.\nready\x1b[2J"))
    with pytest.raises(VenueRefusedError, match=r"^testnet: No\. ready \[2J \(-2010\)$"):
        _place(venue)


def test_a_pause_is_told_from_a_ban(server: Answering, venue: BinanceVenue) -> None:
    """The one is over with the minute, the other may last for days."""
    server.answer = (429, {"Retry-After": "7"}, _error(-1003, "Too much request weight used."))
    with pytest.raises(VenueBusyError) as caught:
        venue.balances()
    assert str(caught.value) == "testnet asks us to slow down, for 7 s"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((200, {}, b"<html></html>"), VenueUnavailableError),
        ((500, {}, b"oops"), VenueUnavailableError),
        ((429, {"Retry-After": "7"}, b"{}"), VenueBusyError),
    ],
)
def test_order_refused_for_its_time_was_not_done_whatever_becomes_of_the_time(
    server: Answering, venue: BinanceVenue, answer: tuple[int, dict[str, str], bytes], kind: type[VenueError]
) -> None:
    """Asking for the time failed, and the order was called unknown: its side stood still until it could not arrive."""
    server.answer = (400, {}, _error(-1021, "Timestamp for this request is outside of the recvWindow."))
    server.time_answer = answer
    with pytest.raises(kind) as caught:
        _place(venue)
    assert type(caught.value) is kind
    assert server.calls.count("POST /api/v3/order") == 1


def test_cancelled_order_is_returned_as_it_ended(server: Answering, venue: BinanceVenue) -> None:
    """A cancel has a client order id of its own; what was filled before is in its answer."""
    answer = {
        "symbol": "BTCUSDT",
        "origClientOrderId": "tb-test-1",
        "clientOrderId": "made-up",
        "orderId": 5,
        "transactTime": 1,
        "price": "91202.23",
        "origQty": "0.01094",
        "executedQty": "0.00094",
        "status": "CANCELED",
        "side": "BUY",
    }
    server.answer = (200, {}, json.dumps(answer).encode())
    ended = venue.cancel(BTCUSDT, "5")
    assert ended is not None
    assert (ended.client_order_id, ended.leaves_qty, ended.is_open) == ("tb-test-1", Decimal("0.01000"), False)
    server.answer = (200, {}, json.dumps([{**answer, "orderId": n, "time": 9 - n} for n in (5, 3, 4)]).encode())
    assert [order.order_id for order in venue.open_orders(BTCUSDT)] == ["3", "4", "5"]
    assert [order.order_id for order in venue.orders(BTCUSDT)] == ["3", "4", "5"]


@pytest.mark.parametrize(
    "status", ["NEW", "PARTIALLY_FILLED", "PENDING_CANCEL", "FILLED", "CANCELED", "EXPIRED", "REJECTED"]
)
def test_order_is_open_by_its_status(server: Answering, venue: BinanceVenue, status: str) -> None:
    """What ended is not counted as a quote, and what is open is not forgotten."""
    answer = {"symbol": "BTCUSDT", "clientOrderId": "a", "orderId": 5, "time": 1, "price": "1", "origQty": "1"}
    server.answer = (200, {}, json.dumps({**answer, "executedQty": "0", "status": status, "side": "BUY"}).encode())
    found = venue.find_order(BTCUSDT, "a")
    assert found is not None
    assert found.is_open == (status in ("NEW", "PARTIALLY_FILLED", "PENDING_CANCEL"))


def test_rules_are_those_of_the_filters(server: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    """By their names; what is 0 or not there is no bound."""
    filters = [
        *_FILTERS,
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": "1.2",
            "bidMultiplierDown": "0.2",
            "askMultiplierUp": "5",
            "askMultiplierDown": "0.8",
        },
        {"filterType": "MAX_POSITION", "maxPosition": "0"},
    ]
    monkeypatch.setitem(MARKET, "filters", filters)
    one = BinanceVenue("testnet", f"http://127.0.0.1:{server.server_address[1]}", API_KEY, SECRET, timeout_ms=1_000)
    assert one.load(BTCUSDT) == OrderRules(
        price_min=Decimal("0.01"),
        price_max=Decimal(1_000_000),
        qty_min=Decimal("0.00001"),
        qty_max=Decimal(9_000),
        notional_min=Decimal(5),
        bid_reach=(Decimal("0.2"), Decimal("1.2")),
        ask_reach=(Decimal("0.8"), Decimal(5)),
    )

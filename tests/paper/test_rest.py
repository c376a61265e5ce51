"""The REST calls on a real socket: every refusal by its code, placement of parameters, limits, headers."""

import http.client
import json
import socket
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.clock import time_ns
from market.codes import Side
from paper.access.signing import sign
from paper.errors import ErrorKind
from tests.paper.desk import ALICE
from tests.paper.server import Server

Reply = tuple[int, Any, dict[str, str]]
LIMIT_BUY = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "90000",
}
MARKET_STOP = {"type": "STOP_LOSS", "price": None, "timeInForce": None}


def send(
    server: Server,
    method: str,
    path: str,
    *,
    query: str = "",
    body: str | bytes = "",
    headers: dict[str, str] | None = None,
) -> Reply:
    """Send one raw request and return status, JSON document and headers."""
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    try:
        target = (path if path.startswith("/") else f"/api/v3/{path}") + (f"?{query}" if query else "")
        connection.request(method, target, body or None, {"X-MBX-APIKEY": server.keys[ALICE].api_key} | (headers or {}))
        response = connection.getresponse()
        return response.status, json.loads(response.read()), {k.upper(): v for k, v in response.getheaders()}
    finally:
        connection.close()


def signed(server: Server, **values: object) -> str:
    """Return parameters with timestamp and signature."""
    text = urlencode({"timestamp": time_ns() // 1_000_000} | values)
    return f"{text}&signature={sign(text, server.keys[ALICE].secret)}"


def order(server: Server, **changes: object) -> Reply:
    """Place a limit buy with some parameters changed; None leaves one out."""
    values = {name: value for name, value in (LIMIT_BUY | changes).items() if value is not None}
    return send(server, "POST", "order", query=signed(server, **values))


def test_parameters_are_read_from_query_body_or_both(server: Server) -> None:
    """Clients place them differently; the signature covers both, without a separator."""
    secret, now_ms = server.keys[ALICE].secret, time_ns() // 1_000_000
    text = urlencode(LIMIT_BUY | {"timestamp": now_ms})
    whole = f"{text}&signature={sign(text, secret)}"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert send(server, "POST", "order", query=whole)[0] == 200
    assert send(server, "POST", "order", body=whole, headers=form)[0] == 200
    assert send(server, "POST", "order", body=whole)[0] == 200
    query, body = urlencode(LIMIT_BUY), f"timestamp={now_ms}"
    mixed = sign(query + body, secret)
    assert send(server, "POST", "order", query=query, body=f"{body}&signature={mixed}", headers=form)[0] == 200
    cancel = signed(server, symbol="BTCUSDT")
    assert len(send(server, "DELETE", "openOrders", body=cancel, headers=form)[1]) == 4


def test_the_query_wins_over_the_body(server: Server) -> None:
    """Where a name is in both."""
    secret = server.keys[ALICE].secret
    query = urlencode(LIMIT_BUY | {"timestamp": time_ns() // 1_000_000})
    body = "quantity=0.02"
    signature = sign(query + body, secret)
    _, document, _ = send(server, "POST", "order", query=query, body=f"{body}&signature={signature}")
    assert document["origQty"] == "0.01000000"


def test_the_answers_to_an_order_are_binances(server: Server) -> None:
    """ACK, RESULT, FULL; names also where they are misspelt; numbers as text of eight decimals."""
    server.flow(Side.SELL, "90000", "0.005")
    _, full, _ = order(server, newClientOrderId="mine")
    assert full["fills"] == [
        {
            "price": "90000.00000000",
            "qty": "0.00500000",
            "commission": "0.00000000",
            "commissionAsset": "BTC",
            "tradeId": full["fills"][0]["tradeId"],
        }
    ]
    assert full["cummulativeQuoteQty"] == "450.00000000"
    assert (full["status"], full["orderListId"], full["clientOrderId"]) == ("PARTIALLY_FILLED", -1, "mine")
    assert full["selfTradePreventionMode"] == "EXPIRE_MAKER"
    _, result, _ = order(server, newOrderRespType="RESULT")
    assert result.keys() == full.keys() - {"fills"}
    _, ack, _ = order(server, newOrderRespType="ACK")
    assert ack.keys() == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
    _, maker, _ = order(server, type="LIMIT_MAKER", timeInForce=None)
    assert maker.keys() == ack.keys()
    _, found, _ = send(server, "GET", "order", query=signed(server, symbol="BTCUSDT", orderId=full["orderId"]))
    assert found.items() >= {key: value for key, value in full.items() if key not in ("fills", "transactTime")}.items()
    assert (found["stopPrice"], found["isWorking"]) == ("0.00000000", True)


def test_a_trailing_stop_needs_no_stop_price(server: Server) -> None:
    """All answers tell its delta, and that it tracks the price since its entry."""
    asked = {"type": "STOP_LOSS_LIMIT", "trailingDelta": "250", "newOrderRespType": "RESULT"}
    status, placed, _ = order(server, **asked)
    assert (status, placed["trailingDelta"], placed["trailingTime"]) == (200, 250, placed["transactTime"])
    assert "stopPrice" not in placed
    which = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
    for method in ("GET", "DELETE"):
        _, told, _ = send(server, method, "order", query=signed(server, **which))
        assert (told["trailingDelta"], told["trailingTime"]) == (250, placed["trailingTime"])
    (symbol,) = send(server, "GET", "exchangeInfo", query="symbol=BTCUSDT")[1]["symbols"]
    assert symbol["allowTrailingStop"] is True


def test_a_test_order_is_checked_and_not_placed(server: Server) -> None:
    """order/test."""
    assert send(server, "POST", "order/test", query=signed(server, **LIMIT_BUY))[:2] == (200, {})
    assert (
        send(server, "POST", "order/test", query=signed(server, **LIMIT_BUY | {"price": "1.234"}))[1]["code"] == -1013
    )
    assert send(server, "GET", "openOrders", query=signed(server))[1] == []


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"price": "90000.001"}, ErrorKind.FILTER_FAILURE),
        ({"price": "0.000000001"}, ErrorKind.TOO_PRECISE),
        ({"price": "NaN"}, ErrorKind.ILLEGAL_CHARACTERS),
        ({"price": "1e3"}, ErrorKind.ILLEGAL_CHARACTERS),
        ({"price": "-1"}, ErrorKind.ILLEGAL_CHARACTERS),
        ({"price": "0"}, ErrorKind.BAD_PARAMETER),
        ({"price": "9" * 20}, ErrorKind.BAD_PARAMETER),
        ({"price": None}, ErrorKind.MANDATORY_PARAMETER),
        ({"quantity": None}, ErrorKind.MANDATORY_PARAMETER),
        ({"timeInForce": None}, ErrorKind.MANDATORY_PARAMETER),
        ({"symbol": None}, ErrorKind.MANDATORY_PARAMETER),
        ({"symbol": ""}, ErrorKind.MANDATORY_PARAMETER),
        ({"newClientOrderId": ""}, ErrorKind.EMPTY_PARAMETER),
        ({"newClientOrderId": "a b"}, ErrorKind.ILLEGAL_CHARACTERS),
        ({"newClientOrderId": "a" * 37}, ErrorKind.ILLEGAL_CHARACTERS),
        ({"symbol": "btcusdt"}, ErrorKind.ILLEGAL_CHARACTERS),
        ({"symbol": "XXXYYY"}, ErrorKind.BAD_SYMBOL),
        ({"side": "HOLD"}, ErrorKind.BAD_SIDE),
        ({"type": "OCO"}, ErrorKind.BAD_ORDER_TYPE),
        ({"timeInForce": "GTX"}, ErrorKind.BAD_TIME_IN_FORCE),
        ({"newOrderRespType": "ALL"}, ErrorKind.BAD_RESPONSE_TYPE),
        ({"selfTradePreventionMode": "TRANSFER"}, ErrorKind.BAD_PARAMETER),
        ({"pegPriceType": "PRIMARY_PEG"}, ErrorKind.NO_PEGGED_ORDERS),
        ({"stopPrice": "90000"}, ErrorKind.NOT_REQUIRED),
        ({"icebergQty": "0.001", "timeInForce": "IOC"}, ErrorKind.NOT_REQUIRED),
        ({"icebergQty": "0.02"}, ErrorKind.ICEBERG_TOO_LARGE),
        ({"icebergQty": "0.00001"}, ErrorKind.FILTER_FAILURE),
        ({"icebergQty": "0.000001"}, ErrorKind.FILTER_FAILURE),
        ({"type": "STOP_LOSS_LIMIT"}, ErrorKind.MANDATORY_PARAMETER),
        ({"type": "STOP_LOSS_LIMIT", "stopPrice": "90000.001"}, ErrorKind.FILTER_FAILURE),
        ({"type": "STOP_LOSS", "stopPrice": "90000"}, ErrorKind.NOT_REQUIRED),
        ({"type": "TAKE_PROFIT", "price": None, "timeInForce": None}, ErrorKind.MANDATORY_PARAMETER),
        ({**MARKET_STOP, "stopPrice": "90000", "trailingDelta": "9"}, ErrorKind.FILTER_FAILURE),
        ({"quoteOrderQty": "100"}, ErrorKind.NOT_REQUIRED),
        ({"type": "LIMIT_MAKER"}, ErrorKind.NOT_REQUIRED),
        ({"type": "MARKET"}, ErrorKind.NOT_REQUIRED),
        ({"type": "MARKET", "price": None, "timeInForce": None}, ErrorKind.NO_DEPTH),
        ({"type": "MARKET", "price": None, "timeInForce": None, "quantity": None}, ErrorKind.EITHER_PARAMETER),
        ({"type": "MARKET", "price": None, "timeInForce": None, "quoteOrderQty": "9"}, ErrorKind.BAD_COMBINATION),
        ({"quantity": "1"}, ErrorKind.INSUFFICIENT_BALANCE),
        ({"recvWindow": "60001"}, ErrorKind.BAD_RECV_WINDOW),
        ({"recvWindow": "5000.1234"}, ErrorKind.TOO_PRECISE),
        ({"timestamp": "1"}, ErrorKind.TIMESTAMP_TOO_OLD),
        ({"timestamp": "99999999999999"}, ErrorKind.TIMESTAMP_AHEAD),
        ({"timestamp": ""}, ErrorKind.MANDATORY_PARAMETER),
    ],
)
def test_an_order_with_a_fault_is_refused_by_name(server: Server, changes: dict[str, Any], kind: ErrorKind) -> None:
    """One row a rule; the state is unchanged."""
    status, document, _ = order(server, **changes)
    assert (status, document["code"]) == (kind.status, kind.code), document
    assert document["msg"].startswith(kind.text.split("{")[0])
    assert send(server, "GET", "openOrders", query=signed(server))[1] == []


@pytest.mark.parametrize(
    ("method", "path", "values", "kind"),
    [
        ("GET", "order", {"symbol": "BTCUSDT", "orderId": 1}, ErrorKind.NO_SUCH_ORDER),
        ("GET", "order", {"symbol": "BTCUSDT"}, ErrorKind.EITHER_PARAMETER),
        ("GET", "order", {"symbol": "BTCUSDT", "orderId": 2**63}, ErrorKind.BAD_PARAMETER),
        ("DELETE", "order", {"symbol": "BTCUSDT", "orderId": 1}, ErrorKind.UNKNOWN_ORDER),
        (
            "DELETE",
            "order",
            {"symbol": "BTCUSDT", "orderId": 1, "cancelRestrictions": "X"},
            ErrorKind.BAD_CANCEL_RESTRICTIONS,
        ),
        ("DELETE", "openOrders", {"symbol": "BTCUSDT"}, ErrorKind.UNKNOWN_ORDER),
        ("DELETE", "openOrders", {}, ErrorKind.MANDATORY_PARAMETER),
        ("GET", "myTrades", {}, ErrorKind.MANDATORY_PARAMETER),
        ("GET", "myTrades", {"symbol": "BTCUSDT", "fromId": 1, "startTime": 1}, ErrorKind.BAD_COMBINATION),
        ("GET", "myTrades", {"symbol": "BTCUSDT", "limit": 0}, ErrorKind.BAD_PARAMETER),
        ("GET", "allOrders", {"symbol": "BTCUSDT", "startTime": 1, "endTime": 86_400_002}, ErrorKind.INTERVAL_TOO_LONG),
        ("GET", "account", {"omitZeroBalances": "yes"}, ErrorKind.BAD_PARAMETER),
        ("POST", "sor/order", {}, ErrorKind.UNSUPPORTED_OPERATION),
        ("POST", "order/cancelReplace", LIMIT_BUY, ErrorKind.MANDATORY_PARAMETER),
        ("POST", "order/cancelReplace", LIMIT_BUY | {"cancelReplaceMode": "X"}, ErrorKind.BAD_PARAMETER),
        ("PUT", "order", {}, ErrorKind.WRONG_METHOD),
    ],
)
def test_a_signed_call_with_a_fault_is_refused_by_name(
    server: Server, method: str, path: str, values: dict[str, Any], kind: ErrorKind
) -> None:
    """One row a rule."""
    status, document, _ = send(server, method, path, query=signed(server, **values))
    assert (status, document["code"]) == (kind.status, kind.code), document


@pytest.mark.parametrize(
    ("path", "query", "kind"),
    [
        ("depth", "", ErrorKind.MANDATORY_PARAMETER),
        ("depth", "symbol=NOPE", ErrorKind.BAD_SYMBOL),
        ("depth", "symbol=BTCUSDT&symbol=BTCUSDT", ErrorKind.TOO_MANY_PARAMETERS),
        ("depth", "symbol=BTCUSDT&limit=x", ErrorKind.ILLEGAL_CHARACTERS),
        ("depth", "symbol=BTCUSDT&limit=%D9%A3", ErrorKind.ILLEGAL_CHARACTERS),
        ("depth", "symbol=%FF", ErrorKind.ILLEGAL_CHARACTERS),
        ("depth", "symbol=BTCUSDT&x=1", ErrorKind.UNREAD_PARAMETERS),
        ("klines", "symbol=BTCUSDT&interval=7m", ErrorKind.BAD_INTERVAL),
        ("aggTrades", "symbol=BTCUSDT&fromId=1&startTime=1", ErrorKind.BAD_COMBINATION),
        ("ticker/price", "symbol=BTCUSDT&symbols=%5B%22BTCUSDT%22%5D", ErrorKind.BAD_COMBINATION),
        ("ticker/price", "symbols=%5B%22BTCUSDT%22,%22BTCUSDT%22%5D", ErrorKind.REPEATED_SYMBOL),
        ("ticker/price", "symbols=BTCUSDT", ErrorKind.ILLEGAL_CHARACTERS),
        ("ticker/24hr", "type=LONG", ErrorKind.BAD_TICKER_TYPE),
    ],
)
def test_a_public_call_with_a_fault_is_refused_by_name(server: Server, path: str, query: str, kind: ErrorKind) -> None:
    """One row a rule."""
    status, document, _ = send(server, "GET", path, query=query)
    assert (status, document["code"]) == (kind.status, kind.code), document


def test_a_cancel_may_be_restricted_to_a_status(server: Server) -> None:
    """cancelRestrictions."""
    _, placed, _ = order(server)
    values = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
    query = signed(server, **values, cancelRestrictions="ONLY_PARTIALLY_FILLED")
    assert send(server, "DELETE", "order", query=query)[1]["code"] == -2011
    query = signed(server, **values, cancelRestrictions="ONLY_NEW", newClientOrderId="bye")
    _, cancelled, _ = send(server, "DELETE", "order", query=query)
    assert (cancelled["status"], cancelled["clientOrderId"]) == ("CANCELED", "bye")
    assert cancelled["origClientOrderId"] == placed["clientOrderId"]


def test_it_knows_every_code_that_clients_are_told_of() -> None:
    """Those of Binance's that a Spot client meets; what the exchange itself never says, a fault switch can."""
    told = {kind.code for kind in ErrorKind}
    assert told >= {
        -1000, -1003, -1006, -1007, -1013, -1015, -1021, -1022, -1100, -1102, -1104, -1106, -1111, -1115, -1116, -1117,
        -1121, -2010, -2011, -2013, -2014, -2015, -2021, -2022,
    }  # fmt: skip
    assert {kind.status for kind in ErrorKind} >= {400, 401, 403, 409, 418, 429, 500, 503, 504}


def test_only_this_machine_is_answered(server: Server) -> None:
    """A web page that rebinds its name to 127.0.0.1 sends its own name as Host."""
    for host, expected in (("evil.example", 403), ("127.0.0.1.evil.example:80", 403), ("localhost:1", 200)):
        assert send(server, "GET", "ping", headers={"Host": host})[0] == expected


def test_a_large_body_is_refused(server: Server) -> None:
    """64 KB."""
    status, document, _ = send(server, "POST", "order", body="a" * 70_000)
    assert (status, document["code"]) == (413, -1101)


def test_a_body_that_is_no_text_is_refused(server: Server) -> None:
    """Not a traceback."""
    assert send(server, "POST", "order", body=b"\xff\xfe=1")[1]["code"] == -1100


def test_every_answer_tells_the_weight_used(server: Server) -> None:
    """Also a refusal; answers about orders tell their count."""

    def used(reply: Reply) -> int:
        return int(reply[2]["X-MBX-USED-WEIGHT-1M"])

    counted = []
    for _ in range(3):  # the minute may change between two calls, but not twice
        before = used(send(server, "GET", "ping"))
        counted.append(used(send(server, "GET", "depth", query="symbol=BTCUSDT&limit=5000")) - before)
    assert 250 in counted
    assert "X-MBX-ORDER-COUNT-10S" not in send(server, "GET", "depth", query="symbol=NOPE")[2]
    assert int(order(server)[2]["X-MBX-ORDER-COUNT-10S"]) >= 1


def test_history_is_chosen_by_id_and_time(server: Server) -> None:
    """allOrders and myTrades: the latest without a start, the first from a start."""
    ids = [order(server)[1]["orderId"] for _ in range(4)]
    server.flow(Side.SELL, "90000", "0.04")

    def orders(**values: object) -> list[int]:
        reply = send(server, "GET", "allOrders", query=signed(server, symbol="BTCUSDT", **values))[1]
        return [each["orderId"] for each in reply]

    def trades(**values: object) -> list[int]:
        reply = send(server, "GET", "myTrades", query=signed(server, symbol="BTCUSDT", **values))[1]
        return [each["orderId"] for each in reply]

    now_ms = time_ns() // 1_000_000
    assert orders() == ids
    assert orders(limit=2) == ids[2:]
    assert orders(orderId=ids[1], limit=2) == ids[1:3]
    assert orders(startTime=now_ms - 60_000, limit=3) == ids[:3]
    assert orders(endTime=now_ms - 3_600_000) == []
    assert trades() == ids
    assert trades(orderId=ids[2]) == [ids[2]]
    assert trades(limit=1) == ids[3:]
    assert trades(startTime=now_ms - 60_000, endTime=now_ms + 60_000, limit=1) == ids[:1]
    assert trades(startTime=now_ms + 60_000) == []


TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["BTCUSDT", "ETHUSDT", "BUY", "SELL", "LIMIT", "MARKET", "LIMIT_MAKER", "GTC", "1m", "true", "FULL"]
    ),
    st.integers(-(2**70), 2**70).map(str),
    st.decimals(0, 10**6, places=5).map(str),
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(noise=st.binary(max_size=200))
def test_no_bytes_make_a_call_fail_by_itself(server: Server, noise: bytes) -> None:
    """A body of any bytes, and the same as a query as far as HTTP carries it."""
    query = "".join(chr(byte) for byte in noise if 0x21 <= byte < 0x7F and byte != 0x23)
    assert send(server, "POST", "order", body=noise)[0] == 400
    assert send(server, "GET", "depth", query=query)[0] == 400


def test_a_bug_of_ours_is_told_as_unknown_and_reported(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 and -1000, no traceback to the client; the node hears of it."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("paper.exchange.public_market.PublicMarket.depth", fail)
    status, document, _ = send(server, "GET", "depth", query="symbol=BTCUSDT")
    assert (status, document["code"]) == (500, -1000)
    assert "bug" not in document["msg"]
    assert [type(bug) for bug in server.bugs] == [ZeroDivisionError]
    server.bugs.clear()


def test_what_is_no_http_is_refused(server: Server) -> None:
    """A document with a code, or a closed connection, and the server goes on."""
    address = urlsplit(server.url)
    for request in (
        b"GET /api/v3/ping HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: x\r\n\r\n",
        b"\x16\x03\x01\r\n\r\n",
    ):
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            connection.sendall(request)
            reply = connection.makefile("rb").read()
        assert b'"code":-1100' in reply, reply
    assert send(server, "GET", "ping")[:2] == (200, {})

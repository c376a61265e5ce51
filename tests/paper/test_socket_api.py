"""The WebSocket API on real sockets: requests, sessions, accounts' own streams, and every refusal by its code."""

import base64
import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.clock import time_ns
from market.codes import Side
from paper.access.signing import sign
from paper.errors import ErrorKind
from paper.socket_api import ENDPOINT_OF_METHOD
from tests.paper.clients import Listener, listening
from tests.paper.desk import ALICE, BOB
from tests.paper.server import Server
from tests.paper.test_rest import LIMIT_BUY, TEXTS, send, signed

PATH = "/ws-api/v3"


def now_ms() -> int:
    """Return the time, ms."""
    return time_ns() // 1_000_000


def by_secret(server: Server, **values: Any) -> dict[str, Any]:
    """Return parameters with ALICE's API key, timestamp and HMAC signature."""
    return by_secret_of(server, ALICE, **values)


def by_secret_of(server: Server, account: int, /, **values: Any) -> dict[str, Any]:
    """Return parameters with an account's API key, timestamp and HMAC signature."""
    params = {"timestamp": now_ms(), "apiKey": server.keys[account].api_key} | values
    return params | {"signature": sign(_payload(params), server.keys[account].secret)}


def by_private_key(server: Server, **values: Any) -> dict[str, Any]:
    """Return parameters with API key, timestamp and Ed25519 signature."""
    params = {"timestamp": now_ms(), "apiKey": server.ed25519_api_key} | values
    return params | {"signature": base64.b64encode(server.ed25519_key.sign(_payload(params).encode())).decode()}


def _payload(params: dict[str, Any]) -> str:
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
    return "&".join(f"{name}={texts[name]}" for name in sorted(texts))


def call(listener: Listener, method: str, **params: Any) -> Any:
    """Send a request and return the reply."""
    return listener.ask(id=f"{method}-{time_ns()}", method=method, params=params)


def subscribed(server: Server, listener: Listener, account: int = ALICE) -> int:
    """Subscribe to an account's own stream."""
    reply = call(listener, "userDataStream.subscribe.signature", **by_secret_of(server, account))
    number: int = reply["result"]["subscriptionId"]
    return number


def event(listener: Listener, name: str) -> Any:
    """Return the next event of that name of an account's own stream."""
    return listener.wait(lambda document: document.get("event", {}).get("e") == name)["event"]


def test_a_reply_has_id_status_result_and_rate_limits(server: Server) -> None:
    """Also a refusal; every kind of id comes back as it was."""
    with listening(server, PATH) as listener:
        for request_id in (1, "x", "43a3843a-2321-4e45-8f79-351e5c354563", None):
            reply = listener.ask(id=request_id, method="time")
            assert reply.keys() == {"id", "status", "result", "rateLimits"}
            assert abs(reply["result"]["serverTime"] - now_ms()) < 10_000
        refused = call(listener, "depth", symbol="NOPE")
    assert refused.keys() == {"id", "status", "error", "rateLimits"}
    assert (refused["status"], refused["error"]["code"]) == (400, -1121)
    (weight,) = refused["rateLimits"]
    assert (weight["rateLimitType"], weight["interval"], weight["limit"]) == ("REQUEST_WEIGHT", "MINUTE", 6_000)
    assert weight["count"] > 0


def test_public_calls_answer_as_over_http(server: Server) -> None:
    """One table of endpoints behind both."""
    server.flow(Side.SELL, "91000", "0.5")
    server.flow(Side.BUY, "91000", "0.2")
    with listening(server, PATH) as listener:
        for method, params, path in (
            ("depth", {"symbol": "BTCUSDT", "limit": 5}, "depth"),
            ("trades.recent", {"symbol": "BTCUSDT"}, "trades"),
            ("trades.aggregate", {"symbol": "BTCUSDT"}, "aggTrades"),
            ("ticker.price", {"symbols": ["BTCUSDT"]}, "ticker/price"),
            ("ticker.book", {"symbol": "BTCUSDT"}, "ticker/bookTicker"),
            ("avgPrice", {"symbol": "BTCUSDT"}, "avgPrice"),
        ):
            query = urlencode({name: json.dumps(v) if isinstance(v, list) else v for name, v in params.items()})
            assert call(listener, method, **params)["result"] == send(server, "GET", path, query=query)[1], method


@pytest.mark.parametrize("signer", [by_secret, by_private_key])
def test_an_order_is_placed_shown_and_cancelled(server: Server, signer: Any) -> None:
    """order.place, order.status, openOrders.status, order.cancel, with either kind of key."""
    with listening(server, PATH) as listener:
        reply = call(listener, "order.place", **signer(server, **LIMIT_BUY, newClientOrderId="mine"))
        assert (reply["status"], reply["result"]["status"], reply["result"]["fills"]) == (200, "NEW", [])
        assert [each["rateLimitType"] for each in reply["rateLimits"]] == ["REQUEST_WEIGHT", "ORDERS", "ORDERS"]
        named = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
        assert call(listener, "order.status", **signer(server, **named))["result"]["status"] == "NEW"
        (is_open,) = call(listener, "openOrders.status", **signer(server, symbol="BTCUSDT"))["result"]
        assert is_open["orderId"] == reply["result"]["orderId"]
        assert call(listener, "order.cancel", **signer(server, **named))["result"]["status"] == "CANCELED"
        call(listener, "order.place", **signer(server, **LIMIT_BUY))
        assert len(call(listener, "openOrders.cancelAll", **signer(server, symbol="BTCUSDT"))["result"]) == 1
        balances = call(listener, "account.status", **signer(server, omitZeroBalances=True))["result"]["balances"]
        assert {"asset": "BTC", "free": "1.00000000", "locked": "0.00000000"} in balances
        assert call(listener, "myTrades", **signer(server, symbol="BTCUSDT"))["result"] == []


def test_a_price_may_be_a_number(server: Server) -> None:
    """It is signed as it is written."""
    with listening(server, PATH) as listener:
        params = by_secret(server, **LIMIT_BUY | {"price": 90000.5, "quantity": 0.01})
        assert call(listener, "order.place", **params)["result"]["price"] == "90000.50000000"


def test_an_ed25519_key_signs_over_http_too(server: Server) -> None:
    """base64, percent-encoded; case counts."""
    query = urlencode({"timestamp": now_ms()})
    signature = base64.b64encode(server.ed25519_key.sign(query.encode())).decode()
    headers = {"X-MBX-APIKEY": server.ed25519_api_key}
    assert send(server, "GET", "account", query=f"{query}&signature={quote(signature)}", headers=headers)[0] == 200
    for wrong in (signature.swapcase(), "AAAA", "x", sign(query, server.keys[ALICE].secret)):
        reply = send(server, "GET", "account", query=f"{query}&signature={quote(wrong)}", headers=headers)
        assert reply[1]["code"] == -1022


def test_a_session_speaks_for_its_account(server: Server) -> None:
    """session.logon, status and logout; signed calls then need a timestamp alone."""
    with listening(server, PATH) as listener:
        assert call(listener, "session.status")["result"]["apiKey"] is None
        assert call(listener, "account.status", timestamp=now_ms())["error"]["code"] == -1102
        logged_on = call(listener, "session.logon", **by_private_key(server))["result"]
        assert logged_on["apiKey"] == server.ed25519_api_key
        assert call(listener, "order.place", timestamp=now_ms(), **LIMIT_BUY)["result"]["status"] == "NEW"
        assert call(listener, "account.status", timestamp=1)["error"]["code"] == -1021
        assert call(listener, "userDataStream.subscribe")["result"] == {"subscriptionId": 0}
        assert call(listener, "session.status")["result"]["userDataStream"] is True
        call(listener, "session.logout")
        assert event(listener, "eventStreamTerminated")
        assert call(listener, "order.place", timestamp=now_ms(), **LIMIT_BUY)["error"]["code"] == -1102
        assert call(listener, "userDataStream.subscribe")["error"]["code"] == -2015


def test_only_an_ed25519_key_may_log_on(server: Server) -> None:
    """As on Binance."""
    with listening(server, PATH) as listener:
        assert call(listener, "session.logon", **by_secret(server))["error"]["code"] == -4056
        wrong = by_private_key(server) | {"timestamp": now_ms() + 1}
        assert call(listener, "session.logon", **wrong)["error"]["code"] == -1022


def test_an_account_hears_of_its_orders_from_wherever_they_come(server: Server) -> None:
    """executionReport and outboundAccountPosition: NEW, TRADE, CANCELED, with Binance's letters."""
    with listening(server, PATH) as listener:
        assert subscribed(server, listener) == 0
        placed = send(server, "POST", "order", query=signed(server, **LIMIT_BUY, newClientOrderId="mine"))[1]
        new = event(listener, "executionReport")
        assert (new["x"], new["X"], new["c"], new["C"], new["i"]) == ("NEW", "NEW", "mine", "", placed["orderId"])
        assert (new["q"], new["p"], new["t"], new["w"], new["r"]) == (
            "0.01000000",
            "90000.00000000",
            -1,
            True,
            "NONE",
        )
        locked = {each["a"]: each for each in event(listener, "outboundAccountPosition")["B"]}
        assert locked["USDT"] == {"a": "USDT", "f": "9100.00000000", "l": "900.00000000"}
        server.flow(Side.SELL, "90000", "0.004")
        trade = event(listener, "executionReport")
        assert (trade["x"], trade["X"], trade["l"], trade["L"]) == (
            "TRADE",
            "PARTIALLY_FILLED",
            "0.00400000",
            "90000.00000000",
        )
        assert (trade["z"], trade["Z"], trade["m"], trade["N"]) == ("0.00400000", "360.00000000", True, "BTC")
        position = {each["a"]: each["f"] for each in event(listener, "outboundAccountPosition")["B"]}
        assert position["BTC"] == "1.00400000"
        named = {"symbol": "BTCUSDT", "orderId": placed["orderId"], "newClientOrderId": "bye"}
        send(server, "DELETE", "order", query=signed(server, **named))
        cancelled = event(listener, "executionReport")
        assert (cancelled["x"], cancelled["X"], cancelled["c"], cancelled["C"]) == (
            "CANCELED",
            "CANCELED",
            "bye",
            "mine",
        )
        assert (cancelled["w"], cancelled["z"]) == (False, "0.00400000")


def test_an_account_hears_why_an_order_ended(server: Server) -> None:
    """EXPIRED, REJECTED, TRADE_PREVENTION."""
    with listening(server, PATH) as listener:
        subscribed(server, listener)

        def ends(**changes: Any) -> tuple[str, str, str]:
            send(server, "POST", "order", query=signed(server, **LIMIT_BUY | changes))
            report = listener.wait(lambda document: document.get("event", {}).get("x") not in {None, "NEW"})["event"]
            return report["x"], report["X"], report["r"]

        assert ends(timeInForce="IOC") == ("EXPIRED", "EXPIRED", "NONE")
        send(server, "POST", "order", query=signed(server, **LIMIT_BUY | {"side": "SELL", "price": "91000"}))
        assert ends(price="91000", selfTradePreventionMode="EXPIRE_TAKER") == (
            "TRADE_PREVENTION",
            "EXPIRED_IN_MATCH",
            "NONE",
        )
        values = {**LIMIT_BUY, "type": "LIMIT_MAKER", "price": "91000"}
        del values["timeInForce"]
        send(server, "POST", "order", query=signed(server, **values))
        rejected = listener.wait(lambda document: document.get("event", {}).get("x") == "REJECTED")["event"]
        assert (rejected["X"], rejected["r"]) == ("REJECTED", "WOULD_MATCH_IMMEDIATELY")


def test_an_account_hears_of_deposits_and_of_a_reset(server: Server) -> None:
    """balanceUpdate, then the balances."""
    with listening(server, PATH) as listener:
        subscribed(server, listener)
        server.call(lambda desk: desk.exchange.deposit(ALICE, "BTC", 50_000_000, time_ns()))
        deposit = event(listener, "balanceUpdate")
        assert (deposit["a"], deposit["d"]) == ("BTC", "0.50000000")
        server.call(lambda desk: desk.exchange.reset_account(ALICE, time_ns()))
        assert event(listener, "balanceUpdate")["d"] == "-0.50000000"
        balances = {each["a"]: each["f"] for each in event(listener, "outboundAccountPosition")["B"]}
        assert (balances["BTC"], balances["USDT"]) == ("1.00000000", "10000.00000000")


def test_accounts_do_not_hear_of_each_other(server: Server) -> None:
    """Two accounts on one connection, each under its own number; a stream that has ended is silent."""
    with listening(server, PATH) as listener:
        assert (subscribed(server, listener), subscribed(server, listener, BOB)) == (0, 1)
        assert call(listener, "session.subscriptions")["result"] == [{"subscriptionId": 0}, {"subscriptionId": 1}]
        call(listener, "order.place", **by_secret_of(server, BOB, **LIMIT_BUY))
        assert listener.wait(lambda document: "event" in document)["subscriptionId"] == 1
        again = call(listener, "userDataStream.subscribe.signature", **by_secret(server))
        assert again["error"]["code"] == ErrorKind.STREAM_ACTIVE.code
        assert call(listener, "userDataStream.unsubscribe", subscriptionId=1)["result"] == {}
        assert call(listener, "userDataStream.unsubscribe", subscriptionId=1)["error"]["code"] == -2036
        call(listener, "order.place", **by_secret_of(server, BOB, **LIMIT_BUY))
        call(listener, "order.place", **by_secret(server, **LIMIT_BUY))
        after = listener.wait(lambda document: document.get("event", {}).get("e") == "eventStreamTerminated")
        assert after["subscriptionId"] == 1
        assert listener.wait(lambda document: "event" in document)["subscriptionId"] == 0


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", -1135),
        ("[]", -1135),
        ("[" * 50_000, -1135),
        ('{"id":1}', -1135),
        ('{"id":1,"method":7}', -1135),
        ('{"id":1,"method":"time","params":[]}', -1135),
        ('{"id":1,"method":"shout"}', -1020),
        ('{"id":1,"method":"time","params":{"x":1}}', -1104),
        ('{"id":1,"method":"depth","params":{"symbol":null}}', -1102),
        ('{"id":1,"method":"depth","params":{"symbol":"\\ud800"}}', -1100),
        ('{"id":1,"method":"account.status","params":{"timestamp":1,"signature":"a"}}', -2014),
        ('{"id":{},"method":"depth"}', -1102),
    ],
)
def test_a_request_with_a_fault_is_refused_by_code(server: Server, text: str, code: int) -> None:
    """And the connection lives on."""
    with listening(server, PATH) as listener:
        listener.connection.send(text)
        reply = listener.wait()
        assert reply["error"]["code"] == code, reply
        assert reply["rateLimits"]
        assert call(listener, "ping")["result"] == {}


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), method=st.sampled_from([*ENDPOINT_OF_METHOD, "session.logon", "userDataStream.unsubscribe"]))
def test_no_parameters_make_a_call_fail_by_itself(server: Server, data: st.DataObject, method: str) -> None:
    """Whatever is sent, the reply is a result or a refusal with a code, never a 500."""
    endpoint = ENDPOINT_OF_METHOD.get(method)
    names = [each.name for each in endpoint.parameters] if endpoint is not None else ["timestamp", "subscriptionId"]
    values = st.one_of(TEXTS, st.integers(), st.floats(), st.booleans(), st.none(), st.lists(TEXTS, max_size=3))
    params = data.draw(st.dictionaries(st.sampled_from([*names, "x"]), values))
    with listening(server, PATH) as listener:
        plain = json.loads(json.dumps(params), parse_constant=str)
        reply = call(listener, method, **(by_secret(server, **plain) if data.draw(st.booleans()) else plain))
    assert reply["status"] in (200, 400, 401), reply

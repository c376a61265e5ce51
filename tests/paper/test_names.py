"""Names, reasons and times as Binance tells them: why an order was refused or expired, and in which unit time is."""

import json
import re
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from market.clock import time_ns
from market.codes import RejectReason, Side, TimeInForce
from paper.access.signing import sign
from paper.calls import commission_documents
from paper.calls.endpoints import ENDPOINTS
from paper.errors import REJECT_NAMES, error_of_reject, reject_name
from paper.exchange.news import ExecutionType, OrderNews
from paper.money.commission import Commission
from paper.money.ledger import Ledger
from paper.money.orders import OrderKind, OrderStatus
from paper.streams.user_documents import event
from paper.time_units import in_microseconds
from paper.units import Symbol
from tests.paper.clients import listening
from tests.paper.desk import ALICE, INSTRUMENTS, ONE_ENGINE, Desk
from tests.paper.server import Server
from tests.paper.test_rest import LIMIT_BUY, order, send, signed

NAMES = {
    "NONE",
    "INSUFFICIENT_BALANCES",
    "STOP_PRICE_WOULD_TRIGGER_IMMEDIATELY",
    "WOULD_MATCH_IMMEDIATELY",
    "OCO_BAD_PRICES",
}


@pytest.mark.parametrize("reason", RejectReason)
def test_every_refusal_has_a_name_of_binance(desk: Desk, reason: RejectReason) -> None:
    """Names of our own went out, WOULD_TAKE or BOOK_FULL: clients know none of them."""
    rejected = desk.place(ALICE, desk.request(Side.BUY, "80000", "0.01")).copy()
    rejected.status, rejected.reject_reason = OrderStatus.REJECTED, reason
    name = event(OrderNews(rejected, ExecutionType.REJECTED, 1))["r"]
    assert name in NAMES
    assert name == REJECT_NAMES.get(error_of_reject(reason).kind, "NONE")


def test_a_post_only_order_that_would_take_is_told_so() -> None:
    """The one that a maker meets."""
    assert reject_name(RejectReason.POST_ONLY_WOULD_CROSS) == "WOULD_MATCH_IMMEDIATELY"
    assert set(REJECT_NAMES.values()) | {"NONE"} == NAMES
    assert reject_name(0) == "NONE"


@pytest.mark.parametrize(
    ("kind", "side", "time_in_force", "reason"),
    [
        (OrderKind.LIMIT, Side.BUY, TimeInForce.IOC, "UNFILLED_IOC_QUANTITY_EXPIRED"),
        (OrderKind.LIMIT, Side.SELL, TimeInForce.FOK, "UNFILLED_FOK_ORDER_EXPIRED"),
        (OrderKind.MARKET, Side.BUY, TimeInForce.GTC, "INSUFFICIENT_LIQUIDITY"),
        (OrderKind.MARKET, Side.SELL, TimeInForce.GTC, "INSUFFICIENT_LIQUIDITY"),
    ],
)
def test_an_order_that_expires_says_why(
    server: Server, kind: OrderKind, side: Side, time_in_force: TimeInForce, reason: str
) -> None:
    """In the reply, in every question about it later, and in the account's own stream."""
    server.flow(Side.SELL, "90000", "0.001")
    server.flow(Side.BUY, "89000", "0.001")
    with listening(server, "/ws-api/v3") as listener:
        listener.ask(method="userDataStream.subscribe.signature", id=1, params=signed_params(server))
        values: dict[str, Any] = {"side": side.name, "type": str(kind), "quantity": "0.01"}
        is_market = kind is OrderKind.MARKET
        values |= {"timeInForce": None if is_market else time_in_force.name}
        values |= {"price": None if is_market else ("90000" if side is Side.BUY else "89000")}
        status, placed, _ = order(server, **values)
        assert (status, placed["status"], placed["expiryReason"]) == (200, "EXPIRED", reason), placed
        report = listener.wait(lambda told: told.get("event", {}).get("x") == "EXPIRED")["event"]
    assert report["eR"] == reason
    query = signed(server, symbol="BTCUSDT", orderId=placed["orderId"])
    assert send(server, "GET", "order", query=query)[1]["expiryReason"] == reason
    everything = send(server, "GET", "allOrders", query=signed(server, symbol="BTCUSDT"))[1]
    assert everything[-1]["expiryReason"] == reason


def signed_params(server: Server, **more: str) -> dict[str, Any]:
    """Return the parameters of a signed request of the WebSocket API, without more."""

    keys = server.keys[ALICE]
    values = {"apiKey": keys.api_key, "timestamp": time_ns() // 1_000_000, **more}
    payload = "&".join(f"{name}={values[name]}" for name in sorted(values))
    return {**values, "signature": sign(payload, keys.secret)}


def test_an_order_that_does_not_expire_gives_no_reason(server: Server) -> None:
    """Neither an open one nor one that its client cancels."""
    _, placed, _ = order(server, price="80000", newOrderRespType="FULL")
    assert "expiryReason" not in placed
    query = signed(server, symbol="BTCUSDT", orderId=placed["orderId"])
    assert "expiryReason" not in send(server, "DELETE", "order", query=query)[1]


def test_what_the_exchange_ends_says_so_and_it_lasts(desk: Desk) -> None:
    """A post-only order that would take in a new engine's book; read again from disk."""
    maker = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.02", kind=OrderKind.LIMIT_MAKER))
    desk.engine.restart()
    desk.engine.flow(None, Side.SELL, "89000", "0.01")
    desk.connect()
    assert maker.expiry_reason == "EXCHANGE_CANCELED"
    ledger = Ledger(desk.path, INSTRUMENTS, ONE_ENGINE)
    stored = ledger.history.order(ALICE, ledger.symbols["BTCUSDT"], maker.order_id)
    assert stored is not None
    assert stored.expiry_reason == "EXCHANGE_CANCELED"
    ledger.close()


@pytest.mark.parametrize("digits", [13, 16])
def test_times_are_taken_in_both_units(server: Server, digits: int) -> None:
    """In µs they found nothing, since the year 57,000 has not come."""
    placed = order(server, price="80000")[1]
    server.flow(Side.SELL, "80000", "1")
    scale = 10 ** (digits - 13)
    before, after = (placed["transactTime"] - 1_000) * scale, (placed["transactTime"] + 60_000) * scale
    for path in ("allOrders", "myTrades"):
        for span in ({"startTime": before}, {"endTime": after}, {"startTime": before, "endTime": after}):
            assert send(server, "GET", path, query=signed(server, symbol="BTCUSDT", **span))[1], (path, span)
        assert send(server, "GET", path, query=signed(server, symbol="BTCUSDT", startTime=after))[1] == []
        assert send(server, "GET", path, query=signed(server, symbol="BTCUSDT", endTime=before))[1] == []
    for path in ("aggTrades?symbol=BTCUSDT", "klines?symbol=BTCUSDT&interval=1s"):
        name, _, query = path.partition("?")
        assert send(server, "GET", name, query=f"{query}&startTime={before}&endTime={after}")[1], path
        assert send(server, "GET", name, query=f"{query}&startTime={after}&endTime={after + 1}")[1] == [], path
    assert send(server, "GET", "account", query=signed(server, timestamp=placed["transactTime"] * scale))[0] == 200


SIXTEEN = re.compile(r"1\d{15}")
THIRTEEN = re.compile(r"(?<![\d.\"])1[789]\d{11}(?![\d.\"])")


@pytest.mark.parametrize("unit", ["MICROSECOND", "microsecond"])
def test_calls_tell_time_in_microseconds_if_asked(server: Server, unit: str) -> None:
    """The header was passed over in silence, and a client took ms for µs."""
    placed = order(server, price="80000")[1]
    server.flow(Side.SELL, "80000", "0.001")
    headers = {"X-MBX-TIME-UNIT": unit}
    calls = [
        ("time", ""),
        ("exchangeInfo", ""),
        ("trades", "symbol=BTCUSDT"),
        ("aggTrades", "symbol=BTCUSDT"),
        ("klines", "symbol=BTCUSDT&interval=1m"),
        ("avgPrice", "symbol=BTCUSDT"),
        ("ticker/24hr", "symbol=BTCUSDT"),
        ("order", signed(server, symbol="BTCUSDT", orderId=placed["orderId"])),
        ("openOrders", signed(server)),
        ("allOrders", signed(server, symbol="BTCUSDT")),
        ("myTrades", signed(server, symbol="BTCUSDT")),
        ("account", signed(server)),
    ]
    for path, query in calls:
        status, document, _ = send(server, "GET", path, query=query, headers=headers)
        text = json.dumps(document)
        assert status == 200
        assert SIXTEEN.search(text), (path, text)
        assert not THIRTEEN.search(text), (path, text)
        in_ms = json.dumps(send(server, "GET", path, query=query, headers={"X-MBX-TIME-UNIT": "MILLISECOND"})[1])
        assert not SIXTEEN.search(in_ms), path
    bar = send(server, "GET", "klines", query="symbol=BTCUSDT&interval=1m", headers=headers)[1][-1]
    assert (bar[0] % 60_000_000, bar[6]) == (0, bar[0] + 59_999_999)


def test_no_call_is_left_in_milliseconds(server: Server) -> None:
    """Every call that asks for something, over HTTP and the WebSocket API; also of a stop that trails, and of lists."""
    order(server, price="80000", newClientOrderId="one")
    server.flow(Side.SELL, "80000", "0.001")
    trailing = {"type": "STOP_LOSS", "side": "SELL", "price": None, "timeInForce": None, "trailingDelta": 100}
    placed = order(server, newOrderRespType="RESULT", **trailing)[1]
    assert placed["trailingTime"] > 0
    oco = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01", "aboveType": "LIMIT_MAKER", "abovePrice": "99000"}
    oco |= {"belowType": "STOP_LOSS", "belowStopPrice": "70000"}
    listed = send(server, "POST", "orderList/oco", query=signed(server, **oco))[1]
    one = send(server, "GET", "order", query=signed(server, symbol="BTCUSDT", origClientOrderId="one"))[1]["orderId"]
    smaller = {"symbol": "BTCUSDT", "orderId": one, "newQty": "0.005"}
    assert send(server, "PUT", "order/amend/keepPriority", query=signed(server, **smaller))[0] == 200
    given = {"symbol": "BTCUSDT", "interval": "1m", "fromId": 0, "orderId": placed["orderId"]}
    amended = {"symbol": "BTCUSDT", "orderId": one}
    special = {"orderList": {"orderListId": listed["orderListId"]}, "order/amendments": amended}
    for endpoint in ENDPOINTS:
        if endpoint.method != "GET":
            continue
        names = {parameter.name for parameter in endpoint.parameters if parameter.is_required} & given.keys()
        names |= {parameter.name for parameter in endpoint.parameters} & {"symbol"}
        names |= {"orderId"} if endpoint.name in {"order", "myPreventedMatches"} else set()
        values: dict[str, Any] = special.get(endpoint.name) or {name: given[name] for name in names}
        query = signed(server, **values) if endpoint.is_signed else urlencode(values)
        status, document, _ = send(
            server, "GET", endpoint.path, query=query, headers={"X-MBX-TIME-UNIT": "MICROSECOND"}
        )
        assert status == 200, (endpoint.path, document)
        assert not THIRTEEN.search(json.dumps(document)), (endpoint.path, document)


def test_another_unit_of_time_is_refused(server: Server) -> None:
    """-1194, over both ways."""
    status, document, _ = send(server, "GET", "time", headers={"X-MBX-TIME-UNIT": "NANOSECOND"})
    assert (status, document["code"]) == (400, -1194)


def test_sockets_tell_time_in_microseconds_if_asked(server: Server) -> None:
    """Market streams, replies and an account's own stream."""
    with listening(server, "/ws/btcusdt@trade/btcusdt@kline_1m/btcusdt@ticker?timeUnit=MICROSECOND") as market:
        server.flow(Side.SELL, "80000", "0.001")
        server.flow(Side.BUY, "80000", "0.001")
        seen: dict[str, Any] = {}
        while len(seen) < 3:
            told = market.wait()
            seen[told["e"]] = told
        for told in seen.values():
            assert SIXTEEN.fullmatch(str(told["E"])), told
        assert SIXTEEN.fullmatch(str(seen["trade"]["T"]))
        bar = seen["kline"]["k"]
        assert bar["T"] == bar["t"] + 59_999_999
        assert len(str(seen["24hrTicker"]["O"])) == len(str(seen["24hrTicker"]["C"])) == 16
    with listening(server, "/ws-api/v3?timeUnit=microsecond") as listener:
        assert len(str(listener.ask(method="time", id=1)["result"]["serverTime"])) == 16
        listener.ask(method="userDataStream.subscribe.signature", id=2, params=signed_params(server))
        order(server, price="70000")
        report = listener.wait(lambda told: told.get("event", {}).get("e") == "executionReport")["event"]
        assert [report[name] % 1_000 for name in ("E", "T", "O", "W")] == [0] * 4
        assert [len(str(report[name])) for name in ("E", "T", "O", "W")] == [16] * 4
        position = listener.wait(lambda told: told.get("event", {}).get("e") == "outboundAccountPosition")["event"]
        assert [len(str(position[name])) for name in ("E", "u")] == [16] * 2


def test_ids_and_amounts_are_no_times() -> None:
    """Only what is named as a time, and can be one in ms, is changed."""
    document = {"orderId": 2_000_000_000_001, "time": 1_770_000_000_000, "workingTime": -1, "E": 5, "price": "1.0"}
    assert in_microseconds(document) == document | {"time": 1_770_000_000_000_000}


@pytest.mark.parametrize("symbol", ["币安人生USDT", "ＢＴＣＵＳＤＴ", "BTCUSDТ", "١٢٣"])
def test_a_symbol_in_other_letters_is_unknown(server: Server, symbol: str) -> None:
    """Binance has such symbols: -1121 on both ways, never an error about letters or signatures."""
    for path in ("depth", "ticker/price", "klines"):
        more = "&interval=1m" if path == "klines" else ""
        assert send(server, "GET", path, query=f"symbol={quote(symbol)}{more}")[1]["code"] == -1121
    assert send(server, "GET", "ticker/price", query=f"symbols={quote(json.dumps([symbol]))}")[1]["code"] == -1121
    assert send(server, "GET", "openOrders", query=signed(server, symbol=symbol))[1]["code"] == -1121
    assert order(server, symbol=symbol)[1]["code"] == -1121
    with listening(server, "/ws-api/v3") as listener:
        assert listener.ask(method="depth", id=1, params={"symbol": symbol})["error"]["code"] == -1121
        asked = listener.ask(method="ticker.price", id=2, params={"symbols": [symbol]})
        assert asked["error"]["code"] == -1121


@pytest.mark.parametrize("text", ["１", "١", "1_0", "0x1", "1e3", " 1", "+1", "-1", "1,0", "∞", "NaN", "½"])
def test_numbers_in_other_digits_are_refused(server: Server, text: str) -> None:
    """Python's int and Decimal take many of them; an exchange takes none."""
    for name in ("quantity", "price", "icebergQty"):
        status, document, _ = order(server, **{name: text})
        assert (status, document["code"]) == (400, -1100), (name, document)
    for name in ("limit", "fromId", "startTime"):
        query = urlencode({"symbol": "BTCUSDT", name: text})
        assert send(server, "GET", "aggTrades", query=query)[1]["code"] == -1100, name


def test_what_clients_may_add_is_taken(server: Server) -> None:
    """All of it was refused with -1104, so that such clients could do nothing."""
    placed = order(server, price="80000", strategyId=7, strategyType=1_000_000)
    assert placed[0] == 200
    assert order(server, price="80000", strategyType=999_999)[1]["code"] == -1134
    for zone in ("0", "00:00", "+00:00", "-0:00"):
        query = urlencode({"symbol": "BTCUSDT", "interval": "1m", "timeZone": zone})
        assert send(server, "GET", "klines", query=query)[0] == 200
    assert send(server, "GET", "klines", query="symbol=BTCUSDT&interval=1m&timeZone=UTC")[1]["code"] == -1100
    rates = send(server, "POST", "order/test", query=signed(server, **TEST_ORDER, computeCommissionRates="true"))[1]
    assert rates["standardCommissionForOrder"].keys() == {"maker", "taker"}
    assert send(server, "POST", "order/test", query=signed(server, **TEST_ORDER))[1] == {}


TEST_ORDER = {
    "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": "80000",
}  # fmt: skip


def test_exchange_info_is_narrowed_by_what_is_asked(server: Server) -> None:
    """By permissions, which are SPOT alone here, and by status."""

    def names(**query: str) -> list[str]:
        told = send(server, "GET", "exchangeInfo", query=urlencode(query))[1]
        return [symbol["symbol"] for symbol in told["symbols"]]

    every = names()
    for permissions in ("SPOT", '["SPOT","MARGIN"]'):
        assert names(permissions=permissions) == every
    assert names(permissions="MARGIN") == []
    both = send(server, "GET", "exchangeInfo", query="symbol=BTCUSDT&permissions=SPOT")
    assert both[1]["code"] == -1128
    (told,) = send(server, "GET", "exchangeInfo", query="symbol=BTCUSDT&showPermissionSets=false")[1]["symbols"]
    assert "permissionSets" not in told
    assert told["opoAllowed"] is told["pegInstructionsAllowed"] is False
    server.call(lambda desk: desk.exchange.halted.add("ETHUSDT"))
    assert names(symbolStatus="CANCEL_ONLY") == ["ETHUSDT"]
    assert names(symbolStatus="TRADING") == [name for name in every if name != "ETHUSDT"]
    assert names(symbolStatus="BREAK") == []


def test_a_symbol_of_another_status_is_refused(server: Server) -> None:
    """-1220, on the book and the tickers."""
    server.call(lambda desk: desk.exchange.halted.add("ETHUSDT"))
    for path in ("depth", "ticker/24hr", "ticker/price", "ticker/bookTicker"):
        for symbol, status, expected in (
            ("ETHUSDT", "CANCEL_ONLY", 200),
            ("ETHUSDT", "TRADING", 400),
            ("BTCUSDT", "CANCEL_ONLY", 400),
        ):
            query = urlencode({"symbol": symbol, "symbolStatus": status})
            got, document, _ = send(server, "GET", path, query=query)
            assert got == expected, (path, document)
            assert got == 200 or document["code"] == -1220
    for query in ("symbolStatus=CANCEL_ONLY", "symbolStatus=CANCEL_ONLY&symbols=%5B%22BTCUSDT%22,%22ETHUSDT%22%5D"):
        told = send(server, "GET", "ticker/price", query=query)[1]
        assert [each["symbol"] for each in told] == ["ETHUSDT"]


def test_a_test_order_is_looked_at_while_its_symbol_is_halted(server: Server) -> None:
    """`order/test` asks what the order is, not whether it could go now: 200, where `order` is -1013."""
    server.call(lambda desk: desk.exchange.halted.add("BTCUSDT"))
    query = signed(server, **LIMIT_BUY)
    assert send(server, "POST", "order/test", query=query)[:2] == (200, {})


def test_what_is_spelt_wrong_has_a_code_of_its_own(server: Server) -> None:
    """-1122 and -1139 of public calls; of an order -1130, which names the mode that is not there."""
    for query, code in (("symbolStatus=OPEN", -1122), ("symbol=BTCUSDT&type=TINY", -1139)):
        assert send(server, "GET", "ticker/24hr", query=query)[1]["code"] == code
    status, document, _ = order(server, selfTradePreventionMode="TRANSFER")
    assert (status, document["code"]) == (400, -1130)
    assert "'selfTradePreventionMode'" in document["msg"]
    info = send(server, "GET", "exchangeInfo", query="symbol=BTCUSDT")[1]["symbols"][0]
    assert "TRANSFER" not in info["allowedSelfTradePreventionModes"]


def test_what_binance_has_taken_away_is_refused(server: Server) -> None:
    """-1020 of /api/v1 and of listenKeys, over HTTP and the WebSocket API; nobody is answered in SBE."""
    listen_key_calls = [(method, "userDataStream") for method in ("POST", "PUT", "DELETE")]
    for method, path in [("GET", "/api/v1/ping"), ("GET", "/api/v1/depth"), *listen_key_calls]:
        status, document, _ = send(server, method, path)
        assert (status, document["code"]) == (404, -1020), path
    with listening(server, "/ws-api/v3") as listener:
        for method in ("userDataStream.start", "userDataStream.ping", "userDataStream.stop"):
            assert listener.ask(id=1, method=method)["error"]["code"] == -1020
        wide = signed_params(server, recvWindow="5000.5")
        assert listener.ask(id=2, method="userDataStream.subscribe.signature", params=wide)["status"] == 200
    assert send(server, "GET", "time", headers={"Host": "evil.example"})[:2] == (
        403,
        {"code": -1002, "msg": "You are not authorized to execute this request."},
    )
    status, document, _ = send(server, "GET", "time", headers={"X-MBX-SBE": "3:5", "Accept": "application/sbe"})
    assert (status, document) == (406, {"code": -1155, "msg": "SBE is not enabled."})


def test_an_account_is_told_its_filters(server: Server) -> None:
    """Those of the symbol; no account has others, and no asset has one."""
    told = send(server, "GET", "myFilters", query=signed(server, symbol="ETHUSDT"))[1]
    symbol = send(server, "GET", "exchangeInfo", query="symbol=ETHUSDT")[1]["symbols"][0]
    assert told == {"exchangeFilters": [], "symbolFilters": symbol["filters"], "assetFilters": []}
    assert send(server, "GET", "myFilters", query=signed(server, symbol="NOPE"))[1]["code"] == -1121
    assert send(server, "GET", "myFilters", query="symbol=ETHUSDT")[1]["code"] == -1102


def test_an_order_by_two_ids_is_one_that_has_both(server: Server) -> None:
    """-2039 if there is no such pair, though each may be somebody's; -2013 of one id alone."""
    one, other = (order(server, price="80000", newClientOrderId=name)[1]["orderId"] for name in ("one", "other"))

    def code(**ids: object) -> int:
        return int(send(server, "GET", "order", query=signed(server, symbol="BTCUSDT", **ids))[1].get("code", 0))

    assert code(orderId=one, origClientOrderId="one") == 0
    assert code(orderId=other, origClientOrderId="one") == -2039
    assert code(orderId=1, origClientOrderId="one") == -2039
    assert code(orderId=1) == code(origClientOrderId="nobody") == -2013


def test_trade_fees_are_told(server: Server) -> None:
    """Clients that load their instruments ask for them first."""
    every = send(server, "GET", "/sapi/v1/asset/tradeFee", query=signed(server))[1]
    assert [each["symbol"] for each in every] == ["BTCUSDT", "ETHUSDT", "BNBUSDT"]
    (one,) = send(server, "GET", "/sapi/v1/asset/tradeFee", query=signed(server, symbol="ETHUSDT"))[1]
    assert one == {"symbol": "ETHUSDT", "makerCommission": "0", "takerCommission": "0"}
    rates = Commission(maker=Decimal("0.00075"), taker=Decimal("0.001"))
    told = commission_documents.trade_fee(Symbol.of(INSTRUMENTS[0]), rates)
    assert (told["makerCommission"], told["takerCommission"]) == ("0.00075", "0.001")


def test_a_report_tells_since_when_its_order_trails_in_the_same_unit() -> None:
    """D, beside the T of the report."""
    at_ms = 1_700_000_000_000
    told = in_microseconds({"e": "executionReport", "E": at_ms, "T": at_ms, "D": at_ms, "d": 100, "t": -1, "i": at_ms})
    assert (told["E"], told["T"], told["D"]) == (at_ms * 1_000,) * 3
    assert (told["d"], told["t"], told["i"]) == (100, -1, at_ms)

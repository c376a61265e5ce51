"""Order lists over REST and the WebSocket API, as Binance documents them, and what their account hears of them."""

from typing import Any

import pytest

from market.codes import Side
from paper.errors import ErrorKind
from tests.paper.clients import listening
from tests.paper.server import Server
from tests.paper.test_rest import LIMIT_BUY, Reply, send, signed
from tests.paper.test_socket_api import PATH, by_secret, call, subscribed

OCO = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "quantity": "0.01",
    "aboveType": "LIMIT_MAKER",
    "abovePrice": "91000",
    "belowType": "STOP_LOSS_LIMIT",
    "belowPrice": "88000",
    "belowStopPrice": "89000",
    "belowTimeInForce": "GTC",
}
OLD_OCO = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "quantity": "0.01",
    "price": "91000",
    "stopPrice": "89000",
    "stopLimitPrice": "88000",
    "stopLimitTimeInForce": "GTC",
}
WORKING = {
    "symbol": "BTCUSDT",
    "workingType": "LIMIT",
    "workingSide": "BUY",
    "workingPrice": "89500",
    "workingQuantity": "0.01",
    "workingTimeInForce": "GTC",
    "pendingSide": "SELL",
    "pendingQuantity": "0.01",
}
OTO = WORKING | {"pendingType": "LIMIT_MAKER", "pendingPrice": "91000"}
OTOCO = WORKING | {
    "pendingAboveType": "LIMIT_MAKER",
    "pendingAbovePrice": "91000",
    "pendingBelowType": "STOP_LOSS",
    "pendingBelowStopPrice": "88000",
}
LIST_FIELDS = {
    "orderListId", "contingencyType", "listStatusType", "listOrderStatus", "listClientOrderId", "transactionTime",
    "symbol", "orders",
}  # fmt: skip


def ask(server: Server, method: str, path: str, **values: Any) -> Reply:
    """Send a signed request; a value that is None is left out."""
    query = signed(server, **{name: value for name, value in values.items() if value is not None})
    return send(server, method, path, query=query)


@pytest.fixture(name="server")
def _server(server: Server) -> Server:
    for side in (Side.BUY, Side.SELL):
        server.flow(side, "90000", "0.01")
    server.call(lambda desk: desk.engine.publish(desk.exchange, desk.engine.reports_since(0)))
    return server


@pytest.mark.parametrize(
    ("path", "values", "types", "statuses"),
    [
        ("orderList/oco", OCO, ["STOP_LOSS_LIMIT", "LIMIT_MAKER"], ["NEW", "NEW"]),
        ("order/oco", OLD_OCO, ["STOP_LOSS_LIMIT", "LIMIT_MAKER"], ["NEW", "NEW"]),
        ("orderList/oto", OTO, ["LIMIT", "LIMIT_MAKER"], ["NEW", "PENDING_NEW"]),
        ("orderList/otoco", OTOCO, ["LIMIT", "STOP_LOSS", "LIMIT_MAKER"], ["NEW", "PENDING_NEW", "PENDING_NEW"]),
    ],
)
def test_a_list_is_placed_asked_for_and_cancelled(
    server: Server, path: str, values: dict[str, str], types: list[str], statuses: list[str]
) -> None:
    """Every kind: the same names in each answer, and one id in everything that tells of its orders."""
    status, placed, headers = ask(server, "POST", path, **values, listClientOrderId="mine")
    assert (status, placed.keys()) == (200, LIST_FIELDS | {"orderReports"})
    contingency = "OCO" if "oco" in path and "oto" not in path else "OTO"
    assert (placed["contingencyType"], placed["listClientOrderId"]) == (contingency, "mine")
    assert (placed["listStatusType"], placed["listOrderStatus"]) == ("EXEC_STARTED", "EXECUTING")
    assert [each["type"] for each in placed["orderReports"]] == types
    assert [each["status"] for each in placed["orderReports"]] == statuses
    assert [each["orderId"] for each in placed["orders"]] == [each["orderId"] for each in placed["orderReports"]]
    list_id = placed["orderListId"]
    assert {each["orderListId"] for each in placed["orderReports"]} == {list_id}
    assert headers["X-MBX-ORDER-COUNT-10S"] == str(len(types))
    told = {name: value for name, value in placed.items() if name != "orderReports"}
    assert ask(server, "GET", "orderList", orderListId=list_id)[:2] == (200, told)
    assert ask(server, "GET", "orderList", origClientOrderId="mine")[:2] == (200, told)
    assert ask(server, "GET", "openOrderList")[:2] == (200, [told])
    _, open_orders, _ = ask(server, "GET", "openOrders", symbol="BTCUSDT")
    assert [(each["orderListId"], each["status"]) for each in open_orders] == [(list_id, each) for each in statuses]
    _, cancelled, _ = ask(server, "DELETE", "orderList", symbol="BTCUSDT", listClientOrderId="mine")
    assert cancelled.keys() == LIST_FIELDS | {"orderReports"}
    assert (cancelled["listStatusType"], cancelled["listOrderStatus"]) == ("ALL_DONE", "ALL_DONE")
    assert [each["status"] for each in cancelled["orderReports"]] == ["CANCELED"] * len(types)
    assert len({each["clientOrderId"] for each in cancelled["orderReports"]}) == 1
    assert [each["origClientOrderId"] for each in cancelled["orderReports"]] == [
        each["clientOrderId"] for each in placed["orders"]
    ]
    assert ask(server, "GET", "openOrderList")[1] == []
    (kept,) = ask(server, "GET", "allOrderList")[1]
    assert kept == told | {"listStatusType": "ALL_DONE", "listOrderStatus": "ALL_DONE"}


def test_responses_are_of_the_kind_that_is_asked_for(server: Server) -> None:
    """RESULT unless another one is."""
    _, ack, _ = ask(server, "POST", "orderList/oco", **OCO, newOrderRespType="ACK")
    assert ack["orderReports"][0].keys() == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
    _, full, _ = ask(server, "POST", "orderList/oco", **OCO, newOrderRespType="FULL")
    _, result, _ = ask(server, "POST", "orderList/oco", **OCO)
    assert [each["fills"] for each in full["orderReports"]] == [[], []]
    assert [each.keys() | {"fills"} for each in result["orderReports"]] == [
        each.keys() for each in full["orderReports"]
    ]


def test_a_working_leg_that_is_filled_at_once_is_told_with_its_pending_ones_as_they_were(server: Server) -> None:
    """PENDING_NEW, as Binance does; a question tells that they are at work."""
    server.flow(Side.SELL, "89500", "0.01")
    _, placed, _ = ask(server, "POST", "orderList/otoco", **OTOCO)
    assert [each["status"] for each in placed["orderReports"]] == ["FILLED", "PENDING_NEW", "PENDING_NEW"]
    server.wait_until(lambda desk: desk.engine.is_idle)
    _, now, _ = ask(server, "GET", "openOrders", symbol="BTCUSDT")
    assert [each["status"] for each in now] == ["NEW", "NEW"]
    (trade,) = ask(server, "GET", "myTrades", symbol="BTCUSDT")[1]
    assert trade["orderListId"] == placed["orderListId"]


def test_a_cancel_of_a_leg_answers_with_the_list(server: Server) -> None:
    """So does a cancel of all open orders, which names each list once; and the cancel half of a cancelReplace."""
    _, placed, _ = ask(server, "POST", "orderList/otoco", **OTOCO)
    leg = placed["orders"][2]["orderId"]
    _, cancelled, _ = ask(server, "DELETE", "order", symbol="BTCUSDT", orderId=leg, newClientOrderId="away")
    assert [each["status"] for each in cancelled["orderReports"]] == ["CANCELED"] * 3
    assert {each["clientOrderId"] for each in cancelled["orderReports"]} == {"away"}
    _, alone, _ = send(server, "POST", "order", query=signed(server, **LIMIT_BUY | {"price": "80000"}))
    for path, values in (("orderList/oco", OCO), ("orderList/oto", OTO)):
        ask(server, "POST", path, **values)
    _, all_gone, _ = ask(server, "DELETE", "openOrders", symbol="BTCUSDT")
    assert [each.get("contingencyType") for each in all_gone] == [None, "OCO", "OTO"]
    assert all_gone[0]["orderId"] == alone["orderId"]
    assert ask(server, "GET", "openOrders", symbol="BTCUSDT")[1] == []
    _, placed, _ = ask(server, "POST", "orderList/oco", **OCO)
    replaced = {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": placed["orders"][1]["orderId"]}
    _, both, _ = ask(server, "POST", "order/cancelReplace", **LIMIT_BUY | {"price": "80000"}, **replaced)
    assert (both["cancelResponse"]["listOrderStatus"], both["newOrderResponse"]["orderListId"]) == ("ALL_DONE", -1)


def test_an_amend_of_a_leg_tells_of_its_list(server: Server) -> None:
    """What each order is called now, too."""
    _, placed, _ = ask(server, "POST", "orderList/oco", **OCO)
    leg = placed["orders"][0]["orderId"]
    named = {"symbol": "BTCUSDT", "orderId": leg, "newQty": "0.005", "newClientOrderId": "smaller"}
    status, amended, _ = ask(server, "PUT", "order/amend/keepPriority", **named)
    assert (status, amended["amendedOrder"]["qty"]) == (200, "0.00500000")
    assert (
        amended["listStatus"].items() >= {"orderListId": placed["orderListId"], "listOrderStatus": "EXECUTING"}.items()
    )
    assert [each["clientOrderId"] for each in amended["listStatus"]["orders"]] == [
        "smaller",
        placed["orders"][1]["clientOrderId"],
    ]


@pytest.mark.parametrize(
    ("method", "path", "values", "kind"),
    [
        ("POST", "orderList/oco", OCO | {"abovePrice": None}, ErrorKind.MANDATORY_PARAMETER),
        ("POST", "orderList/oco", OCO | {"belowTimeInForce": None}, ErrorKind.MANDATORY_PARAMETER),
        ("POST", "orderList/oco", OCO | {"belowStopPrice": None}, ErrorKind.MANDATORY_PARAMETER),
        ("POST", "orderList/oco", OCO | {"aboveStopPrice": "95000"}, ErrorKind.NOT_REQUIRED),
        ("POST", "orderList/oco", OCO | {"aboveType": "MARKET", "abovePrice": None}, ErrorKind.NO_TYPE_OF_PAIR),
        ("POST", "orderList/oco", OCO | {"aboveType": "X"}, ErrorKind.BAD_ORDER_TYPE),
        ("POST", "orderList/oco", OCO | {"side": "BUY"}, ErrorKind.BUY_LIMIT_NOT_BELOW),
        ("POST", "orderList/oco", OCO | {"abovePrice": "89500"}, ErrorKind.BAD_LIST_PRICES),
        ("POST", "orderList/oco", OCO | {"quantity": "1.5"}, ErrorKind.INSUFFICIENT_BALANCE),
        ("POST", "orderList/oco", OCO | {"quantity": "0.00001"}, ErrorKind.FILTER_FAILURE),
        ("POST", "orderList/oco", OCO | {"pegPriceType": "PRIMARY_PEG"}, ErrorKind.UNREAD_PARAMETERS),
        ("POST", "orderList/oco", OCO | {"abovePegPriceType": "PRIMARY_PEG"}, ErrorKind.NO_PEGGED_ORDERS),
        (
            "POST",
            "orderList/oco",
            OCO | {"belowIcebergQty": "0.001", "belowTimeInForce": "IOC"},
            ErrorKind.ICEBERG_NOT_GTC,
        ),
        ("POST", "orderList/oco", OCO | {"belowTrailingDelta": "5"}, ErrorKind.FILTER_FAILURE),
        ("POST", "orderList/oto", OTO | {"workingType": "MARKET"}, ErrorKind.BAD_ORDER_TYPE),
        ("POST", "orderList/oto", OTO | {"pendingPrice": None}, ErrorKind.MANDATORY_PARAMETER),
        ("POST", "orderList/otoco", OTOCO | {"pendingTimeInForce": "GTC"}, ErrorKind.UNREAD_PARAMETERS),
        ("POST", "orderList/otoco", OTOCO | {"pendingAbovePrice": "87000"}, ErrorKind.BAD_LIST_PRICES),
        ("POST", "orderList/opo", OTO | {"pendingQuantity": None}, ErrorKind.NO_PAYING_ORDERS),
        ("POST", "orderList/opoco", OTOCO | {"pendingQuantity": None}, ErrorKind.NO_PAYING_ORDERS),
        ("POST", "order", LIMIT_BUY | {"pegPriceType": "PRIMARY_PEG"}, ErrorKind.NO_PEGGED_ORDERS),
        ("POST", "sor/order", LIMIT_BUY, ErrorKind.UNSUPPORTED_OPERATION),
        ("GET", "orderList", {}, ErrorKind.EITHER_PARAMETER),
        ("GET", "orderList", {"orderListId": 7_777}, ErrorKind.NO_SUCH_LIST),
        ("GET", "allOrderList", {"fromId": 1, "startTime": 1}, ErrorKind.BAD_COMBINATION),
        ("GET", "allOrderList", {"startTime": 1, "endTime": 86_400_002}, ErrorKind.INTERVAL_TOO_LONG),
        ("DELETE", "orderList", {"symbol": "BTCUSDT"}, ErrorKind.EITHER_PARAMETER),
        ("DELETE", "orderList", {"symbol": "BTCUSDT", "orderListId": 7_777}, ErrorKind.UNKNOWN_LIST),
    ],
)
def test_a_call_with_a_fault_is_refused_by_name(
    server: Server, method: str, path: str, values: dict[str, Any], kind: ErrorKind
) -> None:
    """One row a rule; nothing is left of what was refused."""
    status, document, _ = ask(server, method, path, **values)
    assert (status, document["code"]) == (kind.status, kind.code), document
    assert document["msg"].startswith(kind.text.partition("{")[0])
    server.call(lambda desk: desk.ledger.check())
    assert ask(server, "GET", "openOrders", symbol="BTCUSDT")[1] == []


def test_the_socket_has_the_same(server: Server) -> None:
    """Each method by its name; the account hears of its legs, then of the list, then of its money."""
    with listening(server, PATH) as listener:
        subscribed(server, listener)
        placed = call(listener, "orderList.place.otoco", **by_secret(server, **OTOCO))["result"]
        list_id = placed["orderListId"]
        heard = [listener.wait(lambda document: "event" in document)["event"] for _ in range(5)]
        assert [each["e"] for each in heard] == ["executionReport"] * 3 + ["listStatus", "outboundAccountPosition"]
        assert [(each["x"], each["X"], each["g"]) for each in heard[:3]] == [
            ("NEW", "NEW", list_id),
            ("NEW", "PENDING_NEW", list_id),
            ("NEW", "PENDING_NEW", list_id),
        ]
        assert {name: value for name, value in heard[3].items() if name not in {"E", "T"}} == {
            "e": "listStatus",
            "s": "BTCUSDT",
            "g": list_id,
            "c": "OTO",
            "l": "EXEC_STARTED",
            "L": "EXECUTING",
            "r": "NONE",
            "C": placed["listClientOrderId"],
            "O": [{"s": "BTCUSDT", "i": each["orderId"], "c": each["clientOrderId"]} for each in placed["orders"]],
        }
        status = call(listener, "orderList.status", **by_secret(server, orderListId=list_id))["result"]
        assert status["listOrderStatus"] == "EXECUTING"
        assert call(listener, "openOrderLists.status", **by_secret(server))["result"] == [status]
        named = by_secret(server, symbol="BTCUSDT", orderListId=list_id)
        cancelled = call(listener, "orderList.cancel", **named)["result"]
        assert [each["status"] for each in cancelled["orderReports"]] == ["CANCELED"] * 3
        heard = [listener.wait(lambda document: "event" in document)["event"] for _ in range(4)]
        assert [each.get("x", each.get("l")) for each in heard] == ["CANCELED"] * 3 + ["ALL_DONE"]
        for method, values in (
            ("orderList.place.oco", OCO),
            ("orderList.place", OLD_OCO),
            ("orderList.place.oto", OTO),
        ):
            assert call(listener, method, **by_secret(server, **values))["status"] == 200
        assert len(call(listener, "allOrderLists", **by_secret(server))["result"]) == 4

"""cancelReplace: done, not done, half done, in both modes; over HTTP and over the socket."""

from typing import Any

import pytest

from tests.paper.clients import listening
from tests.paper.server import Server
from tests.paper.test_rest import LIMIT_BUY, order, send, signed
from tests.paper.test_socket_api import PATH, by_secret, call

UNKNOWN = {"code": -2011, "msg": "Unknown order sent."}
TOO_DEAR = {"quantity": "1"}  # the account has 10,000 USDT


def replace(server: Server, mode: str, **changes: Any) -> tuple[int, Any]:
    """Replace an order by a limit buy with some parameters changed."""
    query = signed(server, **LIMIT_BUY | {"cancelReplaceMode": mode} | changes)
    status, document, _ = send(server, "POST", "order/cancelReplace", query=query)
    return status, document


def open_ids(server: Server) -> list[int]:
    """Return the ids of the open orders."""
    return [each["orderId"] for each in send(server, "GET", "openOrders", query=signed(server))[1]]


@pytest.mark.parametrize("mode", ["STOP_ON_FAILURE", "ALLOW_FAILURE"])
def test_both_halves_are_done(server: Server, mode: str) -> None:
    """The answers are those of a cancel and of a new order, each with the ids that were asked for."""
    old = order(server, newClientOrderId="old")[1]["orderId"]
    status, document = replace(
        server, mode, cancelOrigClientOrderId="old", cancelNewClientOrderId="bye", newClientOrderId="new", price="89000"
    )
    assert (status, document["cancelResult"], document["newOrderResult"]) == (200, "SUCCESS", "SUCCESS")
    cancelled, placed = document["cancelResponse"], document["newOrderResponse"]
    assert (cancelled["orderId"], cancelled["clientOrderId"], cancelled["status"]) == (old, "bye", "CANCELED")
    assert (placed["clientOrderId"], placed["price"], placed["fills"]) == ("new", "89000.00000000", [])
    assert open_ids(server) == [placed["orderId"]]


def test_without_a_cancel_nothing_is_placed_unless_that_is_allowed(server: Server) -> None:
    """-2022 with 400, -2021 with 409; the data tell of both halves."""
    status, document = replace(server, "STOP_ON_FAILURE", cancelOrderId=1)
    assert (status, document["code"]) == (400, -2022)
    assert document["data"] == {
        "cancelResult": "FAILURE",
        "newOrderResult": "NOT_ATTEMPTED",
        "cancelResponse": UNKNOWN,
        "newOrderResponse": None,
    }
    assert open_ids(server) == []
    status, document = replace(server, "ALLOW_FAILURE", cancelOrderId=1)
    assert (status, document["code"]) == (409, -2021)
    assert (document["data"]["cancelResponse"], document["data"]["newOrderResult"]) == (UNKNOWN, "SUCCESS")
    assert open_ids(server) == [document["data"]["newOrderResponse"]["orderId"]]


@pytest.mark.parametrize("mode", ["STOP_ON_FAILURE", "ALLOW_FAILURE"])
def test_the_old_order_is_gone_when_the_new_one_is_refused(server: Server, mode: str) -> None:
    """Half done: 409."""
    old = order(server)[1]["orderId"]
    status, document = replace(server, mode, cancelOrderId=old, **TOO_DEAR)
    assert (status, document["code"], document["data"]["cancelResult"]) == (409, -2021, "SUCCESS")
    assert document["data"]["newOrderResponse"]["code"] == -2010
    assert open_ids(server) == []


def test_nothing_is_done_when_both_are_refused(server: Server) -> None:
    """400, also where a failed cancel is allowed."""
    status, document = replace(server, "ALLOW_FAILURE", cancelOrderId=1, **TOO_DEAR)
    assert (status, document["code"], document["data"]["newOrderResult"]) == (400, -2022, "FAILURE")


def test_a_new_order_with_a_fault_leaves_the_old_one_alone(server: Server) -> None:
    """It is read before anything is cancelled."""
    old = order(server)[1]["orderId"]
    assert replace(server, "STOP_ON_FAILURE", cancelOrderId=old, stopPrice="1")[1]["code"] == -1106
    assert replace(server, "STOP_ON_FAILURE", cancelOrderId=old, quantity="0.00001")[1]["code"] == -1013
    assert replace(server, "STOP_ON_FAILURE", cancelOrderId=old, cancelRestrictions="ONLY_PARTIALLY_FILLED")[0] == 400
    assert open_ids(server) == [old]


def test_funds_of_the_old_order_pay_for_the_new_one(server: Server) -> None:
    """The cancel comes first."""
    old = order(server, quantity="0.1")[1]["orderId"]
    assert order(server, quantity="0.1")[1]["code"] == -2010
    assert replace(server, "STOP_ON_FAILURE", cancelOrderId=old, quantity="0.11")[0] == 200


def test_an_account_over_its_limit_of_orders_may_still_cancel(server: Server) -> None:
    """orderRateLimitExceededMode."""
    old = order(server)[1]["orderId"]
    server.usage.is_limiting = True
    for _ in range(2):  # the ten seconds may change between two calls
        for _ in range(60):
            status, document = replace(server, "STOP_ON_FAILURE", cancelOrderId=1)
            if document["code"] == -1015:
                break
        mode = {"orderRateLimitExceededMode": "CANCEL_ONLY"}
        status, document = replace(server, "STOP_ON_FAILURE", cancelOrderId=old, **mode)
        if status == 409:
            break
    assert (status, document["data"]["cancelResult"], document["data"]["newOrderResult"]) == (
        409,
        "SUCCESS",
        "NOT_ATTEMPTED",
    )


def test_a_socket_answers_the_same(server: Server) -> None:
    """order.cancelReplace."""
    old = order(server)[1]["orderId"]
    with listening(server, PATH) as listener:
        params = LIMIT_BUY | {"cancelReplaceMode": "STOP_ON_FAILURE", "price": "89000"}
        reply = call(listener, "order.cancelReplace", **by_secret(server, **params, cancelOrderId=old))
        assert (reply["status"], reply["result"]["newOrderResult"]) == (200, "SUCCESS")
        reply = call(listener, "order.cancelReplace", **by_secret(server, **params, cancelOrderId=old))
        assert (reply["status"], reply["error"]["code"]) == (400, -2022)
        assert reply["error"]["data"]["cancelResponse"] == UNKNOWN


@pytest.mark.parametrize("mode", ["STOP_ON_FAILURE", "ALLOW_FAILURE"])
def test_a_half_that_the_engine_has_not_answered_is_not_called_failed(server: Server, mode: str) -> None:
    """-1007: its fate is unknown. A client that heard of a failure would place again, and nothing was placed yet."""
    old = order(server, newClientOrderId="old")[1]["orderId"]
    server.is_answering = False
    status, document = replace(server, mode, cancelOrderId=old, newClientOrderId="new")
    assert (status, document["code"]) == (504, -1007)
    assert "data" not in document
    server.call(lambda desk: desk.engine.pump(desk.exchange))
    assert open_ids(server) == []

"""Cancels of order lists that a trade overtakes: what is still open is cancelled, or said to be open."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from market.codes import Side
from tests.paper.server import Server
from tests.paper.test_list_calls import OCO, OTOCO, ask
from tests.paper.test_rest import Reply


@pytest.fixture(name="server")
def _server(server: Server) -> Server:
    for side in (Side.BUY, Side.SELL):
        server.flow(side, "90000", "0.01")
    server.call(lambda desk: desk.engine.publish(desk.exchange, desk.engine.reports_since(0)))
    return server


def overtaken(server: Server, side: Side, price: str, qty: str, method: str, path: str, **values: Any) -> Reply:
    """Send a call; before the engine has its commands, let a stranger trade with one of our orders."""
    server.is_answering = False
    with ThreadPoolExecutor() as pool:
        reply = pool.submit(ask, server, method, path, **values)
        server.wait_until(lambda desk: not desk.engine.is_idle)
        server.flow(side, price, qty)
        server.is_answering = True
        server.call(lambda desk: desk.engine.on_send())
        return reply.result()


def open_ids(server: Server) -> list[int]:
    """Return the orders that the account has open."""
    return [each["orderId"] for each in ask(server, "GET", "openOrders", symbol="BTCUSDT")[1]]


def test_a_cancel_of_all_orders_leaves_no_leg_open(server: Server) -> None:
    """The limit of a pair trades in part, which ends the stop, for which the cancel was sent."""
    _, placed, _ = ask(server, "POST", "orderList/oco", **OCO)
    status, gone, _ = overtaken(server, Side.BUY, "91000", "0.004", "DELETE", "openOrders", symbol="BTCUSDT")
    assert open_ids(server) == []
    assert status == 200
    assert [(each["orderId"], each["executedQty"]) for each in gone] == [(placed["orders"][1]["orderId"], "0.00400000")]


@pytest.mark.parametrize("leg", [None, 1])
def test_a_cancel_ends_the_legs_that_have_just_been_triggered(server: Server, leg: int | None) -> None:
    """The working leg is filled while the cancel is on its way to it: at Binance the list is cancelled whole."""
    _, placed, _ = ask(server, "POST", "orderList/otoco", **OTOCO)
    path, named = ("orderList", {"orderListId": placed["orderListId"]})
    if leg is not None:
        path, named = "order", {"orderId": placed["orders"][leg]["orderId"]}
    status, gone, _ = overtaken(server, Side.SELL, "89500", "0.01", "DELETE", path, symbol="BTCUSDT", **named)
    assert open_ids(server) == []
    assert status == 200, gone
    assert [each["status"] for each in gone["orderReports"]] == ["CANCELED"] * 2


def test_a_cancel_of_all_orders_ends_the_legs_that_have_just_been_triggered(server: Server) -> None:
    """Likewise."""
    ask(server, "POST", "orderList/otoco", **OTOCO)
    status, gone, _ = overtaken(server, Side.SELL, "89500", "0.01", "DELETE", "openOrders", symbol="BTCUSDT")
    assert open_ids(server) == []
    assert (status, [each["listOrderStatus"] for each in gone]) == (200, ["ALL_DONE"])

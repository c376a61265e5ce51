"""What a user of python-binance does, against the exchange whose URL and keys stand in the environment.

Run by test_other_clients.py in an environment of its own; ends with "done" if everything was as it should be.
"""

import asyncio
from typing import Any

from binance import AsyncClient, BinanceSocketManager, Client  # type: ignore[import-not-found]
from binance.exceptions import BinanceAPIException  # type: ignore[import-not-found]
from binance.ws.reconnecting_websocket import ReconnectingWebsocket  # type: ignore[import-not-found]
from practice import ALICE, BOB, URL, arm, stay_on_loopback  # type: ignore[import-not-found]
from requests.exceptions import ConnectionError as LostReply

BTC = "BTCUSDT"
LIMIT_BUY = {"symbol": BTC, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": "90000"}


def refused(code: int, call: Any, **values: Any) -> None:
    """Assert that a call is refused with a code."""
    was = 0
    try:
        call(**values)
    except BinanceAPIException as error:
        was = error.code
    assert was == code, f"{values} must be refused with {code}, was {was}"


def look_over_http() -> None:
    """Everything public, once something has traded."""
    alice = Client(*ALICE)
    assert alice.get_server_time()["serverTime"] > 0
    assert alice.get_recent_trades(symbol=BTC)[-1]["price"] == "90000.00000000"
    assert alice.get_aggregate_trades(symbol=BTC)[-1]["p"] == "90000.00000000"
    assert float(alice.get_avg_price(symbol=BTC)["price"]) > 0  # of five minutes, whoever has traded
    assert alice.get_ticker(symbol=BTC)["lastPrice"] == "90000.00000000"
    assert len(alice.get_ticker()) == len(alice.get_all_tickers()) == len(alice.get_orderbook_tickers()) == 3
    assert alice.get_orderbook_ticker(symbol=BTC)["bidPrice"] == "0.00000000"
    assert [limit["limit"] for limit in alice.get_current_order_count()] == [50, 160_000]
    assert alice.create_test_order(**LIMIT_BUY) == {}


def be_refused_over_http() -> None:
    """An error of each common kind."""
    alice, short = Client(*ALICE), LIMIT_BUY | {"newClientOrderId": "mine"}
    alice.create_order(**short)
    refused(-2010, alice.create_order, **short)
    refused(-2010, alice.create_order, **LIMIT_BUY | {"quantity": "1"})
    refused(-1013, alice.create_order, **LIMIT_BUY | {"quantity": "0.00001"})
    refused(-1013, alice.create_order, **LIMIT_BUY | {"price": "90000.001"})
    refused(-1111, alice.create_order, **LIMIT_BUY | {"price": "90000.000000001"})
    refused(-1115, alice.create_order, **LIMIT_BUY | {"timeInForce": "GTX"})
    refused(-1116, alice.create_order, **LIMIT_BUY | {"type": "FANCY"})
    refused(-1117, alice.create_order, **LIMIT_BUY | {"side": "HOLD"})
    refused(-1104, alice.create_order, **LIMIT_BUY | {"colour": "red"})
    refused(-1106, alice.create_order, **LIMIT_BUY | {"stopPrice": "80000"})
    refused(-1102, alice.create_order, **{name: LIMIT_BUY[name] for name in LIMIT_BUY if name != "timeInForce"})
    refused(-1121, alice.get_order_book, symbol="NOPE")
    refused(-1100, alice.get_order_book, symbol="no pe")
    refused(-2011, alice.cancel_order, symbol=BTC, orderId=1)
    refused(-2013, alice.get_order, symbol=BTC, orderId=1)
    refused(-1022, Client(ALICE[0], "x" * 64).get_account)
    refused(-2015, Client("x" * 64, ALICE[1]).get_account)
    refused(-2014, Client("x", ALICE[1]).get_account)
    late = Client(*ALICE)
    late.timestamp_offset = -60_000
    refused(-1021, late.get_account)
    arm("rate_limit")
    refused(-1003, alice.create_order, **LIMIT_BUY)
    assert len(alice.cancel_all_open_orders(symbol=BTC)) == 1


def survive_faults() -> None:
    """A lost reply and 5xx: nothing is known but by asking, and the client sends nothing twice."""
    alice = Client(*ALICE)
    for number, (kind, options, expected) in enumerate(
        (
            ("drop_reply", {}, LostReply),
            ("server_error", {"status": 502, "is_html": True, "is_executed": True}, BinanceAPIException),
            ("reject", {"code": -1007}, BinanceAPIException),
        )
    ):
        arm(kind, **options)
        name, was = f"fault-{number}", None
        try:
            alice.create_order(**LIMIT_BUY, newClientOrderId=name)
        except (LostReply, BinanceAPIException) as error:
            was = type(error)
        assert was is expected, (kind, was)
        orders = [order for order in alice.get_open_orders(symbol=BTC) if order["clientOrderId"] == name]
        assert len(orders) == (0 if kind == "reject" else 1), (kind, orders)
    alice.cancel_all_open_orders(symbol=BTC)


def trade_over_http() -> None:
    """Markets, balance, place, replace, amend, cancel, fill, history."""
    alice, bob = Client(*ALICE), Client(*BOB)
    assert alice.get_symbol_info(BTC)["filters"][0]["tickSize"] == "0.01000000"
    assert alice.get_asset_balance("USDT")["free"] == "10000.00000000"
    placed = alice.order_limit_buy(symbol=BTC, quantity="0.01", price="90000")
    assert alice.get_order(symbol=BTC, orderId=placed["orderId"])["status"] == "NEW"
    replaced = alice.cancel_replace_order(
        symbol=BTC,
        side="BUY",
        type="LIMIT",
        timeInForce="GTC",
        quantity="0.02",
        price="90000",
        cancelReplaceMode="STOP_ON_FAILURE",
        cancelOrderId=placed["orderId"],
    )
    order_id = replaced["newOrderResponse"]["orderId"]
    assert [order["orderId"] for order in alice.get_open_orders(symbol=BTC)] == [order_id]
    amended = alice._put("order/amend/keepPriority", True, data={"symbol": BTC, "orderId": order_id, "newQty": "0.015"})
    assert amended["amendedOrder"]["qty"] == "0.01500000"
    assert bob.order_market_sell(symbol=BTC, quantity="0.01")["status"] == "FILLED"
    assert alice.get_my_trades(symbol=BTC)[-1]["isMaker"]
    assert alice.cancel_order(symbol=BTC, orderId=order_id)["executedQty"] == "0.01000000"
    assert [order["status"] for order in alice.get_all_orders(symbol=BTC)] == ["CANCELED", "CANCELED"]
    assert alice.get_symbol_ticker(symbol=BTC)["price"] == "90000.00000000"
    assert alice.get_klines(symbol=BTC, interval="1m")[-1][4] == "90000.00000000"
    assert alice.get_order_book(symbol=BTC)["bids"] == []


def list_orders_over_http() -> None:
    """A pair, and what triggers another one: placed, asked for, cancelled by a leg and as a whole."""
    alice, bob = Client(*ALICE), Client(*BOB)
    pair = {"aboveType": "LIMIT_MAKER", "belowType": "STOP_LOSS_LIMIT", "belowTimeInForce": "GTC"}
    prices = {"abovePrice": "95000", "belowPrice": "84000", "belowStopPrice": "85000"}
    placed = alice.create_oco_order(symbol=BTC, side="SELL", quantity="0.01", **pair, **prices)
    assert [each["orderListId"] for each in alice.get_open_oco_orders()] == [placed["orderListId"]]
    assert alice.v3_get_order_list(orderListId=placed["orderListId"])["listOrderStatus"] == "EXECUTING"
    assert alice.cancel_order(symbol=BTC, orderId=placed["orders"][0]["orderId"])["listOrderStatus"] == "ALL_DONE"
    working = {"workingType": "LIMIT", "workingSide": "BUY", "workingPrice": "90000", "workingQuantity": "0.01"}
    pending = {"pendingType": "LIMIT_MAKER", "pendingSide": "SELL", "pendingPrice": "95000", "pendingQuantity": "0.01"}
    placed = alice.v3_post_order_list_oto(symbol=BTC, workingTimeInForce="GTC", **working, **pending)
    bob.order_market_sell(symbol=BTC, quantity="0.01")
    assert [order["status"] for order in alice.get_open_orders(symbol=BTC)] == ["NEW"]
    alice.cancel_all_open_orders(symbol=BTC)
    legs = {"pendingAboveType": "LIMIT_MAKER", "pendingAbovePrice": "95000", "pendingSide": "SELL"}
    legs |= {"pendingBelowType": "STOP_LOSS", "pendingBelowStopPrice": "80000", "pendingQuantity": "0.01"}
    placed = alice.v3_post_order_list_otoco(symbol=BTC, workingTimeInForce="GTC", **working, **legs)
    gone = alice.v3_delete_order_list(symbol=BTC, orderListId=placed["orderListId"])
    assert [each["status"] for each in gone["orderReports"]] == ["CANCELED"] * 3
    assert [each["contingencyType"] for each in alice.v3_get_all_order_list()] == ["OCO", "OTO", "OTO"]


async def ask_over_sockets(alice: Any, order_id: int) -> None:
    """The calls of the WebSocket API that have no order of their own."""
    assert (await alice.ws_get_order(symbol=BTC, orderId=order_id))["status"] == "PARTIALLY_FILLED"
    assert [order["orderId"] for order in await alice.ws_get_open_orders(symbol=BTC)] == [order_id]
    assert (await alice.ws_get_all_orders(symbol=BTC))[-1]["orderId"] == order_id
    assert (await alice.ws_get_my_trades(symbol=BTC))[-1]["qty"] == "0.00400000"
    assert (await alice.ws_get_account())["canTrade"]
    assert (await alice.ws_get_commission_rates(symbol=BTC))["symbol"] == BTC
    assert len(await alice.ws_get_account_rate_limits_orders()) == 2
    assert (await alice.ws_get_order_book(symbol=BTC))["asks"][0][0] == "91000.00000000"
    assert (await alice.ws_get_recent_trades(symbol=BTC))[-1]["qty"] == "0.00400000"
    assert (await alice.ws_get_aggregate_trades(symbol=BTC))[-1]["q"] == "0.00400000"
    assert (await alice.ws_get_klines(symbol=BTC, interval="1M"))[-1][4] == "91000.00000000"
    assert (await alice.ws_get_ticker(symbol=BTC))["lastPrice"] == "91000.00000000"
    assert (await alice.ws_get_symbol_ticker(symbol=BTC))["price"] == "91000.00000000"
    assert (await alice.ws_get_orderbook_ticker(symbol=BTC))["askPrice"] == "91000.00000000"
    was = 0
    try:
        await alice.ws_create_order(**LIMIT_BUY | {"quantity": "1"})
    except BinanceAPIException as error:
        was = error.code
    assert was == -2010, was


async def listen_to_the_market() -> None:
    """Every market stream that the client knows by name; while orders come and go and trade."""
    alice = await AsyncClient.create(*ALICE)
    manager = BinanceSocketManager(alice)
    streams = {
        "aggTrade": manager.aggtrade_socket(BTC),
        "kline": manager.kline_socket(BTC),
        "24hrTicker": manager.symbol_ticker_socket(BTC),
        "24hrMiniTicker": manager.symbol_miniticker_socket(BTC),
        "depthUpdate": manager.depth_socket(BTC),
        "best levels": manager.depth_socket(BTC, depth="5"),
        "best prices": manager.symbol_book_ticker_socket(BTC),
        "all mini tickers": manager.miniticker_socket(),
    }
    told: dict[str, Any] = {}

    async def listen(name: str, stream: Any) -> None:
        async with stream as opened:
            while name not in told:
                document = await opened.recv()
                if isinstance(document, list) or document.get("e") != "error":
                    told[name] = document

    async def trade() -> None:
        bob = Client(*BOB)
        while len(told) < len(streams):
            order = await alice.create_order(**LIMIT_BUY | {"quantity": "0.0002"})
            await asyncio.to_thread(bob.order_market_sell, symbol=BTC, quantity="0.0001")
            await alice.cancel_order(symbol=BTC, orderId=order["orderId"])

    await asyncio.gather(trade(), *(listen(name, stream) for name, stream in streams.items()))
    for name in ("aggTrade", "kline", "24hrTicker", "24hrMiniTicker", "depthUpdate"):
        assert (told[name]["e"], told[name]["s"]) == (name, BTC), told[name]
    assert told["best levels"].keys() == {"lastUpdateId", "bids", "asks"}
    assert told["best prices"]["s"] == told["all mini tickers"][0]["s"] == BTC
    await alice.close_connection()


async def trade_over_sockets() -> None:
    """Market streams, the account's own stream, and orders over the WebSocket API."""
    alice = await AsyncClient.create(*ALICE)
    manager = BinanceSocketManager(alice)
    trades, depth = manager.trade_socket(BTC), manager.depth_socket(BTC, interval=100)
    several, own = manager.multiplex_socket(["btcusdt@bookTicker", "btcusdt@miniTicker"]), manager.user_socket()
    async with trades, depth, several, own:
        placed = await alice.ws_create_order(
            symbol=BTC, side="SELL", type="LIMIT", timeInForce="GTC", quantity="0.01", price="91000"
        )
        report = await own.recv()
        assert (report["e"], report["x"], report["i"]) == ("executionReport", "NEW", placed["orderId"]), report
        update = await depth.recv()
        assert update["a"] == [["91000.00000000", "0.01000000"]], update
        ticker = await several.recv()
        while ticker["stream"] != "btcusdt@bookTicker" or ticker["data"]["a"] != "91000.00000000":
            ticker = await several.recv()
        await asyncio.to_thread(Client(*BOB).order_market_buy, symbol=BTC, quantity="0.004")
        assert (await trades.recv())["p"] == "91000.00000000"
        while report.get("x") != "TRADE":
            report = await own.recv()
        assert (report["l"], report["X"]) == ("0.00400000", "PARTIALLY_FILLED"), report
        await ask_over_sockets(alice, placed["orderId"])
        assert (await alice.ws_cancel_order(symbol=BTC, orderId=placed["orderId"]))["status"] == "CANCELED"
    await alice.close_connection()


def main() -> None:
    """Do everything."""
    stay_on_loopback()
    sockets = URL.replace("http", "ws")
    Client.API_URL = AsyncClient.API_URL = f"{URL}/api"
    Client.WS_API_URL = AsyncClient.WS_API_URL = f"{sockets}/ws-api/v3"
    BinanceSocketManager.STREAM_URL = f"{sockets}/"
    ReconnectingWebsocket.TIMEOUT = 0.5  # it leaves a quiet stream only after so many seconds
    trade_over_http()
    look_over_http()
    be_refused_over_http()
    survive_faults()
    list_orders_over_http()
    asyncio.run(asyncio.wait_for(trade_over_sockets(), 30))
    asyncio.run(asyncio.wait_for(listen_to_the_market(), 30))
    print("done")


if __name__ == "__main__":
    main()

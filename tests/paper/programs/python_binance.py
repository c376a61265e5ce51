"""What a user of python-binance does, against the exchange whose URL and keys stand in the environment.

Run by test_other_clients.py in an environment of its own; ends with "done" if everything was as it should be.
"""

import asyncio
import json
import os
import socket
from typing import Any

from binance import AsyncClient, BinanceSocketManager, Client  # type: ignore[import-not-found]
from binance.exceptions import BinanceAPIException  # type: ignore[import-not-found]
from binance.ws.reconnecting_websocket import ReconnectingWebsocket  # type: ignore[import-not-found]

URL = os.environ["EXCHANGE_URL"]
ALICE, BOB = json.loads(os.environ["EXCHANGE_KEYS"])  # API key and secret of each
BTC = "BTCUSDT"
CONNECT = socket.socket.connect


def connect_to_loopback(self: socket.socket, address: Any) -> None:
    """Let no connection leave this machine."""
    assert isinstance(address, str | bytes) or address[0] in {"127.0.0.1", "::1", "localhost"}, address
    CONNECT(self, address)


def refused(code: int, call: Any, **values: Any) -> None:
    """Assert that a call is refused with a code."""
    was = 0
    try:
        call(**values)
    except BinanceAPIException as error:
        was = error.code
    assert was == code, f"{values} must be refused with {code}, was {was}"


def trade_over_http() -> None:
    """Markets, balance, place, amend, cancel, fill, history, refusals."""
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
    assert bob.order_market_sell(symbol=BTC, quantity="0.01")["status"] == "FILLED"
    assert alice.get_my_trades(symbol=BTC)[-1]["isMaker"]
    assert alice.cancel_order(symbol=BTC, orderId=order_id)["executedQty"] == "0.01000000"
    assert [order["status"] for order in alice.get_all_orders(symbol=BTC)] == ["CANCELED", "CANCELED"]
    assert alice.get_symbol_ticker(symbol=BTC)["price"] == "90000.00000000"
    assert alice.get_klines(symbol=BTC, interval="1m")[-1][4] == "90000.00000000"
    assert alice.get_order_book(symbol=BTC)["bids"] == []
    refused(-2010, alice.order_limit_buy, symbol=BTC, quantity="1", price="90000")
    refused(-1013, alice.order_limit_buy, symbol=BTC, quantity="0.00001", price="90000")
    refused(-2011, alice.cancel_order, symbol=BTC, orderId=1)
    refused(-1121, alice.get_order_book, symbol="NOPE")
    refused(-1022, Client(ALICE[0], "x" * 64).get_account)


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
        assert (await alice.ws_cancel_order(symbol=BTC, orderId=placed["orderId"]))["status"] == "CANCELED"
    await alice.close_connection()


def main() -> None:
    """Do everything."""
    socket.socket.connect = connect_to_loopback  # type: ignore[method-assign,assignment]
    sockets = URL.replace("http", "ws")
    Client.API_URL = AsyncClient.API_URL = f"{URL}/api"
    Client.WS_API_URL = AsyncClient.WS_API_URL = f"{sockets}/ws-api/v3"
    BinanceSocketManager.STREAM_URL = f"{sockets}/"
    ReconnectingWebsocket.TIMEOUT = 0.5  # it leaves a quiet stream only after so many seconds
    trade_over_http()
    asyncio.run(asyncio.wait_for(trade_over_sockets(), 20))
    print("done")


if __name__ == "__main__":
    main()

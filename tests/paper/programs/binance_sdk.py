"""Every call of Binance's own SDK, over REST and over the WebSocket API, each answer read by the SDK's models.

Run by test_other_clients.py in an environment of its own; ends with "done" if everything was as it should be.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

from binance_common.configuration import (  # type: ignore[import-not-found]
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
)
from binance_common.errors import Error  # type: ignore[import-not-found]
from binance_sdk_spot.rest_api import SpotRestAPI  # type: ignore[import-not-found]
from binance_sdk_spot.spot import Spot  # type: ignore[import-not-found]
from binance_sdk_spot.websocket_api import SpotWebSocketAPI  # type: ignore[import-not-found]
from practice import ALICE, BOB, URL, stay_on_loopback  # type: ignore[import-not-found]

SYMBOL = "BTCUSDT"
Do = Callable[..., Awaitable[Any]]

# What each call is called over the WebSocket API where that has another name for it.
SOCKET_NAMES = {
    "get_account": "account_status",
    "rate_limit_order": "account_rate_limits_orders",
    "all_order_list": "all_order_lists",
    "open_order_list": "open_order_lists_status",
    "get_open_orders": "open_orders_status",
    "get_order_list": "order_list_status",
    "get_order": "order_status",
    "historical_block_trades": "block_trades_historical",
    "ticker_book_ticker": "ticker_book",
    "agg_trades": "trades_aggregate",
    "historical_trades": "trades_historical",
    "get_trades": "trades_recent",
    "delete_open_orders": "open_orders_cancel_all",
    "delete_order": "order_cancel",
    "delete_order_list": "order_list_cancel",
    "new_order": "order_place",
    "order_oco": "order_list_place",
    "order_list_oco": "order_list_place_oco",
    "order_list_opo": "order_list_place_opo",
    "order_list_opoco": "order_list_place_opoco",
    "order_list_oto": "order_list_place_oto",
    "order_list_otoco": "order_list_place_otoco",
    "sor_order": "sor_order_place",
    "sor_order_test": "sor_order_test",
}
# What a client is made of, and no call of the exchange.
NO_CALLS = {
    "send_request", "send_signed_request", "send_message", "send_signed_message", "ping_server", "close_connection",
}  # fmt: skip

MORE = "additional_properties"  # where a model keeps what it does not know

# What Binance's documentation has in an answer and the SDK's models have not.
MORE_THAN_MODELS = {"delete_order_list": {"selfTradePreventionMode"}}
MORE_THAN_SOCKET_MODELS = {"exchange_info": {"id", "status", "result"}}
ENVELOPE = {"rateLimits"}  # of every answer over the socket; some models know of it


class Walk:
    """Notes what was called, and reads each answer to the bottom; `more` is what models lack, by call."""

    def __init__(self, more: dict[str, set[str]]) -> None:
        self.called: set[str] = set()
        self._more = more

    def read(self, name: str, response: Any) -> Any:
        """Return what a call tells as a document, once the SDK's model has taken all of it."""
        self.called.add(name)
        model = getattr(response, "response", response).data()  # of a subscription, beside its stream
        told = _document(model)
        assert set(_unknown(model)) - ENVELOPE == self._more.get(name, set()), (name, _unknown(model), told)
        return told


def _document(model: Any) -> Any:
    """Return a model with the names that documents have; `to_dict` of some models fails on what is in lists."""
    if isinstance(model, list):
        return [_document(each) for each in model]
    fields = getattr(type(model), "model_fields", None)
    if fields is None:
        return model
    if "actual_instance" in fields:  # one of several models
        return _document(model.actual_instance)
    named = {field.alias or name: getattr(model, name) for name, field in fields.items() if name != MORE}
    return {name: _document(value) for name, value in (named | getattr(model, MORE, {})).items() if value is not None}


def _unknown(model: Any) -> list[str]:
    """Return the fields that the models know nothing of."""
    if isinstance(model, dict):
        return [name for each in model.values() for name in _unknown(each)]
    if isinstance(model, list | tuple):
        return [name for each in model for name in _unknown(each)]
    if not hasattr(type(model), "model_fields"):
        return []
    fields = [field for field in type(model).model_fields if field != MORE]
    return [*getattr(model, MORE, {}), *(name for field in fields for name in _unknown(getattr(model, field)))]


async def look(do: Do) -> None:
    """Ask everything that is public."""
    for name in ("ping", "time", "exchange_info", "execution_rules"):
        await do(name)
    for name in ("agg_trades", "avg_price", "depth", "get_trades", "historical_trades"):
        await do(name, symbol=SYMBOL)
    for name in ("reference_price", "reference_price_calculation"):
        await do(name, symbol=SYMBOL)
    await do("historical_block_trades", symbol=SYMBOL, from_id=0)
    for name in ("klines", "ui_klines"):
        assert await do(name, symbol=SYMBOL, interval="1m", time_zone="8")
    for name in ("ticker", "ticker_trading_day", "ticker24hr", "ticker_price", "ticker_book_ticker"):
        await do(name, symbol=SYMBOL)
        await do(name, symbols=[SYMBOL, "ETHUSDT"])


LIMIT_BUY = {
    "symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "quantity": 0.01, "price": 80_000.0,
}  # fmt: skip
WORKING = {
    "symbol": SYMBOL, "working_type": "LIMIT", "working_side": "BUY", "working_price": 80_000.0,
    "working_quantity": 0.01, "working_time_in_force": "GTC", "pending_side": "SELL",
}  # fmt: skip
PENDING = {"pending_type": "LIMIT_MAKER", "pending_price": 95_000.0}
PENDING_PAIR = {
    "pending_above_type": "LIMIT_MAKER", "pending_above_price": 95_000.0,
    "pending_below_type": "STOP_LOSS", "pending_below_stop_price": 70_000.0,
}  # fmt: skip
OCO = {
    "symbol": SYMBOL, "side": "SELL", "quantity": 0.01, "above_type": "LIMIT_MAKER", "above_price": 95_000.0,
    "below_type": "STOP_LOSS", "below_stop_price": 70_000.0,
}  # fmt: skip
OLD_OCO = {"symbol": SYMBOL, "side": "SELL", "quantity": 0.01, "price": 95_000.0, "stop_price": 70_000.0}


async def place_orders(do: Do) -> None:
    """Place, ask for, amend, replace and cancel orders."""
    await do("order_test", **LIMIT_BUY)
    await do("order_test", **LIMIT_BUY, compute_commission_rates=True)
    order_id = (await do("new_order", **LIMIT_BUY))["orderId"]
    assert (await do("get_order", symbol=SYMBOL, order_id=order_id))["status"] == "NEW"
    amended = await do("order_amend_keep_priority", symbol=SYMBOL, order_id=order_id, new_qty=0.005)
    assert amended["amendedOrder"]["qty"] == "0.00500000"
    (amendment,) = await do("order_amendments", symbol=SYMBOL, order_id=order_id)
    assert amendment["executionId"] == amended["executionId"]
    replaced = await do(
        "order_cancel_replace", **LIMIT_BUY, cancel_replace_mode="STOP_ON_FAILURE", cancel_order_id=order_id
    )
    await do("delete_order", symbol=SYMBOL, order_id=replaced["newOrderResponse"]["orderId"])
    await do("new_order", **LIMIT_BUY)
    assert len(await do("get_open_orders", symbol=SYMBOL)) == 1
    await do("delete_open_orders", symbol=SYMBOL)
    await do("new_order", **LIMIT_BUY)
    sale = {"side": "SELL", "self_trade_prevention_mode": "EXPIRE_BOTH", "new_order_resp_type": "ACK"}
    taker = await do("new_order", **LIMIT_BUY | sale)  # the model has no `preventedMatches`, which fuller answers tell
    (prevented,) = await do("my_prevented_matches", symbol=SYMBOL, order_id=taker["orderId"])
    assert prevented["makerPreventedQuantity"] == "0.01000000"


async def place_lists(do: Do) -> None:
    """Place an order list of each kind, ask for them, and cancel them."""
    for name, values in (
        ("order_list_oco", OCO),
        ("order_oco", OLD_OCO),
        ("order_list_oto", WORKING | PENDING | {"pending_quantity": 0.01}),
        ("order_list_otoco", WORKING | PENDING_PAIR | {"pending_quantity": 0.01}),
    ):
        list_id = (await do(name, **values))["orderListId"]
        assert (await do("get_order_list", order_list_id=list_id))["listOrderStatus"] == "EXECUTING"
        assert [each["orderListId"] for each in await do("open_order_list")] == [list_id]
        assert (await do("delete_order_list", symbol=SYMBOL, order_list_id=list_id))["listOrderStatus"] == "ALL_DONE"
    assert len(await do("all_order_list")) >= 4


async def ask_for_account(do: Do) -> None:
    """Ask what an account is told of itself, once it has traded."""
    await do("get_account", omit_zero_balances=True)
    await do("rate_limit_order")
    assert await do("all_orders", symbol=SYMBOL)
    assert await do("my_trades", symbol=SYMBOL)
    await do("account_commission", symbol=SYMBOL)
    await do("my_filters", symbol=SYMBOL)
    assert await do("my_allocations", symbol=SYMBOL) == []


async def be_refused(do: Do, walk: Walk) -> None:
    """Ask for what is not there: each is refused by name."""
    sor = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": 0.01}
    for name, code, values in (
        ("sor_order", -1020, sor),
        ("sor_order_test", -1020, sor),
        ("order_list_opo", -2010, WORKING | PENDING),
        ("order_list_opoco", -2010, WORKING | PENDING_PAIR),
    ):
        was = ""
        try:
            await do(name, **values)
        except (Error, ValueError) as error:
            was = f"{error}"
        assert f"{code}," in was, f"{name} must be refused with {code}, was {was}"
        walk.called.add(name)


async def walk_all(do: Do, walk: Walk) -> None:
    """Make every call that REST and the WebSocket API have in common."""
    await look(do)
    await place_orders(do)
    await place_lists(do)
    await ask_for_account(do)
    await be_refused(do, walk)


def rest_of(keys: tuple[str, str]) -> Any:
    """Return the SDK's client of an account over REST."""
    key, secret = keys
    return Spot(config_rest_api=ConfigurationRestAPI(key, secret, URL, timeout=10_000, retries=0)).rest_api


def trade() -> None:
    """Let Alice and Bob trade once."""
    for keys, side in ((ALICE, "BUY"), (BOB, "SELL")):
        rest_of(keys).new_order(**LIMIT_BUY | {"side": side, "price": 90_000.0}).data()


async def walk_over_http() -> None:
    """REST: all that the client has."""
    client, walk = rest_of(ALICE), Walk(MORE_THAN_MODELS)

    async def do(name: str, **values: Any) -> Any:
        return walk.read(name, getattr(client, name)(**values))

    await walk_all(do, walk)
    assert calls_of(SpotRestAPI) == walk.called, calls_of(SpotRestAPI) ^ walk.called


async def walk_over_socket() -> None:
    """The WebSocket API: the same under its own names, and the account's own stream."""
    (key, secret), walk = ALICE, Walk(MORE_THAN_SOCKET_MODELS)
    stream_url = URL.replace("http", "ws") + "/ws-api/v3"
    settings = ConfigurationWebSocketAPI(api_key=key, api_secret=secret, stream_url=stream_url)
    client = Spot(config_ws_api=settings).websocket_api
    await client.create_connection()

    async def do(name: str, **values: Any) -> Any:
        told = walk.read(name, await getattr(client, SOCKET_NAMES.get(name, name))(**values))
        if "error" in told:
            raise ValueError(told["error"])
        return told.get("result")

    await walk_all(do, walk)
    walk.called = {SOCKET_NAMES.get(name, name) for name in walk.called}
    assert "apiKey" not in await do("session_status")
    subscription = (await do("user_data_stream_subscribe_signature"))["subscriptionId"]
    assert [each["subscriptionId"] for each in await do("session_subscriptions")] == [subscription]
    await do("user_data_stream_unsubscribe", subscription_id=subscription)
    await client.close_connection()
    await walk_through_session(walk)
    assert calls_of(SpotWebSocketAPI) == walk.called, calls_of(SpotWebSocketAPI) ^ walk.called


async def walk_through_session(walk: Walk) -> None:
    """Log a connection on with an Ed25519 key, which then signs nothing more."""
    key, private_key = json.loads(os.environ["EXCHANGE_ED25519"])
    stream_url = URL.replace("http", "ws") + "/ws-api/v3"
    settings = ConfigurationWebSocketAPI(api_key=key, private_key=private_key, stream_url=stream_url)
    client = Spot(config_ws_api=settings).websocket_api
    await client.create_connection()

    async def do(name: str, **values: Any) -> Any:
        told = walk.read(name, await getattr(client, name)(**values))
        return (told[0] if isinstance(told, list) else told)["result"]

    assert (await do("session_logon"))["apiKey"] == key
    assert (await do("session_status"))["apiKey"] == key
    assert (await do("user_data_stream_subscribe"))["subscriptionId"] >= 0
    await do("session_logout")
    await client.close_connection()


def calls_of(client: type) -> set[str]:
    """Return the names of the calls that a client of the SDK has."""
    return {name for name, each in vars(client).items() if callable(each) and not name.startswith("_")} - NO_CALLS


stay_on_loopback()
trade()
asyncio.run(walk_over_http())
asyncio.run(walk_over_socket())
print("done")

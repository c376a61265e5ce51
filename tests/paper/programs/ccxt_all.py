"""What a user of ccxt does, synchronous, asynchronous and pro, against the exchange named in the environment.

Run by test_other_clients.py in an environment of its own; ends with "done" if everything was as it should be.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro
from practice import ALICE, BOB, URL, arm, stay_on_loopback  # type: ignore[import-not-found]

BTC = "BTC/USDT"
AMEND = "order/amend/keepPriority"
LIMIT_BUY = (BTC, "limit", "buy", 0.01, 90_000)
REFUSALS: list[tuple[type[Exception], str, tuple[Any, ...]]] = [
    (ccxt.InsufficientFunds, "create_order", (BTC, "limit", "buy", 1, 90_000)),
    (ccxt.BadRequest, "create_order", (BTC, "limit", "buy", 0.00001, 90_000)),
    (ccxt.InvalidOrder, "create_order", (BTC, "limit", "buy", 10_000, 90_000)),
    (ccxt.OrderNotFound, "cancel_order", ("1", BTC)),
    (ccxt.OrderNotFound, "fetch_order", ("1", BTC)),
]
FAULTS: list[tuple[str, dict[str, Any], type[Exception], int]] = [
    ("drop_reply", {}, ccxt.NetworkError, 1),
    ("server_error", {"status": 502, "is_html": True, "is_executed": True}, ccxt.ExchangeNotAvailable, 1),
    ("rate_limit", {}, ccxt.DDoSProtection, 0),
    ("reject", {"code": -1007}, ccxt.RequestTimeout, 0),
    ("reject", {"code": -1021}, ccxt.InvalidNonce, 0),
]


def settings(keys: list[str]) -> dict[str, Any]:
    """Return what docs/paper.md says that a client needs: another URL."""
    api, sockets = f"{URL}/api", URL.replace("http", "ws")
    return {
        "apiKey": keys[0],
        "secret": keys[1],
        "enableRateLimit": False,  # it would sleep for most of the time
        "sandbox": True,
        "urls": {
            "test": {
                "public": f"{api}/v3",
                "private": f"{api}/v3",
                "v1": f"{api}/v1",
                "ws": {"spot": f"{sockets}/ws", "ws-api": {"spot": f"{sockets}/ws-api/v3"}},
            }
        },
        "options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}},
    }


async def trade(alice: Any, bob: Any, call: Callable[..., Awaitable[Any]]) -> None:
    """Markets, balance, place, replace, amend, fill, cancel, history, refusals; `call` asks either kind of client."""
    markets = await call(alice.load_markets)
    assert markets[BTC]["precision"] == markets[BTC]["precision"] | {"price": 0.01, "amount": 0.00001}
    before = (await call(alice.fetch_balance))["USDT"]["total"]
    placed = await call(alice.create_order, *LIMIT_BUY)
    replaced = await call(alice.edit_order, placed["id"], BTC, "limit", "buy", 0.02, 90_000)
    request = {"symbol": "BTCUSDT", "orderId": replaced["id"], "newQty": 0.015}
    assert (await call(alice.request, AMEND, ["private"], "PUT", request))["amendedOrder"]["qty"] == "0.01500000"
    assert (await call(bob.create_order, BTC, "market", "sell", 0.01))["status"] == "closed"
    assert (await call(alice.fetch_order, replaced["id"], BTC))["filled"] == 0.01
    assert (await call(alice.cancel_order, replaced["id"], BTC))["status"] == "canceled"
    assert (await call(alice.fetch_my_trades, BTC))[-1]["takerOrMaker"] == "maker"
    assert [order["status"] for order in await call(alice.fetch_orders, BTC)][-2:] == ["canceled", "canceled"]
    assert (await call(alice.fetch_balance))["USDT"]["total"] == before - 900
    for expected, method, values in REFUSALS:
        await refused(expected, call, getattr(alice, method), *values)
    for kind, options, expected, count in FAULTS:
        arm(kind, **options)
        await refused(expected, call, alice.create_order, *LIMIT_BUY)
        assert len(await call(alice.fetch_open_orders, BTC)) == count, kind
        if count:
            await call(alice.cancel_all_orders, BTC)


async def refused(expected: type[Exception], call: Callable[..., Awaitable[Any]], *request: Any) -> None:
    """Assert that a call raises."""
    was: BaseException | None = None
    try:
        await call(*request)
    except ccxt.BaseError as error:
        was = error
    assert isinstance(was, expected), f"{request[1:]} must raise {expected.__name__}, was {was!r}"


async def synchronous() -> None:
    """All of it with the blocking client."""

    async def call(method: Callable[..., Any], *values: Any) -> Any:
        return await asyncio.to_thread(method, *values)

    await trade(ccxt.binance(settings(ALICE)), ccxt.binance(settings(BOB)), call)


async def call_awaiting(method: Callable[..., Awaitable[Any]], *values: Any) -> Any:
    """Call a client whose methods are coroutines."""
    return await method(*values)


async def asynchronous() -> None:
    """All of it with the asynchronous client."""
    alice, bob = (ccxt.async_support.binance(settings(keys)) for keys in (ALICE, BOB))
    try:
        await trade(alice, bob, call_awaiting)
    finally:
        await alice.close()
        await bob.close()


async def pro() -> None:
    """Watch book, trades, ticker, orders, balance and own trades; place and cancel over the socket."""
    alice, bob = (ccxt.pro.binance(settings(keys)) for keys in (ALICE, BOB))
    watched: dict[str, Any] = {}

    async def watch(name: str, *values: Any) -> None:
        watched[name] = await getattr(alice, name)(*values)

    async def trade_until_all_is_told() -> None:
        while len(watched) < 6:
            order = await alice.create_order_ws(*LIMIT_BUY)
            await bob.create_order_ws(BTC, "market", "sell", 0.004)
            assert (await alice.cancel_order_ws(order["id"], BTC))["status"] == "canceled"

    try:
        await alice.load_markets()
        streams = ("watch_order_book", "watch_trades", "watch_ticker", "watch_orders", "watch_my_trades")
        await asyncio.gather(trade_until_all_is_told(), watch("watch_balance"), *(watch(name, BTC) for name in streams))
        assert watched["watch_trades"][-1]["price"] == watched["watch_my_trades"][-1]["price"] == 90_000
        assert watched["watch_ticker"]["last"] == 90_000
        assert {"bids", "asks", "nonce"} <= watched["watch_order_book"].keys()
        assert watched["watch_orders"][-1]["symbol"] == BTC
        assert watched["watch_balance"]["USDT"]["total"] > 0
        await refused(ccxt.InsufficientFunds, call_awaiting, alice.create_order_ws, BTC, "limit", "buy", 1, 90_000)
        await refused(ccxt.OrderNotFound, call_awaiting, alice.cancel_order_ws, "1", BTC)
    finally:
        await alice.close()
        await bob.close()


async def main() -> None:
    """Do everything."""
    stay_on_loopback()
    for part in (synchronous, asynchronous, pro):
        await asyncio.wait_for(part(), 40)
    print("done")


if __name__ == "__main__":
    asyncio.run(main())

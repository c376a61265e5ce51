"""Real asynchronous ccxt against the exchange on a real socket, unmodified but for the URL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import ccxt.async_support as ccxt
import pytest

from market.codes import Side
from tests.paper.clients import BTC, ccxt_settings
from tests.paper.desk import ALICE, BOB
from tests.paper.server import Server

pytestmark = pytest.mark.usefixtures("loopback_only")


@asynccontextmanager
async def client(server: Server, account: int = ALICE, **changes: Any) -> AsyncIterator[Any]:
    """Make a client and close it."""
    exchange = ccxt.binance(ccxt_settings(server, account, **changes))
    try:
        yield exchange
    finally:
        await exchange.close()


def run(server: Server, steps: Callable[[Any], Awaitable[None]]) -> None:
    """Run the steps of a test with the first account's client."""

    async def all_steps() -> None:
        async with client(server) as alice:
            await steps(alice)

    asyncio.run(all_steps())


def test_markets_balance_and_books_are_read(server: Server) -> None:
    """exchangeInfo, account, depth, tickers, trades, klines."""
    server.flow(Side.SELL, "91000", "0.5")
    server.flow(Side.BUY, "91000", "0.2")

    async def steps(alice: Any) -> None:
        assert (await alice.load_markets())[BTC]["precision"]["price"] == 0.01
        assert (await alice.fetch_balance())["USDT"]["total"] == 10_000
        assert (await alice.fetch_order_book(BTC))["asks"] == [[91000, 0.3]]
        assert (await alice.fetch_ticker(BTC))["last"] == 91000
        assert (await alice.fetch_trades(BTC))[-1]["amount"] == 0.2
        assert (await alice.fetch_ohlcv(BTC))[-1][4] == 91000

    run(server, steps)


def test_an_order_is_placed_found_filled_and_remembered(server: Server) -> None:
    """POST and GET order, openOrders, myTrades, allOrders."""

    async def steps(alice: Any) -> None:
        placed = await alice.create_order(BTC, "limit", "buy", 0.01, 90000)
        assert [order["id"] for order in await alice.fetch_open_orders(BTC)] == [placed["id"]]
        server.flow(Side.SELL, "90000", "0.01")
        assert (await alice.fetch_order(placed["id"], BTC))["status"] == "closed"
        (trade,) = await alice.fetch_my_trades(BTC)
        assert (trade["order"], trade["takerOrMaker"]) == (placed["id"], "maker")
        assert [order["id"] for order in await alice.fetch_orders(BTC)] == [placed["id"]]

    run(server, steps)


def test_many_orders_at_once_keep_their_answers_apart(server: Server) -> None:
    """Forty requests on the way at the same time: each is answered for itself, then all are cancelled."""

    async def steps(alice: Any) -> None:
        await alice.load_markets()
        prices = [90_000 + number for number in range(40)]
        placed = await asyncio.gather(*(alice.create_order(BTC, "limit", "buy", 0.001, price) for price in prices))
        assert [order["price"] for order in placed] == prices
        assert len({order["id"] for order in placed}) == 40
        await asyncio.gather(*(alice.cancel_order(order["id"], BTC) for order in placed[:20]))
        assert len(await alice.cancel_all_orders(BTC)) == 20
        assert await alice.fetch_open_orders(BTC) == []

    run(server, steps)


def test_two_accounts_trade_with_each_other(server: Server) -> None:
    """Each sees its own side."""

    async def steps(alice: Any) -> None:
        async with client(server, BOB) as bob:
            await alice.create_order(BTC, "limit", "sell", 0.01, 91000)
            taken = await bob.create_order(BTC, "market", "buy", 0.01)
            assert (taken["status"], taken["average"]) == ("closed", 91000)
            assert (await alice.fetch_balance())["USDT"]["free"] == 10_910
            assert (await bob.fetch_balance())["BTC"]["free"] == 1.01

    run(server, steps)


def test_an_order_is_edited_and_amended(server: Server) -> None:
    """cancelReplace, and order/amend/keepPriority, for which ccxt has no method."""

    async def steps(alice: Any) -> None:
        placed = await alice.create_order(BTC, "limit", "buy", 0.01, 90000)
        edited = await alice.edit_order(placed["id"], BTC, "limit", "buy", 0.03, 89000)
        request = {"symbol": "BTCUSDT", "orderId": edited["id"], "newQty": 0.02}
        amended = await alice.request("order/amend/keepPriority", ["private"], "PUT", request)
        assert amended["amendedOrder"]["qty"] == "0.02000000"
        (found,) = await alice.fetch_open_orders(BTC)
        assert (found["id"], found["price"], found["amount"]) == (edited["id"], 89000, 0.02)

    run(server, steps)


def test_the_rest_of_the_market_is_read(server: Server) -> None:
    """time, ping, avgPrice, trades, the tickers of all symbols."""
    server.flow(Side.SELL, "91000", "0.5")
    server.flow(Side.BUY, "91000", "0.2")

    async def steps(alice: Any) -> None:
        assert await alice.fetch_time() > 0
        assert await alice.public_get_ping() == {}
        assert float((await alice.public_get_avgprice({"symbol": "BTCUSDT"}))["price"]) > 0
        recent = await alice.fetch_trades(BTC, None, 1, {"fetchTradesMethod": "publicGetTrades"})
        assert recent[0]["price"] == 91000
        assert set(await alice.fetch_tickers()) == {BTC, "ETH/USDT", "BNB/USDT"}
        assert (await alice.fetch_bids_asks([BTC]))[BTC]["ask"] == 91000
        assert (await alice.fetch_last_prices([BTC]))[BTC]["price"] == 91000
        assert (await alice.private_get_account_commission({"symbol": "BTCUSDT"}))["symbol"] == "BTCUSDT"
        assert len(await alice.private_get_ratelimit_order()) == 2
        await alice.create_order(BTC, "limit", "buy", 0.01, 90000, {"test": True})
        assert await alice.fetch_open_orders(BTC) == []

    run(server, steps)


REFUSED: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"code": -1000}, ccxt.OperationFailed),
    ({"code": -1007}, ccxt.RequestTimeout),
    ({"code": -1021}, ccxt.InvalidNonce),
    ({"code": -1111}, ccxt.BadRequest),
    ({"code": -1121}, ccxt.BadSymbol),
    ({"code": -2014}, ccxt.AuthenticationError),
]


@pytest.mark.parametrize(("options", "expected"), REFUSED, ids=str)
def test_any_code_comes_as_the_exception_that_bots_catch(
    server: Server, options: dict[str, Any], expected: type[Exception]
) -> None:
    """An error of each kind on demand, by a fault switch; the order is not placed, and not sent again."""

    async def steps(alice: Any) -> None:
        await alice.load_markets()
        server.faults.arm(server.faults.read({"kind": "reject", "path": "order", **options}))
        with pytest.raises(expected):
            await alice.create_order(BTC, "limit", "buy", 0.01, 90000)
        assert server.faults.armed == {}
        assert await alice.fetch_open_orders(BTC) == []

    run(server, steps)


def test_refusals_come_as_the_exceptions_that_bots_catch(server: Server) -> None:
    """Codes and texts are Binance's, so ccxt's mapping works."""

    async def steps(alice: Any) -> None:
        with pytest.raises(ccxt.InsufficientFunds):
            await alice.create_order(BTC, "limit", "buy", 1, 91000)
        with pytest.raises(ccxt.OrderNotFound):
            await alice.cancel_order("1", BTC)
        with pytest.raises(ccxt.BadRequest, match="NOTIONAL"):
            await alice.create_order(BTC, "limit", "buy", 0.00001, 91000)
        await alice.create_order(BTC, "limit", "sell", 0.01, 91000)
        with pytest.raises(ccxt.OrderImmediatelyFillable):
            await alice.create_order(BTC, "limit", "buy", 0.01, 91000, {"postOnly": True})
        async with client(server, secret="B" * 64) as stranger:
            with pytest.raises(ccxt.AuthenticationError, match="-1022"):
                await stranger.fetch_balance()

    run(server, steps)

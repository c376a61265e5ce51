"""Real ccxt.pro against the exchange's sockets, unmodified but for the URL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import ccxt.pro as ccxt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from market.codes import Side
from tests.paper.clients import BTC, ccxt_settings
from tests.paper.desk import ALICE
from tests.paper.server import WAIT_S, Server
from tests.paper.test_admin import ask

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
    """Run the steps of a test with the first account's client, in time."""

    async def all_steps() -> None:
        async with client(server) as alice, asyncio.timeout(2 * WAIT_S):
            await steps(alice)

    asyncio.run(all_steps())


async def started(server: Server, watching: Awaitable[Any]) -> asyncio.Future[Any]:
    """Start to watch, and return when the exchange has a stream for it."""
    count = len(server.hub._listened)
    task = asyncio.ensure_future(watching)
    await asyncio.to_thread(server.wait_until, lambda _: len(server.hub._listened) > count)
    return task


async def placed_when_listening(server: Server, alice: Any) -> Any:
    """Place an order as soon as the client has subscribed to its account."""
    await asyncio.to_thread(server.wait_until, lambda _: bool(server.users._by_account.get(ALICE)))
    return await alice.create_order(BTC, "limit", "buy", 0.01, 90000)


async def flow(server: Server, side: Side, price: str, qty: str) -> None:
    """Let a stranger give an order."""
    await asyncio.to_thread(server.flow, side, price, qty)


def test_an_order_book_is_watched(server: Server) -> None:
    """@depth@100ms joined to /depth: ccxt raises if U is not the last u + 1."""
    server.flow(Side.SELL, "91000", "0.5")

    async def steps(alice: Any) -> None:
        orders = [(Side.BUY, str(90_000 + number), "0.1") for number in range(20)] + [(Side.BUY, "91000", "0.1")]
        watching: Any = await started(server, alice.watch_order_book(BTC))
        for order in orders:  # ccxt tells what comes while it is asked: so it is asked before there is news
            book, _ = await asyncio.gather(watching, flow(server, *order))
            watching = alice.watch_order_book(BTC)
        watching.close()
        while book["asks"][0] != [91000, 0.4]:
            book = await alice.watch_order_book(BTC)
        told = await alice.fetch_order_book(BTC, 1_000)
        assert (book["bids"], book["asks"]) == (told["bids"], told["asks"])
        assert book["nonce"] == told["nonce"]

    run(server, steps)


def test_trades_are_watched(server: Server) -> None:
    """@trade."""
    server.flow(Side.SELL, "91000", "0.5")

    async def steps(alice: Any) -> None:
        task = await started(server, alice.watch_trades(BTC))
        await flow(server, Side.BUY, "91000", "0.2")
        (trade,) = await task
        assert (trade["price"], trade["amount"], trade["side"]) == (91000, 0.2, "buy")

    run(server, steps)


def test_tickers_and_best_prices_are_watched(server: Server) -> None:
    """@ticker, @miniTicker, @bookTicker."""
    server.flow(Side.SELL, "91000", "0.5")
    server.flow(Side.BUY, "91000", "0.2")

    async def steps(alice: Any) -> None:
        assert (await alice.watch_ticker(BTC))["last"] == 91000
        assert (await alice.watch_ticker(BTC, {"name": "ticker"}))["ask"] == 91000
        task = await started(server, alice.watch_bids_asks([BTC]))
        await flow(server, Side.BUY, "90000", "0.2")
        assert (await task)[BTC]["bid"] == 90000

    run(server, steps)


def test_bars_are_watched(server: Server) -> None:
    """@kline."""
    server.flow(Side.SELL, "91000", "0.5")
    server.flow(Side.BUY, "91000", "0.2")

    async def steps(alice: Any) -> None:
        bars = await alice.watch_ohlcv(BTC, "1m")
        assert bars[-1][4] == 91000

    run(server, steps)


def test_what_is_no_longer_watched_is_not_sent(server: Server) -> None:
    """UNSUBSCRIBE."""

    async def steps(alice: Any) -> None:
        (await started(server, alice.watch_trades(BTC))).cancel()
        await alice.un_watch_trades(BTC)
        assert server.call(lambda _: len(server.hub._listened)) == 0

    run(server, steps)


def test_orders_trades_and_balances_are_watched(server: Server) -> None:
    """userDataStream.subscribe.signature, executionReport, outboundAccountPosition."""

    async def steps(alice: Any) -> None:
        await alice.load_markets()
        watching = asyncio.gather(alice.watch_orders(BTC), alice.watch_balance())
        placed = await placed_when_listening(server, alice)
        orders, balance = await watching
        assert (orders[0]["id"], orders[0]["status"], orders[0]["price"]) == (placed["id"], "open", 90000)
        assert (balance["USDT"]["used"], balance["USDT"]["free"]) == (900, 9_100)
        orders, trades, balance, _ = await asyncio.gather(
            alice.watch_orders(BTC),
            alice.watch_my_trades(BTC),
            alice.watch_balance(),
            flow(server, Side.SELL, "90000", "0.01"),
        )
        assert (orders[-1]["status"], orders[-1]["filled"], orders[-1]["average"]) == ("closed", 0.01, 90000)
        assert (trades[-1]["order"], trades[-1]["takerOrMaker"], trades[-1]["side"]) == (placed["id"], "maker", "buy")
        assert balance["BTC"]["free"] == 1.01

    run(server, steps)


def test_the_legs_of_an_order_list_are_watched(server: Server) -> None:
    """Their reports come as any order's; listStatus, which ccxt does not know, disturbs nothing."""

    async def steps(alice: Any) -> None:
        await alice.load_markets()
        watching = asyncio.create_task(alice.watch_orders(BTC))
        await placed_when_listening(server, alice)
        await watching
        pair = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01", "aboveType": "LIMIT_MAKER"}
        stop = {"abovePrice": "95000", "belowType": "STOP_LOSS", "belowStopPrice": "85000"}
        placed = await alice.private_post_orderlist_oco(pair | stop)
        legs = [str(each["orderId"]) for each in placed["orders"]]
        await flow(server, Side.BUY, "95000", "0.01")
        statuses: dict[str, str] = {}
        while [statuses.get(each) for each in legs] != ["expired", "closed"]:
            await asyncio.sleep(0.01)
            statuses = {order["id"]: order["status"] for order in alice.orders}

    run(server, steps)


def test_orders_are_placed_and_cancelled_over_the_socket(server: Server) -> None:
    """order.place, order.status, openOrders.status, order.cancel, myTrades, account.status."""

    async def steps(alice: Any) -> None:
        placed = await alice.create_order_ws(BTC, "limit", "buy", 0.01, 90000)
        assert (placed["status"], placed["price"]) == ("open", 90000)
        assert (await alice.fetch_order_ws(placed["id"], BTC))["status"] == "open"
        assert [order["id"] for order in await alice.fetch_open_orders_ws(BTC)] == [placed["id"]]
        assert (await alice.cancel_order_ws(placed["id"], BTC))["status"] == "canceled"
        await flow(server, Side.SELL, "91000", "0.5")
        assert (await alice.create_order_ws(BTC, "market", "buy", 0.01))["status"] == "closed"
        (trade,) = await alice.fetch_my_trades_ws(BTC)
        assert (trade["price"], trade["amount"]) == (91000, 0.01)
        balances = (await alice.fetch_balance_ws())["info"]["balances"]  # of these ccxt makes nothing for spot
        assert {"asset": "BTC", "free": "1.01000000", "locked": "0.00000000"} in balances
        await alice.create_order_ws(BTC, "limit", "buy", 0.01, 90000)
        assert len(await alice.cancel_all_orders_ws(BTC)) == 1

    run(server, steps)


def test_an_order_is_edited_over_the_socket(server: Server) -> None:
    """order.cancelReplace; allOrders over the socket too."""

    async def steps(alice: Any) -> None:
        placed = await alice.create_order_ws(BTC, "limit", "buy", 0.01, 90000)
        edited = await alice.edit_order_ws(placed["id"], BTC, "limit", "buy", 0.02, 89000)
        assert edited["id"] != placed["id"]
        orders = await alice.fetch_orders_ws(BTC)
        assert [(order["status"], order["amount"]) for order in orders] == [("canceled", 0.01), ("open", 0.02)]

    run(server, steps)


def test_markets_of_all_symbols_are_watched(server: Server) -> None:
    """!miniTicker@arr, @ticker of each; klines over the WebSocket API."""
    server.flow(Side.SELL, "91000", "0.5")
    server.flow(Side.BUY, "91000", "0.2")

    async def steps(alice: Any) -> None:
        assert (await alice.watch_tickers())[BTC]["last"] == 91000
        assert (await alice.watch_tickers([BTC], {"name": "ticker"}))[BTC]["ask"] == 91000
        assert (await alice.fetch_ohlcv_ws(BTC, "1m"))[-1][4] == 91000

    run(server, steps)


def test_a_cut_connection_is_told_and_the_next_watch_goes_on(server: Server) -> None:
    """A fault switch cuts every socket: ccxt raises, and subscribes anew when it is asked again."""
    server.flow(Side.SELL, "91000", "0.5")

    async def steps(alice: Any) -> None:
        task = await started(server, alice.watch_trades(BTC))
        await asyncio.to_thread(ask, server, "POST", "faults", {"kind": "disconnect"})
        with pytest.raises(ccxt.NetworkError):
            await task
        await asyncio.to_thread(server.wait_until, lambda _: len(server.hub._listened) == 0)
        task = await started(server, alice.watch_trades(BTC))
        await flow(server, Side.BUY, "91000", "0.2")
        assert (await task)[-1]["price"] == 91000

    run(server, steps)


def test_refusals_over_the_socket_come_as_the_exceptions_that_bots_catch(server: Server) -> None:
    """The same codes and texts as over HTTP."""

    async def steps(alice: Any) -> None:
        with pytest.raises(ccxt.InsufficientFunds):
            await alice.create_order_ws(BTC, "limit", "buy", 1, 91000)
        with pytest.raises(ccxt.OrderNotFound):
            await alice.cancel_order_ws("1", BTC)
        with pytest.raises(ccxt.OrderNotFound):
            await alice.fetch_order_ws("1", BTC)
        with pytest.raises(ccxt.BadRequest, match="NOTIONAL"):
            await alice.create_order_ws(BTC, "limit", "buy", 0.00001, 91000)
        await alice.create_order_ws(BTC, "limit", "buy", 0.01, 90000, {"newClientOrderId": "mine"})
        with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
            await alice.create_order_ws(BTC, "limit", "buy", 0.01, 90000, {"newClientOrderId": "mine"})
        server.faults.arm(server.faults.read({"kind": "rate_limit", "channel": "socket"}))
        with pytest.raises(ccxt.RateLimitExceeded):
            await alice.create_order_ws(BTC, "limit", "buy", 0.01, 90000)
        server.faults.arm(server.faults.read({"kind": "reject", "code": -1021, "channel": "socket"}))
        with pytest.raises(ccxt.InvalidNonce):
            await alice.create_order_ws(BTC, "limit", "buy", 0.01, 90000)
        async with client(server, secret="B" * 64) as stranger:
            with pytest.raises(ccxt.AuthenticationError):
                await stranger.fetch_balance_ws()

    run(server, steps)


def test_an_ed25519_key_signs_everything(server: Server) -> None:
    """ccxt signs with a private key when it is given one as the secret."""
    secret = server.ed25519_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    async def steps(_: Any) -> None:
        async with client(server, apiKey=server.ed25519_api_key, secret=secret) as alice:
            assert (await alice.fetch_balance())["BTC"]["free"] == 1
            watching = asyncio.ensure_future(alice.watch_orders(BTC))
            placed = await placed_when_listening(server, alice)
            assert (await watching)[0]["id"] == placed["id"]
            assert (await alice.cancel_order_ws(placed["id"], BTC))["status"] == "canceled"

    run(server, steps)

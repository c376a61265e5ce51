"""A paper exchange in front of two engines, under ccxt's load, while each of its processes is killed."""

import asyncio
import json
import os
import signal
import sqlite3
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt.async_support as ccxt

from paper.access.accounts import KeyPair, load_keys
from paper.exchange.tape import Bar
from paper.intervals import DAY_MS
from tests.desk.desk_process import ANSWER_S, TWO_ENGINES, Desk, until
from tests.paper.clients import ccxt_settings_of

NODES = ("engine", "engine2", "paper", "api")
PAIRS = {"BTC/USDT": (90_000, 0.0002), "ETH/USDT": (3_000, 0.004)}  # price and quantity of an offer
BEGAN_WITH = {"BTC": Decimal(1), "ETH": Decimal(1), "USDT": Decimal(10_000)}
PAUSE_S = 0.02  # between two orders of a trader, so that the history stays short


@dataclass
class Trader:
    """Trades one pair for two accounts, for as long as it is let.

    Attributes:
        told: the answer to each order by account and client order id; None where none came: its fate is unknown.
        answered: how many orders were accepted.
        refused: how many were refused with -1001: the engine of the pair is away.
        resting: the ids of orders that stay open.
    """

    pair: str
    accounts: list[Any]
    told: dict[tuple[int, str], Any] = field(default_factory=dict)
    answered: int = 0
    refused: int = 0
    resting: list[str] = field(default_factory=list)
    is_stopping: bool = False

    async def run(self) -> None:
        """Let the accounts take turns to offer; the other takes the half. Cancel most of what is left.

        Each has a bid below all of that, which nobody takes.
        """
        number, (price, qty) = 0, PAIRS[self.pair]
        self.resting = [(await self._order(account, "buy", qty, price * 0.9))["id"] for account in (0, 1)]
        while not self.is_stopping:
            number += 1
            giver, taker = number % 2, 1 - number % 2
            offer = await self._order(giver, "sell", qty, price + number % 7)
            await self._order(taker, "buy", qty / 2, price + number % 7)
            if offer is not None and number % 5:
                await self._called(self.accounts[giver].cancel_order(offer["id"], self.pair))
            await asyncio.sleep(PAUSE_S)

    async def _order(self, account: int, side: str, amount: float, price: float) -> Any:
        name = f"{self.pair[:3]}-{len(self.told)}"
        order = self.accounts[account].create_order(self.pair, "limit", side, amount, price, {"newClientOrderId": name})
        self.told[account, name] = answer = await self._called(order)
        self.answered += answer is not None
        return answer

    async def _called(self, call: Any) -> Any:
        try:
            return await call
        except ccxt.OrderNotFound:  # a cancel of what was sold already
            return None
        except (ccxt.NetworkError, ccxt.OperationFailed) as error:
            self.refused += "-1001" in str(error)
            return None


@asynccontextmanager
async def _clients(desk: Desk, keys: list[KeyPair]) -> AsyncIterator[list[Any]]:
    clients = [ccxt.binance(ccxt_settings_of(desk.url("paper"), pair)) for pair in keys]
    try:
        for client in clients:
            await client.load_markets()
        yield clients
    finally:
        for client in clients:
            await client.close()


async def _until(what: str, condition: Callable[[], Any]) -> None:
    """Wait as `until` does, while the traders go on."""
    await asyncio.to_thread(until, what, condition)


def _bids(desk: Desk, pair: str) -> Any:
    """Return the bids of a pair's public book."""
    return _public(desk, "depth", pair)["bids"]


def _public(desk: Desk, call: str, pair: str) -> Any:
    url = f"{desk.url('paper')}/api/v3/{call}?symbol={pair.replace('/', '')}"
    with urllib.request.urlopen(url, timeout=ANSWER_S) as response:
        return json.load(response)


def _check_kept_bars(desk: Desk) -> None:
    """Compare what is kept of the public trades, a second after the last of them, with what is told."""
    ledger = sqlite3.connect(desk.run_dir / "paper" / "ledger.sqlite3")

    def kept(pair: str) -> int:
        sql = "SELECT figures FROM bars WHERE symbol = ? AND piece_ms = ?"
        rows = ledger.execute(sql, (pair.replace("/", ""), DAY_MS))
        return sum(Bar(*json.loads(figures)).count for (figures,) in rows)

    for pair in PAIRS:
        told = _public(desk, "ticker/24hr", pair)["count"]
        until(f"{told} trades of {pair} are kept", lambda: kept(pair) == told > 0)  # noqa: B023 - at once
    ledger.close()


def _more(trader: Trader, count: int = 10) -> Callable[[], bool]:
    wanted = trader.answered + count
    return lambda: trader.answered >= wanted


async def _kill_each(desk: Desk, btc: Trader, eth: Trader) -> None:
    """Kill the engine of ETH, which first falls silent, then that of BTC and the exchange at once."""
    await _until("both trade", _more(eth))
    others = desk.node("engine")["pid"], desk.node("paper")["pid"]
    os.kill(desk.node("engine2")["pid"], signal.SIGSTOP)
    await _until("ETH is refused", lambda: eth.refused > 0)
    await _until("BTC goes on", _more(btc))
    assert btc.refused == 0
    await _until("its book is empty rather than stale", lambda: not _bids(desk, eth.pair))
    assert _bids(desk, btc.pair)
    await asyncio.to_thread(desk.kill, "engine2")
    await _until("ETH is back", _more(eth))
    assert (desk.node("engine")["pid"], desk.node("paper")["pid"]) == others
    assert btc.refused == 0
    await asyncio.gather(*(asyncio.to_thread(desk.kill, name) for name in ("engine", "paper")))
    both = _more(btc), _more(eth)
    await _until("both trade again", lambda: all(goes_on() for goes_on in both))


async def _history(client: Any, pair: str) -> tuple[list[Any], list[Any]]:
    """Return all raw orders and trades of an account."""
    orders: list[Any] = []
    trades: list[Any] = []
    symbol = client.market(pair)["id"]
    while more := await client.private_get_allorders(
        {"symbol": symbol, "limit": 1_000, "orderId": int(orders[-1]["orderId"]) + 1 if orders else 0}
    ):
        orders += more
    while more := await client.private_get_mytrades(
        {"symbol": symbol, "limit": 1_000, "fromId": int(trades[-1]["id"]) + 1 if trades else 0}
    ):
        trades += more
    return orders, trades


def _check_orders(trader: Trader, account: int, orders: list[Any], trades: list[Any]) -> None:
    """Assert that every order that was acknowledged is there once, as far as it was told, with its trades."""
    by_name = {order["clientOrderId"]: order for order in orders}
    assert len(by_name) == len(orders)
    assert by_name.keys() <= {name for owner, name in trader.told if owner == account}
    for (owner, name), told in trader.told.items():
        if owner == account and told is not None:
            assert Decimal(by_name[name]["executedQty"]) >= Decimal(told["info"]["executedQty"])
    filled: dict[str, Decimal] = {}
    for trade in trades:
        filled[trade["orderId"]] = filled.get(trade["orderId"], Decimal(0)) + Decimal(trade["qty"])
    assert {each["orderId"]: Decimal(each["executedQty"]) for each in orders if Decimal(each["executedQty"])} == filled


def _has_book(desk: Desk, pair: str, wanted: dict[str, float]) -> Callable[[], bool]:
    """Return a question: are the orders of the pair's book, as the api tells it, the wanted ones?"""

    def is_so() -> bool:
        book = desk.get(f"/api/orderbook?symbol={pair.replace('/', '')}")
        levels = [*book.get("bids", ()), *book.get("asks", ())]
        return {str(order["id"]): order["quantity"] for level in levels for order in level["orders"]} == wanted

    return is_so


async def _check(desk: Desk, clients: list[Any], traders: list[Trader]) -> None:
    owned = [dict(BEGAN_WITH) for _ in clients]
    for trader in traders:
        shares: list[tuple[str, bool]] = []
        open_qty: dict[str, float] = {}
        for account, client in enumerate(clients):
            orders, trades = await _history(client, trader.pair)
            _check_orders(trader, account, orders, trades)
            shares += [(trade["id"], trade["isMaker"]) for trade in trades]
            for order in orders:
                if order["status"] in ("NEW", "PARTIALLY_FILLED"):
                    open_qty[str(order["orderId"])] = float(Decimal(order["origQty"]) - Decimal(order["executedQty"]))
            for trade in trades:
                sign = 1 if trade["isBuyer"] else -1
                owned[account][trader.pair[:3]] += sign * Decimal(trade["qty"])
                owned[account]["USDT"] -= sign * Decimal(trade["quoteQty"])
        assert len(set(shares)) == len(shares) > 0, "a share of a trade is there twice"
        assert {each for each, is_maker in shares if is_maker} == {each for each, is_maker in shares if not is_maker}
        assert open_qty.keys() >= set(trader.resting)
        await _until(f"the book of {trader.pair} is the open orders", _has_book(desk, trader.pair, open_qty))
    for account, client in enumerate(clients):
        balances = (await client.fetch_balance())["info"]["balances"]
        has = {each["asset"]: Decimal(each["free"]) + Decimal(each["locked"]) for each in balances}
        assert {asset: has[asset] for asset in BEGAN_WITH} == owned[account]


async def _trade_and_kill(desk: Desk) -> None:
    keys = [desk.run_dir / "paper" / "keys.env", Path(desk.cli_json("accounts", "create")["keys"])]
    async with _clients(desk, [load_keys(path) for path in keys]) as clients:
        traders = [Trader(pair, clients) for pair in PAIRS]
        running = asyncio.gather(*(trader.run() for trader in traders))
        try:
            await _kill_each(desk, *traders)
        finally:
            for trader in traders:
                trader.is_stopping = True
            await running
        await _until("every engine is back", lambda: desk.node("paper")["figures"].get("is_connected"))
        await _check(desk, clients, traders)
        _check_kept_bars(desk)


def test_one_engine_is_killed_and_the_other_trades_on(directory: Path) -> None:
    """Through kill -9 of each engine and of the exchange no order is lost or doubled, and the balances add up."""
    nodes = [word for name in NODES for word in ("--only", name)]
    desk = Desk(
        directory / "run",
        *nodes,
        TICKBUS_ENGINES=TWO_ENGINES,
        TICKBUS_PAPER__RATE_LIMITS="false",
        TICKBUS_PAPER__MAKER_FEE="0",
        TICKBUS_PAPER__TAKER_FEE="0",
    )
    try:
        asyncio.run(_trade_and_kill(desk.start()))
        desk.stop()
    finally:
        desk.end()

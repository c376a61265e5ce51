"""NautilusTrader's node as it comes: all instruments, market data, every kind of order that it has, an account's news.

A strategy gives one order after the other, and each has to end as it should before the next one goes. The market is
one of two prices, 100 dollars apart.
"""

import asyncio
import datetime
import json
import os
from typing import Any

from nautilus_trader.adapters.binance import (  # type: ignore[import-not-found]
    BINANCE,
    BinanceDataClientConfig,
    BinanceExecClientConfig,
    BinanceInstrumentProviderConfig,
    BinanceLiveDataClientFactory,
    BinanceLiveExecClientFactory,
)
from nautilus_trader.config import LoggingConfig, TradingNodeConfig  # type: ignore[import-not-found]
from nautilus_trader.live.node import TradingNode  # type: ignore[import-not-found]
from nautilus_trader.model.data import BarType  # type: ignore[import-not-found]
from nautilus_trader.model.enums import OrderSide, TimeInForce  # type: ignore[import-not-found]
from nautilus_trader.model.identifiers import InstrumentId  # type: ignore[import-not-found]
from nautilus_trader.trading.strategy import Strategy  # type: ignore[import-not-found]
from practice import URL, stay_on_loopback  # type: ignore[import-not-found]

SOCKETS = URL.replace("http", "ws")
API_KEY, SECRET = json.loads(os.environ["EXCHANGE_ED25519"])  # a session is logged on with such a key alone
BTC = InstrumentId.from_str(f"BTCUSDT.{BINANCE}")
SECONDS_MAX = 60.0


class Hand(Strategy):  # type: ignore[misc]
    """Subscribes to the market, and lets a script give orders and wait for what becomes of them."""

    def __init__(self) -> None:
        super().__init__()
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        self.started = asyncio.Event()
        self.market = {kind: asyncio.Event() for kind in ("quote", "trade", "history")}

    def on_start(self) -> None:
        """Ask for what was traded, and listen to the market."""
        self.request_trade_ticks(BTC, start=self.clock.utc_now() - datetime.timedelta(hours=1), limit=10)
        self.subscribe_quote_ticks(BTC)
        self.subscribe_trade_ticks(BTC)
        self.subscribe_bars(BarType.from_str(f"{BTC}-1-MINUTE-LAST-EXTERNAL"))
        self.started.set()

    def on_quote_tick(self, _: object) -> None:
        """Note it."""
        self.market["quote"].set()

    def on_trade_tick(self, _: object) -> None:
        """Note it."""
        self.market["trade"].set()

    def on_historical_data(self, _: object) -> None:
        """Note it."""
        self.market["history"].set()

    def on_order_event(self, event: Any) -> None:
        """Hand the event on to the script."""
        self.events.put_nowait(event)

    async def give(self, order: Any, *expected: str) -> None:
        """Give an order, and wait until what was expected has happened to it, in that order and nothing else."""
        self.submit_order(order)
        await self._hear("OrderInitialized", "OrderSubmitted", *expected)

    async def take_back(self, order: Any) -> None:
        """Cancel an order, and wait until it is."""
        self.cancel_order(order)
        await self._hear("OrderPendingCancel", "OrderCanceled")

    async def _hear(self, *expected: str) -> None:
        for name in expected:
            event = await self.events.get()
            assert type(event).__name__ == name, f"{name} was expected, was {event}"


async def trade(hand: Hand) -> None:
    """Give orders of each kind, one after the other; the best bid is 90,000 and the best ask 90,100."""
    await hand.started.wait()
    instrument = hand.cache.instrument(BTC)
    qty, price, make = instrument.make_qty(0.01), instrument.make_price, hand.order_factory
    buy, sell = OrderSide.BUY, OrderSide.SELL
    resting = make.limit(BTC, buy, qty, price(90_050), post_only=True)  # the best bid now, and told as such
    await hand.give(resting, "OrderAccepted")
    await hand.take_back(resting)
    await hand.give(make.market(BTC, buy, qty), "OrderAccepted", "OrderFilled")
    for stop in (
        make.stop_limit(BTC, sell, qty, price=price(88_000), trigger_price=price(88_500)),
        make.limit_if_touched(BTC, sell, qty, price=price(95_000), trigger_price=price(94_000)),
    ):
        await hand.give(stop, "OrderAccepted")
        await hand.take_back(stop)
    await hand.give(make.limit(BTC, sell, qty, price(90_000)), "OrderAccepted", "OrderFilled")
    await hand.give(
        make.limit(BTC, sell, qty, price(91_000), time_in_force=TimeInForce.IOC), "OrderAccepted", "OrderExpired"
    )
    await hand.give(make.limit(BTC, buy, qty, price(90_200), post_only=True), "OrderRejected")
    for told in hand.market.values():
        await told.wait()
    balance = hand.cache.account_for_venue(BTC.venue).balance_total(instrument.quote_currency)
    assert balance.as_decimal() < 10_000, balance
    positions = hand.cache.positions_closed()
    assert len(positions) == 1, positions


def run() -> None:
    """Run a node until the script is over."""
    ways: dict[str, Any] = {
        "api_key": API_KEY,
        "api_secret": SECRET,
        "base_url_http": URL,
        "instrument_provider": BinanceInstrumentProviderConfig(load_all=True),
    }
    config = TradingNodeConfig(
        logging=LoggingConfig(log_level="WARNING"),
        data_clients={BINANCE: BinanceDataClientConfig(base_url_ws=SOCKETS, **ways)},
        exec_clients={BINANCE: BinanceExecClientConfig(base_url_ws=f"{SOCKETS}/ws-api/v3", **ways)},
        timeout_post_stop=0.1,
    )
    loop, hand = asyncio.new_event_loop(), Hand()
    asyncio.set_event_loop(loop)
    node = TradingNode(config=config, loop=loop)
    node.trader.add_strategy(hand)
    node.add_data_client_factory(BINANCE, BinanceLiveDataClientFactory)
    node.add_exec_client_factory(BINANCE, BinanceLiveExecClientFactory)
    node.build()

    async def main() -> None:
        running, script = asyncio.ensure_future(node.run_async()), asyncio.ensure_future(trade(hand))
        await asyncio.wait([running, script], timeout=SECONDS_MAX, return_when=asyncio.FIRST_COMPLETED)
        done = running if running.done() else script
        assert done.done(), f"not within {SECONDS_MAX} s"
        done.result()
        await node.stop_async()
        await asyncio.wait([running], timeout=10)

    loop.run_until_complete(main())
    node.dispose()


if __name__ == "__main__":
    stay_on_loopback()
    run()
    print("done", flush=True)

"""Keeps books with NautilusTrader's data client and its cache, subscribed to anew every while.

An update that the client reads after the snapshot, though it is older, is applied on top of it; the next one sets that
right, and from there on the book is shown. It asks for the snapshot before it knows that it is subscribed, and does not
look at U: so an update may be missing between the two.
"""

import asyncio
import datetime
import subprocess
import sys

from books import JOIN_S, SOCKETS, SPEEDS, URL, is_over, show  # type: ignore[import-not-found]
from nautilus_trader.adapters.binance import (  # type: ignore[import-not-found]
    BINANCE,
    BinanceDataClientConfig,
    BinanceLiveDataClientFactory,
)
from nautilus_trader.common.actor import Actor  # type: ignore[import-not-found]
from nautilus_trader.config import (  # type: ignore[import-not-found]
    InstrumentProviderConfig,
    LoggingConfig,
    TradingNodeConfig,
)
from nautilus_trader.live.node import TradingNode  # type: ignore[import-not-found]
from nautilus_trader.model.enums import BookType  # type: ignore[import-not-found]
from nautilus_trader.model.identifiers import InstrumentId  # type: ignore[import-not-found]
from practice import stay_on_loopback  # type: ignore[import-not-found]

PAUSE_S = 0.3
BTC = InstrumentId.from_str(f"BTCUSDT.{BINANCE}")


class Reader(Actor):  # type: ignore[misc]
    """Subscribes to the book again and again, and shows what the cache has after every update."""

    def __init__(self, speed: str) -> None:
        super().__init__()
        self._speed = speed
        self._snapshot_id: int | None = None  # none until the book that was subscribed to has begun

    def on_start(self) -> None:
        """Begin."""
        self._subscribe()
        self.clock.set_timer("again", datetime.timedelta(seconds=JOIN_S), callback=self._again)

    def _again(self, _: object) -> None:
        self._snapshot_id = None
        self.unsubscribe_order_book_deltas(BTC)
        # In the same moment the client takes the two for nothing, and has no book from then on.
        soon = self.clock.utc_now() + datetime.timedelta(seconds=PAUSE_S)
        self.clock.set_time_alert("soon", soon, callback=lambda _: self._subscribe(), override=True)

    def _subscribe(self) -> None:
        self._snapshot_id = None
        self.subscribe_order_book_deltas(BTC, BookType.L2_MBP, params={"update_speed": int(self._speed)})

    def on_order_book_deltas(self, deltas: object) -> None:
        """Show the book."""
        if deltas.is_snapshot:  # type: ignore[attr-defined]
            self._snapshot_id = deltas.sequence  # type: ignore[attr-defined]
        book = self.cache.order_book(BTC)
        if self._snapshot_id is not None and deltas.sequence >= self._snapshot_id:  # type: ignore[attr-defined]
            sides = [[(level.price, level.size()) for level in side] for side in (book.bids(), book.asks())]
            show(self._speed, deltas.sequence, *sides, since=self._snapshot_id)  # type: ignore[attr-defined]


def run(speed: str) -> None:
    """Run a node until the time is over."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    config = TradingNodeConfig(
        logging=LoggingConfig(log_level="OFF"),
        timeout_post_stop=0.1,
        data_clients={
            BINANCE: BinanceDataClientConfig(
                base_url_http=URL,
                base_url_ws=SOCKETS,
                instrument_provider=InstrumentProviderConfig(load_ids=frozenset([BTC])),
            )
        },
    )
    node = TradingNode(config=config, loop=loop)
    node.trader.add_actor(Reader(speed))
    node.add_data_client_factory(BINANCE, BinanceLiveDataClientFactory)
    node.build()

    async def main() -> None:
        running = asyncio.ensure_future(node.run_async())
        while not is_over() and not running.done():
            await asyncio.sleep(0.1)
        await node.stop_async()
        await asyncio.wait([running], timeout=10)

    loop.run_until_complete(main())
    node.dispose()


if __name__ == "__main__":
    stay_on_loopback()
    if len(sys.argv) > 1:
        run(sys.argv[1])
    else:  # a node needs a process of its own
        nodes = [subprocess.Popen([sys.executable, __file__, speed]) for speed in SPEEDS]
        codes = [node.wait() for node in nodes]
        sys.exit(any(codes))

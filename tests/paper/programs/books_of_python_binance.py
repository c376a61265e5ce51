"""Keeps books with python-binance's depth cache, one after the other.

If the first update spans the snapshot, the cache takes a second snapshot and applies that update to it, old as it is:
so its book is of one moment again with the first update behind that snapshot, and is shown from there on.
"""

import asyncio
import time
from typing import Any

from binance import AsyncClient, BinanceSocketManager  # type: ignore[import-not-found]
from binance.ws.depthcache import DepthCacheManager  # type: ignore[import-not-found]
from binance.ws.reconnecting_websocket import ReconnectingWebsocket  # type: ignore[import-not-found]
from books import JOIN_S, SOCKETS, SPEEDS, URL, is_over, show  # type: ignore[import-not-found]
from practice import stay_on_loopback  # type: ignore[import-not-found]

BTC = "BTCUSDT"


class Client(AsyncClient):  # type: ignore[misc]
    """The client, which remembers the number of its last snapshot."""

    snapshot_id = 0

    async def get_order_book(self, **values: Any) -> Any:
        """Take a snapshot."""
        snapshot = await super().get_order_book(**values)
        self.snapshot_id = snapshot["lastUpdateId"]
        return snapshot


async def keep_books(speed: str) -> None:
    """Keep one book after the other."""
    while not is_over():
        client, until_s = await Client.create(), time.monotonic() + JOIN_S + int(speed) / 1_000
        interval = 100 if speed == "100" else None  # it knows no other, and none is a second
        manager = DepthCacheManager(client, BTC, limit=1_000, ws_interval=interval)
        async with manager:
            while time.monotonic() < until_s:
                book = await manager.recv()
                if manager._last_update_id > client.snapshot_id:
                    show(speed, manager._last_update_id, book.get_bids(), book.get_asks())
        await client.close_connection()


async def main() -> None:
    """Keep books at each speed."""
    stay_on_loopback()
    AsyncClient.API_URL = f"{URL}/api"
    BinanceSocketManager.STREAM_URL = f"{SOCKETS}/"
    ReconnectingWebsocket.TIMEOUT = 5
    await asyncio.gather(*map(keep_books, SPEEDS))


asyncio.run(main())

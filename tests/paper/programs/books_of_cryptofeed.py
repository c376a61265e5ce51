"""Keeps books with cryptofeed's handler, a new one every while: each takes a snapshot of its own inside an update.

It takes no address but one of wss; what it connects with is told to leave TLS out.
"""

import asyncio
from typing import Any

from books import JOIN_S, SOCKETS, SPEEDS, URL, is_over, show  # type: ignore[import-not-found]
from cryptofeed import FeedHandler, connection  # type: ignore[import-not-found]
from cryptofeed.connection import RestEndpoint, Routes, WebsocketEndpoint  # type: ignore[import-not-found]
from cryptofeed.defines import L2_BOOK  # type: ignore[import-not-found]
from cryptofeed.exchanges import Binance  # type: ignore[import-not-found]
from practice import stay_on_loopback  # type: ignore[import-not-found]

BTC = "BTC-USDT"


def feed(speed: str) -> Any:
    """Return a feed that keeps a book at a speed."""

    async def on_book(book: Any, _: float) -> None:
        bids, asks = book.book.bids.to_dict(), book.book.asks.to_dict()
        show(speed, book.sequence_number, bids.items(), asks.items())

    return Binance(symbols=[BTC], channels=[L2_BOOK], callbacks={L2_BOOK: on_book}, depth_interval=f"{speed}ms")


async def main() -> None:
    """Let feeds come one after the other, and stop all at the end."""
    routes = Routes("/api/v3/exchangeInfo", l2book="/api/v3/depth?symbol={}&limit={}")
    connect = connection.connect
    connection.connect = lambda address, **options: connect(address.replace("wss://", "ws://"), **options)
    Binance.websocket_endpoints = [WebsocketEndpoint(SOCKETS.replace("ws://", "wss://"))]
    Binance.rest_endpoints = [RestEndpoint(URL, routes=routes)]
    handler = FeedHandler({"log": {"disabled": True}})
    handler.run(start_loop=False, install_signal_handlers=False)
    while not is_over():
        for speed in SPEEDS:
            handler.add_feed(await asyncio.to_thread(feed, speed), loop=asyncio.get_running_loop())
        await asyncio.sleep(JOIN_S)
        if len(handler.feeds) > len(SPEEDS):  # each is heard for twice the time: the slow ones tell once a second
            for old in handler.feeds[: len(SPEEDS)]:
                old.stop()
                await old.shutdown()
            del handler.feeds[: len(SPEEDS)]
    for each in handler.feeds:
        each.stop()
        await each.shutdown()


stay_on_loopback()
asyncio.run(main())

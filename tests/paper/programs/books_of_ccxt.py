"""Keeps books with ccxt.pro's watch_order_book, one after the other."""

import asyncio
import time

import ccxt.pro
from books import JOIN_S, SOCKETS, SPEEDS, URL, is_over, show  # type: ignore[import-not-found]
from practice import stay_on_loopback  # type: ignore[import-not-found]

BTC = "BTC/USDT"


def client(speed: str) -> ccxt.pro.binance:
    """Return a new client, which begins with a snapshot."""
    api = f"{URL}/api"
    return ccxt.pro.binance(
        {
            "enableRateLimit": False,
            "sandbox": True,
            "urls": {
                "test": {
                    "public": f"{api}/v3",
                    "private": f"{api}/v3",
                    "v1": f"{api}/v1",
                    "ws": {"spot": f"{SOCKETS}/ws", "ws-api": {"spot": f"{SOCKETS}/ws-api/v3"}},
                }
            },
            "options": {
                "defaultType": "spot",
                "fetchMarkets": {"types": ["spot"]},
                "watchOrderBookRate": speed,
            },
        }
    )


async def keep_books(speed: str) -> None:
    """Keep one book after the other."""
    while not is_over():
        exchange, until_s = client(speed), time.monotonic() + JOIN_S + int(speed) / 1_000
        try:
            while time.monotonic() < until_s:
                book = await exchange.watch_order_book(BTC, 1_000)
                show(speed, book["nonce"], book["bids"], book["asks"])
        finally:
            await exchange.close()


async def main() -> None:
    """Keep books at each speed."""
    stay_on_loopback()
    await asyncio.gather(*map(keep_books, SPEEDS))


asyncio.run(main())

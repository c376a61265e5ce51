"""Where a live market is: its streams, and the REST calls that belong to them."""

from typing import Final
from urllib.parse import urlsplit

PUBLIC_STREAMS: Final = "wss://data-stream.binance.vision"  # Binance's market data alone: no accounts, no orders
_PUBLIC_REST: Final = "https://data-api.binance.vision"


def streams_url(source: str) -> str:
    """Return the URL that `live:URL` names, Binance's public one for `live` alone.

    Raises:
        ValueError: if it is not `ws://HOST[:PORT]` or `wss://HOST[:PORT]`.
    """
    url = source.removeprefix("live").removeprefix(":").rstrip("/") or PUBLIC_STREAMS
    rest_url(url)
    return url


def rest_url(url: str) -> str:
    """Return where the snapshots of streams are: `http://HOST` for `ws://HOST`.

    Raises:
        ValueError: if the URL is not one of streams.
    """
    if url == PUBLIC_STREAMS:
        return _PUBLIC_REST
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.path or parts.query or parts.username:
        raise ValueError(f"expected live, or live:ws://HOST:PORT or live:wss://HOST, was {url!r}")
    return f"{'https' if parts.scheme == 'wss' else 'http'}://{parts.netloc}"

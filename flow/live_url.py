"""Where a live market is: its streams, and the REST calls that belong to them."""

from typing import Final
from urllib.parse import urlsplit

PUBLIC_STREAMS: Final = "wss://data-stream.binance.vision"  # Binance's market data alone: no accounts, no orders
_PUBLIC_REST: Final = "https://data-api.binance.vision"


def rest_url(url: str) -> str:
    """Return where the snapshots of streams are: `http://HOST` for `ws://HOST`.

    Raises:
        ValueError: if the URL is not one of streams.
    """
    if url == PUBLIC_STREAMS:
        return _PUBLIC_REST
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.path or parts.query or parts.username:
        raise ValueError("expected ws://HOST:PORT or wss://HOST")
    return f"{'https' if parts.scheme == 'wss' else 'http'}://{parts.netloc}"

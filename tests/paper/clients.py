"""Real clients of the exchange, unmodified but for the URL."""

from typing import Any

from tests.paper.desk import ALICE
from tests.paper.server import Server

BTC = "BTC/USDT"


def ccxt_settings(server: Server, account: int = ALICE, **changes: Any) -> dict[str, Any]:
    """Return what to make a ccxt client of an account with, sync, async or pro; its calls all go to the server."""
    api, sockets = f"{server.url}/api", server.url.replace("http", "ws")
    keys = server.keys[account]
    return {
        "apiKey": keys.api_key,
        "secret": keys.secret,
        "enableRateLimit": False,
        "sandbox": True,
        "urls": {
            "test": {
                "public": f"{api}/v3",
                "private": f"{api}/v3",
                "v1": f"{api}/v1",
                "ws": {"spot": f"{sockets}/ws", "ws-api": {"spot": f"{sockets}/ws-api/v3"}},
            }
        },
        "options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}},
        **changes,
    }

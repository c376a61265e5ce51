"""ccxt with one exchange of its hundred: `import ccxt` takes 1.3 s of processor time, this 0.2 s.

ccxt's own `__init__` imports every exchange. Here its package stands in for a moment without that file, so that
`ccxt.binance` and what it needs can be imported; whoever imports ccxt afterwards gets the whole of it.
"""

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from venues.venue import RECV_WINDOW_MS

if TYPE_CHECKING:
    import ccxt
else:

    def _one_exchange() -> Any:
        """Return ccxt: the whole where it is imported already, else Binance and the errors."""
        if (whole := sys.modules.get("ccxt")) is not None:
            return whole
        spec = importlib.util.find_spec("ccxt")
        assert spec is not None, "ccxt is not installed"
        alone = sys.modules["ccxt"] = importlib.util.module_from_spec(spec)  # its __init__ is not run
        try:
            binance: ModuleType = importlib.import_module("ccxt.binance")
            errors: ModuleType = importlib.import_module("ccxt.base.errors")
            base: ModuleType = importlib.import_module("ccxt.base.exchange")
        finally:
            del sys.modules["ccxt"]
        vars(alone).update({name: getattr(errors, name) for name in errors.__all__ if hasattr(errors, name)})
        alone.binance, alone.Exchange = binance.binance, base.Exchange
        return alone

    ccxt = _one_exchange()

__all__ = ["ccxt", "settings_of"]

# Where Binance's places to practise have their streams and their WebSocket API, by where their HTTP is.
_SOCKETS: Final = {
    "https://testnet.binance.vision": (
        "wss://stream.testnet.binance.vision/ws",
        "wss://ws-api.testnet.binance.vision/ws-api/v3",
    ),
    "https://demo-api.binance.com": ("wss://demo-stream.binance.com/ws", "wss://demo-ws-api.binance.com/ws-api/v3"),
}


def settings_of(url: str | None, api_key: str, secret: str, timeout_ms: int) -> dict[str, Any]:
    """Return what to make a client of ccxt with.

    Args:
        url: scheme, host and port of a look-alike; None is the testnet itself.
        api_key, secret: of the account.
        timeout_ms: for each request.
    """
    settings: dict[str, Any] = {
        "apiKey": api_key,
        "secret": secret,
        "timeout": timeout_ms,
        "sandbox": True,
        "options": {"defaultType": "spot", "recvWindow": RECV_WINDOW_MS},
    }
    if url is not None:
        # Overriding urls['api'] alone would still sign a request to the real host.
        rest, own = f"{url}/api", url.replace("http", "ws", 1)
        streams, calls = _SOCKETS.get(url.removesuffix(":443"), (f"{own}/ws", f"{own}/ws-api/v3"))
        settings["urls"] = {
            "test": {
                "public": f"{rest}/v3",
                "private": f"{rest}/v3",
                "v1": f"{rest}/v1",
                "ws": {"spot": streams, "ws-api": {"spot": calls}},
            }
        }
    return settings

"""The settings that are no more, or are written in another way now, and what is written instead."""

import re
from typing import Final

OLD_KEYS: Final = {
    "engine.placement": "write a table [[engines]] for each engine, with its name and its symbols: "
    'name = "engine2", symbols = ["ETHUSDT"]; one without symbols takes the others',
    "gateway.more_ports": "write a table [[gateways]] for each gateway, with its name and its port: "
    'name = "gateway2", port = 8093',
    "flow.more_symbols": "write has_flow = true in the table [[symbols]] of each: "
    'symbol = "ETHUSDT", has_flow = true, and opening_mid where another mid is meant',
    "gateway.qty_max": 'write qty_max in the table [[symbols]] of each: symbol = "ETHUSDT", qty_max = 100',
}
_BY_SYMBOL: Final = "[^,]*(,.*)?=.*"
_RANGE: Final = "[^-]+-.*"
OLD_TEXTS: Final = {  # what the text of old looked like, and what is written instead
    "bus.channels": (".*", 'write a table [bus.channels]: feed = "listen", snapshots = "listen"'),
    "paper.order_delay_ms": (_RANGE, "write order_delay_ms = 2 and order_delay_ms_max = 8"),
    "paper.market_data_delay_ms": (_RANGE, "write market_data_delay_ms = 2 and market_data_delay_ms_max = 8"),
    "flow.source": (
        "(synthetic|replay|live):.*",
        'write what stands behind the colon as flow.preset, flow.url or flow.recordings: source = "replay", '
        'recordings = ["A", "B"], or [["TRADES", "TICKERS"]] for files of one time',
    ),
    "gateway.price_band": (
        _BY_SYMBOL,
        "write one number here, and price_band in the table [[symbols]] of each other: "
        'symbol = "ETHUSDT", price_band = 0.1',
    ),
    "gateway.notional_max": (
        _BY_SYMBOL,
        "write one number here, and notional_max in the table [[symbols]] of each other: "
        'symbol = "ETHUSDT", notional_max = 50000',
    ),
}


def new_spelling(key: str, value: object) -> str | None:
    """Return how a setting is to be written now, None if it is not written as of old."""
    if key in OLD_KEYS:
        return f"no such setting any more: {OLD_KEYS[key]}"
    pattern, advice = OLD_TEXTS.get(key, ("", ""))
    return f"{advice}, was {value!r}" if pattern and re.fullmatch(pattern, str(value)) else None

"""The settings that are written in another way now: what their text of old looked like, and what is written instead."""

import re
from typing import Final

_ANY: Final = "(?s:.*)"
_BY_SYMBOL: Final = "[^,]*(,.*)?=.*"
_RANGE: Final = "[^-]+-.*"
OLD: Final = {
    "engine.placement": (
        _ANY,
        "write a table [[engines]] for each engine, with its name and its symbols: "
        'name = "engine2", symbols = ["ETHUSDT"]; one without symbols takes the others',
    ),
    "gateway.more_ports": (
        _ANY,
        'write a table [[gateways]] for each gateway, with its name and its port: name = "gateway2", port = 8093',
    ),
    "gateway.qty_max": (
        _ANY,
        'write qty_max in the table [[symbols]] of each: symbol = "ETHUSDT", qty_max = 100',
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
    "bus.channels": (_ANY, 'write a table [bus.channels]: feed = "listen", snapshots = "listen"'),
    "paper.order_delay_ms": (_RANGE, "write order_delay_ms = 2 and order_delay_ms_max = 8"),
    "paper.market_data_delay_ms": (_RANGE, "write market_data_delay_ms = 2 and market_data_delay_ms_max = 8"),
    "flow.source": (
        "(synthetic|replay|live):.*",
        'write what stands behind the colon as flow.preset, flow.url or flow.recordings: source = "replay", '
        'recordings = ["A", "B"], or [["TRADES", "TICKERS"]] for files of one time',
    ),
    "flow.more_symbols": (
        _ANY,
        "write has_flow = true in the table [[symbols]] of each: "
        'symbol = "ETHUSDT", has_flow = true, and opening_mid where another mid is meant',
    ),
}


def new_spelling(key: str, value: object) -> str | None:
    """Return how a setting is to be written, None if it is not written as of old."""
    pattern, instead = OLD.get(key, (None, ""))
    return f"{instead}, was {value!r}" if pattern and re.fullmatch(pattern, str(value)) else None

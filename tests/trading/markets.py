"""Markets for a quoting model to see."""

from market.depth import Depth, Level
from market.instrument import Instrument
from tests.pairs import default_instruments
from trading.order_rules import OrderRules
from trading.quoting import Market

BTCUSDT = default_instruments()[0]


def at_mid(mid_x2: int, instrument: Instrument = BTCUSDT, rules: OrderRules | None = None) -> Market:
    """Return a market with this mid, in half ticks, which is as narrow as it can be."""
    bid = mid_x2 // 2
    return Market(instrument, rules or OrderRules(), Depth((Level(bid, 1),), (Level(mid_x2 - bid, 1),)))

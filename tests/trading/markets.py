"""Markets for a quoting model to see."""

from decimal import Decimal

from market.depth import Depth, Level
from market.instrument import Instrument
from tests.pairs import default_instruments
from trading.models import model_named
from trading.models.parameters import Parameters
from trading.order_rules import OrderRules
from trading.quoting import Market, QuotingModel

BTCUSDT = default_instruments()[0]


def at_mid(mid_x2: int, instrument: Instrument = BTCUSDT, rules: OrderRules | None = None) -> Market:
    """Return a market with this mid, in half ticks, which is as narrow as it can be."""
    bid = mid_x2 // 2
    return Market(instrument, rules or OrderRules(), Depth((Level(bid, 1),), (Level(mid_x2 - bid, 1),)))


def symmetric(half_spread: Decimal, notional: Decimal) -> QuotingModel:
    """Return the default model with these parameters."""
    return model_named("symmetric", Parameters(half_spread, notional))

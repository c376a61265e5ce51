"""What a browser is told once, before anything else: how to read the numbers of the live line."""

from decimal import Decimal

from desk.settings import Settings
from market.exact_json import dumps
from market.instrument import Instrument
from web.assets import load_assets


def hello_text(settings: Settings, instrument: Instrument) -> str:
    """Return it as JSON; `tick` and `lot` are units and decimals, so that 3 ticks are 3 x units / 10 ** decimals."""
    return dumps(
        {
            "hello": {
                "symbol": instrument.symbol,
                "base": instrument.base,
                "quote": instrument.quote,
                "tick": _units(instrument.tick_size),
                "lot": _units(instrument.lot_size),
                "quoted": settings.symbol,
                "result_asset": settings.instrument.quote,
                "venue": settings.venue.name,
                "page": load_assets().digest,
            }
        }
    )


def _units(step: Decimal) -> list[int]:
    decimals = len(f"{step:f}".partition(".")[2])
    return [int(step * 10**decimals), decimals]

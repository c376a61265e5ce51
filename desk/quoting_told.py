"""A day of quoting as the daily document tells it, of a desk's maker and of a simulated one."""

from collections.abc import Mapping
from typing import Final

from desk.market_seen import seen_json
from desk.settings import Settings
from market.exact_json import JsonObject
from trading.quoting_day import QuotingDay

_TUNED: Final = ("model", "half_spread", "skew", "inventory", "notional")


def quoting_told(settings: Settings, kept: QuotingDay, texts: Mapping[str, str | None]) -> JsonObject:
    """Return a day of a maker.

    Args:
        settings: which pair, and how much presence there ought to be.
        texts: how the maker is set, by key.
    """
    told = kept.document(settings.maker.presence_target, settings.maker.presence_within)
    maker = {name: texts.get(f"maker.{name}") for name in _TUNED}
    return told | {"symbol": settings.symbol, "seen": seen_json(kept.seen), "maker": maker}

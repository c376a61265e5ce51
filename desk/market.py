"""What a desk trades on, for everything that is shown to a person: its venue, the market there, and the fees."""

from desk.settings import Settings
from market.exact_json import JsonObject


def market_of(settings: Settings) -> JsonObject:
    """Return where the account of a desk trades, as the daily document tells it."""
    venue = {"venue": settings.venue.name}
    if settings.venue.url is not None or settings.venue.name != "paper":
        return venue | ({} if settings.venue.url is None else {"url": settings.venue.url})
    row = next((one for one in settings.symbols if one.symbol == settings.symbol), None)
    maker, taker = (row.maker_fee, row.taker_fee) if row is not None else (None, None)
    flow = settings.flow
    is_synthetic = flow.source.startswith("synthetic")
    return {
        **venue,
        "flow": f"synthetic:{flow.market_preset}" if is_synthetic else flow.source,
        **({"seed": flow.seed} if is_synthetic else {}),
        "maker_fee": settings.paper.maker_fee if maker is None else maker,
        "taker_fee": settings.paper.taker_fee if taker is None else taker,
        "fee_in": settings.paper.fee_in,
    }

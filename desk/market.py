"""What a desk trades on, for everything that is shown to a person: its venue, the market there, and the fees."""

from desk.settings import Settings
from market.exact_json import JsonObject


def market_of(settings: Settings) -> JsonObject:
    """Return where the account of a desk trades, as the daily document tells it."""
    venue = {"venue": settings.venue.name}
    if settings.venue.url is not None or settings.venue.name != "paper":
        return venue | ({} if settings.venue.url is None else {"url": settings.venue.url})
    maker_fee, taker_fee = settings.fees(settings.symbol_row)
    flow = settings.flow
    return {
        **venue,
        "flow": flow.text,
        **({"seed": flow.seed} if flow.source == "synthetic" else {}),
        "maker_fee": maker_fee,
        "taker_fee": taker_fee,
        "fee_in": settings.paper.fee_in,
    }

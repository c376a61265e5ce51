"""What a desk trades on: its venue, the market there, and the fees, for everything that is shown to a person."""

from market.exact_json import JsonObject
from nodes.settings import Settings


def market_of(settings: Settings) -> JsonObject:
    """Return the market of the desk's symbol: `venue`, and of a paper exchange its `flow`, `seed` and fees."""
    if settings.venue.name != "paper":
        return {"venue": settings.venue.name, "url": settings.venue.url}
    flow, paper = settings.flow, settings.paper
    is_synthetic = flow.source.startswith("synthetic")
    own = next((each for each in settings.symbols if each.symbol == settings.symbol), None)
    maker_fee, taker_fee = (
        default if own is None or fee is None else fee
        for default, fee in (
            (paper.maker_fee, own and own.maker_fee),
            (paper.taker_fee, own and own.taker_fee),
        )
    )
    return {
        "venue": "paper",
        "flow": f"synthetic:{flow.market_preset}" if is_synthetic else flow.source,
        "seed": flow.seed if is_synthetic else None,
        "maker_fee": maker_fee,
        "taker_fee": taker_fee,
    }

"""What the paper exchange of a desk takes of each trade."""

from desk.settings import Settings
from paper.money.commission import DISCOUNT_ASSET, Commission, FeePlace


def commission_of(settings: Settings) -> Commission:
    """Return the commission that the settings ask for."""
    is_in_bnb = settings.paper.fee_in == DISCOUNT_ASSET
    by_symbol = {row.symbol: settings.fees(row) for row in settings.symbols}
    return Commission(
        settings.paper.maker_fee,
        settings.paper.taker_fee,
        by_symbol,
        place=FeePlace.RECEIVED if is_in_bnb else FeePlace(settings.paper.fee_in),
        is_in_bnb=is_in_bnb,
        bnb_discount=settings.paper.bnb_discount,
    )

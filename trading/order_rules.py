"""What a venue asks of an order."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class OrderRules:
    """The bounds of a limit order in one instrument; None where the venue names none.

    Attributes:
        price_min, price_max: quote per base.
        qty_min, qty_max: base.
        notional_min, notional_max: price x quantity, quote.
        bid_reach, ask_reach: the least and the most of a price on that side, as multiples of the market's mean price.
        position_max: the most of the base asset that an account may come to own by buying.
    """

    price_min: Decimal = Decimal(0)
    price_max: Decimal | None = None
    qty_min: Decimal = Decimal(0)
    qty_max: Decimal | None = None
    notional_min: Decimal = Decimal(0)
    notional_max: Decimal | None = None
    bid_reach: tuple[Decimal, Decimal] | None = None
    ask_reach: tuple[Decimal, Decimal] | None = None
    position_max: Decimal | None = None

    def is_enough(self, qty: Decimal, price: Decimal) -> bool:
        """Whether so much at this price is not too little for an order."""
        return qty > 0 and qty >= self.qty_min and qty * price >= self.notional_min
